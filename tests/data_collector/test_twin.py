"""The general decoder: every event and REST body, both framings, and the one place where refusals get their reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_collector.layout import AGGREGATE, DEPTH, EVENT_NAMES, FRAME_BYTES_MAX, FRAME_ROWS_MAX, MARK
from data_collector.quarantine import Reason
from data_collector.twin import (
    ANSWER_BYTES_MAX,
    CONTROL,
    KLINE,
    KLINES_ANSWER,
    LIQUIDATION,
    NAMES,
    OTHER,
    SNAPSHOT,
    TRADES_ANSWER,
    Decoded,
    Twin,
)
from models.rows import ASK, BID, BUY, NO_LEVEL, SELL, UNKNOWN_NS, Flag, Kind
from tests.data_collector import frames
from tests.data_collector.frames import BTC, INSTRUMENTS, packed, wrapped

TWIN = Twin(INSTRUMENTS)
NOW_NS = frames.E_MS * 1_000_000 + 5
ANSWERS = (SNAPSHOT, TRADES_ANSWER, KLINES_ANSWER)


def heard(message: Any) -> Decoded:
    return TWIN.frame(packed(message), NOW_NS, 3)


def answered(event: int, body: Any, index: int = 0) -> Decoded:
    return TWIN.answer(event, index, packed(body), NOW_NS, 3)


def levels(decoded: Decoded) -> list[tuple[int, int, int]]:
    """(side, price, quantity) of each row."""
    return [(row[2], row[7], row[8]) for row in decoded.rows]


def liquidation(**change: Any) -> dict[str, Any]:
    order = {
        "s": "BTCUSDT",
        "S": "SELL",
        "q": "0.014",
        "p": "76510.30",
        "ap": "76633.16",
        "z": "0.014",
        "T": frames.E_MS - 3,
    }
    return {"e": "forceOrder", "E": frames.E_MS, "o": {**order, **change}}


def kline(**change: Any) -> dict[str, Any]:
    bar = {
        "t": 1_789_478_160_000, "T": 1_789_478_219_999, "s": "BTCUSDT", "o": "76936.20", "c": "76965.40",
        "h": "76965.50", "l": "76936.10", "v": "20.680", "n": 878, "x": True, "V": "15.190", "q": "1591436.27140",
    }  # fmt: skip
    return {"e": "kline", "E": frames.E_MS, "s": "BTCUSDT", "k": {**bar, **change}}


def past_bar(**change: Any) -> list[Any]:
    bar = {
        "t": 1_789_478_160_000, "o": "76936.20", "h": "76965.50", "l": "76936.10", "c": "76965.40", "v": "20.680",
        "T": 1_789_478_219_999, "q": "1591436.2", "n": 878, "V": "15.190", "Q": "1.0", "B": "0",
    }  # fmt: skip
    return list({**bar, **change}.values())


def test_a_liquidation_is_one_row_at_its_average_price() -> None:
    """Side, average price to the nearest tick, filled lots and the order's price, dated by its own time."""
    decoded = heard(liquidation())
    assert (decoded.facts.event, decoded.facts.occurred_ns) == (LIQUIDATION, (frames.E_MS - 3) * 1_000_000)
    assert levels(decoded) == [(SELL, 766_332, 14)]
    assert (decoded.rows[0][0], decoded.rows[0][10]) == (Kind.LIQUIDATION, 765_103)
    assert levels(heard(liquidation(S="BUY", ap="76633.15"))) == [(BUY, 766_332, 14)]


def test_a_closed_bar_is_four_rows() -> None:
    """Open, high, low, close with volume, count and taker volume; its open time and length stand on every row."""
    decoded = heard(kline())
    assert decoded.facts.event == KLINE and {row[0] for row in decoded.rows} == {Kind.KLINE}
    assert levels(decoded) == [(0, 769_362, 20_680), (1, 769_655, 878), (2, 769_361, 15_190), (3, 769_654, 0)]
    assert {(row[9], row[10]) for row in decoded.rows} == {(1_789_478_160_000, 60_000)}


def test_an_open_bar_is_accepted_without_rows() -> None:
    """A bar that is still running tells nothing final."""
    decoded = heard(kline(x=False, h="0"))
    assert (decoded.reason, decoded.rows, decoded.stream) == (None, [], "kline")


@pytest.mark.parametrize(
    "answer",
    [{"result": None, "id": 1}, {"error": {"code": 2}, "id": 1}, {"code": 3, "msg": "x"}, {"result": ["a"], "id": 2}],
)
def test_answers_to_control_messages_are_handed_out(answer: dict[str, Any]) -> None:
    """An answer to a control message is accepted, without rows, and kept for whoever asked."""
    decoded = heard(answer)
    assert (decoded.facts.event, decoded.control, decoded.rows) == (CONTROL, answer, [])


def test_unknown_events_are_accepted_by_name() -> None:
    """An event nobody knows is no fault: it is counted under its own name, cut to 32 characters (fault F16)."""
    decoded = heard({"e": "somethingNew" * 9, "E": 1, "x": [1, {"y": None}]})
    assert (decoded.reason, decoded.facts.event) == (None, OTHER)
    assert decoded.stream == "other:" + ("somethingNew" * 9)[:32]


def test_every_golden_stream_payload_is_understood(wire: Path) -> None:
    """Each golden stream event is accepted, raw and wrapped, with the same rows; those of our symbols have some."""
    rows = {}
    for path in sorted(wire.glob("stream-*.json")):
        message = json.loads(path.read_text())
        decoded = heard(message)
        assert decoded.reason is None, (path.name, decoded.detail)
        if "data" not in message:
            assert levels(TWIN.frame(wrapped(message, "!x@arr"), NOW_NS, 3)) == levels(decoded)
        rows[path.name] = len(decoded.rows)
    assert {name for name, count in rows.items() if not count} == {
        "stream-continuousKline-1m.json", "stream-contractInfo.json", "stream-kline-1m-open.json",
        "stream-miniTicker.json", "stream-ticker.json", "stream-tradingSession.json",
    }  # fmt: skip


def test_of_an_all_market_list_only_our_instruments_remain() -> None:
    """Members of other symbols and of the other market are counted as ignored, ours are rows of the frame."""
    ours = frames.mark()
    decoded = heard([ours, {**ours, "s": "ADAUSDT"}, {**ours, "st": 2}, {**ours, "s": "ETHUSDT"}])
    assert [row[4] for row in decoded.rows] == [one.key for one in INSTRUMENTS]
    assert (decoded.ignored, decoded.reason, {row[1] for row in decoded.rows}) == (2, None, {Flag.FIRST | Flag.LAST})


def test_a_foreign_symbol_is_ignored_on_an_all_market_stream_only() -> None:
    """A liquidation of another symbol is nobody's fault on ``!forceOrder@arr``, and refused on a stream of its own."""
    message = liquidation(s="ADAUSDT")
    assert TWIN.frame(wrapped(message, "!forceOrder@arr"), NOW_NS, 3).ignored == 1
    assert heard(message).reason is Reason.UNKNOWN_SYMBOL


@pytest.mark.parametrize("symbol", [None, 1, [], {}, ["BTCUSDT"]], ids=str)
def test_a_symbol_of_a_wrong_type_is_refused_on_all_market_streams_too(symbol: Any) -> None:
    """Whatever stands where a symbol should, the frame is refused and nothing is raised."""
    for message in ([{**frames.mark(), "s": symbol}], [liquidation(s=symbol)]):
        assert TWIN.frame(wrapped(message, "!x@arr"), NOW_NS, 3).reason is Reason.WRONG_TYPE


def test_trades_and_depth_never_come_in_lists() -> None:
    """A list of chained events is refused as a whole: their order across the list is nobody's promise."""
    for shape in (frames.depth(5, 9, 4), frames.quote(3), frames.trade(3), frames.aggregate(3)):
        decoded = heard([shape])
        assert (decoded.reason, decoded.rows) == (Reason.WRONG_TYPE, [])


def test_one_bad_member_refuses_the_whole_list() -> None:
    """A frame is accepted whole or not at all."""
    decoded = heard([frames.mark(), {**frames.mark(), "p": "x"}])
    assert (decoded.reason, decoded.rows) == (Reason.BAD_NUMBER, [])


def test_escapes_spaces_and_repeated_keys_are_read_as_json_says() -> None:
    """With escapes, spaces and a key twice (the last counts) a frame gives the same rows as written plainly."""
    plain = packed(frames.trade(12))
    spaced = json.dumps(frames.trade(12), indent=1).encode()
    escaped = plain.replace(b'"BTCUSDT"', b'"\\u0042TCUSDT"').replace(b'"e":"trade"', b'"e":"x","e":"tr\\u0061de"')
    assert TWIN.frame(plain, 1, 1).rows == TWIN.frame(spaced, 1, 1).rows == TWIN.frame(escaped, 1, 1).rows != []


REASONS: list[tuple[Reason, dict[str, Any], dict[str, Any]]] = [
    (Reason.MISSING_FIELD, frames.depth(5, 9, 4), {"u": ...}),
    (Reason.MISSING_FIELD, frames.trade(1), {"E": ...}),
    (Reason.MISSING_FIELD, frames.quote(1), {"e": None}),
    (Reason.MISSING_FIELD, liquidation(), {"o": ...}),
    (Reason.WRONG_TYPE, frames.quote(1), {"e": 5}),
    (Reason.WRONG_TYPE, frames.depth(5, 9, 4), {"u": "9"}),
    (Reason.WRONG_TYPE, frames.depth(5, 9, 4), {"b": {}}),
    (Reason.WRONG_TYPE, frames.depth(5, 9, 4), {"b": [["1.0"]]}),
    (Reason.WRONG_TYPE, frames.depth(5, 9, 4), {"b": [[76914.9, 1]]}),
    (Reason.WRONG_TYPE, frames.trade(1), {"m": 1}),
    (Reason.WRONG_TYPE, liquidation(S="HOLD"), {}),
    (Reason.WRONG_TYPE, liquidation(), {"o": []}),
    (Reason.WRONG_TYPE, kline(), {"k": []}),
    (Reason.WRONG_TYPE, kline(x=1), {}),
    (Reason.WRONG_TYPE, frames.mark(), {"st": "1"}),
    (Reason.BAD_NUMBER, frames.trade(1), {"p": "NaN"}),
    (Reason.BAD_NUMBER, frames.trade(1), {"p": ""}),
    (Reason.BAD_NUMBER, frames.trade(1), {"p": "1e5"}),
    (Reason.BAD_NUMBER, frames.trade(1), {"p": "12345678901.0"}),
    (Reason.BAD_NUMBER, frames.trade(1), {"t": 10**18}),
    (Reason.BAD_NUMBER, frames.trade(1), {"t": 10**30}),
    (Reason.BAD_NUMBER, frames.trade(1), {"T": 9_200_000_000_000}),
    (Reason.NEGATIVE, frames.trade(1), {"p": "-77490.00"}),
    (Reason.NEGATIVE, frames.depth(5, 9, 4), {"a": [["76915.00", "-1.000"]]}),
    (Reason.NEGATIVE, frames.trade(1), {"t": -1}),
    (Reason.NEGATIVE, frames.quote(1), {"E": -1}),
    (Reason.UNKNOWN_SYMBOL, frames.quote(1), {"s": "BTCUSDC"}),
    (Reason.NOT_UM, frames.quote(1), {"st": 2}),
    (Reason.OFF_TICK, frames.quote(1), {"a": "76915.05"}),
    (Reason.OFF_STEP, frames.quote(1), {"A": "6.1285"}),
    (Reason.ZERO_PRICE, frames.trade(1), {"p": "0.00"}),
    (Reason.ZERO_PRICE, frames.mark(), {"p": "0"}),
    (Reason.ZERO_PRICE, liquidation(ap="0.0"), {}),
    (Reason.ZERO_QUANTITY, frames.trade(1), {"q": "0.000"}),
    (Reason.ZERO_QUANTITY, liquidation(z="0"), {}),
    (Reason.OFF_MARKET, frames.trade(1), {"X": "INSURANCE_FUND"}),
    (Reason.OFF_MARKET, frames.trade(1), {"X": "", "p": "0", "q": "0"}),
    (Reason.BAD_SEQUENCE, frames.depth(9, 5, 4), {}),
    (Reason.BAD_SEQUENCE, frames.depth(5, 9, 10), {}),
    (Reason.BAD_SEQUENCE, kline(T=1_789_478_160_000), {}),
    (Reason.CROSSED, frames.quote(1), {"b": "76915.00"}),
    (Reason.CROSSED, frames.quote(1), {"b": "76920.00"}),
    (Reason.CROSSED, kline(h="76936.10"), {}),
    (Reason.CROSSED, kline(l="76936.30"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "shape", "change"), REASONS, ids=lambda part: str(part)[:30])
def test_a_refusal_names_its_reason(reason: Reason, shape: dict[str, Any], change: dict[str, Any]) -> None:
    """Each kind of wrong frame is refused with its own reason, a detail, the event's name and no row."""
    message = {key: value for key, value in {**shape, **change}.items() if value is not ...}
    for payload in (packed(message), wrapped(message)):
        decoded = TWIN.frame(payload, NOW_NS, 3)
        assert (decoded.reason, decoded.rows) == (reason, [])
        assert decoded.detail and len(decoded.detail) < 300


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON), (b"{", Reason.TRUNCATED), (b'{"e":"trade"', Reason.TRUNCATED),
        (b"[[[", Reason.TRUNCATED),
        (b"{}", Reason.MISSING_FIELD), (b"nothing", Reason.NOT_JSON), (b'{"e":NaN}', Reason.NOT_JSON),
        (b'{"e":1e400}', Reason.NOT_JSON), (b'\xff{"e":1}', Reason.NOT_JSON), (b'{"e":"\xff"}', Reason.NOT_JSON),
        (b"1", Reason.WRONG_TYPE), (b"null", Reason.WRONG_TYPE), (b'"x"', Reason.WRONG_TYPE),
        (b"[1]", Reason.WRONG_TYPE),
        (b"[" * 5000 + b"]" * 5000, Reason.NOT_JSON), (b'{"a":' * 5000, Reason.NOT_JSON),
        (b" " * (FRAME_BYTES_MAX + 1), Reason.TOO_LARGE),
    ],
    ids=lambda part: str(part)[:20],
)  # fmt: skip
def test_what_is_no_frame_is_refused(payload: bytes, reason: Reason) -> None:
    """Cut, nested, huge, empty and foreign bytes have reasons too."""
    assert TWIN.frame(payload, NOW_NS, 3).reason is reason


def test_a_frame_of_too_many_levels_is_refused() -> None:
    """One level above the bound refuses the frame; at the bound it is read."""
    level = ["76914.90", "0"]
    assert len(heard(frames.depth(5, 9, 4, [level] * FRAME_ROWS_MAX, [])).rows) == FRAME_ROWS_MAX
    assert heard(frames.depth(5, 9, 4, [level] * FRAME_ROWS_MAX, [level])).reason is Reason.TOO_LARGE


def test_a_snapshot_lists_bids_before_asks() -> None:
    """The levels of a depth body are one frame of snapshot rows with its update id and time."""
    decoded = answered(SNAPSHOT, frames.snapshot(1000))
    assert levels(decoded) == [(BID, 769_148, 1000), (ASK, 769_150, 2000)]
    assert [(row[0], row[1], row[9]) for row in decoded.rows] == [
        (Kind.SNAPSHOT, Flag.FIRST, 1000),
        (2, Flag.LAST, 1000),
    ]
    assert (decoded.facts.last, decoded.facts.occurred_ns) == (1000, (frames.E_MS - 3) * 1_000_000)


def test_a_snapshot_without_times_is_undated() -> None:
    """The spot body tells no time; an empty book is one row that says so."""
    decoded = answered(SNAPSHOT, {"lastUpdateId": 5, "bids": [], "asks": []})
    assert decoded.facts.occurred_ns == UNKNOWN_NS and levels(decoded) == [(BID, 0, NO_LEVEL)]


def test_a_crossed_snapshot_is_refused() -> None:
    """A body whose best bid is not below its best ask is no book (fault F10)."""
    body = frames.snapshot(9, [["76914.80", "1"], ["76915.00", "1"]], [["76916.00", "1"], ["76915.00", "1"]])
    assert answered(SNAPSHOT, body).reason is Reason.CROSSED


def test_past_trades_are_marked_as_filled_in() -> None:
    """Each trade of a REST body is a frame of its own, dated by its own time, and says that it was asked for."""
    body = [{**frames.aggregate(number), "T": 1000 + number} for number in (7, 8)]
    for trade in body:
        del trade["e"], trade["E"], trade["s"]
    decoded = answered(TRADES_ANSWER, body)
    assert [(row[1], row[5], row[9]) for row in decoded.rows] == [
        (Flag.FILLED | Flag.FIRST | Flag.LAST, (1000 + number) * 1_000_000, number) for number in (7, 8)
    ]


def test_the_golden_rest_bodies_are_understood(wire: Path) -> None:
    """Depth, aggregate trades and klines as the venue answers them become rows."""
    for name, event in (
        ("depth-BTCUSDT", SNAPSHOT),
        ("aggTrades-BTCUSDT", TRADES_ANSWER),
        ("klines-BTCUSDT-1m", KLINES_ANSWER),
    ):
        decoded = TWIN.answer(event, 0, (wire / f"rest-{name}.json").read_bytes(), 2**62, 3)
        assert decoded.reason is None and decoded.rows and decoded.stream == NAMES[event], decoded.detail


def test_a_running_bar_of_a_klines_body_is_left_out() -> None:
    """The bar whose close lies at or behind the receive time is not final; it is dated by its close otherwise."""
    running = past_bar(t=1_789_478_280_000, T=1_789_478_339_999)
    decoded = answered(KLINES_ANSWER, [past_bar(), running])
    assert len(decoded.rows) == 4 and decoded.rows[0][5] == 1_789_478_219_999 * 1_000_000
    assert {row[1] & Flag.FILLED for row in decoded.rows} == {Flag.FILLED}


@pytest.mark.parametrize(
    ("event", "body", "reason"),
    [
        (SNAPSHOT, [], Reason.WRONG_TYPE), (SNAPSHOT, {"bids": [], "asks": []}, Reason.MISSING_FIELD),
        (SNAPSHOT, {**frames.snapshot(5), "bids": [["1.05", "1"]]}, Reason.OFF_TICK),
        (TRADES_ANSWER, {}, Reason.WRONG_TYPE), (TRADES_ANSWER, [1], Reason.WRONG_TYPE),
        (TRADES_ANSWER, [{"a": 1}], Reason.MISSING_FIELD), (TRADES_ANSWER, [{}] * 4097, Reason.WRONG_TYPE),
        (KLINES_ANSWER, [{}], Reason.WRONG_TYPE), (KLINES_ANSWER, [[1, 2]], Reason.WRONG_TYPE),
        (KLINES_ANSWER, [past_bar(h="0")], Reason.ZERO_PRICE), (KLINES_ANSWER, [past_bar(n="878")], Reason.WRONG_TYPE),
    ],
    ids=lambda part: str(part)[:24],
)  # fmt: skip
def test_a_wrong_rest_body_is_refused(event: int, body: Any, reason: Reason) -> None:
    """A body of the wrong shape is refused whole, under its own name."""
    decoded = answered(event, body)
    assert (decoded.reason, decoded.rows, decoded.stream) == (reason, [], NAMES[event])


def test_an_answer_for_nobody_is_refused() -> None:
    """A REST body for an instrument that is not there has no symbol to belong to."""
    for index in (-1, len(INSTRUMENTS), 255):
        assert answered(SNAPSHOT, frames.snapshot(5), index).reason is Reason.UNKNOWN_SYMBOL


def test_rest_bodies_have_their_own_byte_bound() -> None:
    """A body may be larger than any frame, up to its own bound."""
    spaced = packed(frames.snapshot(5)) + b" " * FRAME_BYTES_MAX
    assert TWIN.answer(SNAPSHOT, 0, spaced, NOW_NS, 3).reason is None
    assert TWIN.answer(SNAPSHOT, 0, b" " * (ANSWER_BYTES_MAX + 1), NOW_NS, 3).reason is Reason.TOO_LARGE


def test_a_refused_trade_still_tells_its_id() -> None:
    """An off-market print names event, instrument and id, so that the next trade is no gap."""
    facts = heard({**frames.trade(77), "X": "ADL"}).facts
    assert (facts.instrument, facts.last) == (BTC.index, 77)
    assert (heard(frames.depth(5, 9, 4, [["1.05", "1"]])).facts.event, AGGREGATE, MARK) == (DEPTH, 1, 5)
    assert set(EVENT_NAMES) < set(NAMES)


WORDS = st.sampled_from(
    ["e", "E", "T", "s", "a", "b", "A", "B", "u", "U", "pu", "p", "q", "t", "X", "m", "o", "k", "st"]
)
SCALARS = st.none() | st.booleans() | st.integers(-5, 2**63 - 1) | st.floats(allow_nan=False) | st.sampled_from(
    ["BTCUSDT", "ADAUSDT", "trade", "aggTrade", "depthUpdate", "bookTicker", "markPriceUpdate", "forceOrder", "kline",
     "0", "1.0", "-1", "", "MARKET"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=30
)
EVENTS = st.fixed_dictionaries(
    {"e": SCALARS, "s": SCALARS, "E": SCALARS}, optional={"o": JSON, "k": JSON, "b": JSON, "a": JSON}
)


@settings(deadline=None, max_examples=300)
@given(JSON | EVENTS | st.lists(EVENTS, max_size=3), st.sampled_from(["", "btcusdt@x", "!x@arr"]))
def test_no_json_makes_it_raise(message: Any, stream: str) -> None:
    """Any JSON value, in any framing and as any REST body, is accepted or refused with a reason."""
    payload = orjson.dumps({"stream": stream, "data": message} if stream else message)
    for decoded in (TWIN.frame(payload, 1, 1), *(TWIN.answer(event, 0, payload, 1, 1) for event in ANSWERS)):
        assert decoded.reason is None or (decoded.detail and not decoded.rows)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    """Any bytes are accepted or refused with a reason."""
    for decoded in (TWIN.frame(payload, 1, 1), *(TWIN.answer(event, 0, payload, 1, 1) for event in ANSWERS)):
        assert decoded.reason is None or (decoded.detail and not decoded.rows)
