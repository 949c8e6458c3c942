"""What the venue lets us do."""

from __future__ import annotations

from exchange.binance.quota import Quota
from exchange.binance.weights import WeightLedger


class _Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_headers_feed_both_ledgers() -> None:
    """Weight and order counts of an answer are believed."""
    quota = Quota(WeightLedger(), _Clock())
    quota.heed({"x-mbx-used-weight-1m": "120", "x-mbx-order-count-10s": "7", "x-mbx-order-count-1m": "9"})
    assert (quota.weights.used(1000.0), quota.orders.used(1000.0)) == (120, (7, 9))


def test_headers_that_are_no_numbers_are_left_alone() -> None:
    """A broken header changes nothing."""
    quota = Quota(WeightLedger(), _Clock())
    quota.heed({"x-mbx-used-weight-1m": "many", "x-mbx-order-count-10s": "²", "x-mbx-order-count-1m": "9" * 20})
    assert (quota.weights.used(1000.0), quota.orders.used(1000.0)) == (0, (0, 0))


def test_the_last_quarter_of_orders_is_kept_for_exits() -> None:
    """At three quarters of the count entries stay, exits go."""
    quota = Quota(WeightLedger(), _Clock())
    quota.heed({"x-mbx-order-count-10s": "225", "x-mbx-order-count-1m": "225"})
    assert quota.order(entry=True) == "the rest of the order count is kept for exits"
    assert quota.order(entry=False) == ""


def test_a_limit_holds_entries_and_a_ban_holds_all() -> None:
    """After 429 exits still leave; after 418 nothing does, until its end (F22)."""
    clock = _Clock()
    quota = Quota(WeightLedger(), clock)
    quota.block(10.0, banned=False)
    assert (quota.order(entry=True), quota.order(entry=False)) == ("the venue wants silence", "")
    quota.block(20.0, banned=True)
    assert (quota.order(entry=False), quota.banned) == ("the venue wants silence", True)
    clock.now_s += 20.0
    assert (quota.order(entry=True), quota.banned, quota.quiet) == ("", False, False)


def test_an_order_that_stays_is_not_counted() -> None:
    """Only what leaves uses up the count."""
    quota = Quota(WeightLedger(), _Clock())
    quota.block(10.0, banned=True)
    quota.order(entry=False)
    assert quota.orders.used(1000.0) == (0, 0)


def test_asking_counts_nothing() -> None:
    """``held`` says what ``order`` would, as often as one likes."""
    quota = Quota(WeightLedger(), _Clock())
    assert [quota.held(entry) for entry in (True, False) * 200] == [""] * 400
    assert quota.orders.used(1000.0) == (0, 0)
    quota.sent()
    assert quota.orders.used(1000.0) == (1, 1)
