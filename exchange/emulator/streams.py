"""Stream names, who reads which, and the streams derived from those a market gives by itself.

A name outside its connection's category is accepted and stays silent, as at the venue (reference §1.2): wrong prefixes
are the commonest mistake with this protocol and must be found here, not live.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exchange.emulator.derived import Derivation, derive
from exchange.emulator.market import Frame, Market, envelope

STREAMS_MAX = 1024  # a connection, reference §1.4
PUBLIC, MARKET, PRIVATE = "public", "market", "private"

_PUBLIC_KINDS = ("bookTicker", "depth", "rpiDepth", "trade")
_MARKET_KINDS = (
    "aggTrade",
    "markPrice",
    "kline_",
    "continuousKline_",
    "miniTicker",
    "ticker",
    "forceOrder",
    "compositeIndex",
    "contractInfo",
    "assetIndex",
)


def category(stream: str) -> str | None:
    """The prefix a stream is served under, None for a name that is none (reference §1.2)."""
    symbol, at, kind = stream.partition("@")
    if symbol.startswith("!"):
        kind = symbol[1:]
    elif stream == "tradingSession":
        return MARKET
    elif not at:
        return None
    if kind.startswith(_PUBLIC_KINDS):
        return PUBLIC
    if kind.startswith(_MARKET_KINDS):
        return MARKET
    return None


class Reader(Protocol):
    """A connection as the hub sees it."""

    category: str
    combined: bool
    names: dict[str, None]

    def deliver(self, payload: bytes) -> None: ...


class Hub:
    """Joins a market's frames with the connections that subscribed to them. Readers of one stream are served in the
    order they came. Bounded by connections × ``STREAMS_MAX``.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._readers: dict[str, list[Reader]] = {}
        self._derived: dict[str, list[tuple[str, Derivation]]] = {}  # by base stream

    @property
    def read(self) -> bool:
        """Whether anybody reads a stream under its right prefix."""
        return bool(self._readers)

    def subscribe(self, reader: Reader, name: str) -> None:
        """Add a stream; twice is once. Under a wrong prefix, or unknown to the market, it stays silent."""
        if name in reader.names:
            return
        reader.names[name] = None
        if category(name) != reader.category:
            return
        if name not in self._readers:
            if name not in self._market.streams:
                made = derive(name, self._market)
                if made is not None:
                    for base in made.bases:
                        self._derived.setdefault(base, []).append((name, made))
            self._readers[name] = []
        self._readers[name].append(reader)

    def unsubscribe(self, reader: Reader, name: str) -> None:
        """Take a stream away; one that was not subscribed is no error."""
        reader.names.pop(name, None)
        readers = self._readers.get(name)
        if readers is None or reader not in readers:
            return
        readers.remove(reader)
        if not readers:
            del self._readers[name]
            for base in list(self._derived):
                kept = [entry for entry in self._derived[base] if entry[0] != name]
                if kept:
                    self._derived[base] = kept
                else:
                    del self._derived[base]

    def drop(self, reader: Reader) -> None:
        """The connection is gone."""
        for name in list(reader.names):
            self.unsubscribe(reader, name)

    def publish(self, frame: Frame) -> None:
        """Give one event to everybody who reads it, and what is derived from it."""
        venue_ns, stream, payload = frame
        readers = self._readers.get(stream)
        if readers:
            _send(readers, stream, payload)
        derived = self._derived.get(stream)
        if derived:
            for name, made in derived:
                for event in made.feed(venue_ns, stream, payload):
                    _send(self._readers.get(name, ()), name, event)


def _send(readers: Iterable[Reader], stream: str, payload: bytes) -> None:
    framed = b""
    for reader in list(readers):
        if reader.combined:
            framed = framed or envelope(stream, payload)
            reader.deliver(framed)
        else:
            reader.deliver(payload)
