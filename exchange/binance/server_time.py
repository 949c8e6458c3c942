"""The venue's clock against ours, with a bound that holds whatever the two ways of a trip took (fault F23). Pure.

Each probe proves that the offset lies between (venue ms − our receive time) and (venue ms + 1 ms − our send time); the
answer is the middle of what all probes allow. When they contradict each other (a clock was stepped between them) the
probe with the shortest round trip is taken alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.event import ClockOffset

MS = 1_000_000
MINUTE_S = 60.0
DRIFT = 10_000  # two clocks part by one in so many: 100 ppm

Bounds = tuple[int, int]
"""Least and greatest offset (venue − ours, ns) that one probe allows"""


def bounds_of(sent_ns: int, venue_ms: int, received_ns: int) -> Bounds:
    """What one answer to «what time is it» proves; the venue truncates to the millisecond."""
    venue_ns = venue_ms * MS
    return venue_ns - received_ns, venue_ns + MS - sent_ns


def offset_within(bounds: Sequence[Bounds]) -> tuple[int, int]:
    """(offset, uncertainty) in ns that the probes allow together."""
    low = max(bound[0] for bound in bounds)
    high = min(bound[1] for bound in bounds)
    if low > high:
        low, high = min(bounds, key=lambda bound: bound[1] - bound[0])
    return (low + high) // 2, (high - low + 1) // 2


def aged(offset: ClockOffset, now_ns: int) -> ClockOffset:
    """The estimate as it stands now, when it could not be renewed: less certain by what clocks drift."""
    return ClockOffset(now_ns, offset.offset_ns, offset.uncertainty_ns + max(0, now_ns - offset.at_ns) // DRIFT)


class VenueClock:
    """The venue's time by the newest estimate. Requests are signed with it, and answers judged by it."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.offset: ClockOffset | None = None

    def hear(self, offset: ClockOffset, *, anew: bool = False) -> None:
        """Take an estimate. What was known before holds on, so that slow or lopsided answers make a known clock no
        worse; with ``anew``, or when the two contradict each other, the clock was stepped and the new one counts alone.
        """
        if self.offset is not None and not anew:
            before = aged(self.offset, offset.at_ns)
            low = max(one.offset_ns - one.uncertainty_ns for one in (before, offset))
            high = min(one.offset_ns + one.uncertainty_ns for one in (before, offset))
            if low <= high:
                offset = ClockOffset(offset.at_ns, (low + high) // 2, (high - low) // 2 + 1)
        self.offset = offset

    def ms(self, at_ns: int | None = None) -> int:
        """The venue's time in ms at ``at_ns`` of ours, or now."""
        at_ns = self.now_ns() if at_ns is None else at_ns
        return (at_ns + (0 if self.offset is None else self.offset.offset_ns)) // MS

    def minute_left_s(self) -> float:
        """Seconds until the venue's wall-clock minute is over for certain; 60 while its clock is not known."""
        if self.offset is None:
            return MINUTE_S
        sure_ns = self.now_ns() + self.offset.offset_ns - self.offset.uncertainty_ns
        return MINUTE_S - sure_ns / 1e9 % MINUTE_S

    def least_ns(self, at_ns: int) -> int:
        """The venue's time at ``at_ns`` of ours, by the estimate's lower bound: it was at least that."""
        if self.offset is None:
            return 0
        return at_ns + self.offset.offset_ns - self.offset.uncertainty_ns
