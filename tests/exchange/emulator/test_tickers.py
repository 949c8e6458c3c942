"""Rolling 24 h tickers, against the plain list of trades."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given

from exchange.emulator.contracts import CHARACTERS
from exchange.emulator.generator import Generator
from exchange.emulator.history import History
from exchange.emulator.streams import Hub
from exchange.emulator.tickers import DAY_MS, mini_ticker, ticker
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.test_history import BEGIN_MS, STEPS, traded
from tests.exchange.emulator.test_streams import Ear

BOTH = ("BTCUSDT", "ETHUSDT")
STREAMS = ("btcusdt@ticker", "btcusdt@miniTicker", "!ticker@arr", "!miniTicker@arr")


@given(STEPS)
def test_a_day_is_the_trades_of_its_minutes(steps: list[Any]) -> None:
    """Open, extremes, volume, turnover and ids are those of all trades since the window's first minute."""
    history, trades = traded(steps)
    at_ms = trades[-1][5]
    event = orjson.loads(ticker(history, at_ms))
    prices = [trade[1] for trade in trades]
    text = history.instrument.price_text
    assert (event["o"], event["c"], event["h"], event["l"]) == tuple(
        map(text, (prices[0], prices[-1], max(prices), min(prices)))
    )
    assert event["v"] == history.instrument.quantity_text(sum(trade[2] for trade in trades))
    assert float(event["q"]) == pytest.approx(sum(trade[1] * trade[2] for trade in trades) / 10_000, abs=0.01)
    assert (event["F"], event["L"]) == (trades[0][3], trades[-1][4])
    assert event["n"] == event["L"] - event["F"] + 1
    assert event["Q"] == history.instrument.quantity_text(trades[-1][2])
    small = orjson.loads(mini_ticker(history, at_ms))
    assert all(small[field] == event[field] for field in "Eschlovq") and small["ps"] == event["ps"]


@pytest.mark.parametrize(
    ("opened", "closed", "change", "percent"),
    [
        (771_345, 774_900, "355.50", "0.461"), (774_900, 771_345, "-355.50", "-0.459"),
        (770_000, 770_000, "0.00", "0.000"), (770_000, 769_999, "-0.10", "0.000"), (100, 350, "25.00", "250.000"),
    ],
)  # fmt: skip
def test_changes_are_told_with_their_sign(opened: int, closed: int, change: str, percent: str) -> None:
    """The change in money and in percent, three places, rounded; a change too small to show has no sign."""
    history, _ = traded([(opened, 1, 1, 0, False), (closed, 1, 1, 1, False)])
    event = orjson.loads(ticker(history, BEGIN_MS + 1))
    assert (event["p"], event["P"]) == (change, percent)
    assert float(event["w"]) == pytest.approx((opened + closed) / 20, abs=0.01)


def test_yesterday_is_forgotten() -> None:
    """What traded more than 24 hours and a minute ago is no part of the day."""
    day = 24 * 60 * 60_000
    history, _ = traded([(500, 1, 1, 0, False), (100, 1, 1, day + 60_000, False), (200, 2, 1, 1, False)])
    event = orjson.loads(ticker(history, BEGIN_MS + day + 60_001))
    # The flat minutes between keep the old price as open, high and close of nothing traded.
    assert (event["v"], event["n"], event["O"]) == ("0.003", 2, BEGIN_MS + 60_000)
    assert event["E"] - event["O"] - DAY_MS < 60_000


def test_a_silent_day_still_has_a_ticker() -> None:
    """After more than a day without a trade the last price stands, with no volume but that of the last candle kept."""
    history = History(CHARACTERS["BTCUSDT"].instrument)
    history.trade((1, 500, 3, 7, 7, BEGIN_MS, False))
    event = orjson.loads(ticker(history, BEGIN_MS + 3 * DAY_MS))
    assert (event["c"], event["o"], event["n"]) == ("50.00", "50.00", 1)


def test_ticker_streams_keep_their_pace_and_shape(wire: Path) -> None:
    """Single tickers come each two seconds, arrays each second with the symbols that traded, in the golden form."""
    market = Generator(2, START_NS, BOTH)
    hub = Hub(market)
    ears = {name: Ear(hub, "market", name) for name in STREAMS}
    market.awake()
    for frame in market.advance(START_NS + 30 * 10**9):
        hub.publish(frame)
    heard = {name: [orjson.loads(payload) for payload in ear.heard] for name, ear in ears.items()}
    for name, expected in (("btcusdt@ticker", "stream-ticker"), ("btcusdt@miniTicker", "stream-miniTicker")):
        for event in heard[name]:
            expect_shape(golden(wire, expected), event)
        slots = [event["E"] // 2_000 for event in heard[name]]
        assert len(slots) >= 14 and all(later > earlier for earlier, later in itertools.pairwise(slots))
    for name, expected in (("!ticker@arr", "stream-ticker"), ("!miniTicker@arr", "stream-miniTicker")):
        for events in heard[name]:
            expect_shape([golden(wire, expected)], events)
            assert {event["s"] for event in events} <= set(BOTH)
        assert len(heard[name]) >= 28
        assert {event["s"] for events in heard[name] for event in events} == set(BOTH)
    last = heard["btcusdt@ticker"][-1]
    assert last["n"] > 100_000 and last["O"] <= last["E"] - DAY_MS
