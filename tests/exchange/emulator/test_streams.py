"""Names, categories, and who gets what."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.generator import Generator
from exchange.emulator.streams import Hub, category
from tests.exchange.emulator.client import START_NS

TABLE = {
    "public": "btcusdt@bookTicker !bookTicker btcusdt@depth btcusdt@depth@100ms btcusdt@depth@500ms btcusdt@depth5 "
    "btcusdt@depth10@100ms btcusdt@depth20@500ms btcusdt@rpiDepth@500ms btcusdt@trade btcusdt@depth@0ms",
    "market": "btcusdt@aggTrade btcusdt@markPrice btcusdt@markPrice@1s !markPrice@arr !markPrice@arr@1s "
    "btcusdt@kline_1m btcusdt_perpetual@continuousKline_1m btcusdt@miniTicker !miniTicker@arr btcusdt@ticker "
    "!ticker@arr btcusdt@forceOrder !forceOrder@arr btcusdt@compositeIndex !contractInfo !assetIndex@arr "
    "btcusd@assetIndex tradingSession",
}
"""The table of the venue reference §1.2, row by row."""


class Ear:
    """A reader that keeps what it is given."""

    def __init__(self, hub: Hub, category: str, *names: str, combined: bool = False) -> None:
        self.category, self.combined = category, combined
        self.names: dict[str, None] = {}
        self.heard: list[bytes] = []
        for name in names:
            hub.subscribe(self, name)

    def deliver(self, payload: bytes) -> None:
        self.heard.append(payload)


def hub() -> tuple[Hub, Generator]:
    market = Generator(1, START_NS)
    return Hub(market), market


def play(hub: Hub, market: Generator, seconds: float) -> None:
    market.awake()
    for frame in market.advance(market.now_ns + int(seconds * 1e9)):
        hub.publish(frame)


@pytest.mark.parametrize(("prefix", "name"), [(prefix, name) for prefix, row in TABLE.items() for name in row.split()])
def test_categories_are_the_venues(prefix: str, name: str) -> None:
    """Every stream of the venue's table belongs to the prefix of its row."""
    assert category(name) == prefix


@pytest.mark.parametrize("name", ["0", "", "btcusdt", "btcusdt@", "btcusdt@nothing", "@", "!nothing", "listenKey123"])
def test_what_is_no_stream_has_no_category(name: str) -> None:
    """A connection number, a bare symbol or an unknown kind belongs nowhere."""
    assert category(name) is None


def test_a_reader_gets_its_streams_in_its_framing() -> None:
    """Raw readers get bare events, combined ones the same events in their envelope, each only what it asked for."""
    at, market = hub()
    raw = Ear(at, "public", "btcusdt@bookTicker")
    combined = Ear(at, "public", "btcusdt@bookTicker", combined=True)
    other = Ear(at, "market", "btcusdt@aggTrade")
    play(at, market, 1)
    assert len(raw.heard) > 5 and other.heard
    assert combined.heard == [b'{"stream":"btcusdt@bookTicker","data":' + event + b"}" for event in raw.heard]
    assert {orjson.loads(event)["e"] for event in other.heard} == {"aggTrade"}


@pytest.mark.parametrize(
    ("prefix", "name"), [("market", "btcusdt@bookTicker"), ("public", "btcusdt@aggTrade"), ("private", "btcusdt@depth")]
)
def test_a_wrong_prefix_is_silent(prefix: str, name: str) -> None:
    """Asked for under another prefix a stream is listed and never delivered, and does not count as read."""
    at, market = hub()
    ear = Ear(at, prefix, name)
    play(at, market, 1)
    assert (list(ear.names), ear.heard, at.read) == ([name], [], False)


def test_twice_is_once() -> None:
    """A stream subscribed to twice is delivered once and left at once."""
    at, market = hub()
    ear = Ear(at, "public", "btcusdt@bookTicker", "btcusdt@bookTicker")
    once = Ear(at, "public", "btcusdt@bookTicker")
    play(at, market, 1)
    assert ear.heard == once.heard
    at.unsubscribe(ear, "btcusdt@bookTicker")
    assert (ear.names, at.read) == ({}, True)


def test_who_is_gone_gets_nothing() -> None:
    """After unsubscribing, or after the connection is dropped, nothing is delivered; others go on."""
    at, market = hub()
    left = Ear(at, "public", "btcusdt@bookTicker", "btcusdt@depth5")
    dropped = Ear(at, "public", "btcusdt@bookTicker", "btcusdt@depth@500ms")
    stays = Ear(at, "public", "btcusdt@bookTicker")
    for name in list(left.names):
        at.unsubscribe(left, name)
    at.unsubscribe(left, "btcusdt@depth20")  # was never there
    at.drop(dropped)
    play(at, market, 1)
    assert (left.heard, dropped.heard) == ([], []) and stays.heard
    at.drop(stays)
    assert not at.read


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.sampled_from(TABLE["public"].split())), max_size=40))
def test_the_hub_is_read_while_somebody_subscribes(moves: list[tuple[int, bool, str]]) -> None:
    """After any subscribing and leaving the hub is read exactly when a reader has a stream, and forgets the rest."""
    at = Hub(MARKET)
    ears = [Ear(at, "public") for _ in range(3)]
    for which, joins, name in moves:
        (at.subscribe if joins else at.unsubscribe)(ears[which], name)
        assert at.read == any(ear.names for ear in ears)
    for ear in ears:
        at.drop(ear)
    assert (at.read, at._readers, at._derived) == (False, {}, {})


MARKET = Generator(1, START_NS)


def test_an_unknown_symbol_is_accepted_and_silent() -> None:
    """A symbol that is not traded, or a name in capitals, is no error and brings nothing."""
    at, market = hub()
    ear = Ear(at, "public", "dogeusdt@depth", "BTCUSDT@depth", "btcusdt@depth7", "btcusdt@depth@33ms")
    play(at, market, 1)
    assert ear.heard == [] and len(ear.names) == 4


def test_a_reader_that_leaves_in_the_middle_harms_nobody() -> None:
    """A reader whose delivery drops it, as a cut connection does, does not stop the others' frames."""
    at, market = hub()
    names = ("btcusdt@bookTicker", "btcusdt@depth5@100ms", "btcusdt@depth@500ms", "btcusdt@depth@100ms")
    leaver, stays = Ear(at, "public", *names), Ear(at, "public", *names)
    leaver.deliver = lambda payload: at.drop(leaver)  # type: ignore[method-assign]
    play(at, market, 1)
    kinds = [re.sub(rb".*\"e\":\"(\w+)\".*", rb"\1", event) for event in stays.heard]
    assert kinds.count(b"depthUpdate") >= 18 and b"bookTicker" in kinds
    at.drop(stays)
    assert (at._readers, at._derived) == ({}, {})
