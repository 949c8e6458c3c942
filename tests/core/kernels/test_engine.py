"""The compiled pass against the slow engine, and cut anywhere."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.engine import advance
from core.kernels.state import Wake
from models.rows import ASK, BID, Flag, Kind
from tests.builders import MS, PARAMETERS, SECOND, START_NS, Frames, Memory, random_frames
from tests.naive import engine as naive
from tests.naive.book import book_clear
from tests.naive.compare import differences

BARS = (SECOND, 5 * SECOND)
STRICT = {
    "spread_limit_num": 2, "depth_limit_lots": 5, "cascade_count": 2, "imbalance_limit_ppm": 700_000,
    "imbalance_entry_ppm": 200_000, "volume_num": 1, "momentum_threshold_num": 0, "stale_ns": 200 * MS,
}  # fmt: skip


def lines(frames: Frames) -> list[tuple[int, ...]]:
    """The rows as tuples of eight words."""
    words = frames.rows().view(np.int64).reshape(-1, 8)
    return [tuple(int(word) for word in row) for row in words]


def pair(instruments: int, wake: int = 0, **parameters: int) -> tuple[Memory, naive.Engine]:
    """A compiled and a naive engine with the same parameters."""
    merged = PARAMETERS | parameters
    markets = [naive.Market([(bar, wake) for bar in BARS], **merged) for _ in range(instruments)]
    for market in markets:
        book_clear(market.book, 0)
    return Memory(instruments, BARS, wake, **parameters), naive.Engine(markets)


def arm(memory: Memory, slow: naive.Engine, side: int, stop_tick: int) -> None:
    """An open position in the eyes of the exit conditions of both."""
    armed = {
        "position_side": side, "opened_ns": START_NS, "stop_tick": stop_tick, "entry_baseline_lots": 50,
        "entry_baseline_count": 4,
    }  # fmt: skip
    for number, market in enumerate(slow.markets):
        for name, value in armed.items():
            memory.markets[name][number] = value
            setattr(market, name, value)


@pytest.mark.parametrize("wild", [False, True], ids=["ordinary", "wild"])
@pytest.mark.parametrize("seed", range(6))
def test_pass_agrees_with_the_slow_engine(seed: int, wild: bool) -> None:
    """On random markets, wild ones included, every wake and every word of state are those of the naive twin."""
    frames = random_frames(seed, 1_500, 2, wild=wild)
    memory, slow = pair(2, wake=seed % 2, **(STRICT if seed % 3 else {}))
    if seed % 2:
        arm(memory, slow, 1 if seed % 4 == 1 else -1, 49_998 if seed % 4 == 1 else 50_002)
    wakes = [(index, bits) for index, bits, _ in memory.run(frames.rows())]
    assert wakes == list(naive.run(slow, lines(frames)))
    for number, market in enumerate(slow.markets):
        assert differences(memory.markets[number], market) == {}


def test_pass_wakes_for_every_reason() -> None:
    """The random markets reach trust, bar, exit, entry and edge wakes, so that agreement means something."""
    seen = 0
    for seed in range(4):
        memory, slow = pair(2, wake=1, **STRICT)
        arm(memory, slow, 1, 49_998)
        for _, bits, _ in memory.run(random_frames(seed, 1_500, 2, wild=True).rows()):
            seen |= bits
    assert seen == Wake.TRUST | Wake.BAR | Wake.EXIT | Wake.ENTRY | Wake.EDGE


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_cuts_change_nothing(seed: int, data: st.DataObject) -> None:
    """Rows cut anywhere, inside frames too, give the same wakes and the same bytes of state."""
    rows = random_frames(seed, 150, 2, wild=seed % 2 == 0).rows()
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=40))
    whole, parts = Memory(2, BARS, 1, **STRICT), Memory(2, BARS, 1, **STRICT)
    expected = whole.run(rows)
    # A wake inside a frame that a cut splits is told at the frame's end: the same row as without the cut.
    assert parts.run(rows, cuts) == expected
    assert parts.state_bytes() == whole.state_bytes()


def test_every_single_row_on_its_own() -> None:
    """The finest cut, one row a call, is no exception."""
    rows = random_frames(3, 400, 2, wild=True).rows()
    whole, single = Memory(2, BARS, 1, **STRICT), Memory(2, BARS, 1, **STRICT)
    assert single.run(rows, range(len(rows))) == whole.run(rows)
    assert single.state_bytes() == whole.state_bytes()


def test_deadline_stops_before_the_first_later_frame() -> None:
    """Rows received at the deadline are taken, the first frame after it is not, and nothing of it is remembered."""
    frames = Frames().snapshot(START_NS, [(BID, 99, 5), (ASK, 101, 5)])
    frames.depth(START_NS + 10, [(BID, 98, 1)]).depth(START_NS + 11, [(BID, 97, 1)])
    memory = Memory()
    memory.engine["deadline_ns"] = START_NS + 10
    index = 0
    for _ in range(3):
        index, bits = memory.advance(frames.rows(), index)
        if bits & Wake.DEADLINE:
            break
    assert (index, bits) == (3, Wake.DEADLINE)
    assert int(memory.engine["now_ns"][0]) == START_NS + 10


@pytest.mark.parametrize("instrument", [2, 7, 0xFFFF])
def test_rows_of_strangers_are_counted(instrument: int) -> None:
    """Rows of an instrument the engine does not have change nothing but a counter."""
    frames = Frames().depth(START_NS, [(BID, 98, 1), (ASK, 99, 1)], instrument=instrument)
    memory = Memory(2)
    before = memory.markets.tobytes()
    assert memory.advance(frames.rows()) == (2, 0)
    assert (int(memory.engine["unknown_rows"][0]), memory.markets.tobytes()) == (2, before)


def test_one_instrument_decides_alone() -> None:
    """What an instrument wakes for and remembers does not depend on which others are present."""
    chance = random.Random(5)
    both = random_frames(5, 800, 2, wild=True)
    rows = both.rows()
    alone = rows[rows["instrument"] == 0]
    together, single = Memory(2, BARS, 1, **STRICT), Memory(1, BARS, 1, **STRICT)
    woken = [
        bits
        for _, bits, instrument in together.run(rows, sorted(chance.sample(range(len(rows)), 20)))
        if instrument == 0
    ]
    assert woken == [bits for _, bits, _ in single.run(alone)]
    assert together.markets[0].tobytes() == single.markets[0].tobytes()


def test_hot_store_rows_are_mirrored() -> None:
    """Each trade stands in both of its places, so that the newest n are one contiguous slice."""
    frames = Frames()
    for number in range(5_000):
        frames.trade(START_NS + number, 100 + number % 7, 1 + number % 3)
    memory = Memory()
    memory.run(frames.rows())
    market = memory.markets[0]
    half = market["tape"].shape[1] // 2
    assert np.array_equal(market["tape"][:, :half], market["tape"][:, half:])
    assert int(market["tape_count"]) == 5_000
    assert market["tape"][0, (5_000 - 1) % half] == START_NS + 4_999


def test_empty_call_is_no_progress() -> None:
    """No rows: the index comes back and no bit is set."""
    memory = Memory()
    rows = Frames().tick(START_NS).rows()
    assert advance(memory.engine.ctypes.data, rows.ctypes.data, 0, 0) == 0
    assert rows["flags"][0] == Flag.FIRST | Flag.LAST
    assert rows["kind"][0] == Kind.TICK
