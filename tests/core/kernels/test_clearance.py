"""The compiled look at the market before an entry, against its wording."""

from __future__ import annotations

import random

import numpy as np
import pytest

from core.kernels import clearance as compiled
from core.kernels.kernel import address_of
from models.rows import ASK, BID
from tests.builders import MS, SECOND, START_NS, Frames, Memory, random_frames
from tests.core.kernels.test_engine import lines, pair
from tests.naive import clearance as worded
from tests.naive import engine as naive

MID = 100_000
UNIT_E8 = 10**4
WIDE: dict[str, float] = {
    "from_ns": 0, "budget_e8": 1 << 60, "value_max_e8": 1 << 60, "unit_e8": UNIT_E8, "tick_e8": 10**7, "lots_min": 1,
    "lots_max": 1, "notional_min_e8": 0, "quote_gap_ns": 0, "mark_fresh_ns": 5 * SECOND, "quote_gap_ticks": 1_000_000,
    "depth_levels": 5, "fresh_ms": 1e6, "lag_max_ms": 1e6, "mark_gap_pct": 1e3, "move_pct": 1e3, "spread_bps": 1e4,
    "depth_multiple": 0.0, "collar_mid_bps": 1e4,
}  # fmt: skip
"""One lot, and limits that nothing in these markets breaks."""
CALM = [(BID, MID - 1, 50), (BID, MID - 2, 90), (ASK, MID + 1, 40), (ASK, MID + 2, 90)]


def ask(memory: Memory, side: int, at_ns: int, **changes: float) -> int:
    """The compiled answer under the wide limits with changes."""
    block = np.zeros(1, dtype=compiled.ALLOWANCE)
    for name, value in {**WIDE, **changes}.items():
        block[name] = value
    return compiled.clear_entry(memory.engine.ctypes.data, 0, side, at_ns, address_of(block))


def calm() -> Memory:
    """A book, a quote that agrees, a trade and a mark at the same price."""
    frames = Frames().snapshot(START_NS, CALM).quote(START_NS + MS, MID - 1, 50, MID + 1, 40, 1_001)
    frames.trade(START_NS + 2 * MS, MID, 1).mark(START_NS + 3 * MS, MID * 10**7)
    memory = Memory()
    memory.run(frames.rows())
    return memory


def test_a_calm_market_is_clear() -> None:
    """With every limit kept the answer is the largest size that money and filters allow."""
    memory = calm()
    assert ask(memory, 0, START_NS + 4 * MS, lots_max=40) == 40
    assert ask(memory, 0, START_NS + 4 * MS, lots_max=40, budget_e8=8 * (MID + 1) * UNIT_E8 - 1) == 7
    assert ask(memory, 1, START_NS + 4 * MS, lots_max=50) == 50


def test_more_than_the_touch_holds_is_not_clear() -> None:
    """An order that would walk to the next level is left to the full review."""
    assert ask(calm(), 0, START_NS + 4 * MS, lots_max=41) == 0


def test_no_money_buys_nothing() -> None:
    """A budget that is used up, or overdrawn, clears nothing."""
    assert ask(calm(), 0, START_NS + 4 * MS, budget_e8=0) == 0
    assert ask(calm(), 0, START_NS + 4 * MS, budget_e8=-(10**12)) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from_ns", START_NS + 4 * MS + 1), ("lots_min", 2), ("notional_min_e8", (MID + 1) * UNIT_E8 + 1),
        ("value_max_e8", (MID + 1) * UNIT_E8 - 1), ("fresh_ms", 3.9), ("lag_max_ms", -1.0), ("spread_bps", 0.19),
        ("depth_multiple", 131.0), ("collar_mid_bps", 0.09), ("quote_gap_ticks", -1), ("mark_gap_pct", -1.0),
    ],
)  # fmt: skip
def test_each_limit_alone_withholds(name: str, value: float) -> None:
    """A limit set just inside what the market shows withholds the answer."""
    assert ask(calm(), 0, START_NS + 4 * MS) == 1
    assert ask(calm(), 0, START_NS + 4 * MS, **{name: value}) == 0


def test_a_jump_within_the_second_withholds() -> None:
    """A mid that moved further than allowed since a second ago is not clear."""
    frames = Frames().snapshot(START_NS, CALM)
    frames.depth(START_NS + SECOND, [(ASK, MID + 1, 0), (ASK, MID + 2, 0), (ASK, MID + 600, 9), (BID, MID + 500, 9)])
    memory = Memory()
    memory.run(frames.rows())
    assert ask(memory, 1, START_NS + SECOND, lots_max=9) == 9
    assert ask(memory, 1, START_NS + SECOND, lots_max=9, move_pct=0.5) == 0


def test_agrees_with_the_wording() -> None:
    """On states of random markets and limits near what they show, kernel and wording give the same answer."""
    chance = random.Random(3)
    clear = 0
    for seed in range(40):
        frames = random_frames(seed, chance.randrange(20, 200), wild=seed % 4 == 0)
        memory, twin = pair(1)
        memory.run(frames.rows())
        list(naive.run(twin, lines(frames)))
        now = int(memory.engine["now_ns"][0])
        for _ in range(25):
            changes: dict[str, float] = {"lots_max": chance.randrange(1, 9)}
            side, at_ns = chance.randrange(2), now + chance.choice((0, 60 * MS, 2 * SECOND))
            for name, choices in (
                ("from_ns", (at_ns, at_ns + 1)), ("budget_e8", (2 * MID * UNIT_E8, 5 * MID * UNIT_E8)),
                ("value_max_e8", (3 * MID * UNIT_E8,)), ("lots_min", (2, 4)),
                ("notional_min_e8", (2 * MID * UNIT_E8,)),
                ("fresh_ms", (0.0, 50.0, 400.0)), ("lag_max_ms", (0.0, 10.0)),
                ("quote_gap_ns", (0, SECOND)), ("quote_gap_ticks", (0, 2)),
                ("mark_gap_pct", (0.0, 0.003)), ("move_pct", (0.0, 0.004)),
                ("spread_bps", (0.1, 0.5)), ("depth_multiple", (1.0, 20.0)),
                ("collar_mid_bps", (0.05, 0.2)), ("depth_levels", (1, 3)),
            ):  # fmt: skip
                if chance.random() < 0.2:
                    changes[name] = chance.choice(choices)
            answer = ask(memory, side, at_ns, **changes)
            clear += answer > 0
            assert answer == worded.clear_entry(twin, 0, side, at_ns, {**WIDE, **changes})
    assert 100 < clear < 900
