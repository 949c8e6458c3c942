"""The plain book a tape keeps from its recording's own snapshots and diffs (venue reference §2.3)."""

from __future__ import annotations

from collections import deque
from typing import Any

from exchange.emulator.ladder import Half
from exchange.emulator.market import Levels
from models.error import DataError
from models.instrument import Instrument

DIFFS_KEPT = 2_000  # diffs older than the first snapshot: 100 s of the fastest stream
TEXTS_KEPT = 50_000


class Book:
    """One symbol's book. ``synced`` is False until a snapshot meets the diffs, and after a break in their chain."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._bids, self._asks = Half(-1), Half(1)
        self._waiting: deque[dict[str, Any]] = deque(maxlen=DIFFS_KEPT)
        self._ticks: dict[str, int] = {}
        self._lots: dict[str, int] = {}
        self.synced = False
        self.update_id = 0
        self.event_ms = self.at_ms = 0

    def snapshot(self, body: dict[str, Any]) -> None:
        """Take a REST depth body, then the diffs that came before it but belong after it.

        A body older than a book in step changes nothing: its answer travelled while the diffs went on.
        """
        if self.synced and body["lastUpdateId"] <= self.update_id:
            return
        self._bids, self._asks = Half(-1), Half(1)
        self.update_id = body["lastUpdateId"]
        self.event_ms, self.at_ms = body.get("E", self.event_ms), body.get("T", self.at_ms)
        self._set(body["bids"], body["asks"])
        self.synced = True
        waiting, self._waiting = self._waiting, deque(maxlen=DIFFS_KEPT)
        for event in waiting:
            self.diff(event)

    def diff(self, event: dict[str, Any]) -> None:
        """Take a depthUpdate event: older ones are dropped, a gap ends the book."""
        if not self.synced:
            self._waiting.append(event)
            return
        if event["u"] <= self.update_id:
            return
        if not (self._follows(event) or event["U"] <= self.update_id):
            self.synced = False
            self._waiting.append(event)
            return
        self._apply(event)

    def _follows(self, event: dict[str, Any]) -> bool:
        if "pu" in event:
            return bool(event["pu"] == self.update_id)
        return bool(event["U"] == self.update_id + 1)  # spot's rule: its diffs have no pu

    def _apply(self, event: dict[str, Any]) -> None:
        self._set(event["b"], event["a"])
        self.update_id = event["u"]
        self.event_ms = event["E"]
        self.at_ms = event.get("T", event["E"])

    def _set(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for half, levels in ((self._bids, bids), (self._asks, asks)):
            for price, quantity in levels:
                try:
                    half.put(self._number(self._ticks, price, True), self._number(self._lots, quantity, False))
                except DataError:
                    continue  # a level off the grid stays out of REST answers; the stream carries it as recorded
            half.changed.clear()

    def _number(self, known: dict[str, int], text: str, price: bool) -> int:
        number = known.get(text)
        if number is None:
            if len(known) >= TEXTS_KEPT:
                known.clear()
            number = known[text] = (self._instrument.ticks if price else self._instrument.lots)(text)
        return number

    def depth(self, limit: int) -> tuple[int, int, int, Levels, Levels] | None:
        """Last update id, E, T, bids, asks; None without a book."""
        if not self.synced:
            return None
        return self.update_id, self.event_ms, self.at_ms, self._bids.top(limit), self._asks.top(limit)
