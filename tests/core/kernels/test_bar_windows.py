"""Bars inside the engine against examples and against the twin that keeps every bar."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import bar_windows as kernels
from core.kernels.bar_windows import BAR_GRACE_NS
from core.kernels.state import BAR_RING, Wake
from models.rows import UNKNOWN_NS
from tests.builders import MS, SECOND, START_NS, Memory
from tests.naive import bar_windows as naive
from tests.naive.compare import slot_of_naive, slot_of_record
from tests.naive.engine import Market

BUY, SELL = 0, 1


def new_market(*intervals: int, wake: int = 1) -> Any:
    """A compiled market with bars of ``intervals`` (1 s when none is given)."""
    return Memory(bars=intervals or (SECOND,), wake=wake).markets[0]


def bars_of(market: Any, slot: int = 0) -> dict[str, Any]:
    """One bar slot as plain values."""
    return slot_of_record(market["bars"][slot])


def trade(market: Any, at_ms: int, price: int = 100, lots: int = 1, side: int = BUY) -> int:
    """One trade ``at_ms`` after the start; returns wake bits."""
    return int(kernels.bars_trade(market, side, price, lots, START_NS + at_ms * MS))


def depth(market: Any, at_ms: int) -> int:
    """A proof of venue time ``at_ms`` after the start."""
    return int(kernels.bars_depth(market, START_NS + at_ms * MS))


def test_a_bar_sums_its_trades() -> None:
    """Open, high, low, close, lots, bought lots, count and cost of one second."""
    market = new_market()
    for at_ms, price, lots, side in ((0, 100, 2, BUY), (300, 104, 3, SELL), (999, 97, 4, BUY)):
        trade(market, at_ms, price, lots, side)
    expected = {"start_ns": START_NS, "open": 100, "high": 104, "low": 97, "close": 97, "lots": 9, "buy_lots": 6}
    assert bars_of(market)["running"] == expected | {"count": 3, "cost": 200 + 312 + 388}


def test_a_trade_of_the_next_interval_closes_the_bar() -> None:
    """The first trade at or after the end of a bar closes it, and belongs to the next."""
    market = new_market()
    assert (trade(market, 500), trade(market, 1_000, 105), bars_of(market)["closed"]) == (0, Wake.BAR, 1)


def test_depth_closes_a_bar_after_the_grace() -> None:
    """A depth frame 250 ms past the end closes the bar, one nanosecond earlier it does not."""
    market = new_market()
    trade(market, 500)
    end = START_NS + SECOND + BAR_GRACE_NS
    assert (kernels.bars_depth(market, end - 1), kernels.bars_depth(market, end)) == (0, Wake.BAR)


def test_silent_bars_carry_the_last_close() -> None:
    """An interval without trades closes as a flat bar at the last close, counted as filled."""
    market = new_market()
    trade(market, 500, 123)
    depth(market, 4_300)
    bars = bars_of(market)
    flat = naive.silent(START_NS + 2 * SECOND, 123)
    assert (bars["closed"], bars["filled"], bars["bars"][2]) == (4, 3, flat)


def test_no_bar_before_the_first_trade() -> None:
    """Depth alone makes no bars: nobody has named a price."""
    market = new_market()
    assert (depth(market, 10_000), bars_of(market)["closed"]) == (0, 0)


def test_late_trades_are_counted_not_put_back() -> None:
    """A trade for a closed bar changes no bar."""
    market = new_market()
    trade(market, 500)
    trade(market, 1_500)
    before = bars_of(market)
    trade(market, 999, 90, 7)
    assert (bars_of(market), int(market["late_trades"])) == (before, 1)


def test_a_trade_late_for_one_slot_enters_the_other() -> None:
    """A trade behind the 1 s bar still belongs to the running 5 s bar, and is counted once as late."""
    market = new_market(SECOND, 5 * SECOND)
    trade(market, 500)
    trade(market, 1_500)
    trade(market, 900, 100, 7)
    assert (bars_of(market, 0)["running"]["lots"], bars_of(market, 1)["running"]["lots"]) == (1, 9)
    assert int(market["late_trades"]) == 1


def test_a_long_silence_fills_the_ring_once() -> None:
    """After a silence longer than the ring, the last real bar keeps its own start and the ring's worth is filled in."""
    market = new_market()
    trade(market, 500)
    depth(market, (BAR_RING + 50) * 1_000 + 250)
    bars = bars_of(market)
    first = START_NS + 50 * SECOND
    assert (bars["closed"], bars["filled"], bars["bars"][0]["start_ns"]) == (1 + BAR_RING, BAR_RING, first)


def test_a_silence_just_longer_than_the_ring_keeps_the_real_bar_true() -> None:
    """The bar with trades closes under its own start even when a whole ring of silent bars follows."""
    market = new_market()
    trade(market, 500)
    depth(market, BAR_RING * 1_000 + 250)
    assert bars_of(market)["bars"][0]["start_ns"] == START_NS


def test_an_unknown_time_closes_nothing() -> None:
    """A depth frame whose venue time nobody told proves no time."""
    market = new_market()
    trade(market, 500)
    assert (kernels.bars_depth(market, UNKNOWN_NS), bars_of(market)["closed"]) == (0, 0)


def test_a_trade_of_unknown_time_counts_as_late() -> None:
    """A trade whose time nobody told enters no bar."""
    market = new_market()
    kernels.bars_trade(market, BUY, 100, 1, UNKNOWN_NS)
    assert (bars_of(market)["running"]["count"], int(market["late_trades"])) == (0, 1)


def test_the_baseline_is_ready_when_its_bars_have_closed() -> None:
    """The baseline sums the newest closed bars of the first slot and becomes ready with the last of them."""
    market = new_market()
    seen = []
    for second in range(6):
        trade(market, second * 1_000, 100, 1 + second)
        seen.append((int(market["baseline_lots"]), int(market["ready"]) & 1))
    assert seen == [(0, 0), (1, 0), (3, 0), (6, 0), (10, 1), (14, 1)]


def test_a_slot_nobody_asked_for_does_not_wake() -> None:
    """Bars close without waking when their slot's wake is off."""
    market = new_market(wake=0)
    trade(market, 500)
    assert (trade(market, 1_500), depth(market, 9_000), bars_of(market)["closed"]) == (0, 0, 8)


def test_bar_close_leaves_a_running_bar_that_covers_the_time() -> None:
    """``bar_close`` alone moves one slot to the interval of the time it is given."""
    market, twin = new_market(), Market([(SECOND, 1)])
    trade(market, 100)
    naive.bars_trade(twin, BUY, 100, 1, START_NS + 100 * MS)
    until_ns = START_NS + 2_700 * MS
    kernels.bar_close(market, market["bars"][0], until_ns)
    naive.bar_close(twin, twin.bars[0], until_ns)
    assert bars_of(market) == slot_of_naive(twin.bars[0])


def test_bar_baseline_counts_what_there_is() -> None:
    """``bar_baseline`` alone renews sum and count from the closed bars."""
    market = new_market()
    for second in range(3):
        trade(market, second * 1_000, 100, 5)
    market["baseline_lots"] = market["baseline_count"] = 99
    kernels.bar_baseline(market)
    assert (int(market["baseline_lots"]), int(market["baseline_count"])) == (10, 2)


FACTS = st.tuples(
    st.booleans(),  # a trade, else a depth frame
    st.one_of(st.integers(-1_500, 1_500), st.integers(-200, 20_000), st.just(400_000)),  # ms since the fact before
    st.integers(90, 110),
    st.integers(1, 9),
    st.integers(0, 1),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(FACTS, max_size=30), st.integers(1, 6))
def test_random_facts_agree_with_the_twin(facts: list[tuple[bool, int, int, int, int]], baseline_bars: int) -> None:
    """Trades and depth in any order of time, silences longer than the ring included, give the same bars and wakes."""
    intervals = (SECOND, 5 * SECOND, 7 * SECOND)
    market = new_market(*intervals)
    market["baseline_bars"] = baseline_bars
    twin = Market([(interval, 1) for interval in intervals], baseline_bars=baseline_bars)
    now_ns = START_NS
    for is_trade, pause_ms, price, lots, side in facts:
        now_ns += pause_ms * MS
        if is_trade:
            bits = kernels.bars_trade(market, side, price, lots, now_ns)
            assert bits == naive.bars_trade(twin, side, price, lots, now_ns)
        else:
            assert kernels.bars_depth(market, now_ns) == naive.bars_depth(twin, now_ns)
    assert [bars_of(market, number) for number in range(3)] == [slot_of_naive(slot) for slot in twin.bars]
    for name in ("late_trades", "baseline_lots", "baseline_count", "ready"):
        assert int(market[name]) == getattr(twin, name), name
