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
WIDE = [1e6, 1e6, 0.0, 1e6, 5e9, 1e3, 1e3, 1e4, 5, 0.0, 1e4, 1e7]
"""Limits that nothing in these markets breaks, in the order of the words."""
CALM = [(BID, MID - 1, 50), (BID, MID - 2, 90), (ASK, MID + 1, 40), (ASK, MID + 2, 90)]


def ask(memory: Memory, side: int, lots: int, at_ns: int, limits: list[float]) -> int:
    """The compiled answer."""
    block = np.array(limits)
    return compiled.clear_market(memory.engine.ctypes.data, 0, side, lots, at_ns, address_of(block))


def calm() -> Memory:
    """A book, a quote that agrees, a trade and a mark at the same price."""
    frames = Frames().snapshot(START_NS, CALM).quote(START_NS + MS, MID - 1, 50, MID + 1, 40, 1_001)
    frames.trade(START_NS + 2 * MS, MID, 1).mark(START_NS + 3 * MS, MID * 10**7)
    memory = Memory()
    memory.run(frames.rows())
    return memory


def test_a_calm_market_is_clear() -> None:
    """With every limit kept the answer is the touch of the side that is taken."""
    memory = calm()
    assert ask(memory, 0, 40, START_NS + 4 * MS, WIDE) == MID + 1
    assert ask(memory, 1, 50, START_NS + 4 * MS, WIDE) == MID - 1


def test_more_than_the_touch_holds_is_not_clear() -> None:
    """An order that would walk to the next level is left to the full review."""
    assert ask(calm(), 0, 41, START_NS + 4 * MS, WIDE) == 0


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (compiled.FRESH_MS, 3.9), (compiled.LAG_MAX_MS, -1.0), (compiled.SPREAD_BPS, 0.19),
        (compiled.DEPTH_MULTIPLE, 131.0), (compiled.COLLAR_MID_BPS, 0.09), (compiled.QUOTE_GAP_TICKS, -1.0),
        (compiled.MARK_GAP_PCT, -1.0),
    ],
)  # fmt: skip
def test_each_limit_alone_withholds(word: int, value: float) -> None:
    """A limit set just inside what the market shows withholds the answer."""
    limits = list(WIDE)
    limits[word] = value
    assert ask(calm(), 0, 1, START_NS + 4 * MS, limits) == 0


def test_a_jump_within_the_second_withholds() -> None:
    """A mid that moved further than allowed since a second ago is not clear."""
    frames = Frames().snapshot(START_NS, CALM)
    frames.depth(START_NS + SECOND, [(ASK, MID + 1, 0), (ASK, MID + 2, 0), (ASK, MID + 600, 9), (BID, MID + 500, 9)])
    memory = Memory()
    memory.run(frames.rows())
    limits = list(WIDE)
    assert ask(memory, 1, 9, START_NS + SECOND, limits) == MID + 500
    limits[compiled.MOVE_PCT] = 0.5
    assert ask(memory, 1, 9, START_NS + SECOND, limits) == 0


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
            limits = list(WIDE)
            for word, choices in (
                (compiled.FRESH_MS, (0.0, 50.0, 400.0)), (compiled.LAG_MAX_MS, (0.0, 10.0)),
                (compiled.QUOTE_GAP_NS, (0.0, 1e9)), (compiled.QUOTE_GAP_TICKS, (0.0, 2.0)),
                (compiled.MARK_GAP_PCT, (0.0, 0.003)), (compiled.MOVE_PCT, (0.0, 0.004)),
                (compiled.SPREAD_BPS, (0.1, 0.5)), (compiled.DEPTH_MULTIPLE, (1.0, 20.0)),
                (compiled.COLLAR_MID_BPS, (0.05, 0.2)), (compiled.DEPTH_LEVELS, (1, 3)),
            ):  # fmt: skip
                if chance.random() < 0.25:
                    limits[word] = chance.choice(choices)
            side, lots, at_ns = (
                chance.randrange(2),
                chance.randrange(1, 9),
                now + chance.choice((0, 60 * MS, 2 * SECOND)),
            )
            answer = ask(memory, side, lots, at_ns, limits)
            clear += answer > 0
            assert answer == worded.clear_market(twin, 0, side, lots, at_ns, limits)
    assert 100 < clear < 900
