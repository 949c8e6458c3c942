"""The generated order flow: its promises to a client, and its likeness to recorded markets."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange.emulator.contracts import character
from exchange.emulator.flow import COVER_MIN, FUNDING_MS, Flow
from exchange.emulator.generator import Generator
from exchange.emulator.history import FIRST_ID, LAST_ID, OPEN_MS
from exchange.emulator.market import Frame, depth_body
from exchange.emulator.mood import ACTIVE, NEVER, QUIET, SECOND, STEP_MS, UNIT, Phase
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.follow import Follower
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.stylised import CAPTURES, Facts, facts, generated, recorded

START_MS = START_NS // 1_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def run(flow: Flow, steps: int) -> list[Frame]:
    """The frames of some steps."""
    for _ in range(steps):
        flow.step()
    frames, flow.out = flow.out, []
    return frames


def events(frames: list[Frame], kind: str) -> list[Any]:
    return [orjson.loads(payload) for _, stream, payload in frames if stream.partition("@")[2].startswith(kind)]


@cache
def minutes(symbol: str, seed: int) -> list[Frame]:
    """Three minutes of a market with its bursts."""
    market = Generator(seed, START_NS, (symbol,))
    market.awake()
    return list(market.advance(START_NS + 180 * 10**9))


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_client_follows_the_book_without_a_gap(symbol: str, seed: int) -> None:
    """From any snapshot the diffs bridge and chain; the book never crosses, equals the market's, and agrees with quotes
    of equal id.
    """
    market = Generator(seed, START_NS, (symbol,))
    market.awake()
    client = Follower()
    for number, (_, stream, payload) in enumerate(market.advance(START_NS + 60 * 10**9)):
        if stream.endswith("@depth@100ms"):
            client.diff(orjson.loads(payload))
            if client.applied % 100 == 50:
                body: Any = depth_body(market, market.instruments[0], 1000)
                held = sorted(client.bids.items(), reverse=True)[:1000]
                assert [[f"{price:.2f}", lots] for price, lots in held] == body["bids"]
        elif stream.endswith("@bookTicker"):
            client.quote(orjson.loads(payload))
        if number == 100 * seed:
            body = depth_body(market, market.instruments[0], 5000)
            client.snapshot(body)
    assert client.applied > 550 and client.compared > 100


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_trades_are_consecutive_and_on_time(symbol: str) -> None:
    """Aggregate ids rise by one, single ids leave no hole, times never go back and lie before the event's time."""
    flow = Flow(character(symbol), 3, START_MS)
    before = flow.history.trades[-1]
    flow.mood.wake()
    trades = events(run(flow, 60 * SECOND), "aggTrade")
    assert len(trades) > 500
    for trade in trades:
        assert trade["a"] == before[0] + 1 and trade["f"] == before[4] + 1 and trade["l"] >= trade["f"]
        assert before[5] <= trade["T"] <= trade["E"] <= trade["T"] + STEP_MS
        before = (trade["a"], 0, 0, trade["f"], trade["l"], trade["T"], False)


def test_frames_leave_in_order_within_a_millisecond_of_their_step() -> None:
    """Frames carry rising times, each in the first millisecond after a step of 10 ms."""
    times = [venue_ns for venue_ns, _, _ in minutes("BTCUSDT", 1)]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert all(venue_ns % (STEP_MS * 10**6) < 10**6 for venue_ns in times)


STRIDE = 20


@cache
def strides(seed: int) -> list[Frame]:
    """Three minutes of a market made 200 ms at a time."""
    market = Generator(seed, START_NS, ("BTCUSDT",), STRIDE)
    market.awake()
    return list(market.advance(START_NS + 180 * 10**9))


def test_a_longer_stride_has_fewer_quotes_of_as_busy_a_market() -> None:
    """Steps of 200 ms give a fifth of the quotes, at their own times, and a like number of trades (within a third)."""
    usual, long = minutes("BTCUSDT", 1), strides(1)
    assert len(events(long, "bookTicker")) < len(events(usual, "bookTicker")) / 5
    assert all(venue_ns % (STRIDE * STEP_MS * 10**6) < 10**6 for venue_ns, _, _ in long)
    counts = [trades[-1]["l"] - trades[0]["f"] for trades in (events(usual, "aggTrade"), events(long, "aggTrade"))]
    assert counts[0] / 1.33 < counts[1] < counts[0] * 1.33


def test_a_longer_stride_loses_no_closed_minute_and_no_trade() -> None:
    """Each minute is closed once, in the first stride after it; the trades' ids leave no hole; the book is followed."""
    frames, client = strides(2), Follower()
    closed = [event for event in events(frames, "kline_1m") if event["k"]["x"]]
    assert [event["k"]["t"] for event in closed] == [START_MS + 60_000 * minute for minute in range(-1, 2)]
    assert all(0 < event["E"] - event["k"]["T"] <= STRIDE * STEP_MS + 2 * STEP_MS for event in closed)
    trades = events(frames, "aggTrade")
    assert all(after["f"] == before["l"] + 1 for before, after in itertools.pairwise(trades))
    market = Generator(2, START_NS, ("BTCUSDT",), STRIDE)
    market.awake()
    client.snapshot(depth_body(market, market.instruments[0], 5000))
    for event in events(frames, "depth"):
        client.diff(event)
    assert client.applied > 500


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_events_have_the_venues_shape(wire: Path, symbol: str) -> None:
    """Every event of every stream has the golden fields and JSON types."""
    names = {
        "depth@100ms": "stream-depth-diff", "bookTicker": "stream-bookTicker", "aggTrade": "stream-aggTrade",
        "markPrice@1s": "stream-markPrice", "kline_1m": "stream-kline-1m-open", "forceOrder": "stream-forceOrder",
    }  # fmt: skip
    for kind, name in names.items():
        some = events(minutes(symbol, 1), kind)[:60]
        assert some
        for event in some:
            expect_shape(golden(wire, name), event)


def test_klines_are_the_bars_of_the_trades() -> None:
    """Each closed minute comes once, just after its end, and equals the bar of the aggregate trades in it."""
    frames = minutes("BTCUSDT", 1)
    trades = events(frames, "aggTrade")
    closed = [event for event in events(frames, "kline_1m") if event["k"]["x"]]
    assert [event["k"]["t"] for event in closed] == [START_MS + 60_000 * minute for minute in range(-1, 2)]
    for event in closed[1:]:
        bar = event["k"]
        inside = [trade for trade in trades if bar["t"] <= trade["T"] <= bar["T"]]
        prices = [float(trade["p"]) for trade in inside]
        bought = [trade for trade in inside if not trade["m"]]
        assert (float(bar["o"]), float(bar["h"]), float(bar["l"]), float(bar["c"])) == (
            prices[0], max(prices), min(prices), prices[-1],
        )  # fmt: skip
        assert float(bar["v"]) == pytest.approx(sum(float(trade["q"]) for trade in inside), abs=1e-9)
        assert float(bar["V"]) == pytest.approx(sum(float(trade["q"]) for trade in bought), abs=1e-9)
        assert float(bar["q"]) == pytest.approx(sum(float(one["p"]) * float(one["q"]) for one in inside), abs=1e-4)
        assert (bar["f"], bar["L"]) == (inside[0]["f"], inside[-1]["l"])
        assert bar["n"] == bar["L"] - bar["f"] + 1
        assert 0 < event["E"] - bar["T"] <= 2 * STEP_MS + 1


@pytest.mark.parametrize("seed", range(4))
def test_a_burst_is_volume_imbalance_and_a_move_in_one_direction(seed: int) -> None:
    """The first burst trades five times as much a second as calm does; book, trades and price lean the same way."""
    flow = Flow(character("BTCUSDT"), seed, START_MS)
    flow.mood.activity = UNIT << 8
    calm = events(run(flow, 30 * SECOND), "aggTrade")
    flow.mood.wake(1)
    while flow.mood.phase.gain < 8 * UNIT:
        flow.step()
    way = 1 if flow.mood.phase.lean > 0 else -1
    before = flow.bids.best
    flow.out.clear()
    frames = run(flow, flow.mood.phase.steps)
    push = events(frames, "aggTrade")
    seconds = (frames[-1][0] - frames[0][0]) / 1e9
    assert len(push) / seconds > 5 * len(calm) / 30
    assert _volume(push) / seconds > 5 * _volume(calm) / 30
    assert sum(way if not trade["m"] else -way for trade in push) > len(push) / 2
    assert (flow.bids.best - before) * way > 20
    leaning = [(float(one["B"]) > float(one["A"])) == (way > 0) for one in events(frames, "bookTicker")]
    assert sum(leaning) > 0.8 * len(leaning)


def _volume(trades: list[Any]) -> float:
    return sum(float(trade["q"]) for trade in trades)


def test_quiet_hours_are_quieter() -> None:
    """With a quiet hour's activity there are less than half the trades of an active one."""
    counts = {}
    for regime in (QUIET, ACTIVE):
        flow = Flow(character("BTCUSDT"), 5, START_MS)
        flow.mood._regime, flow.mood.activity = regime, regime.activity << 8
        counts[regime] = len(events(run(flow, 120 * SECOND), "aggTrade"))
    assert counts[QUIET] < counts[ACTIVE] / 2


def test_liquidations_come_in_bursts_on_the_losing_side() -> None:
    """In a forced rise shorts are bought in, at most one told a second, the largest, limited beyond its fill."""
    flow = Flow(character("BTCUSDT"), 1, START_MS)
    flow.mood.phase = Phase(NEVER, 16 * UNIT, 14_000, 220, 840, 800, 6)
    forced = events(run(flow, 10 * SECOND), "forceOrder")
    assert len(forced) >= 5
    seconds = [event["E"] // 1000 for event in forced]
    assert sorted(set(seconds)) == seconds
    for event in forced:
        order = event["o"]
        assert order["S"] == "BUY" and float(order["p"]) > float(order["ap"])
        assert event["E"] - 1000 < order["T"] <= event["E"]
        assert order["q"] == order["l"] == order["z"]


def test_calm_hours_have_few_liquidations() -> None:
    """Ten minutes without a burst tell a handful of forced orders at most, and both sides are hit in time."""
    flow = Flow(character("BTCUSDT"), 4, START_MS)
    forced = events(run(flow, 600 * SECOND), "forceOrder")
    assert 0 < len(forced) < 20
    assert {event["o"]["S"] for event in forced} == {"BUY", "SELL"}


def test_funding_is_announced_for_the_next_full_eight_hours() -> None:
    """Across 16:00 the next funding moves on by eight hours; the rate stays within the venue's cap of 0.3 %."""
    settles_ms = START_MS // FUNDING_MS * FUNDING_MS + FUNDING_MS
    flow = Flow(character("BTCUSDT"), 1, settles_ms - 2_000)
    marks = events(run(flow, 4 * SECOND), "markPrice")
    assert [mark["T"] for mark in marks] == [settles_ms, *[settles_ms + FUNDING_MS] * 3]
    assert [mark["E"] % 1000 for mark in marks] == [0] * 4
    assert all(abs(float(mark["r"])) <= 0.003 for mark in marks)
    assert flow.premium()["nextFundingTime"] == settles_ms + FUNDING_MS


def test_the_mark_follows_the_market() -> None:
    """Mark and index stay within 0.2 % of the middle through a push, and the mark never jumps more than the market."""
    flow = Flow(character("BTCUSDT"), 2, START_MS)
    flow.mood.phase = Phase(NEVER, 16 * UNIT, 14_000, 220, 840, 0, 6)
    for _ in range(20):
        (mark,) = events(run(flow, SECOND), "markPrice")
        middle = (flow.asks.best + flow.bids.best) * 0.05
        for field in ("p", "i", "ap"):
            assert float(mark[field]) == pytest.approx(middle, rel=0.002)


def test_the_book_is_never_eaten_through() -> None:
    """A minute of the strongest push in one direction leaves more than half of the usual book behind the touch."""
    flow = Flow(character("BTCUSDT"), 0, START_MS)
    flow.mood.phase = Phase(NEVER, 40 * UNIT, 20_000, 256, 1_000, 2_000, 6)
    for _ in range(60):
        run(flow, SECOND)
        assert flow.asks.far - flow.asks.best > COVER_MIN // 2 < flow.bids.best - flow.bids.far
    assert max(len(flow.asks.levels), len(flow.bids.levels)) < 4_000


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_past_looks_like_the_present(symbol: str) -> None:
    """Made-up candles, the 40 minutes of trades after them and live calm have volumes within a factor of three."""
    flow = Flow(character(symbol), 6, START_MS)
    old = [candle[5] for candle in flow.history.candles]
    run(flow, 180 * SECOND)
    live = [candle[5] for candle in flow.history.candles][-4:-1]
    figures = [sorted(some)[len(some) // 2] for some in (old[:-41], old[-41:-1], live)]
    assert max(figures) < 3 * min(figures), figures


@pytest.mark.parametrize("second_ms", [1_000, 17_430, 59_990])
def test_the_past_is_the_same_at_any_second(second_ms: int) -> None:
    """Whenever a market is made, its past trades are the same up to their times, and its candles leave no minute and
    no trade id out.
    """
    one, other = Flow(character("BTCUSDT"), 6, START_MS), Flow(character("BTCUSDT"), 6, START_MS + second_ms)
    assert [(*trade[:5], trade[5] + second_ms, trade[6]) for trade in one.history.trades] == list(other.history.trades)
    candles = list(other.history.candles)
    assert len(candles) == 1_441
    for earlier, later in itertools.pairwise(candles):
        assert later[OPEN_MS] == earlier[OPEN_MS] + 60_000
        assert later[FIRST_ID] == earlier[LAST_ID] + 1
    assert candles[-1][OPEN_MS] == START_MS and candles[-1][LAST_ID] == other.history.trades[-1][4]


# -- likeness to recorded markets ------------------------------------------------------------------------------------

BANDS = {
    "trades_per_s": (5, 60),
    "quotes_per_s": (40, 300),
    "deviation_bps": (0.25, 1.5),
    "dispersion": (1.5, 3.0),
    "fano": (10, 250),
    "size_tail": (45, 200),
    "largest": (0.13, 0.35),
    "one_tick": (0.95, 1.0),
    "kurtosis": (6, 30),
    "clustering": (0.02, 0.3),
    "volume_moves": (0.6, 0.95),
    "flow_moves": (0.6, 0.95),
    "imbalance_leads": (0.15, 0.75),
}
"""Where both recorded and generated markets lie; what each figure means is said at ``Facts``."""
SIGN_BANDS = ((0.35, 0.8), (0.25, 0.65), (0.1, 0.6))


def outside(found: Facts) -> list[str]:
    """The figures that leave their band."""
    wrong = [
        f"{name} {getattr(found, name):.3g} is not in {low} to {high}"
        for name, (low, high) in BANDS.items()
        if not low <= getattr(found, name) <= high
    ]
    wrong += [
        f"signs {sign:.3g}"
        for sign, (low, high) in zip(found.signs, SIGN_BANDS, strict=True)
        if not low <= sign <= high
    ]
    return wrong


@pytest.mark.parametrize("names", CAPTURES, ids=["2023", "2024"])
def test_recorded_markets_lie_in_the_bands(shared: Path, names: tuple[str, ...]) -> None:
    """BTCUSDT as recorded in 2023 and 2024 shows every stylised fact within its band."""
    assert not outside(facts(recorded(shared, names), 0.1))


@pytest.mark.parametrize(("symbol", "tick", "seed"), [("BTCUSDT", 0.1, 1), ("BTCUSDT", 0.1, 2), ("ETHUSDT", 0.01, 3)])
def test_generated_markets_lie_in_the_bands(symbol: str, tick: float, seed: int) -> None:
    """Five generated minutes show the same facts in the same bands."""
    assert not outside(facts(generated(seed, 300, symbol), tick))
