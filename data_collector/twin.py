"""The general decoder: any key order, unknown fields, escapes, both framings, every event, every REST body.

It is the slow twin of ``data_collector.wire.decode`` and the authority on what is refused and why. Results are equal on
every frame the fast pass accepts (a test proves it on real and on mutated frames).

Source of the shapes: venue reference §2 (streams), §4.2 (REST bodies), §1.5 (control answers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import orjson

from data_collector.layout import (
    AGGREGATE,
    DEPTH,
    EVENT_NAMES,
    FRAME_BYTES_MAX,
    FRAME_ROWS_MAX,
    MARK,
    QUOTE_EVENT,
    TRADE,
)
from data_collector.normalizer import lots, money_e8, nearest_tick, ticks
from data_collector.quarantine import Reason
from data_collector.scan import TIME_MS_MAX
from data_collector.validator import Refusal, field, integer, pairs, text, time_ns, truth
from models.instrument import Instrument
from models.rows import ASK, BID, BUY, NO_LEVEL, SELL, UNKNOWN_NS, Flag, Kind

Row = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
"""One row in the order of ``models.rows.ROW``."""

# Events only the twin knows; the numbers go on from those of the fast pass.
LIQUIDATION, KLINE, CONTROL, OTHER, SNAPSHOT, TRADES_ANSWER, KLINES_ANSWER = range(6, 13)
NAMES = {
    **EVENT_NAMES,
    LIQUIDATION: "forceOrder",
    KLINE: "kline",
    CONTROL: "control",
    OTHER: "other",
    SNAPSHOT: "snapshot",
    TRADES_ANSWER: "aggTrades",
    KLINES_ANSWER: "klines",
}
ANSWER_BYTES_MAX = 8 << 20  # a REST body with 5,000 levels a side has 0.3 MB, 1,000 trades 0.15 MB


class Facts(msgspec.Struct):
    """What the frame says beside its rows; the words of ``data_collector.wire`` ``INFO_*`` with the same meaning."""

    event: int = 0
    instrument: int = -1
    first: int = -1
    last: int = -1
    previous: int = -1
    event_ns: int = UNKNOWN_NS
    occurred_ns: int = UNKNOWN_NS


class Decoded(msgspec.Struct):
    """``reason`` is None when the frame is accepted, with zero or more rows. ``facts`` is filled as far as it was read.

    ``stream`` is the event's name, also for refused frames. ``control`` is the answer to a control message.
    ``ignored`` counts members of all-market frames that concern no instrument of ours.
    """

    facts: Facts
    rows: list[Row]
    stream: str = ""
    reason: Reason | None = None
    detail: str = ""
    control: dict[str, Any] | None = None
    ignored: int = 0


class Twin:
    """The decoder for one list of instruments."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._list = list(instruments)
        self._events: dict[str, Callable[[dict[str, Any], _Frame], None]] = {
            "aggTrade": self._aggregate,
            "trade": self._single_trade,
            "depthUpdate": self._depth,
            "bookTicker": self._quote,
            "markPriceUpdate": self._mark,
            "forceOrder": self._liquidation,
            "kline": self._kline,
        }

    def frame(self, payload: bytes, received_ns: int, number: int) -> Decoded:
        """Decode a WebSocket frame. Never raises: what cannot be used is refused with its reason."""
        frame = _Frame(received_ns, number)
        return frame.settle(lambda: self._frame(payload, frame))

    def answer(self, event: int, index: int, payload: bytes, received_ns: int, number: int) -> Decoded:
        """Decode a REST body for instrument ``index``; ``event`` is SNAPSHOT, TRADES_ANSWER or KLINES_ANSWER."""
        frame = _Frame(received_ns, number)
        frame.decoded.facts.event = event
        frame.decoded.stream = NAMES[event]
        return frame.settle(lambda: self._answer(event, index, payload, frame))

    # ---- framing ----------------------------------------------------------------------------------------------------

    def _frame(self, payload: bytes, frame: _Frame) -> None:
        message = _parsed(payload, FRAME_BYTES_MAX)
        stream = ""
        if isinstance(message, dict) and "stream" in message and isinstance(message.get("data"), dict | list):
            stream = message["stream"] if isinstance(message["stream"], str) else ""
            message = message["data"]
        if isinstance(message, list):
            self._many(message, frame)
        elif isinstance(message, dict):
            self._one(message, frame, every_market=stream.startswith("!"))
        else:
            raise Refusal(Reason.WRONG_TYPE, "a frame must be an object or a list of objects")

    def _many(self, messages: list[Any], frame: _Frame) -> None:
        """An all-market list: every member of ours is a frame of its own; the others are nobody's fault."""
        for message in messages:
            if not isinstance(message, dict):
                raise Refusal(Reason.WRONG_TYPE, "a member of a list frame must be an object")
            self._one(message, frame, every_market=True)
            if frame.decoded.facts.event in (AGGREGATE, TRADE, DEPTH, QUOTE_EVENT):
                raise Refusal(Reason.WRONG_TYPE, f"{frame.decoded.stream} never comes in a list")

    def _one(self, message: dict[str, Any], frame: _Frame, *, every_market: bool) -> None:
        decoded = frame.decoded
        name = message.get("e")
        if "e" not in message:
            if all(isinstance(message.get(key), str) for key in "sbBaA"):
                name = "bookTicker"  # the spot form carries neither e nor times
            elif "result" in message or "error" in message or "code" in message:
                decoded.facts.event, decoded.stream, decoded.control = CONTROL, NAMES[CONTROL], message
                return
        if not isinstance(name, str):
            raise Refusal(Reason.MISSING_FIELD if name is None else Reason.WRONG_TYPE, "e must name the event")
        handler = self._events.get(name)
        if handler is None:
            decoded.facts.event, decoded.stream = OTHER, "other:" + name[:32]
            return
        decoded.stream = name
        if every_market and self._foreign(message):
            decoded.ignored += 1
            decoded.facts.event = decoded.facts.event or OTHER
            return
        if "st" in message and integer(message["st"], "st") != 1:
            raise Refusal(Reason.NOT_UM, f"st {message['st']} is not USD-M")
        if "e" in message or "E" in message:
            decoded.facts.event_ns = time_ns(message, "E")
        handler(message, frame)

    def _foreign(self, message: dict[str, Any]) -> bool:
        """Whether a member of an all-market stream belongs to another market or to an instrument nobody asked for."""
        order = message.get("o")
        symbol = message.get("s", order.get("s") if isinstance(order, dict) else None)
        return message.get("st", 1) != 1 or (isinstance(symbol, str) and symbol not in self._instruments)

    def _instrument(self, record: dict[str, Any], frame: _Frame) -> Instrument:
        symbol = text(record, "s")
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise Refusal(Reason.UNKNOWN_SYMBOL, f"nobody asked for {symbol[:32]!r}")
        frame.decoded.facts.instrument = instrument.index
        frame.key = instrument.key
        return instrument

    # ---- the fast streams -------------------------------------------------------------------------------------------

    def _aggregate(self, message: dict[str, Any], frame: _Frame) -> None:
        self._trade(message, frame, AGGREGATE, "a")

    def _single_trade(self, message: dict[str, Any], frame: _Frame) -> None:
        self._trade(message, frame, TRADE, "t")

    def _trade(self, message: dict[str, Any], frame: _Frame, event: int, id_name: str) -> None:
        facts = frame.decoded.facts
        facts.event = event
        instrument = self._instrument(message, frame)
        facts.occurred_ns = time_ns(message, "T")
        number = integer(field(message, id_name), id_name)
        side = SELL if truth(message, "m") else BUY
        facts.last = number
        if event == TRADE and "X" in message and text(message, "X") != "MARKET":
            raise Refusal(Reason.OFF_MARKET, f"X {message['X'][:32]!r} is no trade of the book")
        price = ticks(field(message, "p"), "p", instrument)
        quantity = lots(field(message, "q"), "q", instrument)
        if quantity == 0:
            raise Refusal(Reason.ZERO_QUANTITY, "q is zero")
        extra = lots(message["nq"], "nq", instrument) if event == AGGREGATE and "nq" in message else -1
        frame.add(Kind.TRADE, side, price, quantity, number, extra)
        frame.close()

    def _depth(self, message: dict[str, Any], frame: _Frame) -> None:
        facts = frame.decoded.facts
        facts.event = DEPTH
        instrument = self._instrument(message, frame)
        facts.occurred_ns = time_ns(message, "T") if "T" in message else facts.event_ns
        facts.first = integer(field(message, "U"), "U")
        facts.last = integer(field(message, "u"), "u")
        facts.previous = integer(message["pu"], "pu") if "pu" in message else -1
        if facts.first > facts.last or facts.previous > facts.last:
            raise Refusal(Reason.BAD_SEQUENCE, f"U {facts.first}, u {facts.last}, pu {facts.previous} do not rise")
        self._levels(message, ("b", "a"), frame, instrument, Kind.DEPTH, facts.last, facts.previous)

    def _levels(
        self, message: dict[str, Any], names: tuple[str, str], frame: _Frame, instrument: Instrument, kind: int,
        sequence: int, extra: int,
    ) -> None:  # fmt: skip
        sides = [pairs(message, name) for name in names]
        if len(sides[0]) + len(sides[1]) > FRAME_ROWS_MAX:
            raise Refusal(Reason.TOO_LARGE, f"{len(sides[0]) + len(sides[1])} levels, at most {FRAME_ROWS_MAX}")
        for side, levels in zip((BID, ASK), sides, strict=True):
            for price, quantity in levels:
                count = ticks(price, "price", instrument)
                frame.add(kind, side, count, lots(quantity, "quantity", instrument), sequence, extra)
        if not sides[0] and not sides[1]:
            frame.add(kind, BID, 0, NO_LEVEL, sequence, extra)
        frame.close()

    def _quote(self, message: dict[str, Any], frame: _Frame) -> None:
        facts = frame.decoded.facts
        facts.event = QUOTE_EVENT
        instrument = self._instrument(message, frame)
        facts.occurred_ns = time_ns(message, "T") if "T" in message else facts.event_ns
        facts.last = integer(field(message, "u"), "u")
        bid, ask = (ticks(field(message, name), name, instrument) for name in "ba")
        bid_lots, ask_lots = (lots(field(message, name), name, instrument) for name in "BA")
        if bid >= ask:
            raise Refusal(Reason.CROSSED, f"best bid {message['b']} is not below best ask {message['a']}")
        frame.add(Kind.QUOTE, BID, bid, bid_lots, facts.last, 0)
        frame.add(Kind.QUOTE, ASK, ask, ask_lots, facts.last, 0)
        frame.close()

    # ---- the slow streams -------------------------------------------------------------------------------------------

    def _mark(self, message: dict[str, Any], frame: _Frame) -> None:
        facts = frame.decoded.facts
        facts.event = MARK
        self._instrument(message, frame)
        facts.occurred_ns = facts.event_ns  # T is the next funding time here
        mark, index = (money_e8(field(message, name), name) for name in "pi")
        if mark == 0:
            raise Refusal(Reason.ZERO_PRICE, "p is zero")
        rate = money_e8(message["r"], "r", signed=True) if message.get("r", "") != "" else 0
        frame.add(Kind.MARK, BID, mark, index, integer(field(message, "T"), "T"), rate)
        frame.close()

    def _liquidation(self, message: dict[str, Any], frame: _Frame) -> None:
        facts = frame.decoded.facts
        facts.event = LIQUIDATION
        order = field(message, "o")
        if not isinstance(order, dict):
            raise Refusal(Reason.WRONG_TYPE, "o must be an object")
        instrument = self._instrument(order, frame)
        facts.occurred_ns = time_ns(order, "T")
        side = {"BUY": BUY, "SELL": SELL}.get(text(order, "S"))
        if side is None:
            raise Refusal(Reason.WRONG_TYPE, "S must be BUY or SELL")
        average = nearest_tick(field(order, "ap"), "ap", instrument)
        filled = lots(field(order, "z"), "z", instrument)
        if filled == 0:
            raise Refusal(Reason.ZERO_QUANTITY, "z is zero")
        frame.add(Kind.LIQUIDATION, side, average, filled, 0, ticks(field(order, "p"), "p", instrument))
        frame.close()

    def _kline(self, message: dict[str, Any], frame: _Frame) -> None:
        facts = frame.decoded.facts
        facts.event = KLINE
        instrument = self._instrument(message, frame)
        bar = field(message, "k")
        if not isinstance(bar, dict):
            raise Refusal(Reason.WRONG_TYPE, "k must be an object")
        facts.occurred_ns = facts.event_ns
        if not truth(bar, "x"):
            return  # an open bar: nothing is final, and the tape knows more
        self._bar([bar.get(name) for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V")], frame, instrument)

    def _bar(self, bar: list[Any], frame: _Frame, instrument: Instrument) -> None:
        """Four rows of a closed bar, from the members in the order of the REST body (§4.2)."""
        opened, closed = integer(bar[0], "open time"), integer(bar[6], "close time")
        if not opened < closed < TIME_MS_MAX:
            raise Refusal(Reason.BAD_SEQUENCE, f"a bar from {opened} to {closed}")
        prices = [ticks(bar[place], name, instrument) for place, name in enumerate(("open", "high", "low", "close"), 1)]
        if prices[1] < max(prices) or prices[2] > min(prices):
            raise Refusal(Reason.CROSSED, "high and low must enclose open and close")
        volume, taker = lots(bar[5], "volume", instrument), lots(bar[9], "taker volume", instrument)
        quantities = (volume, integer(bar[8], "count"), taker, 0)
        for place, (price, quantity) in enumerate(zip(prices, quantities, strict=True)):
            frame.add(Kind.KLINE, place, price, quantity, opened, closed + 1 - opened)
        frame.close()

    # ---- REST bodies ------------------------------------------------------------------------------------------------

    def _answer(self, event: int, index: int, payload: bytes, frame: _Frame) -> None:
        if not 0 <= index < len(self._list):
            raise Refusal(Reason.UNKNOWN_SYMBOL, f"no instrument has the number {index}")
        instrument, facts = self._list[index], frame.decoded.facts
        facts.instrument, frame.key = index, instrument.key
        body = _parsed(payload, ANSWER_BYTES_MAX)
        if event == SNAPSHOT:
            if not isinstance(body, dict):
                raise Refusal(Reason.WRONG_TYPE, "a depth body must be an object")
            facts.last = integer(field(body, "lastUpdateId"), "lastUpdateId")
            facts.event_ns = time_ns(body, "E", required=False)
            facts.occurred_ns = time_ns(body, "T") if "T" in body else facts.event_ns
            self._levels(body, ("bids", "asks"), frame, instrument, Kind.SNAPSHOT, facts.last, 0)
            best = [max((row[7] for row in frame.decoded.rows if row[2] == BID), default=0)]
            best.append(min((row[7] for row in frame.decoded.rows if row[2] == ASK and row[7] > 0), default=2**62))
            if best[0] >= best[1]:
                raise Refusal(Reason.CROSSED, "the best bid of the snapshot is not below its best ask")
            return
        if not isinstance(body, list) or len(body) * 4 > FRAME_ROWS_MAX:
            raise Refusal(Reason.WRONG_TYPE, f"the body must be a list of at most {FRAME_ROWS_MAX // 4}")
        frame.flags = Flag.FILLED
        for member in body:
            if event == TRADES_ANSWER:
                self._past_trade(member, frame, instrument)
            else:
                self._past_bar(member, frame, instrument)

    def _past_trade(self, member: Any, frame: _Frame, instrument: Instrument) -> None:
        if not isinstance(member, dict):
            raise Refusal(Reason.WRONG_TYPE, "an aggregate trade must be an object")
        self._trade({**member, "s": instrument.symbol}, frame, AGGREGATE, "a")
        frame.decoded.facts.event = TRADES_ANSWER

    def _past_bar(self, member: Any, frame: _Frame, instrument: Instrument) -> None:
        if not isinstance(member, list) or len(member) < 10:
            raise Refusal(Reason.WRONG_TYPE, "a kline must be a list of 12")
        closed = integer(member[6], "close time")
        if closed * 1_000_000 >= frame.received_ns:
            return  # the running bar: not final
        frame.decoded.facts.occurred_ns = closed * 1_000_000
        self._bar(member, frame, instrument)


class _Frame:
    """The rows under construction."""

    def __init__(self, received_ns: int, number: int) -> None:
        self.decoded = Decoded(Facts(), [])
        self.received_ns = received_ns
        self.number = number
        self.key = 0
        self.flags = 0
        self._open = 0

    def add(self, kind: int, side: int, price: int, quantity: int, sequence: int, extra: int) -> None:
        first = Flag.FIRST if len(self.decoded.rows) == self._open else 0
        occurred = self.decoded.facts.occurred_ns
        self.decoded.rows.append(
            (kind, self.flags | first, side, 0, self.key, occurred, self.received_ns, price, quantity, sequence, extra,
             self.number)
        )  # fmt: skip

    def close(self) -> None:
        """The rows since the last close are one frame."""
        last = self.decoded.rows[-1]
        self.decoded.rows[-1] = (last[0], last[1] | Flag.LAST, *last[2:])  # type: ignore[assignment]
        self._open = len(self.decoded.rows)

    def settle(self, work: Callable[[], None]) -> Decoded:
        try:
            work()
        except Refusal as refusal:
            self.decoded.rows.clear()
            self.decoded.reason, self.decoded.detail = refusal.reason, refusal.detail
        return self.decoded


def _parsed(payload: bytes, bytes_max: int) -> Any:
    """The JSON value. Raises Refusal: TOO_LARGE, TRUNCATED, NOT_JSON."""
    if len(payload) > bytes_max:
        raise Refusal(Reason.TOO_LARGE, f"{len(payload)} bytes, at most {bytes_max}")
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        cut = payload[:1] in (b"{", b"[") and "unexpected end" in str(error).lower()
        raise Refusal(Reason.TRUNCATED if cut else Reason.NOT_JSON, str(error)[:200]) from None
