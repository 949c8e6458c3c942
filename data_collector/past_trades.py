"""Trades asked for afterwards: which of them are new, so that none enters the tape twice."""

from __future__ import annotations

import numpy as np

RANGES_MAX = 256  # missing id ranges kept; an older gap is beyond every window by then


class PastTrades:
    """The missing aggregate ids of one instrument, as inclusive ranges, oldest first."""

    def __init__(self) -> None:
        self.missing: list[tuple[int, int]] = []

    def miss(self, first: int, last: int) -> None:
        """Ids ``first`` to ``last`` did not come with the stream."""
        self.missing = [*self.missing, (first, last)][-RANGES_MAX:]

    def new(self, ids: np.ndarray, first: int, last: int) -> tuple[np.ndarray, int, int]:
        """Which of the asked-for ``ids`` (int64[n], any order, -1 for nothing heard in ``first`` and ``last``) are new.

        An id is new before the first and behind the last one heard, or in a missing range, and once only. Returns
        (bool[n], first, last) with the bounds moved; the missing ranges shrink by what was found.
        """
        new = (ids < first) | (ids > last) if last >= 0 else np.ones(len(ids), dtype=bool)
        for low, high in self.missing:
            new |= (ids >= low) & (ids <= high)
        unique = np.zeros(len(ids), dtype=bool)
        unique[np.unique(ids, return_index=True)[1]] = True
        new &= unique
        found = ids[new]
        if not len(found):
            return new, first, last
        self.missing = [piece for hole in self.missing for piece in _without(hole, found)][-RANGES_MAX:]
        lowest, highest = int(found.min()), int(found.max())
        return new, lowest if last < 0 else min(first, lowest), max(last, highest)


def _without(hole: tuple[int, int], found: np.ndarray) -> list[tuple[int, int]]:
    """What is left of an inclusive range when the ``found`` ids leave it."""
    low, high = hole
    pieces = []
    for number in np.sort(found[(found >= low) & (found <= high)]).tolist():
        if number > low:
            pieces.append((low, number - 1))
        low = number + 1
    if low <= high:
        pieces.append((low, high))
    return pieces
