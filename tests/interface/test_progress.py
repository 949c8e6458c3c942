"""Progress: one overwritten line on a terminal, silence everywhere else."""

from __future__ import annotations

import argparse
import io
import types

import pytest

from interface import progress
from interface.progress import EVERY_S, WIDTH, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error is a terminal of 80 columns."""
    screen = Terminal()
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stderr=screen))
    monkeypatch.setenv("COLUMNS", "80")
    return screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that progress sees; the test moves it."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def made(**options: bool) -> Progress:
    return Progress(argparse.Namespace(**{"quiet": False, "json": False} | options), "demo")


def test_a_line_is_overwritten_in_place(terminal: Terminal, clock: list[float]) -> None:
    """Each telling begins at the left edge and covers the one before; the end clears the line."""
    shown = made()
    shown.share(1, 4)
    clock[0] += EVERY_S
    shown.text("more")
    shown.done()
    first, second, clear, rest = terminal.getvalue().split("\r")[1:]
    assert (first, second) == ("demo:  25.0 %".ljust(WIDTH), "demo: more".ljust(WIDTH))
    assert (clear.strip(), len(clear), rest) == ("", WIDTH, "")


def test_it_is_told_four_times_a_second_at_most(terminal: Terminal, clock: list[float]) -> None:
    """Between two tellings calls cost nothing and write nothing."""
    shown = made()
    for step in range(9):
        shown.bytes(step * 1_000_000)
        clock[0] += EVERY_S / 4
    assert [part.strip() for part in terminal.getvalue().split("\r")[1:]] == [
        "demo: 0.0 MB read",
        "demo: 4.0 MB read",
        "demo: 8.0 MB read",
    ]


def test_a_line_never_wraps(terminal: Terminal, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal the text is cut: a wrapped line could not be overwritten."""
    monkeypatch.setenv("COLUMNS", "12")
    shown = made()
    shown.text("a long text that does not fit")
    assert terminal.getvalue() == "\rdemo: a lon"


def test_more_than_all_is_all(terminal: Terminal, clock: list[float]) -> None:
    """A run that closes a position goes on behind its end: the share stays at 100 %, and nothing of nothing is told."""
    shown = made()
    shown.share(5, 4)
    clock[0] += 1
    shown.share(5, 0)
    assert [part.strip() for part in terminal.getvalue().split("\r")[1:]] == ["demo: 100.0 %", "demo:"]


@pytest.mark.parametrize("options", [{"quiet": True}, {"json": True}])
def test_it_is_silent_when_asked(terminal: Terminal, options: dict[str, bool]) -> None:
    """With --quiet and with --json nothing is written even on a terminal."""
    shown = made(**options)
    shown.share(1, 2)
    shown.done()
    assert terminal.getvalue() == ""


def test_it_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A file or a pipe gets no cursor control."""
    shown = made()
    shown.text("x")
    shown.done()
    assert capsys.readouterr() == ("", "")
