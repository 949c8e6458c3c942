"""The venue's clock against ours: a bound that always holds the truth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.server_time import MS, VenueClock, aged, bounds_of, offset_within
from models.event import ClockOffset

MINUTE_NS = 60_000 * MS

NOW_NS = 1_789_478_303_600_000_000
trips = st.tuples(st.integers(0, 10**9), st.integers(0, 2 * 10**9), st.integers(0, 2 * 10**9))


@given(st.integers(-(10**11), 10**11), st.lists(trips, min_size=1, max_size=8))
def test_the_true_offset_lies_within_the_bound(ahead_ns: int, probes: list[tuple[int, int, int]]) -> None:
    """Whatever the two ways of each trip took, however uneven, offset ± uncertainty holds the truth."""
    bounds, now_ns = [], NOW_NS
    for pause_ns, out_ns, back_ns in probes:
        sent_ns = now_ns + pause_ns
        venue_ms = (sent_ns + out_ns + ahead_ns) // MS
        now_ns = sent_ns + out_ns + back_ns
        bounds.append(bounds_of(sent_ns, venue_ms, now_ns))
    offset_ns, uncertainty_ns = offset_within(bounds)
    assert abs(offset_ns - ahead_ns) <= uncertainty_ns + 1


def test_probes_that_contradict_each_other_leave_the_quickest() -> None:
    """When a clock was stepped in between, the shortest trip counts alone."""
    assert offset_within([(0, 10), (1_000, 1_002)]) == (1_001, 1)


def test_an_estimate_that_could_not_be_renewed_grows_uncertain() -> None:
    """100 ppm of drift are added for the time since."""
    old = ClockOffset(NOW_NS, 5 * MS, 2 * MS)
    later = aged(old, NOW_NS + 10_000 * MS)
    assert (later.offset_ns, later.uncertainty_ns, later.at_ns) == (5 * MS, 3 * MS, NOW_NS + 10_000 * MS)


def test_requests_are_signed_with_the_venues_time() -> None:
    """The clock's ms follow the newest estimate, for now and for a given instant."""
    clock = VenueClock(lambda: NOW_NS)
    assert clock.ms() == NOW_NS // MS
    clock.hear(ClockOffset(NOW_NS, -250 * MS, MS))
    assert (clock.ms(), clock.ms(NOW_NS + MS)) == (NOW_NS // MS - 250, NOW_NS // MS - 249)


def test_the_least_time_is_a_proof() -> None:
    """What is said of the venue's time at an instant takes the lower bound; without an estimate nothing is proven."""
    clock = VenueClock(lambda: NOW_NS)
    assert clock.least_ns(NOW_NS) == 0
    clock.hear(ClockOffset(NOW_NS, 250 * MS, 40 * MS))
    assert clock.least_ns(NOW_NS) == NOW_NS + 210 * MS


def test_the_venues_minute_is_over_for_certain_by_the_lower_bound() -> None:
    """What is left of the wall-clock minute counts from the earliest time it can be there; unknown, it is a minute."""
    clock = VenueClock(lambda: 1_000 * MINUTE_NS + 45_000 * MS)
    assert clock.minute_left_s() == 60.0
    clock.hear(ClockOffset(clock.now_ns(), 5_000 * MS, 2_000 * MS))
    assert clock.minute_left_s() == 12.0


def test_a_worse_estimate_makes_a_known_clock_no_worse() -> None:
    """A second estimate whose bound holds the first narrows or keeps it (F23), however lopsided its trips."""
    clock = VenueClock(lambda: NOW_NS)
    clock.hear(ClockOffset(NOW_NS, 5 * MS, 2 * MS))
    clock.hear(ClockOffset(NOW_NS, -1_200 * MS, 1_250 * MS))
    assert clock.offset is not None
    assert abs(clock.offset.offset_ns - 5 * MS) <= 2 * MS and clock.offset.uncertainty_ns <= 2 * MS + 1


def test_a_contradiction_or_a_wrong_clock_counts_the_new_estimate_alone() -> None:
    """Bounds that do not meet mean a step; so does the venue's word that ours is wrong, however they meet."""
    stepped = ClockOffset(NOW_NS, 900 * MS, 3 * MS)
    wide = ClockOffset(NOW_NS, -1_200 * MS, 1_250 * MS)
    for estimate, anew in ((stepped, False), (wide, True)):
        clock = VenueClock(lambda: NOW_NS)
        clock.hear(ClockOffset(NOW_NS, 5 * MS, 2 * MS))
        clock.hear(estimate, anew=anew)
        assert clock.offset == estimate


@given(st.integers(-(10**11), 10**11), st.lists(st.lists(trips, min_size=1, max_size=4), min_size=1, max_size=5))
def test_the_truth_stays_within_estimates_taken_together(
    ahead_ns: int, rounds: list[list[tuple[int, int, int]]]
) -> None:
    """Whatever the trips of several measurements took, what the clock holds in the end still bounds the truth."""
    clock, now_ns = VenueClock(lambda: NOW_NS), NOW_NS
    for probes in rounds:
        bounds = []
        for pause_ns, out_ns, back_ns in probes:
            sent_ns = now_ns + pause_ns
            now_ns = sent_ns + out_ns + back_ns
            bounds.append(bounds_of(sent_ns, (sent_ns + out_ns + ahead_ns) // MS, now_ns))
        clock.hear(ClockOffset(now_ns, *offset_within(bounds)))
    assert clock.offset is not None
    assert abs(clock.offset.offset_ns - ahead_ns) <= clock.offset.uncertainty_ns + 1
