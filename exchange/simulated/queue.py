"""The place of a resting order in its price level's queue (quant E.4; the ideas are hftbacktest's and Rigtorp's).

Trades and depth come over different sockets, so one execution may be seen twice, in either order. What depth already
took from the quantity ahead is kept as ``credit``, and a trade no younger than that depth is paid from it first: depth
and trades together never bring us further forward than the trades alone, or the level's own size, explain.
"""

from __future__ import annotations

POWER = 3  # of the probability model: P(a cancel is behind us) = back³ / (back³ + front³)


class Place:
    """``front``: lots ahead of us. All quantities in lots, times venue nanoseconds."""

    __slots__ = ("_credit", "_depth_ns", "_probability", "_traded", "front")

    def __init__(self, shown: int, occurred_ns: int, model: str) -> None:
        self.front = shown
        self._credit = 0
        self._traded = 0
        self._depth_ns = occurred_ns
        self._probability = model == "probability"

    def trade(self, lots: int, occurred_ns: int) -> int:
        """A trade at our price: returns the lots it executed beyond the queue, which are ours to fill."""
        if occurred_ns <= self._depth_ns:
            known = min(self._credit, lots)
            self._credit -= known
            lots -= known
        self._traded += lots
        self.front -= lots
        excess = max(0, -self.front)
        self.front = max(0, self.front)
        return excess

    def depth(self, before: int, after: int, occurred_ns: int) -> None:
        """Our level changed from ``before`` to ``after`` lots; we join neither number."""
        front = self.front
        drop = before - after - self._traded
        if self._probability and drop > 0 and front > 0:
            back = max(0, before - front)
            front -= drop * front**POWER // (front**POWER + back**POWER)
        front = max(0, min(front, after))
        self._credit += self.front - front
        self.front = front
        self._traded = 0
        self._depth_ns = max(self._depth_ns, occurred_ns)

    def state(self) -> tuple[int, int, int, int]:
        return self.front, self._credit, self._traded, self._depth_ns
