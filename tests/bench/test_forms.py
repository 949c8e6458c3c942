"""The small form of each benchmark: it runs, tells its figures, and what it compares agrees. No time is judged here."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import decide, decode, history, market, memory, tick_to_order, timing
from tests.bench.scene import generated


def test_decode_takes_every_frame_by_the_compiled_pass() -> None:
    """Depth frames of 100 + 100 levels, quotes and trades: all fast, none refused."""
    document = decode.measure(frames=20, rounds=1)
    for name in ("depth_100_100", "bookTicker", "aggTrade"):
        assert (document[name]["fast_share"], document[name]["quarantined"]) == (1.0, 0), name


def test_market_hears_all_frames() -> None:
    """Both feeds are heard whole by the hot path."""
    document = market.measure(generated(5), frames=20, rounds=1)
    assert document["depth_61_61"]["frames"] == 20
    assert (document["mixed"]["fast_share"], document["mixed"]["quarantined"]) == (1.0, 0)


def test_decide_enters_often_enough_to_have_a_median() -> None:
    """The eager bot enters again and again; each entry is a sample."""
    document = decide.measure(100, warming=3)
    assert document["entries"] > 3
    assert document["callback_to_order"]["p50_us"] > 0


def test_history_decides_alike_in_all_three_ways(tmp_path: Path) -> None:
    """Recorded frames, rows in lock step and rows in bulk say what the frame-by-frame path says."""
    _, ours = history.prepared(tmp_path, None, 60)
    document = history.measure(ours, None, rounds=1)
    assert document["identical_to_frames"] == {"recorded": True, "lockstep": True, "bulk": True}
    assert document["records"] > 0


@pytest.mark.skipif(
    importlib.util.find_spec("hftbacktest") is None, reason="hftbacktest of the group bench is not installed"
)
def test_history_runs_its_rival(tmp_path: Path) -> None:
    """The rival takes the same capture and steps through it."""
    from tests.bench.rival import Rival, scalper

    capture, ours = history.prepared(tmp_path, None, 20)
    one = ours.instruments[0]
    rival = Rival(capture, one.tick_e8 / 1e8, one.lot_e8 / 1e8)
    assert rival.rows >= ours.count - 2 * len(rival.snapshot)
    assert rival.run(scalper, vector=True)[0] > 150


def test_memory_watches_a_run() -> None:
    """Resident memory is read through the run, and the run trades on."""
    document = memory.measure(minutes=1, seed=7)
    assert document["frames"] > 1_000
    assert document["mb_at_end"] > 0


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (1.1, 1)])
def test_a_missed_bar_is_told_and_ends_with_one(value: float, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A bar holds its bound included; beyond it the command says so."""
    document: dict[str, Any] = {"figure": 3, "bars": {"a ÷ b": (value, "≤", 1.0)}}
    assert timing.tell(document, as_json=True) == code
    assert json.loads(capsys.readouterr().out)["met"] == {"a ÷ b": code == 0}
    assert timing.tell(document, as_json=False) == code
    assert ("MISSED" in capsys.readouterr().out) is bool(code)


def test_tick_to_order_gets_an_order_for_every_trigger() -> None:
    """Each process answers the triggers with orders signed as they should be, and nothing is lost."""
    found = tick_to_order.measure(tick_to_order.Terms(rounds=1, seconds=0.3, depths=10), ["tcp"])["tcp"]
    assert found["spaced/ours"]["orders"] > 0 and found["bursts/usual"]["orders"] > 0
    said = found["ours_says"]
    assert (said["unknown"], said["denials"], said["fast_share"]) == (0, {}, 1.0)
    assert said["cleared"] == said["sent"]


def test_as_many_stalls_as_the_c_program_had_are_left_out() -> None:
    """A stall that the C program had as well is the scheduler's; one more is ours."""
    stall = tick_to_order.STALL_NS + 1
    assert tick_to_order.without_stalls([100, stall, 200, 2 * stall], [50, stall]) == ([100, 200, stall], 1)
    assert tick_to_order.without_stalls([100, stall], []) == ([100, stall], 0)
