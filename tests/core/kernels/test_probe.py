"""The questions of a decision against examples and against their twins."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core.kernels import probe as kernels
from models.rows import ASK, BID, words
from tests.builders import MS, PARAMETERS, SECOND, START_NS, Frames, Level, Memory, random_frames
from tests.naive import probe as naive
from tests.naive.engine import Engine, Market, take_frame

MID = 100_000


def hear(frames: Frames) -> Memory:
    """An engine that has heard ``frames``."""
    memory = Memory()
    memory.run(frames.rows())
    return memory


def ask(memory: Memory, question: str, *arguments: int, instrument: int = 0) -> Any:
    """One question to the compiled state."""
    return getattr(kernels, question)(memory.engine.ctypes.data, instrument, *arguments)


BOOK: list[Level] = [(BID, MID - 1, 3), (BID, MID - 4, 5), (ASK, MID + 1, 2), (ASK, MID + 3, 6)]


def book(*more: Level) -> Memory:
    """An engine that has heard one snapshot."""
    return hear(Frames().snapshot(START_NS, [*BOOK, *more]))


@pytest.mark.parametrize(
    ("side", "lots", "worst"),
    [(0, 1, 1), (0, 2, 1), (0, 3, 3), (0, 8, 3), (0, 9, None), (1, 3, -1), (1, 4, -4), (1, 8, -4), (1, 9, None)],
)
def test_a_walk_ends_at_the_level_that_fills_it(side: int, lots: int, worst: int | None) -> None:
    """An order takes level after level; beyond the proven book there is no answer."""
    assert ask(book(), "collar_walk", side, lots) == (0 if worst is None else MID + worst)


def test_a_walk_needs_a_touch() -> None:
    """On a side without levels nothing can be taken."""
    empty = hear(Frames().snapshot(START_NS, [(BID, MID, 1)]))
    assert (ask(empty, "collar_walk", 0, 1), ask(empty, "collar_walk", 1, 1)) == (0, MID)


def test_levels_beyond_the_snapshot_are_not_taken() -> None:
    """A level heard beyond the proven range may hide others before it: the walk stops at the proof."""
    frames = Frames().snapshot(START_NS, BOOK).depth(START_NS + MS, [(ASK, MID + 9, 50)])
    assert ask(hear(frames), "collar_walk", 0, 9) == 0


def test_the_mid_of_a_second_ago() -> None:
    """The grid answers with the mid in force then, and with 0 before it began."""
    frames = Frames().snapshot(START_NS, BOOK)
    frames.depth(START_NS + 500 * MS, [(BID, MID, 4)]).depth(START_NS + SECOND, [(BID, MID, 0)])
    memory = hear(frames)
    mids = [ask(memory, "mid_before", START_NS + at_ms * MS) for at_ms in (-100, 0, 499, 500, 999, 1_000, 9_000)]
    assert mids == [0, 2 * MID, 2 * MID, 2 * MID + 1, 2 * MID + 1, 2 * MID, 2 * MID]


def test_depth_within_counts_whole_ticks_inside_the_bounds() -> None:
    """Ten bps of a mid of 100,000 are 100 ticks each way, both ends included; a bound beyond the proof is told."""
    memory = book((BID, MID - 100, 7), (BID, MID - 101, 100), (ASK, MID + 100, 9), (ASK, MID + 101, 100))
    assert ask(memory, "depth_within", 10) == (3 + 5 + 7 + 2 + 6 + 9, 0)
    assert ask(memory, "depth_within", 11) == (232, 1)


def test_depth_within_needs_both_sides() -> None:
    """Without a mid there is nothing to measure from."""
    assert ask(hear(Frames().snapshot(START_NS, [(ASK, MID, 1)])), "depth_within", 10) == (0, 1)


@pytest.mark.parametrize(("levels", "lots"), [(0, (0, 0)), (1, (3, 2)), (2, (8, 8)), (5, (8, 8))])
def test_depth_of_the_top_counts_levels(levels: int, lots: tuple[int, int]) -> None:
    """The best N occupied ticks of each side, whatever the strategy's own number of levels is."""
    assert ask(book(), "depth_top", levels) == lots


def quoted(*quotes: tuple[int, int]) -> tuple[int, int]:
    """``quote_gap`` of a book with update id 1,001 after quotes ``(update id, ticks above the touch)``."""
    frames = Frames().snapshot(START_NS, BOOK)
    for number, (update_id, ticks) in enumerate(quotes):
        frames.quote(START_NS + number * MS, MID - 1 + ticks, 1, MID + 1 + ticks, 1, update_id)
    gap, final = ask(hear(frames), "quote_gap")
    return int(gap), int(final)


@pytest.mark.parametrize(
    ("quotes", "answer"),
    [
        ([], (-1, 0)),
        ([(1_000, 0)], (0, 0)),
        ([(1_000, 3)], (3, 0)),
        ([(1_000, 9), (1_001, -4)], (4, 1)),
        ([(1_001, 1), (1_002, 30), (1_009, 60)], (1, 1)),
        ([(1_002, 30)], (-1, 1)),
        ([(1_000, 2)] + [(1_002, 30)] * 64, (-1, 1)),
    ],
)
def test_a_quote_is_compared_at_the_books_own_update(quotes: list[tuple[int, int]], answer: tuple[int, int]) -> None:
    """The newest quote not newer than the book counts, however far later ones ran; final once the stream is past it."""
    assert quoted(*quotes) == answer


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_random_markets_agree_with_the_twins(seed: int, wild: bool) -> None:
    """After every few frames of a random market each question has the same answer from memory and from the twin."""
    chance = random.Random(seed)
    frames = random_frames(seed, 400, 2, wild=wild)
    rows = frames.rows()
    plain = [tuple(row) for row in words(rows).tolist()]
    memory, twin = Memory(2), Engine([Market([(SECOND, 0), (5 * SECOND, 0)], **PARAMETERS) for _ in range(2)])
    for number, start in enumerate(frames.starts):
        stop = frames.starts[number + 1] if number + 1 < len(frames.starts) else len(rows)
        memory.advance(rows, start, stop)
        take_frame(twin, plain[start:stop])
        if number % 5 == 0:
            instrument, side, lots = chance.randrange(2), chance.randrange(2), chance.randrange(1, 60)
            bps, levels = chance.choice((1, 2, 5, 40)), chance.randrange(1, 9)
            then = plain[start][2] - chance.choice((0, SECOND, 3 * SECOND, 110 * SECOND))
            for name, arguments in (
                ("collar_walk", (side, lots)),
                ("mid_before", (then,)),
                ("depth_within", (bps,)),
                ("depth_top", (levels,)),
                ("quote_gap", ()),
            ):
                asked = ask(memory, name, *arguments, instrument=instrument)
                assert asked == getattr(naive, name)(twin, instrument, *arguments), (name, number)
