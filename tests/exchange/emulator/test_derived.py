"""Streams made from others: slower and partial depth, other intervals, arrays, single trades."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange.emulator.derived import derive
from exchange.emulator.generator import Generator
from exchange.emulator.market import depth_body
from exchange.emulator.streams import Hub, category
from exchange.emulator.tape import Record, Tape
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.follow import Follower
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.test_streams import Ear

SYMBOLS = ("BTCUSDT", "ETHUSDT")
GOLDEN = {
    "btcusdt@depth": "stream-depth-diff", "btcusdt@depth@500ms": "stream-depth-diff",
    "btcusdt@depth@0ms": "stream-depth-diff", "btcusdt@depth5": "stream-depth5-partial",
    "btcusdt@depth20@100ms": "stream-depth5-partial", "btcusdt@trade": "stream-trade",
    "btcusdt@markPrice": "stream-markPrice", "btcusdt@kline_3m": "stream-kline-1m-open",
    "btcusdt@kline_15m": "stream-kline-15m-closed",
    "btcusdt_perpetual@continuousKline_3m": "stream-continuousKline-1m", "!bookTicker": "stream-bookTicker",
    "!forceOrder@arr": "stream-forceOrder-arr", "!markPrice@arr@1s": "stream-markPrice-arr",
}  # fmt: skip
BASES = ("btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@forceOrder", "btcusdt@bookTicker")


@cache
def heard() -> dict[str, list[Any]]:
    """Nearly three minutes of two symbols with their bursts: every event of every stream of interest."""
    market = Generator(2, START_NS + 30 * 10**9, SYMBOLS)
    hub = Hub(market)
    ears = {}
    for name in (*GOLDEN, *BASES, "!markPrice@arr"):
        ears[name] = Ear(hub, category(name) or "", name)
    market.awake()
    for frame in market.advance(START_NS + 190 * 10**9):
        hub.publish(frame)
    return {name: [orjson.loads(payload) for payload in ear.heard] for name, ear in ears.items()}


@pytest.mark.parametrize("name", GOLDEN)
def test_derived_events_have_the_venues_shape(wire: Path, name: str) -> None:
    """Each derived stream speaks in the golden fields and types."""
    assert heard()[name]
    for event in heard()[name][:60]:
        expect_shape(golden(wire, GOLDEN[name]), event)


@pytest.mark.parametrize(("name", "period_ms"), [("btcusdt@depth", 250), ("btcusdt@depth@500ms", 500)])
def test_slower_depth_is_a_chain_of_its_own_with_the_same_book(name: str, period_ms: int) -> None:
    """Each event follows the one before of its own speed; together they make the book that the fast diffs make."""
    fast, slow = heard()["btcusdt@depth@100ms"], heard()[name]
    assert all(later["pu"] == earlier["u"] for earlier, later in itertools.pairwise(slow))
    assert all(later["E"] // period_ms > earlier["E"] // period_ms for earlier, later in itertools.pairwise(slow))
    assert {event["u"] for event in slow} <= {event["u"] for event in fast}
    assert len(slow) == pytest.approx(len(fast) * 100 / period_ms, rel=0.01)
    last = slow[-1]["u"]
    assert _book(slow) == _book([event for event in fast if event["u"] <= last])


def _book(diffs: list[Any]) -> list[dict[str, str]]:
    """What diffs leave standing, from an empty book."""
    sides: list[dict[str, str]] = [{}, {}]
    for event in diffs:
        for side, key in zip(sides, "ba", strict=True):
            side.update(event[key])
    return [{price: lots for price, lots in side.items() if float(lots)} for side in sides]


@pytest.mark.parametrize(("name", "levels"), [("btcusdt@depth5", 5), ("btcusdt@depth20@100ms", 20)])
def test_partial_depth_is_the_best_levels(name: str, levels: int) -> None:
    """Every event carries the top of the book in full, best first, on both sides, and never a crossed one."""
    for event in heard()[name]:
        bids, asks = ([float(price) for price, _ in event[side]] for side in "ba")
        assert len(bids) == len(asks) == levels
        assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]


def test_partial_depth_agrees_with_the_book_at_its_update_id() -> None:
    """A client that follows the diffs sees the same top at the same update id."""
    market = Generator(6, START_NS)
    hub, client, compared = Hub(market), Follower(), 0
    partial = Ear(hub, "public", "btcusdt@depth10@100ms")
    market.awake()
    for frame in market.advance(START_NS + 20 * 10**9):
        hub.publish(frame)
        if frame[1].endswith("@depth@100ms"):
            client.diff(orjson.loads(frame[2]))
            if not client.update_id:
                body: Any = depth_body(market, market.instruments[0], 1000)
                client.snapshot(body)
            top = orjson.loads(partial.heard[-1])
            if client.bridged:
                assert top["u"] == client.update_id
                assert [[f"{price:.2f}", client.asks[price]] for price in sorted(client.asks)[:10]] == top["a"]
                compared += 1
    assert compared > 100


def test_fast_depth_has_no_faster_version() -> None:
    """``@0ms`` is served by the fastest diffs there are, unchanged."""
    assert heard()["btcusdt@depth@0ms"] == heard()["btcusdt@depth@100ms"]


def test_single_trades_add_up_to_their_aggregate() -> None:
    """An aggregate falls into its single trades: all ids, same price and time, quantities that add up, none empty."""
    singles = iter(heard()["btcusdt@trade"])
    for aggregate in heard()["btcusdt@aggTrade"]:
        parts = list(itertools.islice(singles, aggregate["l"] - aggregate["f"] + 1))
        assert [part["t"] for part in parts] == list(range(aggregate["f"], aggregate["l"] + 1))
        assert {(part["p"], part["T"], part["m"]) for part in parts} == {
            (aggregate["p"], aggregate["T"], aggregate["m"])
        }
        lots = [round(float(part["q"]) * 1000) for part in parts]
        assert sum(lots) == round(float(aggregate["q"]) * 1000) and min(lots) > 0
    assert next(singles, None) is None


def test_candles_of_any_interval_are_bars_of_the_trades() -> None:
    """Three minutes close once and end as their aggregate trades do; while running they come each 250 ms at most."""
    events, trades = heard()["btcusdt@kline_3m"], heard()["btcusdt@aggTrade"]
    (closed,) = [event["k"] for event in events if event["k"]["x"]]
    assert closed["t"] == START_NS // 10**6
    inside = [trade for trade in trades if closed["t"] + 30_000 <= trade["T"] <= closed["T"]]
    assert (closed["c"], closed["L"]) == (inside[-1]["p"], inside[-1]["l"])
    assert float(closed["h"]) >= max(float(trade["p"]) for trade in inside)
    assert closed["f"] <= inside[0]["f"] and float(closed["v"]) > sum(float(trade["q"]) for trade in inside)
    running = [event["E"] for event in events if event["k"]["t"] == closed["t"] and not event["k"]["x"]]
    assert all(later - earlier >= 250 for earlier, later in itertools.pairwise(running))


def test_continuous_candles_are_the_symbols_under_its_pair() -> None:
    """A perpetual's continuous candles are its own candles, event by event, without the symbol."""
    pairs = zip(heard()["btcusdt@kline_3m"], heard()["btcusdt_perpetual@continuousKline_3m"], strict=True)
    for own, continuous in pairs:
        assert continuous == {
            "e": "continuous_kline", "E": own["E"], "ps": "BTCUSDT", "ct": "PERPETUAL",
            "k": {name: value for name, value in own["k"].items() if name != "s"},
        }  # fmt: skip


def test_closed_candles_of_every_skipped_interval_come() -> None:
    """When nothing traded for minutes, each closed candle is still told once, flat ones included, in order."""
    market = Generator(1, START_NS)
    history = market.history("BTCUSDT")
    made = derive("btcusdt@kline_3m", market)
    assert made is not None and made.bases == ("btcusdt@aggTrade",)
    begin_ms = START_NS // 10**6
    said: list[Any] = []
    for number, minutes in enumerate((0, 1, 10)):
        at_ms = begin_ms + minutes * 60_000
        history.trade((10**10 + number, 770_000 + number, 5, 10**11 + number, 10**11 + number, at_ms, False))
        said += [orjson.loads(event)["k"] for event in made.feed(at_ms * 10**6, "btcusdt@aggTrade", b"")]
    closed = [(candle["t"] - begin_ms, candle["n"], candle["c"]) for candle in said if candle["x"]]
    assert closed == [(0, 2, "77000.10"), (180_000, 0, "77000.10"), (360_000, 0, "77000.10")]


def test_mark_prices_come_each_third_second() -> None:
    """Without ``@1s`` the mark is told every three seconds, as the one-second stream told it then."""
    every, third = heard()["btcusdt@markPrice@1s"], heard()["btcusdt@markPrice"]
    assert third == [event for event in every if event["E"] // 1000 % 3 == 0]


def test_the_array_of_marks_has_every_symbol_of_one_second() -> None:
    """Each array holds one mark of each symbol and the same second; the slow one each third of them."""
    every, third = heard()["!markPrice@arr@1s"], heard()["!markPrice@arr"]
    for marks in every:
        assert [mark["s"] for mark in marks] == list(SYMBOLS) and len({mark["E"] for mark in marks}) == 1
    assert third == [marks for marks in every if marks[0]["E"] // 1000 % 3 == 0]
    assert len(every) > 150


def test_the_array_of_quotes_is_slow() -> None:
    """``!bookTicker`` tells each symbol at most every five seconds."""
    for symbol in SYMBOLS:
        times = [event["E"] for event in heard()["!bookTicker"] if event["s"] == symbol]
        assert len(times) > 25
        assert all(later - earlier >= 5_000 for earlier, later in itertools.pairwise(times))


def test_the_array_of_liquidations_is_single_objects() -> None:
    """``!forceOrder@arr`` gives each symbol's forced orders as objects with pair and ``st``, the order unchanged."""
    told = [event["o"] for event in heard()["!forceOrder@arr"] if event["ps"] == "BTCUSDT"]
    assert told == [event["o"] for event in heard()["btcusdt@forceOrder"]]


@pytest.mark.parametrize(
    "name",
    [
        "!contractInfo",
        "btcusdt@kline_1s",
        "btcusdt@rpiDepth@500ms",
        "dogeusdt@ticker",
        "x_perpetual@continuousKline_1m",
    ],
)
def test_what_cannot_be_made_is_not_made(name: str) -> None:
    """A stream outside the emulator's reach has no derivation."""
    assert derive(name, Generator(1, START_NS)) is None


JUNK = (b"", b"{", b"null", b"[1]", b'{"e":"depthUpdate","s":"BTCUSDT"}', b'{"e":"depthUpdate","U":"x","u":null}')
"""What a recording may hold where a depth event should be."""


def test_unreadable_events_of_a_recording_make_nothing_and_stop_nothing() -> None:
    """Junk in a recorded depth or trade stream is played as it came; what is derived from it goes on with the next."""
    good = b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":11,"u":12,"b":[["100.00","1.000"]],"a":[]}'
    trade = b'{"e":"aggTrade","E":1,"a":1,"s":"BTCUSDT","p":"%b","q":"%b","f":%b,"l":2,"T":1,"m":true}'
    records: list[Record] = [
        (
            START_NS,
            RecordKind.DEPTH_ANSWER,
            0,
            b'{"lastUpdateId":10,"bids":[["99.00","1.000"]],"asks":[["101.00","1"]]}',
        )
    ]
    payloads = [b'{"stream":"btcusdt@depth@100ms","data":' + one + b"}" for one in (*JUNK, good)]
    for price, lots, first in (
        (b"1.23", b"1", b"1"),
        (b"1.2", b"0", b"1"),
        (b"1.2", b"1", b'"x"'),
        (b"1.2", b"2", b"1"),
    ):
        payloads.append(b'{"stream":"btcusdt@aggTrade","data":' + trade % (price, lots, first) + b"}")
    records += [(START_NS + at * 10**9, RecordKind.FRAME, 0, one) for at, one in enumerate(payloads, 1)]
    tape = Tape(lambda: records, [Generator(1, START_NS).instruments[0]])
    hub = Hub(tape)
    partial = Ear(hub, "public", "btcusdt@depth5")
    single = Ear(hub, "public", "btcusdt@trade")
    diffs = Ear(hub, "public", "btcusdt@depth@100ms")
    for frame in tape.advance(START_NS + 100 * 10**9):
        hub.publish(frame)
    assert diffs.heard == [*JUNK, good]
    assert [orjson.loads(event)["b"] for event in partial.heard] == [[["100.00", "1.000"], ["99.00", "1.000"]]]
    assert [(event["t"], event["q"]) for event in map(orjson.loads, single.heard)] == [(1, "1.000"), (2, "1.000")]


def test_a_recording_without_marks_gets_the_last_price_as_mark() -> None:
    """A tape that carries no mark prices gives one a second from its first trade on, as its premium index answers."""
    trade = b'{"e":"aggTrade","E":1,"a":1,"s":"BTCUSDT","p":"%d.0","q":"1.000","f":1,"l":1,"T":1,"m":true}'
    payloads = [b'{"stream":"btcusdt@aggTrade","data":' + trade % (100 + number) + b"}" for number in range(20)]
    records: list[Record] = [
        (START_NS + number * 250_000_000, RecordKind.FRAME, 0, payload) for number, payload in enumerate(payloads)
    ]
    market = Tape(lambda: records, Generator(1, START_NS).instruments)
    made = derive("btcusdt@markPrice@1s", market)
    assert made is not None
    marks = []
    for venue_ns, stream, payload in market.advance(START_NS + 10**11):
        marks += [orjson.loads(event) for event in made.feed(venue_ns, stream, payload)]
    assert [mark["p"] for mark in marks] == [f"{price}.00000000" for price in (100, 104, 108, 112, 116)]
    assert {mark["e"] for mark in marks} == {"markPriceUpdate"}
