"""Snapshot and diffs to a gap-free chain: the six rules of the venue (reference §2.3) and every order of arrival."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.book import BOOK, book_clear, book_depth, book_rows
from data_collector.book_sync import FRAMES_MAX, RENEWAL_FRAMES_MAX, SPOT, BookSync, Diff, Phase, Verdict
from data_collector.hearing import Hearing
from models.instrument import Instrument
from models.recording import RecordKind
from models.rows import empty_rows, words
from tests.data_collector import frames
from tests.data_collector.frames import packed

CENT = Instrument("BTCUSDT", 0, 0, 1_000_000, 100_000, 2, 3, frames.FILTERS)
"""Ticks of 0.01: the prices of the golden sync set are on this grid."""
ONE = empty_rows(1)


def diff(first: int, last: int, previous: int, rows: int = 1) -> Diff:
    return Diff(first, last, previous, ONE if rows == 1 else empty_rows(rows))


def chain(*lasts: int, holes: int = 0) -> list[Diff]:
    """Diffs that follow each other; ``holes`` ids before each ``U`` belong to nobody, as on the venue (rule 6)."""
    return [diff(before + 1 + holes, last, before) for before, last in itertools.pairwise(lasts)]


class Book:
    """Rows from hearing into the core's book kernel."""

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        self.book: Any = np.zeros(1, dtype=BOOK)[0]
        book_clear(self.book, 0)
        self.number = 0
        self.last = -1  # update id of the newest applied rows

    def hear(self, message: dict[str, Any]) -> None:
        """One diff, or a snapshot."""
        kind = RecordKind.DEPTH_ANSWER if "lastUpdateId" in message else RecordKind.FRAME
        self.number += 1
        count = self.hearing.hear(kind, 0, packed(message), 1000 * self.number, self.number)
        rows, at = words(self.hearing.rows[:count]), 0
        while at < count:
            at = book_rows(self.book, rows, at, count)
            self.last = int(rows[at - 1, 5])

    def levels(self) -> tuple[dict[int, int], dict[int, int]]:
        """Lots by tick of both sides around 100.00."""
        return tuple(
            {tick: int(side[tick & 0xFFFF]) for tick in range(9_900, 10_100) if side[tick & 0xFFFF]}
            for side in (self.book["bids"], self.book["asks"])
        )  # type: ignore[return-value]


@pytest.fixture
def golden(wire: Path) -> dict[str, Any]:
    """The sync scenario by the words of its file names."""
    return {path.stem.split("-", 2)[2]: json.loads(path.read_text()) for path in wire.glob("sync-*.json")}


EXPECTED = ({10_000: 1_250, 9_995: 700, 9_990: 2_000}, {10_015: 3_000, 10_020: 2_500})
NAMES = ("snapshot", "stale", "first", "next")


@pytest.mark.parametrize("place", range(4))
def test_the_golden_set_gives_the_golden_book(golden: dict[str, Any], place: int) -> None:
    """Wherever the snapshot arrives among the diffs, the book afterwards is the venue's own example."""
    order = ["stale", "first", "next"]
    order.insert(place, "snapshot")
    book = Book(Hearing([CENT]))
    for name in order:
        book.hear(golden[name])
    if place == 0:
        assert book.hearing.counts.stale == 1
    expected = golden["expected-book-after-3"]
    for side, levels in zip(book.levels(), (expected["bids"], expected["asks"]), strict=True):
        assert side == {CENT.ticks(price): CENT.lots(size) for price, size in levels}
    assert book.levels() == EXPECTED and book.hearing.counts.gaps == 0


def test_the_golden_gap_discards_the_book_and_keeps_buffering(golden: dict[str, Any]) -> None:
    """A ``pu`` that is not the last ``u`` loses the book at once; the diff waits for the next snapshot (rule 5)."""
    book = Book(Hearing([CENT]))
    for name in (*NAMES, "gap"):
        book.hear(golden[name])
    assert [event.reason for event in book.hearing.take_invalidated()] == ["GAP"]
    assert book.hearing.snapshot_wanted == {0: "GAP"} and not book.hearing.synced(0)
    assert book.levels() == EXPECTED
    book.hear(frames.snapshot(1045, [["99.00", "1.000"]], [["100.50", "1.000"]]))
    assert book.levels() == ({9_900: 1_000, 9_980: 1_000}, {10_050: 1_000})
    assert book.hearing.synced(0) and not book.hearing.snapshot_wanted


TRUE = {
    1000: ({10_000: 1_000, 9_990: 2_000}, {10_010: 1_500, 10_020: 2_500}),
    1004: ({10_000: 1_250, 9_990: 2_000}, {10_020: 2_500}),
    1015: EXPECTED,
}
"""The book after each update id of the golden set."""


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES)), ids="-".join)
def test_no_order_of_arrival_gives_a_wrong_book(golden: dict[str, Any], order: tuple[str, ...]) -> None:
    """In any order of the four messages a book that counts as in sequence is the true one, and a snapshot mends all."""
    book = Book(Hearing([CENT]))
    for name in order:
        book.hear(golden[name])
        if book.hearing.synced(0):
            assert book.levels() == TRUE[book.last]
    book.hear({**golden["expected-book-after-3"]})
    assert book.hearing.synced(0) and book.levels() == EXPECTED


def test_levels_beyond_the_snapshot_are_unknown_not_empty() -> None:
    """Between its worst bid and worst ask a snapshot proves emptiness; beyond, depth is a lower bound and says so."""
    book = Book(Hearing([CENT]))
    book.hear(frames.snapshot(9, [["100.00", "1.000"], ["99.50", "2.000"]], [["100.10", "1.000"], ["100.60", "2.000"]]))
    assert (book.book["known_low"], book.book["known_high"]) == (9_950, 10_060)
    assert tuple(map(int, book_depth(book.book, 9_950, 10_060))) == (3_000, 3_000, 0)
    assert tuple(map(int, book_depth(book.book, 9_949, 10_060))) == (3_000, 3_000, 1)
    assert tuple(map(int, book_depth(book.book, 9_950, 10_061))) == (3_000, 3_000, 1)
    book.hear(frames.depth(10, 12, 9, [["99.00", "5.000"]], []))
    assert tuple(map(int, book_depth(book.book, 9_900, 10_060))) == (3_000, 3_000, 1)


# ---- the rules one by one -------------------------------------------------------------------------------------------


def test_before_a_snapshot_diffs_wait() -> None:
    """Rule 1: diffs are buffered, and the first of them asks for a snapshot."""
    sync = BookSync()
    assert (sync.phase, sync.last, sync.needed) == (Phase.WAITING, -1, "")
    assert [sync.diff(one) for one in chain(10, 20, 30)] == [Verdict.BUFFERED] * 2
    assert (sync.buffered, sync.needed) == (2, "START")


@pytest.mark.parametrize(("last", "applied"), [(12, 3), (20, 3), (25, 2), (30, 2), (33, 1), (40, 1), (41, 0)])
def test_diffs_that_the_snapshot_holds_are_dropped(last: int, applied: int) -> None:
    """Rules 3 and 4: from the buffer the diff with ``pu ≤ L ≤ u`` and all behind it apply; older ones do not."""
    sync = BookSync()
    diffs = chain(10, 20, 30, 40)
    for one in diffs:
        sync.diff(one)
    assert sync.snapshot(last) == diffs[len(diffs) - applied :]
    assert (sync.phase, sync.last) == ((Phase.CHAINED, 40) if applied else (Phase.JOINING, last))


def test_the_documented_first_event_is_accepted() -> None:
    """Rule 4 to the letter: ``U ≤ L`` and ``u ≥ L``, at both ends of the range."""
    for last in (21, 25, 30):
        sync = BookSync()
        assert sync.snapshot(last) == [] and sync.diff(diff(21, 30, 20)) is Verdict.APPLY


def test_the_hole_before_the_first_id_belongs_to_the_diff() -> None:
    """Between ``pu`` and ``U`` nothing changed, so a snapshot from there is joined as well."""
    sync = BookSync()
    assert sync.snapshot(22) == []
    assert sync.diff(diff(25, 30, 20)) is Verdict.APPLY


def test_a_first_event_that_does_not_straddle_is_a_gap() -> None:
    """A diff whose ``pu`` lies behind the snapshot proves that something between is missing (fault F08)."""
    sync = BookSync()
    sync.snapshot(15)
    assert sync.diff(diff(21, 30, 20)) is Verdict.GAP
    assert (sync.phase, sync.needed, sync.buffered) == (Phase.WAITING, "GAP", 1)


def test_a_snapshot_ahead_of_the_stream_waits_for_it() -> None:
    """Diffs older than the snapshot are stale without being a fault, until one joins."""
    sync = BookSync()
    sync.snapshot(35)
    verdicts = [sync.diff(one) for one in chain(10, 20, 30, 40, 50)]
    assert verdicts == [Verdict.STALE, Verdict.STALE, Verdict.APPLY, Verdict.APPLY]


@pytest.mark.parametrize("holes", [0, 7])
def test_every_further_event_continues_the_one_before(holes: int) -> None:
    """Rules 5 and 6: ``pu`` must be the last ``u``; ``U`` may be anything, ids are not contiguous."""
    sync = BookSync()
    sync.snapshot(10)
    assert [sync.diff(one) for one in chain(10, 20, 31, 45, holes=holes)] == [Verdict.APPLY] * 3
    assert sync.diff(diff(47, 50, 46)) is Verdict.GAP


@pytest.mark.parametrize("previous", [44, 46])
def test_overlap_is_as_much_a_gap_as_a_hole(previous: int) -> None:
    """Rule 5 knows no «nearly»: a ``pu`` before the last ``u`` breaks the chain like one behind it."""
    sync = BookSync()
    sync.snapshot(10)
    assert [sync.diff(one) for one in chain(10, 20, 45)] == [Verdict.APPLY] * 2
    assert sync.diff(diff(46, 50, previous)) is Verdict.GAP and sync.needed == "GAP"


def test_spot_chains_by_the_first_id() -> None:
    """Without ``pu`` the joining diff has ``U ≤ L + 1 ≤ u`` and each further one begins where the last ended."""
    for last, joined in ((18, False), (19, True), (20, True), (29, True), (30, None)):
        sync = BookSync()
        sync.snapshot(last)
        verdict = sync.diff(diff(20, 30, SPOT))
        assert verdict is (Verdict.STALE if joined is None else Verdict.APPLY if joined else Verdict.GAP)
    sync = BookSync()
    sync.snapshot(19)
    assert [sync.diff(diff(*ids, SPOT)) for ids in ((20, 30), (31, 31), (33, 40))] == [
        Verdict.APPLY, Verdict.APPLY, Verdict.GAP,
    ]  # fmt: skip


def test_repeats_and_old_diffs_change_nothing() -> None:
    """In the chain and in the buffer a diff is a duplicate by its ``u`` and stale below it (fault F15)."""
    chained, waiting = BookSync(), BookSync()
    chained.snapshot(10)
    for sync in (chained, waiting):
        for one in chain(10, 20, 30):
            sync.diff(one)
        before = (sync.phase, sync.last, sync.buffered)
        assert [sync.diff(diff(*ids)) for ids in ((21, 30, 20), (11, 20, 10))] == [Verdict.DUPLICATE, Verdict.STALE]
        assert (sync.phase, sync.last, sync.buffered) == before


def test_an_old_snapshot_keeps_the_buffer_and_asks_again() -> None:
    """A snapshot before every buffered diff is of no use: the buffer stays, a newer one joins it (fault F09)."""
    sync = BookSync()
    for one in chain(10, 20, 30):
        sync.diff(one)
    assert [sync.snapshot(last) for last in (3, 9)] == [None, None]
    assert (sync.needed, sync.buffered, sync.phase) == ("SNAPSHOT_OLD", 2, Phase.WAITING)
    assert len(sync.snapshot(15) or []) == 2 and sync.needed == ""


@pytest.mark.parametrize("joined", [True, False])
def test_a_snapshot_older_than_the_book_never_replaces_it(joined: bool) -> None:
    """A second answer from before the first one, chained or not, leaves the book as it stands (fault F15)."""
    sync = BookSync()
    sync.snapshot(30)
    if joined:
        sync.diff(diff(31, 40, 30))
    before = (sync.phase, sync.last)
    assert sync.snapshot(29) is None
    assert (sync.phase, sync.last) == before


def test_a_newer_snapshot_renews_a_standing_book() -> None:
    """A fresh answer in the middle of a chain is taken, and the chain goes on from it."""
    sync = BookSync()
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    assert sync.snapshot(25) == []
    assert [sync.diff(one) for one in chain(20, 24, 30, 40)] == [Verdict.STALE, Verdict.APPLY, Verdict.APPLY]


def test_a_break_in_the_buffer_keeps_what_follows_it() -> None:
    """Only diffs behind the last break can ever be joined, so only they are kept."""
    sync = BookSync()
    for one in (*chain(10, 20, 30), *chain(35, 40, 50)):
        sync.diff(one)
    assert sync.buffered == 2
    assert sync.snapshot(33) is None and len(sync.snapshot(36) or []) == 2


def test_the_buffer_is_bounded_in_frames_and_rows() -> None:
    """The oldest diffs leave when there are too many, of frames or of levels; the newest stays."""
    sync = BookSync(frames_max=3, rows_max=10)
    for one in chain(*range(0, 100, 10)):
        sync.diff(one)
    assert sync.buffered == 3 and sync.snapshot(60) is not None
    sync = BookSync(frames_max=100, rows_max=10)
    for number in range(8):
        sync.diff(diff(number, number, number - 1, rows=4))
    assert sync.buffered == 2
    assert BookSync()._frames_max == FRAMES_MAX


def test_a_renewal_keeps_the_book_and_what_comes_for_the_new_one() -> None:
    """While a wider snapshot is on its way diffs apply as before; what was kept joins an answer from meanwhile."""
    sync = BookSync()
    assert not sync.renew()
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    assert sync.renew() and sync.phase is Phase.RENEWING
    diffs = chain(20, 30, 40, 50)
    assert [sync.diff(one) for one in diffs] == [Verdict.APPLY] * 3 and sync.last == 50
    assert sync.snapshot(5) is None and sync.needed == "SNAPSHOT_OLD" and sync.phase is Phase.RENEWING
    assert sync.snapshot(35) == diffs[1:]
    assert (sync.phase, sync.last, sync.buffered, sync.needed) == (Phase.CHAINED, 50, 0, "")


def test_a_renewal_without_an_answer_is_given_up() -> None:
    """After a hundred diffs the book goes on as it is, and a still later answer asks for nothing."""
    sync = BookSync()
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    sync.renew()
    for number in range(20, 20 + RENEWAL_FRAMES_MAX):
        assert sync.diff(diff(number + 1, number + 1, number)) is Verdict.APPLY
    assert (sync.phase, sync.buffered, sync.needed) == (Phase.CHAINED, 0, "")
    assert sync.snapshot(25) is None and sync.needed == "" and sync.phase is Phase.CHAINED


def test_a_gap_while_renewing_is_a_gap() -> None:
    """The wish for a wider book does not make a broken one stand."""
    sync = BookSync()
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    sync.renew()
    assert sync.diff(diff(31, 40, 30)) is Verdict.GAP and sync.phase is Phase.WAITING


def test_invalidate_forgets_the_chain_and_names_its_reason() -> None:
    """Whoever knows better (crossed, too near the edge) ends the chain; the next diffs wait for a snapshot."""
    sync = BookSync()
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    sync.invalidate("DATA_CROSSED")
    assert (sync.phase, sync.needed, sync.buffered) == (Phase.WAITING, "DATA_CROSSED", 0)
    assert sync.diff(diff(21, 30, 20)) is Verdict.BUFFERED and sync.needed == "DATA_CROSSED"


def test_the_state_is_shared_with_the_compiled_check() -> None:
    """Phase and last id stand in the words given, where the compiled half reads and moves them."""
    shared = np.zeros(2, dtype=np.int64)
    sync = BookSync(shared)
    sync.snapshot(10)
    sync.diff(diff(11, 20, 10))
    assert shared.tolist() == [Phase.CHAINED, 20]
    shared[1] = 30
    assert sync.diff(diff(31, 40, 30)) is Verdict.APPLY


# ---- random walks ---------------------------------------------------------------------------------------------------


STEPS = ["next", "skip", "repeat", "back", "snapshot", "invalidate", "renew"]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(-15, 15)), max_size=40),
    st.booleans(),
)  # fmt: skip
def test_what_is_applied_is_always_one_unbroken_chain(steps: list[int], walk: list[Any], spot: bool) -> None:
    """On any walk of deliveries and snapshots, what is handed out since a snapshot joins it and has no hole."""
    lasts = list(itertools.accumulate(steps, initial=100))
    diffs = [diff(a + 1, b, SPOT if spot else a) for a, b in itertools.pairwise(lasts)]
    sync, at = BookSync(frames_max=5), 0
    book: int | None = None  # update id of the book a user of the results would hold
    for step, value in walk:
        if step == "snapshot":
            last = lasts[min(at, len(lasts) - 1)] + value
            applied = sync.snapshot(last)
            if applied is not None:
                book = last
                for one in applied:
                    assert one.joins(last) if one is applied[0] else one.follows(book)
                    book = one.last
        elif step == "invalidate":
            sync.invalidate("TEST")
            book = None
        elif step == "renew":
            sync.renew()
        else:
            at += step == "skip"
            chosen = at if step in ("next", "skip") else max(0, at - 1 - (value % 3 if step == "back" else 0))
            if chosen >= len(diffs):
                break
            at = max(at, chosen + 1)
            joining = sync.phase is Phase.JOINING
            verdict = sync.diff(diffs[chosen])
            if verdict is Verdict.APPLY:
                assert book is not None
                assert diffs[chosen].joins(book) if joining else diffs[chosen].follows(book)
                book = diffs[chosen].last
            elif verdict is Verdict.GAP:
                book = None
        assert (book is None) == (sync.phase is Phase.WAITING)
        assert book is None or sync.last == book
        assert sync.buffered <= 5 and (sync.phase in (Phase.WAITING, Phase.RENEWING) or sync.buffered == 0)
