"""Refusals in a row: three of a wrong shape, or old ids for two seconds with nothing new between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_collector.streaks import IN_A_ROW, OLD_NS, Streaks

DEPTH, OTHER = (3, 0), (3, 1)


def test_the_third_bad_frame_in_a_row_counts() -> None:
    """One and two bad frames are skipped; the third says so, and counting begins anew."""
    streaks = Streaks()
    assert [streaks.bad(DEPTH, 5) for _ in range(2 * IN_A_ROW)] == [False, False, True] * 2


def test_an_accepted_frame_ends_the_run() -> None:
    """A moved mark, or the word of whoever accepted a frame, makes the next bad one the first."""
    streaks = Streaks()
    assert [streaks.bad(DEPTH, mark) for mark in (5, 5, 6, 6, 7, 7)] == [False] * 6
    assert streaks.good(DEPTH)
    assert [streaks.bad(DEPTH, 7) for _ in range(IN_A_ROW)] == [False, False, True]


def test_streams_are_counted_apart() -> None:
    """Two bad frames of one instrument and two of another are no three."""
    streaks = Streaks()
    assert [streaks.bad(stream, 5) for stream in (DEPTH, OTHER, DEPTH, OTHER)] == [False] * 4


def test_old_ids_count_only_after_a_while() -> None:
    """A burst heard twice is no new beginning, however long; the same for two seconds with nothing new is one."""
    streaks = Streaks()
    assert not any(streaks.old(DEPTH, 5, ns) for ns in range(1000))
    assert not streaks.old(DEPTH, 5, OLD_NS - 1)
    assert streaks.old(DEPTH, 5, OLD_NS)
    assert not streaks.old(DEPTH, 5, 10 * OLD_NS)


def test_two_old_ids_are_never_enough() -> None:
    """A late straggler and another one much later do not make a stream begin anew."""
    streaks = Streaks()
    assert [streaks.old(DEPTH, 5, ns) for ns in (0, 10 * OLD_NS)] == [False, False]
    assert streaks.old(DEPTH, 5, 10 * OLD_NS)


@given(st.lists(st.tuples(st.sampled_from(["bad", "old", "good", "move"]), st.integers(0, OLD_NS)), max_size=60))
def test_a_run_needs_three_of_one_kind_without_anything_good(steps: list[tuple[str, int]]) -> None:
    """On any walk the answer is that of counting by hand since the last good frame or answer."""
    streaks, mark, now, bad, old, since = Streaks(), 0, 0, 0, 0, 0
    for step, pause in steps:
        now += pause
        if step in ("good", "move"):
            mark += step == "move"
            bad = old = 0
            assert step == "move" or streaks.good(DEPTH)
            continue
        if step == "bad":
            bad += 1
            expected = bad == IN_A_ROW
            assert streaks.bad(DEPTH, mark) == expected
        else:
            old += 1
            since = now if old == 1 else since
            expected = old >= IN_A_ROW and now - since >= OLD_NS
            assert streaks.old(DEPTH, mark, now) == expected
        if expected:
            bad = old = 0
