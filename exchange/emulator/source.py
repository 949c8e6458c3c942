"""The seeded market without sockets: what a virtual run asks a venue for, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from exchange.emulator.generator import Generator
from models.instrument import Instrument

PRIME_TRADES, PRIME_PAGES = 1000, 10  # as the socket driver asks the venue


class GeneratedSource:
    """The seeded market as a source of a virtual run (``interface.drivers.virtual.Source``)."""

    def __init__(self, market: Generator, instruments: Sequence[Instrument], streams: Sequence[str]) -> None:
        self._market = market
        self._symbols = [one.symbol for one in instruments]
        self._streams = [f"{symbol.lower()}@{suffix}" for symbol in self._symbols for suffix in streams]

    def frames(self) -> Iterable[tuple[int, str, bytes]]:
        return self._market.frames(streams=self._streams)

    def snapshot(self, instrument: int) -> bytes | None:
        return depth_body(self._market, self._symbols[instrument])

    def trades(self, instrument: int) -> list[bytes]:
        history = self._market.history(self._symbols[instrument])
        pages: list[bytes] = []
        newest = history.agg_trades(PRIME_TRADES)
        first = int(str(newest[0]["a"])) if newest else 0
        for page in range(PRIME_PAGES - 1, 0, -1):
            start = first - page * PRIME_TRADES
            older = history.agg_trades(PRIME_TRADES, from_id=start) if start > 0 else []
            if older:
                pages.append(orjson.dumps(older))
        return [*pages, orjson.dumps(newest)] if newest else pages


def depth_body(market: Generator, symbol: str) -> bytes | None:
    """The REST depth body of a market for this moment; None when it has no book."""
    book = market.depth(symbol, 1000)
    instrument = next(one for one in market.instruments if one.symbol == symbol)
    if book is None:
        return None
    last, event_ms, trade_ms, bids, asks = book
    sides = [
        [[instrument.price_text(price), instrument.quantity_text(lots)] for price, lots in side]
        for side in (bids, asks)
    ]
    return orjson.dumps({"lastUpdateId": last, "E": event_ms, "T": trade_ms, "bids": sides[0], "asks": sides[1]})
