"""Which stream lives behind which prefix, and how long its silence may last.

Source: venue reference §1.1, §1.2, §2. A stream asked for on the wrong prefix is accepted and stays silent for ever
(fault F02), so the table below is checked before the first socket opens: an unknown stream refuses the start.
Hosts and prefixes are data; loopback tests replace them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from models.error import ConfigurationError
from utils.text import nearest

HOSTS: Mapping[str, str] = {
    "production": "wss://fstream.binance.com",
    "testnet": "wss://fstream.binancefuture.com",
    "demo": "wss://demo-fstream.binance.com",
}
PREFIXES: Mapping[str, str] = {"public": "/public", "market": "/market"}
COMBINED_PATH = "/stream"
"""Combined framing names the stream of each frame, so nobody has to parse the event to know it."""

DEFAULT_STREAMS = ("depth@100ms", "bookTicker", "aggTrade", "markPrice@1s", "forceOrder", "kline_1m")


class StreamKind(msgspec.Struct, frozen=True):
    """One row of the route table.

    ``label`` is the metric label; ``pattern`` matches what follows ``<symbol>@``; ``key`` is the text before the
    number that orders the stream's frames; ``chained``: a missing frame is a gap (otherwise the newest simply wins);
    ``first_s``: a subscription without data by then is dead; ``fresh_s``: silence longer than this replaces the
    connection. Both are None where silence is normal. Seconds.
    """

    label: str
    category: str
    pattern: str
    key: bytes
    chained: bool
    first_s: float | None
    fresh_s: float | None


# Deadlines: measured rates of §2.10 in a quiet minute are 240/s quotes, 10/s depth, 12/s trades, 1/s marks. 5 s is
# fifty depth frames; quotes and trades of a quiet symbol may pause longer; a kline is pushed only when traded.
ROUTES: tuple[StreamKind, ...] = (
    StreamKind("depth", "public", r"depth(@(0|100|500)ms)?", b'"u":', True, 5.0, 5.0),
    StreamKind("bookTicker", "public", r"bookTicker", b'"u":', False, 5.0, 10.0),
    StreamKind("trade", "public", r"trade", b'"t":', True, 5.0, 30.0),
    StreamKind("aggTrade", "market", r"aggTrade", b'"a":', True, 5.0, 30.0),
    StreamKind("markPrice", "market", r"markPrice(@1s)?", b'"E":', False, 5.0, 10.0),
    StreamKind("kline", "market", r"kline_(1|3|5|15|30)m|kline_(1|2|4|6|8|12)h|kline_[13]d|kline_1[wM]",
               b'"E":', False, 10.0, 60.0),
    StreamKind("forceOrder", "market", r"forceOrder", b'"E":', False, None, None),
)  # fmt: skip
KNOWN_SUFFIXES = (
    "depth", "depth@0ms", "depth@100ms", "depth@500ms", "bookTicker", "trade", "aggTrade", "markPrice", "markPrice@1s",
    "forceOrder", "kline_1m", "kline_3m", "kline_5m", "kline_15m", "kline_1h", "kline_4h", "kline_1d",
)  # fmt: skip
_PATTERNS = tuple((re.compile(kind.pattern), kind) for kind in ROUTES)


class Stream(msgspec.Struct, frozen=True):
    """One wanted stream: its venue name, whose it is, and its row of the route table (deadlines possibly replaced)."""

    name: str
    instrument: int
    kind: StreamKind

    @property
    def silence_normal(self) -> bool:
        return self.kind.fresh_s is None


def kind_of(suffix: str) -> StreamKind:
    """The route of a stream suffix (``depth@100ms``). Raises ConfigurationError (UNKNOWN_STREAM) when none has it."""
    for pattern, kind in _PATTERNS:
        if pattern.fullmatch(suffix):
            return kind
    near = nearest(suffix, KNOWN_SUFFIXES)
    hint = f"did you mean {near}?" if near else f"known are {', '.join(KNOWN_SUFFIXES)}"
    raise ConfigurationError(f"no route is known for the market stream {suffix!r}; {hint}", code="UNKNOWN_STREAM")


def streams_for(
    symbols: Iterable[tuple[int, str]],
    suffixes: Sequence[str] = DEFAULT_STREAMS,
    deadlines: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> tuple[Stream, ...]:
    """The streams ``suffixes`` of each (instrument index, symbol); ``deadlines`` replaces (first_s, fresh_s) by label.

    Raises ConfigurationError for an unknown suffix, a stream wanted twice, or nothing wanted at all.
    """
    kinds = [(suffix, kind_of(suffix)) for suffix in suffixes]
    streams: list[Stream] = []
    for instrument, symbol in symbols:
        for suffix, kind in kinds:
            if deadlines and kind.label in deadlines:
                first_s, fresh_s = deadlines[kind.label]
                kind = msgspec.structs.replace(kind, first_s=first_s, fresh_s=fresh_s)
            streams.append(Stream(f"{symbol.lower()}@{suffix}", instrument, kind))
    names = [stream.name for stream in streams]
    if not names:
        raise ConfigurationError("the feed needs at least one symbol and one stream", code="UNKNOWN_STREAM")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"wanted twice: {', '.join(twice)}; name each symbol and stream once")
    return tuple(streams)


def by_category(streams: Iterable[Stream]) -> dict[str, tuple[Stream, ...]]:
    """The streams of each category, in the order of ``PREFIXES``; categories without streams are left out."""
    wanted = tuple(streams)
    split = {name: tuple(stream for stream in wanted if stream.kind.category == name) for name in PREFIXES}
    return {name: part for name, part in split.items() if part}
