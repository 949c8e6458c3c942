"""A client's own book by the venue's rule (venue reference §2.3), as plain as can be."""

from __future__ import annotations

from typing import Any


class Follower:
    """Buffers diffs until a snapshot comes, then follows; every breach of the venue's promises fails at once."""

    def __init__(self) -> None:
        self.bids: dict[float, str] = {}
        self.asks: dict[float, str] = {}
        self.update_id = self.applied = self.compared = 0
        self.bridged = False
        self._buffer: list[dict[str, Any]] = []
        self._quotes: dict[int, dict[str, Any]] = {}

    def snapshot(self, body: dict[str, Any]) -> None:
        """Step 2 and 3: the book, then what was buffered."""
        self.bids = {float(price): lots for price, lots in body["bids"]}
        self.asks = {float(price): lots for price, lots in body["asks"]}
        self.update_id = body["lastUpdateId"]
        self.check()
        buffered, self._buffer = self._buffer, []
        for event in buffered:
            self.diff(event)

    def diff(self, event: dict[str, Any]) -> None:
        """Step 4 and 5: the first event bridges the snapshot, every other follows the one before."""
        if not self.update_id:
            self._buffer.append(event)
            return
        if not self.bridged:
            if event["u"] < self.update_id:
                return
            assert event["U"] <= self.update_id, f"the snapshot {self.update_id} lies before {event['U']}"
            self.bridged = True
        else:
            assert event["pu"] == self.update_id, f"a gap: {event['pu']} after {self.update_id}"
        assert event["u"] > self.update_id or not self.applied
        assert event["U"] <= event["u"] and event["E"] >= event["T"]
        for side, changes in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, lots in changes:
                if float(lots):
                    side[float(price)] = lots
                else:
                    side.pop(float(price), None)
        self.update_id = event["u"]
        self.applied += 1
        self.check()
        quote = self._quotes.pop(event["u"], None)
        if quote is not None:
            self.compare(quote)

    def quote(self, event: dict[str, Any]) -> None:
        """A bookTicker: compared with the book when both have the same update id."""
        if event["u"] == self.update_id and self.bridged:
            self.compare(event)
        else:
            self._quotes = {event["u"]: event}

    def compare(self, event: dict[str, Any]) -> None:
        bid, ask = max(self.bids), min(self.asks)
        told = (float(event["b"]), event["B"], float(event["a"]), event["A"])
        assert told == (bid, self.bids[bid], ask, self.asks[ask]), (event, bid, ask)
        self.compared += 1

    def check(self) -> None:
        assert max(self.bids) < min(self.asks), "a crossed book"
