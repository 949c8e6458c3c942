"""Money and counters that limits judge by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.risk.ledger import DAY_NS, HOUR_NS, MINUTE_NS, Entry, RiskLedger
from models.instrument import E8
from tests.builders import SECOND, START_NS

MIDNIGHT = START_NS // DAY_NS * DAY_NS + DAY_NS


def test_a_new_ledger_has_lost_nothing() -> None:
    """Wallet, peak and the day's start are the equity it began with."""
    ledger = RiskLedger(70 * E8)
    assert {ledger.start_e8, ledger.wallet_e8, ledger.peak_e8, ledger.day_start_e8} == {70 * E8}


AMOUNTS = st.integers(-(10**12), 10**12)
FACTS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), AMOUNTS, st.integers(-(10**6), 10**9)),
        st.tuples(st.just("fund"), AMOUNTS),
        st.tuples(st.just("roll"), st.integers(0, 3)),
    )
)


@given(FACTS)
def test_money_adds_up(facts: list[tuple[str, int]]) -> None:
    """After any fills, fundings and days: wallet = start + gross − fees + funding, to the last 1e-8."""
    ledger = RiskLedger(70 * E8)
    for name, *amounts in facts:
        if name == "roll":
            ledger.roll(START_NS + amounts[0] * DAY_NS, 5)
        else:
            getattr(ledger, name)(*amounts)
    assert ledger.wallet_e8 == ledger.start_e8 + ledger.gross_e8 - ledger.fees_e8 + ledger.funding_e8
    assert ledger.gross_e8 == sum(fact[1] for fact in facts if fact[0] == "fill")
    assert ledger.fees_e8 == sum(fact[2] for fact in facts if fact[0] == "fill")
    assert ledger.funding_e8 == sum(fact[1] for fact in facts if fact[0] == "fund")


def test_the_first_day_begins_with_the_run() -> None:
    """A first fill that comes before the first roll counts for the day: its fee and the equity before it are kept."""
    ledger = RiskLedger(70 * E8)
    ledger.fill(-2 * E8, 1 * E8)
    assert not ledger.roll(START_NS, 67 * E8)
    assert (ledger.day_start_e8, ledger.day_fees_e8) == (70 * E8, 1 * E8)


@pytest.mark.parametrize(
    ("at_ns", "new"), [(START_NS, False), (MIDNIGHT - 1, False), (MIDNIGHT, True), (MIDNIGHT + 3 * DAY_NS, True)]
)
def test_a_day_begins_at_utc_midnight(at_ns: int, new: bool) -> None:
    """From midnight on the day's start is the equity then, and the day's fees begin at 0; before it nothing changes."""
    ledger = RiskLedger(70 * E8)
    ledger.roll(START_NS, 70 * E8)
    ledger.fill(0, 3 * E8)
    assert ledger.roll(at_ns, 67 * E8) is new
    assert (ledger.day_start_e8, ledger.day_fees_e8) == ((67 * E8, 0) if new else (70 * E8, 3 * E8))


def test_a_day_rolls_once() -> None:
    """A second call on the same day, or one from the day before, begins nothing (invariant 23)."""
    ledger = RiskLedger(70 * E8)
    ledger.roll(START_NS, 70 * E8)
    assert [ledger.roll(at_ns, E8) for at_ns in (MIDNIGHT, MIDNIGHT + 1, START_NS)] == [True, False, False]


@given(st.lists(st.integers(-3, 3)))
def test_streaks_and_counts(results: list[int]) -> None:
    """A win ends the losing streak, a loss lengthens it, a flat trade leaves it; each trade is counted once."""
    ledger = RiskLedger(70 * E8)
    for net_e8 in results:
        ledger.trip(net_e8)
    since_win = [net for net in results if net]
    streak = 0
    while streak < len(since_win) and since_win[-1 - streak] < 0:
        streak += 1
    assert ledger.losses_in_row == streak
    counted = (ledger.wins, ledger.losses, ledger.flats)
    assert counted == (sum(n > 0 for n in results), sum(n < 0 for n in results), results.count(0))


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_the_peak_is_the_highest_equity(values: list[int]) -> None:
    """The peak is the largest equity ever marked, the start included, and never falls."""
    ledger = RiskLedger(70 * E8)
    for value in values:
        ledger.mark(value)
    assert ledger.peak_e8 == max(70 * E8, *values)


GAPS = st.lists(st.integers(0, 40 * SECOND), max_size=200)


@given(GAPS)
def test_messages_in_a_window(gaps: list[int]) -> None:
    """The count of a window is that of the whole history, and no more is kept than a minute of it."""
    ledger, times, now = RiskLedger(70 * E8), [], START_NS
    for gap in gaps:
        now += gap
        times.append(now)
        ledger.message(now)
        for window_ns in (SECOND, 10 * SECOND, MINUTE_NS):
            assert ledger.messages_since(now, window_ns) == sum(at > now - window_ns for at in times)
    assert all(at > now - MINUTE_NS for at in ledger.messages)


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR_NS), st.booleans()), max_size=100))
def test_entries_in_a_window(steps: list[tuple[int, bool]]) -> None:
    """The same for entries over an hour and a day; those since the last round trip are forgotten with it."""
    ledger, history, since_trip, now = RiskLedger(70 * E8), [], [], START_NS
    for gap, trip in steps:
        now += gap
        entry = Entry(now, 0, 0, 5, 1)
        history.append(entry)
        since_trip.append(entry)
        ledger.entry(entry)
        for window_ns in (HOUR_NS, DAY_NS):
            assert ledger.entries_since(now, window_ns) == sum(each.at_ns > now - window_ns for each in history)
        assert list(ledger.entries_since_trip) == [each for each in since_trip if each.at_ns > now - DAY_NS]
        if trip:
            since_trip.clear()
            ledger.trip(0)
    assert all(each.at_ns > now - DAY_NS for each in ledger.entries)
