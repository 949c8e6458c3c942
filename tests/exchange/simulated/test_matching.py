"""The compiled pass over rows and the walk, each against its slow twin."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.book import LADDER_MASK, NO_ASK, NO_BID
from core.kernels.kernel import address_of
from exchange.simulated import matching as m
from exchange.simulated.matching import empty_books, follow, walk, warm
from models.rows import FAR_NS, Flag, Kind, empty_rows
from tests.exchange.simulated import scene
from tests.naive import matching as naive

MS = scene.MS


class State:
    """The compiled state of two instruments, and its slow twin."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.words = np.zeros(m.HEADER_WORDS + 2 * m.LANE_WORDS, dtype=np.int64)
        self.books = empty_books(2)
        self.words[m.COUNT], self.words[m.BOOKS] = 2, address_of(self.books)
        self.words[m.LAG_BOUND_NS], self.words[m.OFFSET_NS] = 250 * MS, rng.randrange(-5, 6) * MS
        lanes = []
        for index in range(2):
            lane = dict.fromkeys(range(m.LANE_WORDS), 0)
            lane |= {m.LANE_PROOF_NS: rng.choice((FAR_NS, rng.randrange(3000) * MS)), m.LANE_WATCH: rng.randrange(16)}
            lane |= {m.LANE_BUY_LOW: scene.MID - 3, m.LANE_BUY_HIGH: scene.MID - rng.randrange(2)}
            lane |= {m.LANE_SELL_LOW: scene.MID + rng.randrange(3), m.LANE_SELL_HIGH: scene.MID + 4}
            lane |= {m.LANE_STOP_BUY: scene.MID + rng.randrange(9), m.LANE_STOP_SELL: scene.MID - rng.randrange(9)}
            lane |= {m.LANE_MID_LOW: 2 * scene.MID - 8, m.LANE_MID_HIGH: 2 * scene.MID + 8}
            lanes.append(lane)
            self.lane(index)[:] = [lane[word] for word in range(m.LANE_WORDS)]
        self.words[m.PROOF_NS] = min(lane[m.LANE_PROOF_NS] for lane in lanes)
        self.twin = naive.Exchange(lanes, int(self.words[m.OFFSET_NS]), 250 * MS)

    def lane(self, index: int) -> np.ndarray:
        return self.words[m.HEADER_WORDS + index * m.LANE_WORDS :][: m.LANE_WORDS]

    def proved(self) -> None:
        """What Python does after a proof, as far as the next row is concerned."""
        for index in range(2):
            self.lane(index)[m.LANE_PROOF_NS] = self.twin.lanes[index][m.LANE_PROOF_NS] = FAR_NS
        self.words[m.PROOF_NS] = FAR_NS

    def same(self) -> bool:
        lanes = [[lane[word] for word in range(m.LANE_WORDS)] for lane in self.twin.lanes]
        books = [levels(self.books, index) for index in range(2)]
        return lanes == [self.lane(index).tolist() for index in range(2)] and books == [
            (book.bids, book.asks, book.valid, max(book.bids, default=NO_BID), min(book.asks, default=NO_ASK))
            for book in self.twin.books
        ]


def levels(books: np.ndarray, index: int) -> tuple[dict[int, int], dict[int, int], bool, int, int]:
    """A ladder book as dicts, with its validity and touch."""
    base = int(books["base"][index])
    ticks = np.arange(base, base + LADDER_MASK + 1)
    sides = []
    for name in ("bids", "asks"):
        lots = books[name][index][ticks & LADDER_MASK]
        sides.append({int(tick): int(size) for tick, size in zip(ticks[lots > 0], lots[lots > 0], strict=True)})
    best = int(books["best_bid"][index]), int(books["best_ask"][index])
    return sides[0], sides[1], bool(books["valid"][index]), *best


def two_markets(seed: int, frames: int) -> np.ndarray:
    """Rows of two interleaved instruments, a third that nobody holds, and flagged trades."""
    rng = random.Random(seed)
    first, second = scene.market(seed, frames), scene.market(seed + 1, frames)
    for body in second:
        body["instrument"] = 1 | 1 << 16
    other = [scene.trade(5, scene.MID, 1, 0, flags=flag) for flag in (Flag.FILLED, Flag.OFF_MARKET)]
    stranger = scene.depth(5, (0, scene.MID, 1), instrument=7)
    mixed = [body for pair in zip(first, second, strict=True) for body in pair]
    for extra in (*other, stranger, scene.depth(6), scene.snapshot(7)):
        mixed.insert(rng.randrange(2, len(mixed)), extra)
    return np.concatenate(mixed)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_follow_equals_its_twin(seed: int) -> None:
    """Index, reason, lanes and books agree at every return, wherever the rows are cut."""
    rows, state, rng = two_markets(seed, 60), State(seed), random.Random(seed)
    address, index, stop = address_of(rows), 0, 0
    while index < len(rows):
        stop = max(index, stop, min(len(rows), stop + rng.randrange(40)))
        reached = follow(int(address_of(state.words)), address, index, stop)
        assert reached == naive.follow(state.twin, rows, index, stop)
        reason = int(state.words[m.REASON])
        assert reason == state.twin.reason
        if reason & m.REASON_LEVEL:
            assert int(state.words[m.BEFORE]) == state.twin.before
        if reason & (m.REASON_PROOF | m.REASON_SILENCE):
            state.proved()
        index = reached
    assert state.same()


def test_follow_stops_before_the_row_that_proves_an_arrival() -> None:
    """A depth frame later than the arrival stops the pass; one at the arrival's own time does not, nor does a quote:
    depth of before the arrival may still be gathered into the frame that comes after it.
    """
    proof = scene.depth(20, (0, scene.MID, 1))
    state = State(1)
    state.lane(0)[:], state.lane(0)[m.LANE_PROOF_NS] = 0, 15 * MS
    rows = np.concatenate([scene.snapshot(0), scene.depth(15, (0, scene.MID, 2)), scene.quote(18), proof])
    assert follow(address_of(state.words), address_of(rows), 0, len(rows)) == len(rows) - len(proof)
    assert state.words[m.REASON] == m.REASON_PROOF


def book_with(lines: list[tuple[int, int, int]]) -> tuple[np.ndarray, naive.Book]:
    """A valid compiled book and its twin after a snapshot of ``lines``."""
    state = State(0)
    state.proved()
    state.lane(0)[m.LANE_WATCH] = state.twin.lanes[0][m.LANE_WATCH] = 0
    rows = scene.frame(Kind.SNAPSHOT, lines, 0, 0)
    follow(address_of(state.words), address_of(rows), 0, len(rows))
    naive.follow(state.twin, rows, 0, len(rows))
    return state.books, state.twin.books[0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=30),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 40), st.integers(-40, 40), st.booleans()), min_size=1, max_size=5
    ),
    st.integers(1, 40),
)
def test_walk_equals_its_twin(
    lines: list[tuple[int, int, int]], orders: list[tuple[int, int, int, bool]], capacity: int
) -> None:
    """Levels met, and what the book shows afterwards, agree for any sequence of orders."""
    books, twin = book_with([(side, scene.MID + (away if side else -away), lots) for side, away, lots in lines])
    out = np.zeros((capacity, 2), dtype=np.int64)
    for side, lots, away, take in orders:
        expected = naive.walk(twin, side, lots, scene.MID + away, False)[:capacity]
        naive.walk(twin, side, sum(size for _, size in expected), scene.MID + away, take)
        count = walk(address_of(books), 0, side, lots, scene.MID + away, int(take), address_of(out), capacity)
        assert out[:count].tolist() == [list(pair) for pair in expected]
    assert levels(books, 0)[:2] == (twin.bids, twin.asks)


def test_walk_stops_where_the_book_is_unknown() -> None:
    """A level beyond the range that the snapshot proved is not sold to anyone."""
    books, _ = book_with([(0, scene.MID, 5), (1, scene.MID + 1, 5)])
    rows = scene.depth(5, (1, scene.MID + 9, 7))
    words = State(0).words
    words[m.BOOKS] = address_of(books)
    words[m.HEADER_WORDS + m.LANE_PROOF_NS] = FAR_NS
    follow(address_of(words), address_of(rows), 0, 1)
    out = np.zeros((8, 2), dtype=np.int64)
    assert walk(address_of(books), 0, 0, 10, NO_ASK, 1, address_of(out), 8) == 1
    assert out[0].tolist() == [scene.MID + 1, 5]


@pytest.mark.parametrize("count", [1, 3])
def test_empty_books_know_nothing(count: int) -> None:
    """A new book has no touch, is not valid, and gives nothing to a walk."""
    books, out = empty_books(count), empty_rows(1)
    assert books["best_bid"].tolist() == [NO_BID] * count and books["best_ask"].tolist() == [NO_ASK] * count
    assert walk(address_of(books), count - 1, 0, 5, NO_ASK, 1, address_of(out), 1) == 0


def test_warm_leaves_every_kernel_compiled() -> None:
    """After warming, no call of the hot path has anything left to compile."""
    warm()
    assert all(len(compiled.signatures) == 1 for compiled in (follow, walk))
