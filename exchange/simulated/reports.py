"""Reports on their way to us: ordered by (time, number), each handed out once."""

from __future__ import annotations

import heapq

from models.event import Fill, Funding, OrderReport
from models.rows import FAR_NS

Report = OrderReport | Fill | Funding


class Reports:
    """A heap of reports. ``number`` also numbers arrivals, so that equal times keep the order of their making."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Report]] = []
        self._number = 0

    def number(self) -> int:
        self._number += 1
        return self._number

    def add(self, report: Report) -> None:
        heapq.heappush(self._heap, (report.at_ns, self.number(), report))

    @property
    def due_ns(self) -> int:
        return self._heap[0][0] if self._heap else FAR_NS

    def take(self, until_ns: int) -> list[Report]:
        """Reports with ``at_ns`` ≤ ``until_ns``."""
        taken: list[Report] = []
        while self._heap and self._heap[0][0] <= until_ns:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def digest(self) -> tuple[object, ...]:
        return self._number, tuple((at, number, repr(report)) for at, number, report in sorted(self._heap, key=_order))


def _order(entry: tuple[int, int, Report]) -> tuple[int, int]:
    return entry[:2]
