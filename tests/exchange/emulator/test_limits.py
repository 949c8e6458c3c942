"""Limits of the venue: weights and their windows, bans, order counts, the limit of funding calls."""

from __future__ import annotations

import pytest

from exchange.emulator.errors import VenueError
from exchange.emulator.limits import (
    CLIENTS_KEPT,
    WEIGHT_PER_MINUTE,
    FundingCalls,
    OrderCounts,
    Quota,
    Weights,
)
from tests.exchange.emulator.client import START_NS

START_MS = START_NS // 10**6


def test_weights_add_up_and_start_anew_each_minute() -> None:
    """Used weight grows by each request's, counts refusals too, and is gone with the minute of the venue's clock."""
    clock = [START_NS // 10**6]
    weights = Weights(lambda: clock[0])
    assert [weights.spend("a", 20), weights.spend("a", 1), weights.spend("b", 5)] == [20, 21, 5]
    clock[0] += 60_000
    assert weights.spend("a", 1) == 1


def test_the_limit_answers_429_with_a_time_to_come_back() -> None:
    """Beyond 2,400 a minute the answer is -1003 with the rest of the minute in ``Retry-After``."""
    weights = Weights(lambda: START_NS // 10**6 + 43_000)
    assert weights.spend("a", WEIGHT_PER_MINUTE) == WEIGHT_PER_MINUTE
    with pytest.raises(VenueError, match="Too many requests; current limit is 2400") as refused:
        weights.spend("a", 1)
    assert (refused.value.status, refused.value.code) == (429, -1003)
    assert refused.value.headers == {"Retry-After": "17", "X-MBX-USED-WEIGHT-1M": "2401"}
    assert weights.spend("b", 1) == 1


def test_addresses_are_forgotten_rather_than_kept_without_bound() -> None:
    """Many addresses make the table start over."""
    weights = Weights(lambda: 0)
    for number in range(10 * CLIENTS_KEPT):
        weights.spend(str(number), 1)
    assert 0 < len(weights) <= CLIENTS_KEPT + 1


def test_who_goes_on_after_429_is_banned() -> None:
    """After the allowed number of refusals comes 418 with the end of the ban in text and header, until it is over."""
    clock = [START_MS]
    weights = Weights(lambda: clock[0], Quota(weight=5, refusals=3, ban_s=120))
    weights.spend("a", 5)
    codes = []
    for _ in range(4):
        with pytest.raises(VenueError) as refused:
            weights.spend("a", 1)
        codes.append(refused.value.status)
    assert codes == [429, 429, 418, 418]
    assert f"IP banned until {START_MS + 120_000}." in str(refused.value)
    assert refused.value.headers["Retry-After"] == "120"
    assert weights.spend("b", 1) == 1
    clock[0] += 119_999
    with pytest.raises(VenueError):
        weights.spend("a", 1)
    clock[0] += 1
    assert weights.spend("a", 1) == 1


def test_calls_during_a_ban_make_it_longer() -> None:
    """As many calls again as led to a ban double its length, up to three days."""
    clock = [0]
    weights = Weights(lambda: clock[0], Quota(refusals=2, ban_s=100_000))
    until = weights.ban("a")
    for _ in range(2):
        with pytest.raises(VenueError) as refused:
            weights.check_ban("a")
    assert until == 100_000_000 and "until 200000000." in str(refused.value)
    for _ in range(10):
        with pytest.raises(VenueError) as refused:
            weights.check_ban("a")
    assert "until 259200000." in str(refused.value)
    weights.pardon()
    weights.check_ban("a")


def test_a_second_ban_is_longer_than_the_first() -> None:
    """Whoever comes back and breaks the limit again is banned for twice as long."""
    clock = [0]
    weights = Weights(lambda: clock[0], Quota(ban_s=120))
    assert weights.ban("a") == 120_000
    clock[0] = 120_000
    assert weights.ban("a") == 120_000 + 240_000


def test_order_counts_have_two_windows() -> None:
    """Ten seconds and the minute of the venue's clock count apart, each account for itself."""
    clock = [START_MS]
    counts = OrderCounts(lambda: clock[0], Quota())
    assert counts.add("a", 1, 1) == (1, 1)
    assert counts.add("a", 5, 1) == (6, 2)
    clock[0] += 10_000
    assert counts.add("a", 1, 1) == (1, 3)
    assert counts.add("b", 1, 1) == (1, 1)
    clock[0] += 50_000
    assert counts.add("a", 0, 0) == (0, 0)


@pytest.mark.parametrize(("counts", "said"), [((3, 1), "2 orders per 10 SECOND"), ((1, 6), "5 orders per 1 MINUTE")])
def test_too_many_orders_name_the_limit_that_was_broken(counts: tuple[int, int], said: str) -> None:
    """-1015 with 429 tells which window is full and carries both counts."""
    limits = OrderCounts(lambda: START_MS + 3_000, Quota(orders_10s=2, orders_1m=5))
    limits.check((2, 5))
    with pytest.raises(VenueError, match=said) as refused:
        limits.check(counts)
    assert (refused.value.status, refused.value.code) == (429, -1015)
    assert refused.value.headers["X-MBX-ORDER-COUNT-10S"] == str(counts[0])
    assert refused.value.headers["Retry-After"] in ("7", "57")


def test_the_table_of_order_limits_can_show_counts() -> None:
    """The rows are the venue's; with an account they tell how much of each is used."""
    limits = OrderCounts(lambda: 0, Quota())
    limits.add("a", 5, 1)
    assert [row["limit"] for row in limits.table()] == [300, 1200]
    assert [row["count"] for row in limits.table("a")] == [5, 1]
    assert all("count" not in row for row in limits.table())


def test_funding_calls_have_a_limit_of_their_own() -> None:
    """Five hundred in five minutes for an address, then 429 until the window ends."""
    clock = [0]
    calls = FundingCalls(lambda: clock[0], Quota(funding=2))
    calls.spend("a")
    calls.spend("a")
    with pytest.raises(VenueError) as refused:
        calls.spend("a")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "300")
    calls.spend("b")
    clock[0] = 300_000
    calls.spend("a")
