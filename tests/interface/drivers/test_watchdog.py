"""The watchdog: a loop that stands still is told once and ended; a process that stood still is forgiven."""

from __future__ import annotations

import threading

import pytest

from interface.drivers import watchdog
from interface.drivers.watchdog import Watchdog

WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundredths of seconds for seconds."""
    for name, seconds in (("LOOK_S", 0.01), ("ALARM_S", 0.1), ("END_S", 0.3)):
        monkeypatch.setattr(watchdog, name, seconds)


def test_a_loop_that_stands_still_is_told_once_and_ended() -> None:
    """After its last tick comes one alarm, then the end with code 1."""
    told: list[float] = []
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with Watchdog(told.append, end) as dog:
        dog.tick()
        assert ended.wait(WITHIN_S)
    assert len(told) == 1 and set(codes) == {1}


def test_without_a_first_tick_nobody_is_watched() -> None:
    """Before the run has begun to trade a standstill is none."""
    told: list[float] = []
    with Watchdog(told.append, lambda code: told.append(code)):
        threading.Event().wait(0.4)
    assert told == []


def test_a_living_loop_is_left_alone() -> None:
    """Ticks keep it quiet, and a standstill that ended is told anew the next time."""
    told: list[float] = []
    alarmed = threading.Event()
    with Watchdog(lambda seconds: (told.append(seconds), alarmed.set()), lambda code: None) as dog:  # type: ignore[func-returns-value]
        for _ in range(2):
            dog.tick()
            assert alarmed.wait(WITHIN_S)
            alarmed.clear()
            dog.tick()
            threading.Event().wait(0.05)
    assert len(told) >= 2
