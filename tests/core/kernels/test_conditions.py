"""Each compiled condition alone against its wording in fractions, on states that random markets reach."""

from __future__ import annotations

import random

import pytest

from core.kernels import conditions
from core.kernels.state import Condition, Exit
from tests.builders import MS, SECOND, START_NS, Frames, random_frames
from tests.core.kernels.test_engine import STRICT, arm, lines, pair
from tests.naive import conditions as slow
from tests.naive import engine as naive
from tests.naive.compare import differences

NAMES = (
    "conditions_second", "conditions_violated", "conditions_fresh", "conditions_exit", "conditions_entry",
    "conditions_edge",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_condition_agrees_with_its_wording(name: str) -> None:
    """Called at random moments of random markets, a condition wakes and changes the state as its naive twin does."""
    chance = random.Random(name)
    compiled, worded = getattr(conditions, name), getattr(slow, name)
    fired = 0
    for seed in range(8):
        frames = random_frames(seed, chance.randrange(60, 500), wild=seed % 2 == 0)
        memory, twin = pair(1, **STRICT | {"volume_num": 0, "imbalance_entry_ppm": 1})
        if name == "conditions_exit" or seed % 2:
            arm(memory, twin, 1, 49_990)
        memory.run(frames.rows())
        list(naive.run(twin, lines(frames)))
        now = int(memory.engine["now_ns"][0])
        for _ in range(12):
            now += chance.choice((1, 50 * MS, SECOND, 20 * SECOND))
            market, twin_market = memory.markets[0], twin.markets[0]
            if chance.random() < 0.5:  # as if the edge had never been seen
                market["entry_side"], twin_market.entry_side = 0, 0
                market["entry_quiet_until_ns"], twin_market.entry_quiet_until_ns = 0, 0
                market["exit_bits"], twin_market.exit_bits = 0, 0
            bits = int(compiled(market, now) or 0)
            fired += bits != 0
            assert bits == int(worded(twin_market, now) or 0)
            assert differences(market, twin_market) == {}
    assert fired or name == "conditions_second"


def quiet_book(spread: int = 2) -> tuple[object, object]:
    """A market with a book and nothing else."""
    frames = Frames().snapshot(START_NS, [(0, 100_000, 50), (1, 100_000 + spread, 50)])
    memory, twin = pair(1)
    memory.run(frames.rows())
    return memory, twin


@pytest.mark.parametrize(
    ("changes", "bit"),
    [
        ({"spread_limit_num": 1, "spread_limit_den": 10}, Condition.SPREAD),
        ({"depth_limit_lots": 10}, Condition.DEPTH),
        ({"stale_ns": 0}, Condition.STALE),
    ],
    ids=["spread", "depth", "stale"],
)
def test_violation_names_its_condition(changes: dict[str, int], bit: int) -> None:
    """A limit set below what the market shows is violated, and only that one."""
    memory, _ = quiet_book()
    market = memory.markets[0]
    for name, value in changes.items():
        market[name] = value
    conditions.conditions_violated(market, START_NS + 1)
    assert int(market["violated"]) == bit


@pytest.mark.parametrize(("side", "stop"), [(1, 100_000), (-1, 100_002)])
def test_stop_is_judged_by_the_side_that_would_fill(side: int, stop: int) -> None:
    """A long stops at the bid, a short at the ask: exactly at the tick, not one before."""
    for tick, fires in ((stop, True), (stop - side, False)):
        memory, twin = quiet_book()
        arm(memory, twin, side, tick)
        market = memory.markets[0]
        conditions.conditions_exit(market, START_NS + 1)
        assert bool(int(market["exit_bits"]) & Exit.STOP) is fires


def test_exit_fires_once_until_armed_again() -> None:
    """An exit condition that stays true wakes once."""
    memory, twin = quiet_book()
    arm(memory, twin, 1, 100_000)
    market = memory.markets[0]
    assert [bool(conditions.conditions_exit(market, START_NS + step)) for step in (1, 2, 3)] == [True, False, False]
