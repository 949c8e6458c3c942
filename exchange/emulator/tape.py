"""A recording played back as a market: the frames as they came, and REST answers from what has been played.

The venue's clock is the recording's receive time. Frames keep their bytes; only the envelope is put on or taken off.
A recording that carries ``trade`` gets ``aggTrade`` beside it: trades that follow each other with the same time, price
and side are joined, other than market trades left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson

from exchange.emulator.book import Book
from exchange.emulator.history import History
from exchange.emulator.market import Frame, Levels
from exchange.emulator.payloads import Payloads, e8_fixed
from models.error import DataError
from models.instrument import Instrument
from models.recording import RecordKind

Record = tuple[int, int, int, bytes]
"""received_ns, kind (``models.recording.RecordKind``), connection, payload"""

SCANNED = 20_000  # records looked at beforehand to learn the streams: about a minute of a busy recording
JOINED_NS = 100_000_000  # an aggregate is given out at the latest this long after its trade, as the venue does
PAUSE_NS = 1_000_000_000  # between two passes of a looped tape
GAP_IDS = 1_000  # update ids left out between two passes, so that no diff seems to follow the last one
FUNDING_MS = 8 * 3_600_000
_NAMES = {"depthUpdate": "depth@100ms", "bookTicker": "bookTicker", "aggTrade": "aggTrade", "trade": "trade"}
_NAMES |= {"markPriceUpdate": "markPrice@1s", "forceOrder": "forceOrder"}
_TIMES = re.compile(rb'"([ET])":(\d+)')
_UPDATE_IDS = re.compile(rb'"(u|U|pu)":(\d+)')
_TRADE_IDS = re.compile(rb'"([tfl])":(\d+)')
_AGGREGATE_IDS = re.compile(rb'"(a)":(\d+)')


def split(payload: bytes) -> tuple[str, bytes]:
    """Stream name and raw event of a recorded frame, enveloped or raw; the name is empty when there is none."""
    if payload.startswith(b'{"stream":"'):
        end = payload.find(b'"', 11)
        if payload[end : end + 9] == b'","data":':
            return payload[11:end].decode("ascii", "replace"), payload[end + 9 : -1]
    event = _parsed(payload)
    if event is None:
        return "", payload
    if "stream" in event and isinstance(event.get("data"), dict):
        return str(event["stream"]), orjson.dumps(event["data"])
    kind, order, candle = str(event.get("e")), event.get("o"), event.get("k")
    symbol = event.get("s") or (order.get("s") if isinstance(order, dict) else None)
    if kind == "kline" and symbol and isinstance(candle, dict):
        return f"{str(symbol).lower()}@kline_{candle.get('i')}", payload
    if kind in _NAMES and symbol:
        return f"{str(symbol).lower()}@{_NAMES[kind]}", payload
    return "", payload


def _parsed(payload: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


class _Span:
    """The smallest and largest number of a kind seen in the first pass."""

    def __init__(self) -> None:
        self.low = self.high = 0

    def note(self, number: int) -> None:
        self.low = min(self.low or number, number)
        self.high = max(self.high, number)

    @property
    def length(self) -> int:
        return self.high - self.low + 1 if self.low else 0


class _Reel:
    """What is known of one symbol while the tape runs."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = Book(instrument)
        self.history = History(instrument)
        self.text = Payloads(instrument)
        self.mark: dict[str, Any] | None = None
        self.open: list[Any] | None = None  # the aggregate being joined: price, lots, first, last, T, maker
        self.open_ns = 0
        self.number = 0
        self.trades, self.aggregates = _Span(), _Span()


class Tape:
    """Plays ``source()`` (records in receive order; called once a pass). See ``market.Market``.

    ``loop`` starts again after the end with times and ids shifted forward: trades stay consecutive, the book breaks as
    after a gap. Otherwise the market ends. Raises DataError when the recording has no frame of a known instrument.
    """

    recorded = True

    def __init__(
        self, source: Callable[[], Iterable[Record]], instruments: Iterable[Instrument], *, loop: bool = False
    ) -> None:
        self.instruments = tuple(instruments)
        self._source, self._loop = source, loop
        self._reels = {one.symbol: _Reel(one) for one in self.instruments}
        self._lower = {one.symbol.lower(): one.symbol for one in self.instruments}
        found = set()
        self._now_ns = 0
        for received_ns, kind, _, payload in islice(source(), SCANNED):
            self._now_ns = self._now_ns or received_ns
            if kind == RecordKind.FRAME:
                found.add(split(payload)[0])
        found = {name for name in found if name.partition("@")[0] in self._lower}
        if not found:
            raise DataError("the recording has no market frame of its instruments; nothing to play", code="EMPTY_TAPE")
        self._single = {name.partition("@")[0] for name in found if name.endswith("@trade")}
        self._single -= {name.partition("@")[0] for name in found if name.endswith("@aggTrade")}
        self.streams = frozenset(found | {f"{symbol}@aggTrade" for symbol in self._single})
        self.ended = False
        self._pass = 0
        self._first_ns = self._now_ns
        self._shift = (0, 0)  # ns, update ids; trade ids shift by each symbol's own span
        self._updates = _Span()
        self._records = iter(source())
        self._next: Record | None = next(self._records, None)

    @property
    def now_ns(self) -> int:
        """Venue time up to which events have been given out."""
        return self._now_ns

    def awake(self) -> None:
        """Nothing to do: the server starts the clock when somebody listens."""

    def advance(self, until_ns: int) -> Iterator[Frame]:
        """The events received by ``until_ns`` on the recording's clock."""
        while self._next is not None and self._next[0] + self._shift[0] <= until_ns:
            received_ns, kind, connection, payload = self._next
            received_ns += self._shift[0]
            self._now_ns = max(self._now_ns, received_ns)
            yield from self._close_aggregates(received_ns - JOINED_NS)
            if kind == RecordKind.FRAME:
                yield from self._frame(received_ns, payload)
            elif kind == RecordKind.DEPTH_ANSWER and 0 <= connection < len(self.instruments):
                self._snapshot(self.instruments[connection].symbol, payload)
            self._next = next(self._records, None)
            if self._next is None:
                yield from self._close_aggregates(self._now_ns)
                self._rewind()
        self._now_ns = max(self._now_ns, until_ns) if not self.ended else self._now_ns

    def _rewind(self) -> None:
        """The end, or the beginning of the next pass."""
        if not self._loop:
            self.ended = True
            return
        self._pass += 1
        length_ns = self._now_ns - self._shift[0] - self._first_ns + PAUSE_NS
        length_ns += -length_ns % 1_000_000  # whole milliseconds: the payloads' times have no finer ones
        self._shift = (self._pass * length_ns, self._pass * (self._updates.length + GAP_IDS))
        for reel in self._reels.values():
            reel.book = Book(reel.instrument)
        self._records = iter(self._source())
        self._next = next(self._records, None)

    def _frame(self, received_ns: int, payload: bytes) -> Iterator[Frame]:
        stream, event = split(payload)
        symbol = self._lower.get(stream.partition("@")[0])
        if symbol is None:
            return
        if self._pass and "@kline" in stream:
            return  # their fields share letters with trades; whoever wants them gets derived ones
        if self._pass:
            event = self._shifted(event, self._reels[symbol])
        reel = self._reels[symbol]
        fields = _parsed(event)
        aggregate: Frame | None = None
        if fields is not None:
            # A frame that cannot be read is still played: the reader must cope with it, as it did then.
            with suppress(KeyError, TypeError, ValueError, DataError):
                aggregate = self._learn(reel, stream, fields, received_ns)
        if aggregate is not None:
            yield aggregate
        yield received_ns, stream, event

    def _learn(self, reel: _Reel, stream: str, fields: dict[str, Any], received_ns: int) -> Frame | None:
        """Keep book, trades and mark; answers an aggregate that this trade has closed."""
        kind = fields.get("e") or stream.partition("@")[2]
        if kind == "depthUpdate":
            reel.book.diff(fields)
            self._note(self._updates, fields["u"])
        elif kind == "aggTrade":
            instrument = reel.instrument
            price, lots = instrument.ticks(fields["p"]), instrument.lots(fields["q"])
            reel.history.trade((fields["a"], price, lots, fields["f"], fields["l"], fields["T"], fields["m"]))
            self._note(reel.aggregates, fields["a"])
            self._note(reel.trades, fields["f"])
            self._note(reel.trades, fields["l"])
        elif kind == "trade":
            self._note(reel.trades, fields["t"])
            if stream.partition("@")[0] in self._single:
                return self._join(reel, fields, received_ns)
        elif kind == "bookTicker":
            self._note(self._updates, fields["u"])
        elif kind == "markPriceUpdate":
            reel.mark = fields
        return None

    def _join(self, reel: _Reel, fields: dict[str, Any], received_ns: int) -> Frame | None:
        price, lots = reel.instrument.ticks(fields["p"]), reel.instrument.lots(fields["q"])
        if fields.get("X", "MARKET") != "MARKET" or price <= 0 or lots <= 0:
            return None
        number, at_ms, maker = fields["t"], fields["T"], fields["m"]
        one = reel.open
        if one is not None and one[0] == price and one[4] == at_ms and one[5] == maker:
            one[1] += lots
            one[3] = number
            return None
        closed = self._close(reel, received_ns)
        reel.open, reel.open_ns = [price, lots, number, number, at_ms, maker], received_ns
        return closed

    def _close(self, reel: _Reel, now_ns: int) -> Frame | None:
        if reel.open is None:
            return None
        price, lots, first, last, at_ms, maker = reel.open
        reel.open = None
        reel.number += 1
        trade = (reel.number, price, lots, first, last, at_ms, maker)
        reel.history.trade(trade)
        event_ms = max(at_ms, now_ns // 1_000_000)
        return now_ns, f"{reel.instrument.symbol.lower()}@aggTrade", reel.text.agg_trade(event_ms, trade)

    def _close_aggregates(self, before_ns: int) -> Iterator[Frame]:
        for reel in self._reels.values():
            if reel.open is not None and reel.open_ns <= before_ns:
                frame = self._close(reel, self._now_ns)
                if frame is not None:
                    yield frame

    def _snapshot(self, symbol: str, payload: bytes) -> None:
        body = _parsed(payload)
        if body is None or "lastUpdateId" not in body:
            return
        body["lastUpdateId"] += self._shift[1]
        for field in ("E", "T"):
            if field in body:
                body[field] += self._shift[0] // 1_000_000
        self._reels[symbol].book.snapshot(body)

    def _note(self, span: _Span, number: int) -> None:
        if self._pass == 0:
            span.note(number)

    def _shifted(self, event: bytes, reel: _Reel) -> bytes:
        """An event of a later pass: its times and ids moved forward by what the passes before it took."""
        ns, update_ids = self._shift
        trades, aggregates = self._pass * reel.trades.length, self._pass * reel.aggregates.length
        event = _TIMES.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) + ns // 1_000_000), event)
        event = _UPDATE_IDS.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) + update_ids), event)
        if b'"e":"markPriceUpdate"' in event or b'"e":"forceOrder"' in event:
            return event
        event = _AGGREGATE_IDS.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) + aggregates), event)
        return _TRADE_IDS.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) + trades), event)

    def depth(self, symbol: str, limit: int) -> tuple[int, int, int, Levels, Levels] | None:
        """Last update id, E, T, bids, asks; None before the recording's snapshot and after a gap."""
        return self._reels[symbol].book.depth(limit)

    def history(self, symbol: str) -> History:
        """Candles and trades played so far."""
        return self._reels[symbol].history

    def premium(self, symbol: str) -> dict[str, object]:
        """The ``premiumIndex`` body: the last mark played, else the last price (a recording may carry no marks)."""
        reel = self._reels[symbol]
        now_ms = self._now_ns // 1_000_000
        next_ms = (now_ms // FUNDING_MS + 1) * FUNDING_MS
        mark, rate = reel.mark, "0.00010000"
        candles = reel.history.candles
        price = e8_fixed(candles[-1][4] * reel.instrument.tick_e8 if candles else 0)
        return {
            "symbol": symbol,
            "markPrice": mark["p"] if mark else price,
            "indexPrice": mark.get("i", mark["p"]) if mark else price,
            "estimatedSettlePrice": mark.get("P", mark["p"]) if mark else price,
            "lastFundingRate": mark.get("r", rate) if mark else rate,
            "interestRate": rate,
            "nextFundingTime": mark.get("T", next_ms) if mark else next_ms,
            "time": now_ms,
        }
