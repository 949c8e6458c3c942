"""The hot store: named columns of the newest rows in memory, always readable as one contiguous piece.

Each column is a mirror: twice the capacity, every value written at its place and one capacity further. So the newest
n rows (n up to the capacity) are one slice without copying, at the price of two stores a cell and twice the memory:
``bytes`` = 16 × capacity × columns, fixed when the ring is made. Nothing is allocated per append.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.error import DataError

CAPACITY_MAX = 1 << 26  # rows: 1 GiB a column, a typing mistake beyond it


class Ring:
    """``capacity`` newest rows of ``columns`` (name → ``int`` for int64 or ``float`` for float64).

    The first column is the time, int64 ns, never falling. ``total`` counts all rows ever appended; the row of number
    ``total - 1`` is the newest. Views are read-only and show memory in place: a view of the newest n rows stays right
    until ``capacity - n`` more rows were appended, copy what has to last.

    For kernels: ``address`` is an ``int64[columns, 2 × capacity]`` block (a float column holds the bits of its
    float64s), ``cursor_address`` one int64, the total. A kernel appends by writing a row at ``total % capacity`` and
    at ``total % capacity + capacity`` of each column, then raising the total.
    Raises DataError for a capacity out of range, no columns, a type other than int or float, or a time not int.
    """

    __slots__ = ("_block", "_cells", "_cursor", "_last", "_names", "_total", "_views", "capacity")

    def __init__(self, columns: Mapping[str, type], capacity: int) -> None:
        if not 1 <= capacity <= CAPACITY_MAX:
            raise DataError(f"a ring of {capacity} rows; it must be 1 to {CAPACITY_MAX}")
        kinds = list(columns.values())
        if not kinds or kinds[0] is not int or any(kind not in (int, float) for kind in kinds):
            raise DataError("a ring needs columns of type int or float, the first one the time, int")
        self._take(columns, np.zeros((len(kinds), 2 * capacity), dtype=np.int64), np.zeros(1, dtype=np.int64))

    @classmethod
    def over(cls, columns: Mapping[str, type], block: np.ndarray, cursor: np.ndarray) -> Ring:
        """A ring in memory that somebody else owns and a kernel fills.

        ``block`` int64[columns, 2 × capacity], ``cursor`` int64[1]. Raises DataError when they do not fit.
        """
        if block.dtype != np.int64 or block.shape[0] != len(columns) or block.shape[1] % 2 or cursor.shape != (1,):
            raise DataError(f"a block of shape {block.shape} is no ring of {len(columns)} columns")
        ring = cls.__new__(cls)
        ring._take(columns, block, cursor)
        return ring

    def _take(self, columns: Mapping[str, type], block: np.ndarray, cursor: np.ndarray) -> None:
        kinds = list(columns.values())
        self.capacity = block.shape[1] // 2
        self._names = {name: index for index, name in enumerate(columns)}
        self._block, self._cursor = block, cursor
        # Item access through a memoryview costs 35 ns, through numpy 100 ns.
        self._total: Any = memoryview(self._cursor)  # type: ignore[arg-type]
        typed = [row if kind is int else row.view(np.float64) for row, kind in zip(self._block, kinds, strict=True)]
        self._cells: list[Any] = [memoryview(column) for column in typed]
        self._views = [column.view() for column in typed]
        for view in self._views:
            view.flags.writeable = False
        self._last = self._cells[0]

    def __len__(self) -> int:
        """Rows that can be read: up to ``capacity``."""
        return int(min(self._total[0], self.capacity))

    @property
    def total(self) -> int:
        return int(self._total[0])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._names)

    @property
    def bytes(self) -> int:
        """Memory of the columns, constant for the life of the ring."""
        return int(self._block.nbytes)

    @property
    def address(self) -> int:
        return int(self._block.ctypes.data)

    @property
    def cursor_address(self) -> int:
        return int(self._cursor.ctypes.data)

    def append(self, *values: float) -> None:
        """Append one row, a value for each column in order. Raises DataError when time falls or a value is missing."""
        cells = self._cells
        if len(values) != len(cells):
            raise DataError(f"a row of {len(values)} values for {len(cells)} columns")
        total = self._total[0]
        capacity = self.capacity
        at = total % capacity
        if total and values[0] < self._last[at + capacity - 1]:
            raise DataError(
                f"time falls from {self._last[at + capacity - 1]} to {values[0]}; rows come in order of time"
            )
        mirror = at + capacity
        for cell, value in zip(cells, values, strict=True):
            cell[at] = value
            cell[mirror] = value
        self._total[0] = total + 1

    def append_many(self, columns: Sequence[np.ndarray]) -> None:
        """Append many rows at once: one array of equal length for each column, in order.

        Of more rows than the capacity only the newest are stored; ``total`` counts all.
        Raises DataError when lengths differ, time falls, or a column is missing; the ring is then unchanged.
        """
        arrays = [
            np.ascontiguousarray(column, dtype=view.dtype) for column, view in zip(columns, self._views, strict=False)
        ]
        if len(columns) != len(self._views) or len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
            raise DataError(f"{len(columns)} arrays for {len(self._views)} columns; each must be flat, of equal length")
        count = len(arrays[0])
        if not count:
            return
        total = self._total[0]
        capacity = self.capacity
        falls = np.any(arrays[0][1:] < arrays[0][:-1])
        if falls or (total and arrays[0][0] < self._last[total % capacity + capacity - 1]):
            raise DataError("time falls; rows come in order of time")
        kept = min(count, capacity)
        at = (total + count - kept) % capacity
        first = min(kept, capacity - at)
        for row, array in zip(self._block, arrays, strict=True):
            bits = array[count - kept :].view(np.int64)
            row[at : at + first] = bits[:first]
            row[at + capacity : at + capacity + first] = bits[:first]
            row[: kept - first] = bits[first:]
            row[capacity : capacity + kept - first] = bits[first:]
        self._total[0] = total + count

    def newest(self, name: str, count: int) -> np.ndarray:
        """The newest ``count`` values of a column, oldest first; fewer when there are fewer. A view, no copy."""
        return self.slice(name, self._total[0] - count, self._total[0])

    def slice(self, name: str, start: int, stop: int) -> np.ndarray:
        """Values of the rows numbered ``start`` to ``stop`` (of ``total``), cut to those still held. A view, no copy.

        Raises DataError for an unknown column.
        """
        index = self._names.get(name)
        if index is None:
            raise DataError(f"there is no column {name!r}; known: {', '.join(self._names)}")
        total = self._total[0]
        start = max(start, total - self.capacity, 0)
        stop = max(min(stop, total), start)
        # Ends just before the newest row's mirror place, so a slice never runs over the border.
        base = (total - 1) % self.capacity + self.capacity + 1 - total
        found: np.ndarray = self._views[index][base + start : base + stop]
        return found

    def between(self, start_ns: int, stop_ns: int) -> tuple[int, int]:
        """Numbers (start, stop) of the held rows with ``start_ns`` ≤ time < ``stop_ns``, by binary search."""
        total = self._total[0]
        held = self.slice(next(iter(self._names)), 0, total)
        first = total - len(held)
        start, stop = np.searchsorted(held, (start_ns, stop_ns), side="left")
        return first + int(start), first + max(int(start), int(stop))
