"""A book as plain dictionaries: what the generator trades against and what the tape keeps.

``Half`` is one side; ``sign`` is +1 for asks (worse is higher) and -1 for bids, so both sides share every line.
Prices in ticks, quantities in lots.
"""

from __future__ import annotations

import heapq


class Half:
    """One side of a book. ``changed`` collects the prices touched since the last diff."""

    __slots__ = ("best", "changed", "far", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, int] = {}
        self.changed: set[int] = set()
        self.best = 0
        self.far = 0  # worst price covered, generator only

    def put(self, price: int, lots: int) -> None:
        """Set a level behind or at the best; 0 removes it. The caller moves ``best`` when it puts a better one."""
        if lots:
            self.levels[price] = lots
        else:
            self.levels.pop(price, None)
        self.changed.add(price)

    def settle(self) -> None:
        """Move ``best`` away from the touch to the next level that exists."""
        best, levels, sign = self.best, self.levels, self.sign
        while best not in levels:
            best += sign
        self.best = best

    def top(self, count: int) -> list[tuple[int, int]]:
        """The best ``count`` levels, best first."""
        levels = self.levels
        pick = heapq.nsmallest if self.sign > 0 else heapq.nlargest
        prices = pick(count, levels) if count * 8 < len(levels) else sorted(levels, reverse=self.sign < 0)[:count]
        return [(price, levels[price]) for price in prices]

    def changes(self) -> list[tuple[int, int]]:
        """Levels touched since the last call in rising price order, with what rests there now; forgets them."""
        get = self.levels.get
        changes = [(price, get(price, 0)) for price in sorted(self.changed)]
        self.changed.clear()
        return changes
