"""The hot ring, beside a plain list."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.error import DataError
from storage.hot.ring import Ring

COLUMNS = {"time_ns": int, "lots": int, "score": float}


def filled(rows: list[tuple[int, int, float]], capacity: int) -> Ring:
    ring = Ring(COLUMNS, capacity)
    for row in rows:
        ring.append(*row)
    return ring


def test_the_newest_rows_are_one_contiguous_view() -> None:
    """At every position of the ring the newest n values come as a slice of the ring's own memory."""
    ring = Ring(COLUMNS, 5)
    for number in range(23):
        ring.append(number * 10, number, number / 2)
        for count in range(1, 6):
            lots = ring.newest("lots", count)
            assert lots.tolist() == list(range(max(0, number + 1 - count), number + 1))
            assert lots.flags.c_contiguous
            assert ring.address <= lots.ctypes.data < ring.address + ring.bytes


def test_a_time_range_is_found_by_its_borders() -> None:
    """``between`` takes the start in and leaves the stop out, and sees held rows only."""
    ring = filled([(t, t, 0.0) for t in (10, 20, 20, 30, 40)], 4)
    assert [ring.between(*ends) for ends in [(0, 100), (20, 30), (21, 30), (20, 40), (50, 60), (40, 10)]] == [
        (1, 5),
        (1, 3),
        (3, 3),
        (1, 4),
        (5, 5),
        (4, 4),
    ]
    assert ring.slice("time_ns", 1, 4).tolist() == [20, 20, 30]


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 7),
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9), st.floats(-1, 1)), max_size=20), max_size=8),
    st.integers(0, 120),
    st.integers(0, 60),
)
def test_the_ring_agrees_with_a_list(
    capacity: int, pieces: list[list[tuple[int, int, float]]], start_ns: int, length_ns: int
) -> None:
    """Rows appended singly and in bulk read back as the end of a plain list, by count and by time."""
    ring, rows, now = Ring(COLUMNS, capacity), [], 0
    for number, piece in enumerate(pieces):
        batch = []
        for step, lots, score in piece:
            now += step
            batch.append((now, lots, score))
        if number % 2:
            ring.append_many([np.array(column) for column in zip(*batch, strict=True)] if batch else [np.empty(0)] * 3)
        else:
            for row in batch:
                ring.append(*row)
        rows += batch
    held = rows[-capacity:]
    assert (ring.total, len(ring)) == (len(rows), len(held))
    for index, name in enumerate(COLUMNS):
        assert ring.newest(name, capacity).tolist() == [row[index] for row in held]
    start, stop = ring.between(start_ns, start_ns + length_ns)
    assert ring.slice("lots", start, stop).tolist() == [
        row[1] for row in held if start_ns <= row[0] < start_ns + length_ns
    ]


def test_a_kernel_can_append_by_address() -> None:
    """Writing a row at its two places and raising the total is an append."""
    ring = filled([(1, 2, 0.5)], 3)
    block = (ctypes.c_int64 * (3 * 6)).from_address(ring.address)
    cursor = ctypes.c_int64.from_address(ring.cursor_address)
    for column, value in enumerate((7, 8, int(np.float64(0.25).view(np.int64)))):
        block[column * 6 + 1] = block[column * 6 + 4] = value
    cursor.value += 1
    assert [ring.newest(name, 9).tolist() for name in COLUMNS] == [[1, 7], [2, 8], [0.5, 0.25]]


def test_memory_is_fixed() -> None:
    """The stated size is two int64 a cell and does not change."""
    ring = Ring(COLUMNS, 100)
    before = (ring.bytes, ring.address)
    ring.append_many([np.arange(1000), np.arange(1000), np.zeros(1000)])
    assert before == (16 * 100 * 3, ring.address)
    assert ring.bytes == before[0]


def test_views_are_read_only() -> None:
    """Nobody changes history through a view."""
    view = filled([(1, 2, 0.5)], 3).newest("lots", 1)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda ring: ring.append(5, 1, 0.0), "time falls from 10 to 5"),
        (lambda ring: ring.append(11, 1), "a row of 2 values for 3 columns"),
        (lambda ring: ring.append_many([np.array([11, 10])] * 3), "time falls"),
        (lambda ring: ring.append_many([np.array([5])] * 3), "time falls"),
        (lambda ring: ring.append_many([np.array([11])] * 2), "2 arrays for 3 columns"),
        (lambda ring: ring.append_many([np.zeros(2), np.zeros(1), np.zeros(2)]), "of equal length"),
        (lambda ring: ring.newest("price", 1), "there is no column 'price'; known: time_ns, lots, score"),
        (lambda ring: Ring(COLUMNS, 0), "a ring of 0 rows"),
        (lambda ring: Ring({"score": float}, 5), "the first one the time"),
        (lambda ring: Ring({}, 5), "needs columns"),
    ],
)
def test_wrong_use_is_refused(action: object, sentence: str) -> None:
    """A wrong row leaves the ring as it was and says what was wrong."""
    ring = filled([(10, 1, 0.0)], 3)
    with pytest.raises(DataError, match=sentence):
        action(ring)  # type: ignore[operator]
    assert (ring.total, ring.newest("time_ns", 3).tolist()) == (1, [10])
