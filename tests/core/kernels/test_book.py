"""The tick-ladder book against examples and against its twin of dicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import book as kernels
from core.kernels.book import BOOK, LADDER_QUARTER, LADDER_TICKS, NO_ASK, NO_BID
from models.rows import ASK, BID, words
from tests.builders import START_NS, Frames, Level
from tests.naive import book as naive
from tests.naive.compare import book_of_naive, book_of_record

MID = 100_000


def new_book(centre: int = MID) -> Any:
    """An empty compiled book around ``centre``."""
    book = np.zeros(1, dtype=BOOK)[0]
    kernels.book_clear(book, centre)
    return book


def apply(book: Any, *levels: Level) -> Any:
    """Apply levels one by one and follow the touch, as one frame does."""
    for level in levels:
        kernels.book_apply(book, *level)
    kernels.book_follow_touch(book)
    return book


def touch(book: Any) -> tuple[int, int]:
    """Best bid and best ask."""
    return int(book["best_bid"]), int(book["best_ask"])


def run_rows(book: Any, frames: Frames) -> None:
    """Every frame of ``frames`` through ``book_rows``."""
    rows = words(frames.rows())
    at = 0
    while at < len(rows):
        at = kernels.book_rows(book, rows, at, len(rows))


def test_an_empty_book_has_no_touch() -> None:
    """A cleared book orders its missing touch so that it is not crossed."""
    assert touch(new_book()) == (NO_BID, NO_ASK)


def test_a_better_level_becomes_the_touch() -> None:
    """The highest bid and the lowest ask are the touch."""
    book = apply(new_book(), (BID, MID - 2, 5), (BID, MID - 1, 1), (ASK, MID + 4, 5), (ASK, MID + 2, 1))
    assert touch(book) == (MID - 1, MID + 2)


def test_removing_the_touch_finds_the_next_level() -> None:
    """A removed touch gives way to the next occupied tick of its side."""
    book = apply(new_book(), (BID, MID - 1, 1), (BID, MID - 7, 2), (ASK, MID + 1, 1), (ASK, MID + 9, 2))
    apply(book, (BID, MID - 1, 0), (ASK, MID + 1, 0))
    assert touch(book) == (MID - 7, MID + 9)


def test_removing_the_last_level_leaves_no_touch() -> None:
    """A side without levels has no touch."""
    book = apply(new_book(), (BID, MID - 1, 1), (ASK, MID + 1, 1))
    apply(book, (BID, MID - 1, 0), (ASK, MID + 1, 0))
    assert touch(book) == (NO_BID, NO_ASK)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_window_follows_the_touch(sign: int) -> None:
    """A mid outside the window's middle half becomes the window's centre, with the levels near it kept."""
    book = new_book()
    mid = MID + sign * (LADDER_QUARTER + 2)
    apply(book, (BID, mid - 1, 3), (ASK, mid + 1, 4))
    assert (int(book["base"]), int(book["moves"]), touch(book)) == (mid - LADDER_TICKS // 2, 1, (mid - 1, mid + 1))


def test_a_window_below_zero_works() -> None:
    """An instrument that trades at a few ticks has a window that reaches below zero."""
    book = apply(new_book(40), (BID, 39, 3), (ASK, 41, 4), (BID, 39, 0), (BID, 2, 1))
    assert touch(book) == (2, 41)


def test_a_jump_up_forgets_the_stale_ask() -> None:
    """When the window jumps up past the old ask, the ask side has no touch instead of one outside the window."""
    book = apply(new_book(), (BID, MID - 1, 1), (ASK, MID + 1, 1))
    kernels.book_apply(book, BID, MID + LADDER_TICKS, 2)
    assert touch(book) == (MID + LADDER_TICKS, NO_ASK)


def test_a_partial_move_keeps_what_stays_in_the_window() -> None:
    """After a move over less than the window, the touch is found again among the levels that stayed."""
    book = apply(new_book(), (BID, MID - 1, 1), (ASK, MID + 1, 1), (ASK, MID + 30_000, 7))
    jump = MID + LADDER_TICKS // 2 + 100
    kernels.book_apply(book, BID, jump, 2)
    assert touch(book) == (jump, MID + 30_000)


def test_a_jump_down_forgets_the_stale_bid() -> None:
    """The mirror image: an ask far below the window leaves no bid above it."""
    book = apply(new_book(), (BID, MID - 1, 1), (ASK, MID + 1, 1))
    kernels.book_apply(book, ASK, MID - LADDER_TICKS, 2)
    assert touch(book) == (NO_BID, MID - LADDER_TICKS)


def test_far_levels_are_counted_not_kept() -> None:
    """A level beyond the far end of the window, and a removal outside it, only count."""
    book = new_book()
    levels = ((BID, MID - LADDER_TICKS, 1), (ASK, MID + LADDER_TICKS, 1), (BID, MID + LADDER_TICKS, 0))
    apply(book, *levels)
    assert (int(book["outside"]), touch(book)) == (3, (NO_BID, NO_ASK))


def test_a_snapshot_empties_the_book_before_it() -> None:
    """The first row of a snapshot forgets every level of the book before it."""
    book = apply(new_book(), (BID, MID + 50, 9), (ASK, MID + 60, 9))
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 1, 1), (BID, MID - 5, 1), (ASK, MID + 1, 1)]))
    assert book_of_record(book)["bids"] == {MID - 1: 1, MID - 5: 1}


def test_a_snapshot_proves_its_range() -> None:
    """What lies between the outermost levels of a snapshot is proven, nothing else."""
    book = new_book()
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 1, 1), (BID, MID - 5, 1), (ASK, MID + 8, 1)]))
    assert (int(book["known_low"]), int(book["known_high"])) == (MID - 5, MID + 8)


def test_a_snapshot_without_levels_leaves_an_empty_book() -> None:
    """The one row of an empty snapshot carries no level into the book."""
    book = apply(new_book(), (BID, MID - 1, 1))
    run_rows(book, Frames().snapshot(START_NS))
    view = book_of_record(book)
    assert (view["bids"], view["asks"], touch(book)) == ({}, {}, (NO_BID, NO_ASK))


def test_an_empty_depth_frame_changes_nothing() -> None:
    """The one row of an empty depth frame is no level at tick zero."""
    book = apply(new_book(40), (BID, 39, 3), (ASK, 41, 4))
    before = book_of_record(book)
    run_rows(book, Frames().depth(START_NS))
    assert book_of_record(book) == before


def test_a_walking_touch_widens_the_proven_range() -> None:
    """No ask rests at or below the best bid: once the touch has been somewhere, the asks below it are proven."""
    book = new_book()
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 5, 1), (ASK, MID + 5, 1)]))
    apply(book, (ASK, MID + 5, 0), (BID, MID + 20, 1), (ASK, MID + 21, 1))
    assert (int(book["known_low"]), int(book["known_high"])) == (MID - 5, MID + 20)


def test_moving_the_window_narrows_the_proven_range() -> None:
    """Levels that leave the window are no longer proven."""
    book = new_book()
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 10_000, 1), (ASK, MID + 10_000, 1)]))
    kernels.book_move(book, MID + 30_000)
    low = MID + 30_000 - LADDER_TICKS // 2
    assert (int(book["known_low"]), int(book["known_high"])) == (low, MID + 10_000)


def test_top_counts_occupied_levels_only() -> None:
    """The best N levels are occupied ticks, however far apart."""
    book = apply(new_book(), (BID, MID - 1, 1), (BID, MID - 40, 2), (BID, MID - 41, 4), (ASK, MID + 1, 8))
    assert kernels.book_top(book, 2) == (3, 8)


def test_top_counts_levels_heard_beyond_the_proven_range() -> None:
    """A touch that has walked out of the snapshot's range still has the lots that were heard."""
    book = new_book()
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 5, 1), (ASK, MID + 5, 1)]))
    apply(book, (BID, MID - 5, 0), (BID, MID - 21, 6), (ASK, MID - 20, 7))
    assert kernels.book_top(book, 5) == (6, 8)


def test_depth_is_a_lower_bound_outside_the_proven_range() -> None:
    """Depth counts proven levels inside both bounds and says when a bound lies beyond the proof."""
    book = new_book()
    run_rows(book, Frames().snapshot(START_NS, [(BID, MID - 1, 1), (BID, MID - 5, 2), (ASK, MID + 1, 4)]))
    inside = kernels.book_depth(book, MID - 1, MID + 1)
    beyond = kernels.book_depth(book, MID - 9, MID + 1)
    assert (inside, beyond) == ((1, 4, 0), (3, 4, 1))


def test_a_frame_cut_in_two_leaves_the_same_book() -> None:
    """``book_rows`` stops at the cut and a later call goes on."""
    levels = [(BID, MID - 1, 0), (BID, MID - 3, 2), (ASK, MID + 1, 0), (ASK, MID + 2, 5)]
    frames = Frames().snapshot(START_NS, [(BID, MID - 1, 1), (ASK, MID + 1, 1)]).depth(START_NS, levels)
    rows = words(frames.rows())
    whole, cut = new_book(), new_book()
    run_rows(whole, frames)
    for start, stop in ((0, 1), (1, 2), (2, 4), (4, 6)):
        assert kernels.book_rows(cut, rows, start, stop) == stop
    assert book_of_record(cut) == book_of_record(whole)


LEVELS = st.tuples(
    st.sampled_from((BID, ASK)),
    st.one_of(
        st.integers(MID - 12, MID + 12),
        st.integers(MID - 12, MID + 12),
        st.integers(MID - LADDER_TICKS - 9, MID + LADDER_TICKS + 9),
        st.integers(1, 400_000),
    ),
    st.integers(0, 3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(LEVELS, max_size=12)), min_size=1, max_size=8), st.integers(1, 4))
def test_random_frames_agree_with_the_twin(content: list[tuple[bool, list[Level]]], top: int) -> None:
    """Any mixture of snapshots and diffs, jumps included, leaves both books equal in every word and level."""
    frames = Frames()
    for snapshot, levels in content:
        if snapshot:
            frames.snapshot(START_NS, levels)
        else:
            frames.depth(START_NS, levels)
    rows = words(frames.rows())
    plain = [tuple(row) for row in rows.tolist()]
    book, twin = new_book(), naive.Book()
    naive.book_clear(twin, MID)
    at = 0
    while at < len(rows):
        after = kernels.book_rows(book, rows, at, len(rows))
        assert naive.book_rows(twin, plain, at, len(rows)) == after
        kernels.book_follow_touch(book)
        naive.book_follow_touch(twin)
        assert book_of_record(book) == book_of_naive(twin)
        assert kernels.book_top(book, top) == naive.book_top(twin, top)
        assert kernels.book_depth(book, MID - 8, MID + 8) == naive.book_depth(twin, MID - 8, MID + 8)
        at = after


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 300_000), LEVELS), max_size=20))
def test_random_moves_agree_with_the_twin(steps: list[Any]) -> None:
    """Moves to anywhere between single levels leave both books equal."""
    book, twin = new_book(), naive.Book()
    naive.book_clear(twin, MID)
    for step in steps:
        if isinstance(step, int):
            kernels.book_move(book, step)
            naive.book_move(twin, step)
        else:
            kernels.book_apply(book, *step)
            naive.book_apply(twin, *step)
        assert book_of_record(book) == book_of_naive(twin)
