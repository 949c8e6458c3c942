"""Candles and aggregate trades, against bars counted from the plain list of trades."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.contracts import CHARACTERS
from exchange.emulator.history import CANDLES_KEPT, INTERVALS_MS, TRADES_KEPT, Candle, History, Trade, opens_ms
from tests.exchange.emulator.shape import expect_shape, golden

INSTRUMENT = CHARACTERS["BTCUSDT"].instrument
MINUTE = INTERVALS_MS["1m"]
BEGIN_MS = 1_789_477_200_000  # a full hour
SHORT = [name for name in INTERVALS_MS if INTERVALS_MS[name] <= INTERVALS_MS["2h"]]

# (price, lots, trades joined in it, milliseconds after the one before, buyer is maker)
STEPS = st.lists(
    st.tuples(
        st.integers(100, 120), st.integers(1, 50), st.integers(1, 4), st.integers(0, 150_000), st.booleans()
    ),
    min_size=1,
    max_size=60,
)  # fmt: skip


def traded(steps: list[tuple[int, int, int, int, bool]]) -> tuple[History, list[Trade]]:
    """A history and the trades it took."""
    history, trades, at_ms, number = History(INSTRUMENT), [], BEGIN_MS, 5_000
    for count, (price, lots, joined, pause_ms, maker) in enumerate(steps, 1):
        at_ms += pause_ms
        trades.append((count, price, lots, number + 1, number + joined, at_ms, maker))
        number += joined
    for trade in trades:
        history.trade(trade)
    return history, trades


def bars(trades: list[Trade], interval_ms: int) -> list[Candle]:
    """Bars counted one by one, with a flat bar wherever nothing traded."""
    counted: list[Candle] = []
    open_ms = opens_ms(trades[0][5], interval_ms)
    while open_ms <= trades[-1][5]:
        inside = [trade for trade in trades if open_ms <= trade[5] < open_ms + interval_ms]
        if inside:
            prices = [trade[1] for trade in inside]
            takers = [trade for trade in inside if not trade[6]]
            counted.append(
                [
                    open_ms, prices[0], max(prices), min(prices), prices[-1],
                    sum(trade[2] for trade in inside), sum(trade[1] * trade[2] for trade in inside),
                    sum(trade[4] - trade[3] + 1 for trade in inside),
                    sum(trade[2] for trade in takers), sum(trade[1] * trade[2] for trade in takers),
                    inside[0][3], inside[-1][4],
                ]
            )  # fmt: skip
        else:
            close = counted[-1][4]
            counted.append([open_ms, close, close, close, close, 0, 0, 0, 0, 0, -1, -1])
        open_ms += interval_ms
    return counted


@given(STEPS, st.sampled_from(SHORT))
def test_candles_are_the_bars_of_the_trades(steps: list[Any], interval: str) -> None:
    """Merged candles of any interval equal bars counted from the trades, empty minutes included."""
    history, trades = traded(steps)
    assert history.merged(INTERVALS_MS[interval]) == bars(trades, INTERVALS_MS[interval])


@given(STEPS, st.sampled_from(SHORT))
def test_the_running_candle_is_the_last_merged_one(steps: list[Any], interval: str) -> None:
    """The quick look at the running candle gives what merging everything gives."""
    history, _ = traded(steps)
    assert history.latest(INTERVALS_MS[interval]) == history.merged(INTERVALS_MS[interval])[-1]


def test_nothing_is_known_before_the_first_trade() -> None:
    """Without a trade there is no candle, no row and no trade; rolling on changes nothing."""
    history = History(INSTRUMENT)
    history.roll(BEGIN_MS)
    assert (history.latest(MINUTE), history.klines(MINUTE, 10), history.agg_trades(10)) == (None, [], [])


def test_a_minute_opens_on_time_without_a_trade() -> None:
    """Rolled on, the new minute stands at the last price with nothing in it; its first trade makes it real."""
    history, _ = traded([(100, 1, 1, 0, False), (110, 2, 1, 10, False)])
    history.roll(BEGIN_MS + MINUTE + 20)
    assert history.candles[-1] == [BEGIN_MS + MINUTE, 110, 110, 110, 110, 0, 0, 0, 0, 0, -1, -1]
    history.trade((3, 105, 4, 9_000, 9_001, BEGIN_MS + MINUTE + 30, True))
    assert history.candles[-1] == [BEGIN_MS + MINUTE, 105, 105, 105, 105, 4, 420, 2, 0, 0, 9_000, 9_001]


def test_a_long_silence_does_not_grow_without_bound() -> None:
    """After a year without a trade only the kept candles are filled in, each flat, the newest last."""
    history, _ = traded([(100, 1, 1, 0, False)])
    year_ms = 365 * 24 * 60 * MINUTE
    history.trade((2, 105, 1, 9_000, 9_000, BEGIN_MS + year_ms, False))
    assert len(history.candles) == CANDLES_KEPT
    assert [candle[0] for candle in history.candles][-2:] == [BEGIN_MS + year_ms - MINUTE, BEGIN_MS + year_ms]


def test_trades_are_bounded_by_dropping_the_oldest() -> None:
    """More trades than are kept push the oldest out; what is kept stays consecutive."""
    history, trades = traded([(100, 1, 1, 1, False)] * (TRADES_KEPT + 7))
    assert [trade[0] for trade in history.trades] == [trade[0] for trade in trades[7:]]


@given(STEPS, st.integers(1, 20))
def test_pages_by_id_join_to_all_trades(steps: list[Any], limit: int) -> None:
    """Reading on from the last id of each page gives every trade once, in order."""
    history, trades = traded(steps)
    read: list[Any] = []
    page = history.agg_trades(limit, from_id=1)
    while page:
        read += page
        page = history.agg_trades(limit, from_id=read[-1]["a"] + 1)
    assert [(one["a"], one["f"], one["l"], one["T"], one["m"]) for one in read] == [
        (number, first, last, at_ms, maker) for number, _, _, first, last, at_ms, maker in trades
    ]


@given(STEPS, st.integers(1, 20), st.integers(0, 60), st.integers(0, 60))
def test_time_windows_hold_the_trades_inside(steps: list[Any], limit: int, start: int, end: int) -> None:
    """Both bounds are part of the window; from a start the first are given, up to an end alone the last."""
    history, trades = traded(steps)
    start_ms, end_ms = BEGIN_MS + start * MINUTE, BEGIN_MS + end * MINUTE
    both = history.agg_trades(limit, start_ms=start_ms, end_ms=end_ms)
    assert [one["a"] for one in both] == [one[0] for one in trades if start_ms <= one[5] <= end_ms][:limit]
    until = history.agg_trades(limit, end_ms=end_ms)
    assert [one["a"] for one in until] == [one[0] for one in trades if one[5] <= end_ms][-limit:]
    assert [one["a"] for one in history.agg_trades(limit)] == [one[0] for one in trades][-limit:]


@given(STEPS, st.sampled_from(["1m", "5m"]), st.integers(1, 9), st.integers(0, 40), st.integers(0, 40))
def test_kline_windows_hold_the_candles_that_open_inside(
    steps: list[Any], interval: str, limit: int, start: int, end: int
) -> None:
    """A window takes candles by open time, the first from a start, the last otherwise."""
    history, trades = traded(steps)
    opens = [candle[0] for candle in bars(trades, INTERVALS_MS[interval])]
    start_ms, end_ms = BEGIN_MS + start * MINUTE, BEGIN_MS + end * MINUTE
    rows = history.klines(INTERVALS_MS[interval], limit, start_ms=start_ms, end_ms=end_ms)
    assert [row[0] for row in rows] == [one for one in opens if start_ms <= one <= end_ms][:limit]
    rows = history.klines(INTERVALS_MS[interval], limit, end_ms=end_ms)
    assert [row[0] for row in rows] == [one for one in opens if one <= end_ms][-limit:]


def test_bodies_have_the_venues_shape(wire: Path) -> None:
    """Rows of klines and aggTrades have the golden fields and types."""
    history, _ = traded([(769_149, 3, 2, 0, False), (769_150, 4, 1, 61_000, True)])
    expect_shape(golden(wire, "rest-klines-BTCUSDT-1m"), history.klines(MINUTE, 2))
    expect_shape(golden(wire, "rest-aggTrades-BTCUSDT"), history.agg_trades(2))


def test_a_kline_row_is_exact() -> None:
    """Two buys of 0.003 and 0.004 and a sell of 0.010: volumes and money to the last place."""
    history, _ = traded([(769_149, 3, 1, 0, False), (769_150, 4, 2, 5, False), (769_140, 10, 1, 5, True)])
    assert history.klines(MINUTE, 1) == [
        [
            BEGIN_MS, "76914.90", "76915.00", "76914.00", "76914.00", "0.017", BEGIN_MS + MINUTE - 1,
            "1307.54470", 4, "0.007", "538.40470", "0",
        ]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "at", "opens"),
    [
        ("15m", "2026-11-21T12:44:59", "2026-11-21T12:30:00"),
        ("4h", "2026-11-21T23:59:59", "2026-11-21T20:00:00"),
        ("1d", "2026-11-21T00:00:00", "2026-11-21T00:00:00"),
        ("1w", "2026-11-21T12:00:00", "2026-11-16T00:00:00"),
        ("1w", "2026-11-16T00:00:00", "2026-11-16T00:00:00"),
    ],
)
def test_candles_open_on_the_clock(interval: str, at: str, opens: str) -> None:
    """Candles open on multiples of their interval in UTC, weeks on Monday."""
    at_ms, opens_at = (int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) for text in (at, opens))
    assert opens_ms(at_ms, INTERVALS_MS[interval]) == opens_at
