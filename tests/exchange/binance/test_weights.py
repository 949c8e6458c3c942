"""The ledger of request weight and the snapshot budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.weights import (
    ESSENTIAL_SHARE,
    NORMAL_SHARE,
    WINDOW_S,
    OrderLedger,
    SnapshotBudget,
    WeightLedger,
)


def test_normal_use_ends_at_half_and_essential_use_later() -> None:
    """At half of the limit a normal call waits while an essential one still leaves."""
    ledger = WeightLedger()
    ledger.spend(1200, 0.0)
    assert (ledger.wait_s(1, 10.0), ledger.wait_s(1, 10.0, ESSENTIAL_SHARE)) == (50.0, 0.0)


def test_weight_is_free_again_after_a_minute() -> None:
    """What was spent counts for sixty seconds, not longer."""
    ledger = WeightLedger()
    ledger.spend(1200, 0.0)
    assert (ledger.used(59.9), ledger.used(60.0)) == (1200, 0)


def test_the_venues_count_wins_when_it_is_higher() -> None:
    """Weight used by others on the same address is respected while it is news."""
    ledger = WeightLedger()
    ledger.spend(10, 0.0)
    ledger.told(1500, 1.0)
    assert (ledger.used(2.0), ledger.wait_s(1, 2.0), ledger.used(61.0)) == (1500, 59.0, 0)


def test_what_the_venue_told_ends_with_its_window() -> None:
    """The count of a minute that is over holds nobody back, however lately it was told."""
    ledger = WeightLedger()
    ledger.left_s = lambda: 2.5
    ledger.told(2400, 10.0)
    assert (ledger.used(12.4), ledger.wait_s(1, 11.0), ledger.used(12.5)) == (2400, 1.5, 0)


def test_a_call_that_never_fits_is_a_mistake() -> None:
    """A weight above the share is refused instead of waited for without end."""
    with pytest.raises(ValueError, match="never fits"):
        WeightLedger(100).wait_s(51, 0.0)


def test_a_longer_block_is_not_shortened() -> None:
    """A second, shorter refusal never lets us speak earlier."""
    ledger = WeightLedger()
    ledger.block(100.0, 0.0, banned=True)
    ledger.block(5.0, 10.0, banned=True)
    assert (ledger.blocked_s(50.0), ledger.blocked_s(100.0), ledger.banned) == (50.0, 0.0, False)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([1, 5, 20, 40])), max_size=60))
def test_waiting_as_told_never_breaks_the_share(calls: list[tuple[int, int]]) -> None:
    """Whoever waits for ``wait_s`` before each call stays within the share in every window of a minute."""
    ledger, now_s = WeightLedger(200), 0.0
    sent: list[tuple[float, int]] = []
    for pause_s, weight in calls:
        now_s += pause_s
        while (wait_s := ledger.wait_s(weight, now_s)) > 0:
            now_s += wait_s
        ledger.spend(weight, now_s)
        sent.append((now_s, weight))
        assert sum(size for at_s, size in sent if at_s > now_s - WINDOW_S) <= 200 * NORMAL_SHARE


def test_snapshots_are_counted_per_symbol() -> None:
    """The budget of one symbol leaves the other's alone and frees itself after a minute."""
    budget = SnapshotBudget(2)
    for at_s in (0.0, 10.0):
        budget.take("BTCUSDT", at_s)
    assert [budget.wait_s("BTCUSDT", 20.0), budget.wait_s("ETHUSDT", 20.0), budget.wait_s("BTCUSDT", 60.0)] == [
        40.0,
        0.0,
        0.0,
    ]


def test_orders_count_in_ten_seconds_and_in_a_minute() -> None:
    """Each order is in both windows and leaves each at its own time."""
    ledger = OrderLedger()
    ledger.spend(0.0)
    assert [ledger.used(at_s) for at_s in (9.9, 10.0, 60.0)] == [(1, 1), (0, 1), (0, 0)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.floats(0, 20)), max_size=60))
def test_spare_orders_always_have_room(steps: list[tuple[bool, int, float]]) -> None:
    """Whatever was sent and told, and whenever: while there are spare ones, the count has room for one more."""
    ledger, now_s = OrderLedger(fast=20, slow=40), 0.0
    for told, count, wait_s in steps:
        now_s += wait_s
        if told:
            ledger.told(count, count, now_s)
        elif ledger.room(now_s):
            ledger.spend(now_s)
        assert ledger.spare <= 0 or ledger.room(now_s)


def test_a_share_of_the_orders_is_kept_free() -> None:
    """Room is judged by both limits, by our count or the venue's, and by the share that is asked for."""
    ledger = OrderLedger(fast=8, slow=100)
    for _ in range(6):
        ledger.spend(0.0)
    assert (ledger.room(1.0), ledger.room(1.0, 1.0)) == (False, True)
    ledger.told(0, 100, 20.0)
    assert (ledger.room(20.0), ledger.room(20.0, 1.0), ledger.room(80.0)) == (False, False, True)
