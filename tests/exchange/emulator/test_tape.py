"""A recording played back: the frames as they came, and REST answers from what has been played."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.generator import Generator
from exchange.emulator.market import Frame, depth_body, envelope
from exchange.emulator.tape import JOINED_NS, PAUSE_NS, Record, Tape, split
from models.error import DataError
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.follow import Follower
from tests.exchange.emulator.recorded import capture, taken
from tests.exchange.emulator.shape import expect_shape, golden

BOTH = ("BTCUSDT", "ETHUSDT")
INSTRUMENTS = Generator(1, START_NS, BOTH).instruments
FAR_NS = START_NS + 10**15
MS = 10**6


def tape(records: tuple[Record, ...] | list[Record], **options: Any) -> Tape:
    return Tape(lambda: records, INSTRUMENTS, **options)


def frame(stream: str, event: dict[str, Any], at_ms: int = 0) -> Record:
    return (START_NS + at_ms * MS, RecordKind.FRAME, 0, envelope(stream, orjson.dumps(event)))


def trade(number: int, price: str, quantity: str, at_ms: int, maker: bool = False, kind: str = "MARKET") -> Record:
    """A trade of the venue at ``at_ms``, heard at once."""
    at = START_NS // MS + at_ms
    event: dict[str, Any] = {"e": "trade", "E": at, "T": at, "s": "BTCUSDT", "t": number, "p": price, "q": quantity}
    return frame("btcusdt@trade", event | {"X": kind, "m": maker}, at_ms)


def aggregates(frames: list[Frame]) -> list[dict[str, Any]]:
    return [orjson.loads(payload) for _, stream, payload in frames if stream.endswith("@aggTrade")]


def test_frames_come_as_they_were_recorded() -> None:
    """Every frame once, in order, at its receive time, its bytes unchanged under its own stream."""
    records = taken()
    played = [(at, envelope(stream, payload)) for at, stream, payload in tape(records).advance(FAR_NS)]
    assert played == [(at, payload) for at, kind, _, payload in records if kind == RecordKind.FRAME]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 3_000 * MS), min_size=1, max_size=20))
def test_how_the_time_is_cut_changes_nothing(steps: list[int]) -> None:
    """Advanced in any steps a tape gives what one advance gives, and never a frame from beyond the time asked for."""
    cut, until_ns = tape(taken()), START_NS
    played: list[Frame] = []
    for step in steps:
        until_ns += step
        some = list(cut.advance(until_ns))
        assert all(at <= until_ns for at, _, _ in some)
        assert cut.ended or cut.now_ns == until_ns or not some
        played += some
    assert played == list(tape(taken()).advance(until_ns))


def test_the_end_is_the_end() -> None:
    """After the last record the tape has ended and gives nothing more."""
    one = tape(taken())
    assert one.recorded and not one.ended
    list(one.advance(FAR_NS))
    assert one.ended and list(one.advance(FAR_NS * 2)) == []


@pytest.mark.parametrize("symbol", BOTH)
def test_answers_are_those_of_the_recorded_market(symbol: str) -> None:
    """Played to the end, book, trades and mark are the ones the market had when it was recorded."""
    records = taken(3, 8, BOTH)
    market, one = Generator(3, START_NS, BOTH), tape(records)
    for _ in market.frames(8 * 10**9):
        pass
    list(one.advance(FAR_NS))
    diffs = [orjson.loads(payload)["data"] for _, _, _, payload in records if b"depthUpdate" in payload]
    last = [event for event in diffs if event["s"] == symbol][-1]
    book, truth = one.depth(symbol, 20), market.depth(symbol, 20)
    assert book is not None and truth is not None
    assert book[:3] == (last["u"], last["E"], last["T"])
    seen = [one for one in market.history(symbol).agg_trades(1000) if one["T"] >= START_NS // MS]
    assert one.history(symbol).agg_trades(1000) == seen
    played, made = one.premium(symbol), market.premium(symbol)
    for field in ("markPrice", "indexPrice", "lastFundingRate", "nextFundingTime"):
        assert played[field] == made[field]


def test_answers_have_the_venues_shape(wire: Path) -> None:
    """Depth, trades, klines and premium of a tape have the golden fields and types, before and after its first mark."""
    one = tape(taken())
    expect_shape(golden(wire, "rest-premiumIndex-BTCUSDT"), one.premium("BTCUSDT"))
    list(one.advance(FAR_NS))
    expect_shape(golden(wire, "rest-premiumIndex-BTCUSDT"), one.premium("BTCUSDT"))
    expect_shape(golden(wire, "rest-depth-BTCUSDT"), depth_body(one, INSTRUMENTS[0], 20))
    expect_shape(golden(wire, "rest-aggTrades-BTCUSDT"), one.history("BTCUSDT").agg_trades(50))
    expect_shape(golden(wire, "rest-klines-BTCUSDT-1m"), one.history("BTCUSDT").klines(60_000, 5))


def test_trades_are_joined_to_aggregates() -> None:
    """Neighbours of the same time, price and side become one aggregate; everything else keeps its own."""
    records = [
        trade(10, "77000.00", "0.001", 0), trade(11, "77000.00", "0.002", 0), trade(12, "77000.10", "0.004", 0),
        trade(13, "77000.10", "0.008", 0, maker=True), trade(14, "77000.10", "0.016", 1, maker=True),
    ]  # fmt: skip
    one = tape(records)
    frames = list(one.advance(FAR_NS))
    at = START_NS // MS
    told = [[event[field] for field in ("a", "f", "l", "q", "T", "m")] for event in aggregates(frames)]
    assert told == [
        [1, 10, 11, "0.003", at, False], [2, 12, 12, "0.004", at, False],
        [3, 13, 13, "0.008", at, True], [4, 14, 14, "0.016", at + 1, True],
    ]  # fmt: skip
    assert [event["a"] for event in one.history("BTCUSDT").agg_trades(10)] == [1, 2, 3, 4]
    assert "btcusdt@aggTrade" in one.streams


@pytest.mark.parametrize(
    ("price", "quantity", "kind"),
    [("76000.00", "0.001", "INSURANCE_FUND"), ("0", "0", ""), ("77000.05", "0.001", "MARKET"), ("x", "1", "MARKET")],
)
def test_prints_that_are_no_market_trades_join_nothing(price: str, quantity: str, kind: str) -> None:
    """Insurance fund prints, zero prints and prices off the grid are played but never become an aggregate."""
    records = [trade(10, "77000.00", "0.001", 0), trade(11, price, quantity, 1, kind=kind)]
    records.append(trade(12, "77000.00", "0.002", 2))
    frames = list(tape(records).advance(FAR_NS))
    assert sum(stream == "btcusdt@trade" for _, stream, _ in frames) == 3
    assert [event["q"] for event in aggregates(frames)] == ["0.001", "0.002"]


def test_an_aggregate_is_told_in_time() -> None:
    """Without a next trade an aggregate leaves with the first record 100 ms later, not at the next trade."""
    quote = {"e": "bookTicker", "u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1", "T": 1, "E": 1}
    later = JOINED_NS // MS
    records = [trade(10, "77000.00", "0.001", 0), frame("btcusdt@bookTicker", quote, later - 1)]
    records += [frame("btcusdt@bookTicker", quote, later), trade(11, "77000.00", "0.001", 60_000)]
    order = [stream.partition("@")[2] for _, stream, _ in tape(records).advance(FAR_NS)]
    assert order == ["trade", "bookTicker", "aggTrade", "bookTicker", "trade", "aggTrade"]


def test_recorded_aggregates_are_left_alone() -> None:
    """A recording that has aggregates gets none made up beside them."""
    records = [*taken(1, 2), trade(10, "77000.00", "0.001", 60_000)]
    frames = list(tape(records).advance(FAR_NS))
    assert len(aggregates(frames)) == sum(b'"aggTrade"' in payload for _, _, _, payload in records)


def test_a_loop_goes_on_without_a_seam_in_trades() -> None:
    """The second pass is later by the length and a pause: trade ids go on by one, update ids leap forward, and the book
    comes back with its snapshot.
    """
    records = taken(2, 6)
    one = tape(records, loop=True)
    length_ns = records[-1][0] - records[0][0] + PAUSE_NS
    length_ns += -length_ns % MS
    first = list(one.advance(records[-1][0]))
    assert (one.ended, one.depth("BTCUSDT", 5)) == (False, None)
    second = list(one.advance(records[-1][0] + length_ns - 1))
    book = one.depth("BTCUSDT", 5)
    second += one.advance(records[-1][0] + length_ns)
    trades = aggregates(first + second)
    for earlier, later in itertools.pairwise(trades):
        assert (later["a"], later["f"]) == (earlier["a"] + 1, earlier["l"] + 1)
        assert later["T"] >= earlier["T"]
    kept = [(at, stream) for at, stream, _ in first if "@kline" not in stream]
    assert [(at - length_ns, stream) for at, stream, _ in second] == kept
    updating = [orjson.loads(payload) for _, stream, payload in first + second if "depth" in stream or "book" in stream]
    updates = [event["u"] for event in updating]
    assert updates == sorted(updates)
    assert book is not None and book[0] in updates[-20:] and book[1] in [event["E"] for event in updating[-20:]]
    assert one.history("BTCUSDT").agg_trades(5)[-1]["a"] == trades[-1]["a"]


def test_a_recording_without_its_instruments_is_refused() -> None:
    """Nothing to play is said at once, not by silence."""
    for records in ([], [frame("dogeusdt@trade", {"e": "trade"})]):
        with pytest.raises(DataError, match="nothing to play"):
            tape(records)


@pytest.mark.parametrize(
    ("payload", "stream"),
    [
        (b'{"stream":"btcusdt@depth@0ms","data":{"e":1}}', "btcusdt@depth@0ms"),
        (b'{ "stream": "btcusdt@trade", "data": {"e":1} }', "btcusdt@trade"),
        (b'{"e":"bookTicker","s":"BTCUSDT"}', "btcusdt@bookTicker"),
        (b'{"e":"depthUpdate","s":"BTCUSDT"}', "btcusdt@depth@100ms"),
        (b'{"e":"forceOrder","o":{"s":"BTCUSDT"}}', "btcusdt@forceOrder"),
        (b'{"e":"kline","s":"BTCUSDT","k":{"i":"5m"}}', "btcusdt@kline_5m"),
        (b'{"e":"kline","s":"BTCUSDT","k":5}', ""),
        (b'{"e":"forceOrder","o":"LIMIT"}', ""),
        (b'{"e":["trade"],"s":"BTCUSDT"}', ""),
        (b'{"e":"something","s":"BTCUSDT"}', ""),
        (b'{"stream":"x', ""),
        (b"[]", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_frames_are_named_by_envelope_or_content(payload: bytes, stream: str) -> None:
    """Enveloped frames by their envelope, raw ones by what they are, everything else by nothing."""
    assert split(payload)[0] == stream


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([record[3] for record in taken(1, 1)])), max_size=30))
def test_whatever_was_recorded_can_be_played(payloads: list[bytes]) -> None:
    """Junk between good frames is skipped or played; it never raises."""
    records = [trade(1, "77000.00", "0.001", 0)]
    records += [(START_NS + at * MS, RecordKind.FRAME, 0, payload) for at, payload in enumerate(payloads)]
    records += [(START_NS + 10**9, RecordKind.DEPTH_ANSWER, place, b"{}") for place in (0, 9)]
    one = tape(records)
    assert len(list(one.advance(FAR_NS))) >= 1 and one.ended


@pytest.mark.parametrize(("name", "unit_ns"), [("2023-04-04T2358", 1_000), ("2024-08-08T2354", 1)])
def test_a_capture_plays_with_its_book_and_aggregates(shared: Path, name: str, unit_ns: int) -> None:
    """Ten recorded seconds: the REST touch is that of a client, which agrees with the quotes at equal ids, and
    aggregates hold every market trade once.
    """
    records = list(capture(shared, f"binance-usdm-btcusdt-raw-{name}", unit_ns, 10))
    one, client = tape(records), Follower()
    bodies = [orjson.loads(payload) for _, kind, _, payload in records if kind == RecordKind.DEPTH_ANSWER]
    compared, singles, frames = 0, 0, []
    client.snapshot(bodies[0])
    for frame in one.advance(FAR_NS + 10**18):
        frames.append(frame)
        event = orjson.loads(frame[2])
        if event["e"] == "depthUpdate":
            client.diff(event)
            book = one.depth("BTCUSDT", 1)
            if client.bridged and book is not None:
                price = max(client.bids)
                assert (book[0], book[3][0][0]) == (client.update_id, round(price * 10))
                compared += 1
        elif event["e"] == "bookTicker":
            client.quote(event)
        elif event["e"] == "trade":
            singles += event["X"] == "MARKET"
    assert compared > 50 and client.compared > 10
    joined = aggregates(frames)
    assert singles == sum(event["l"] - event["f"] + 1 for event in joined) and len(joined) > 10
