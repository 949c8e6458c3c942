"""What a market must give so that the server can put it behind the venue's protocol.

Two kinds fill it: ``generator.Generator`` (made from a seed) and ``tape.Tape`` (a recording played back). Times are
the venue's, int ns since 1970 UTC; payloads are raw events (not enveloped) as the venue writes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exchange.emulator.history import History
from models.instrument import Instrument

Frame = tuple[int, str, bytes]
"""venue_ns, stream name in lower case, raw event"""

Levels = list[tuple[int, int]]
"""(price in ticks, quantity in lots), best first"""


class Market(Protocol):
    """A source of market events in venue time order, with the state behind its REST answers."""

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def now_ns(self) -> int:
        """Venue time up to which events have been given out."""

    @property
    def streams(self) -> frozenset[str]:
        """Streams the market gives by itself; others are derived from these (``streams.Derived``)."""

    @property
    def recorded(self) -> bool:
        """True for a recording: its clock stands still until somebody listens, and its depth has one speed."""

    @property
    def ended(self) -> bool:
        """True when no event will ever follow."""

    def awake(self) -> None:
        """Somebody listens from now on: the generated market begins, the tape starts playing."""

    def advance(self, until_ns: int) -> Iterable[Frame]:
        """The events up to and including venue time ``until_ns``, in order; nothing when that is past."""

    def depth(self, symbol: str, limit: int) -> tuple[int, int, int, Levels, Levels] | None:
        """Last update id, E (ms), T (ms), bids, asks; None when the symbol has no book now."""

    def history(self, symbol: str) -> History: ...

    def premium(self, symbol: str) -> dict[str, object]:
        """The ``premiumIndex`` body of a symbol."""


def envelope(stream: str, payload: bytes) -> bytes:
    """The combined framing of a raw event (venue reference §1.2)."""
    return b'{"stream":"' + stream.encode() + b'","data":' + payload + b"}"


def depth_body(market: Market, instrument: Instrument, limit: int) -> dict[str, object] | None:
    """The ``GET /fapi/v1/depth`` body now; None when the market has no book of it."""
    book = market.depth(instrument.symbol, limit)
    if book is None:
        return None
    update_id, event_ms, at_ms, bids, asks = book
    price, quantity = instrument.price_text, instrument.quantity_text
    return {
        "lastUpdateId": update_id,
        "E": event_ms,
        "T": at_ms,
        "bids": [[price(ticks), quantity(lots)] for ticks, lots in bids],
        "asks": [[price(ticks), quantity(lots)] for ticks, lots in asks],
    }
