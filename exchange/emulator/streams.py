"""Stream names, who reads which, and the streams derived from those a market gives by itself.

A name outside its connection's category is accepted and stays silent, as at the venue (reference §1.2): wrong prefixes
are the commonest mistake with this protocol and must be found here, not live.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exchange.emulator.derived import Derivation, derive
from exchange.emulator.market import Frame, Market, envelope
from exchange.emulator.stream_faults import StreamFaults
from exchange.emulator.user_streams import UserStreams

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
    order they came. Bounded by connections × ``STREAMS_MAX``. ``private`` has the user streams, ``faults`` the last
    word on every frame; both may be absent.
    """

    def __init__(self, market: Market, private: UserStreams | None = None, faults: StreamFaults | None = None) -> None:
        self._market = market
        self.private, self.faults = private, faults
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
        if reader.category == PRIVATE:
            self.hear(reader, name, ())
            return
        if category(name) != reader.category or (self.faults is not None and self.faults.silent(name)):
            return
        if name not in self._readers:
            if name not in self._market.streams:
                made = derive(name, self._market)
                if made is not None:
                    for base in made.bases:
                        self._derived.setdefault(base, []).append((name, made))
            self._readers[name] = []
        self._readers[name].append(reader)

    def hear(self, reader: Reader, key: str, events: Iterable[str]) -> None:
        """Let a private connection hear the account of a listenKey; ``events`` empty: everything."""
        if self.private is not None and not (self.faults is not None and self.faults.silent("private")):
            self.private.join(reader, key, events)

    def unsubscribe(self, reader: Reader, name: str) -> None:
        """Take a stream away; one that was not subscribed is no error."""
        reader.names.pop(name, None)
        if reader.category == PRIVATE and self.private is not None:
            self.private.leave(reader, name)
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
        if self.private is not None:
            self.private.leave(reader)
        if self.faults is not None:
            self.faults.forget(reader)

    def publish(self, frame: Frame) -> None:
        """Give one event to everybody who reads it, and what is derived from it."""
        venue_ns, stream, payload = frame
        readers = self._readers.get(stream)
        if readers:
            self._send(readers, stream, payload)
        derived = self._derived.get(stream)
        if derived:
            for name, made in derived:
                for event in made.feed(venue_ns, stream, payload):
                    self._send(self._readers.get(name, ()), name, event)

    def _send(self, readers: Iterable[Reader], stream: str, payload: bytes) -> None:
        framed = b""
        faults = self.faults if self.faults is not None and self.faults.busy else None
        for reader in list(readers):
            frame = payload
            if reader.combined:
                frame = framed = framed or envelope(stream, payload)
            if faults is None:
                reader.deliver(frame)
            else:
                faults.deliver(reader, stream, frame)
