"""The tape's plain book, against the venue's rule followed step by step."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.book import Book
from exchange.emulator.contracts import CHARACTERS
from tests.exchange.emulator.shape import golden

INSTRUMENT = CHARACTERS["BTCUSDT"].instrument
FINE = CHARACTERS["ETHUSDT"].instrument
"""The golden scenario has prices between the ticks of BTCUSDT."""


def levels(pairs: list[list[str]]) -> list[tuple[int, int]]:
    return [(FINE.ticks(price), FINE.lots(quantity)) for price, quantity in pairs]


def synced(wire: Path, *before: str) -> Book:
    """A book that heard the events of the golden scenario and then its snapshot."""
    book = Book(FINE)
    for name in before:
        book.diff(golden(wire, name))
    book.snapshot(golden(wire, "sync-0-snapshot"))
    return book


def test_the_golden_scenario_ends_on_the_golden_book(wire: Path) -> None:
    """Stale, bridging and next diff around the snapshot give the expected levels, whether they came before or after."""
    expected = golden(wire, "sync-5-expected-book-after-3")
    names = ("sync-1-stale", "sync-2-first", "sync-3-next")
    after = synced(wire)
    for name in names:
        after.diff(golden(wire, name))
    for book in (after, synced(wire, *names), synced(wire, *names[:2])):
        book.diff(golden(wire, "sync-3-next"))
        answer = book.depth(1000)
        assert answer is not None
        assert answer[0] == expected["lastUpdateId"]
        assert [answer[3], answer[4]] == [levels(expected["bids"]), levels(expected["asks"])]


def test_a_gap_ends_the_book_until_a_snapshot(wire: Path) -> None:
    """After a diff that does not follow there is no book; a newer snapshot brings it back."""
    book = synced(wire, "sync-1-stale", "sync-2-first")
    gap = golden(wire, "sync-4-gap")
    book.diff(gap)
    assert (book.synced, book.depth(5)) == (False, None)
    book.snapshot(golden(wire, "sync-0-snapshot") | {"lastUpdateId": gap["u"]})
    assert book.synced and book.update_id == gap["u"]


def test_a_snapshot_older_than_the_book_changes_nothing(wire: Path) -> None:
    """An answer that travelled while the diffs went on does not throw a good book back and break its chain."""
    book = synced(wire, "sync-2-first")
    before = book.depth(1000)
    book.snapshot(golden(wire, "sync-0-snapshot"))
    assert book.depth(1000) == before
    book.diff(golden(wire, "sync-3-next"))
    assert book.synced and book.update_id == golden(wire, "sync-3-next")["u"]


def test_a_broken_chain_among_the_waiting_diffs_is_noticed(wire: Path) -> None:
    """Diffs that waited for the snapshot are chained like any other: a hole among them leaves no book."""
    assert not synced(wire, "sync-2-first", "sync-4-gap").synced


def test_spot_diffs_follow_by_consecutive_ids() -> None:
    """Without ``pu`` the next diff begins one after the last, as on spot; without T its time is E."""
    book = Book(INSTRUMENT)
    book.snapshot({"lastUpdateId": 10, "bids": [["100.00", "1.000"]], "asks": [["101.00", "1.000"]]})
    book.diff({"U": 11, "u": 12, "E": 7, "b": [["100.00", "2.000"]], "a": []})
    assert book.depth(5) == (12, 7, 7, [(1000, 2000)], [(1010, 1000)])
    book.diff({"U": 14, "u": 15, "E": 8, "b": [], "a": []})
    assert not book.synced


def test_levels_off_the_grid_stay_out() -> None:
    """A price between two ticks, or a text that is no number, does not enter the book and does no harm."""
    book = Book(INSTRUMENT)
    bids = [["100.05", "1.000"], ["x", "1.000"], ["99.00", "1.000"]]
    book.snapshot({"lastUpdateId": 1, "E": 1, "T": 1, "bids": bids, "asks": []})
    assert book.depth(5) == (1, 1, 1, [(990, 1000)], [])


@given(st.integers(0, 1 << 32), st.integers(0, 30))
def test_a_followed_book_equals_the_venues(seed: int, late: int) -> None:
    """Whenever the snapshot is taken and however late it is heard, the book ends equal to the sender's."""
    chance = random.Random(seed)
    book, sides = Book(INSTRUMENT), {"b": {}, "a": {}}
    number, body = 100, None
    taken = chance.randrange(30)
    for step in range(60):
        first = number + chance.randrange(1, 4)
        event: dict[str, Any] = {"U": first, "u": first + chance.randrange(3), "pu": number, "E": step, "T": step}
        number = event["u"]
        for side, held in sides.items():
            changes = [(chance.randrange(1000, 1020), chance.randrange(4)) for _ in range(chance.randrange(4))]
            held.update(changes)
            event[side] = [[INSTRUMENT.price_text(price), INSTRUMENT.quantity_text(lots)] for price, lots in changes]
        if step == taken:
            body = _body(number, sides)
        book.diff(event)
        if step == taken + late and body is not None:
            book.snapshot(body)
    answer = book.depth(1000)
    assert answer is not None
    left = [{price: lots for price, lots in held.items() if lots} for held in sides.values()]
    assert (answer[0], dict(answer[3]), dict(answer[4])) == (number, *left)


def _body(update_id: int, sides: dict[str, dict[int, int]]) -> dict[str, Any]:
    texts = {
        name: [
            [INSTRUMENT.price_text(price), INSTRUMENT.quantity_text(lots)]
            for price, lots in sides[side].items()
            if lots
        ]
        for name, side in (("bids", "b"), ("asks", "a"))
    }
    return {"lastUpdateId": update_id, "E": 0, "T": 0, **texts}
