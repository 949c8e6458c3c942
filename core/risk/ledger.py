"""Money and counters that limits judge by: wallet, day, peak, fees, streak, times of entries and messages.

All money at 1e-8. The day is the UTC day of the fact's own time. Every list of times is bounded by the largest window
that reads it.
"""

from __future__ import annotations

from collections import deque

DAY_NS = 86_400 * 1_000_000_000
HOUR_NS = 3_600 * 1_000_000_000
MESSAGE_KEPT = 64  # P12 reads at most 60 messages of the last minute
ENTRIES_KEPT = 1_024  # P14 reads at most a day's entries


class RiskLedger:
    """What has happened to the account since the run began, and what of it belongs to today."""

    def __init__(self, equity_e8: int) -> None:
        self.start_e8 = equity_e8
        self.wallet_e8 = equity_e8
        self.peak_e8 = equity_e8
        self.day = -1
        self.day_start_e8 = equity_e8
        self.day_fees_e8 = 0
        self.fees_e8 = 0
        self.funding_e8 = 0
        self.gross_e8 = 0
        self.losses_in_row = 0
        self.wins = 0
        self.losses = 0
        self.flats = 0
        self.messages: deque[int] = deque(maxlen=MESSAGE_KEPT)
        self.entries: deque[tuple[int, int]] = deque(maxlen=ENTRIES_KEPT)  # (time, side) of approved entries
        self.entries_since_trip: list[tuple[int, int]] = []
        self.last_entry: tuple[int, int, int, int] | None = None  # time, side, price, lots

    def roll(self, at_ns: int, equity_e8: int) -> bool:
        """Begin a new UTC day when ``at_ns`` lies in one; True when it did."""
        day = at_ns // DAY_NS
        if day <= self.day:
            return False
        first = self.day < 0
        self.day = day
        self.day_start_e8 = equity_e8
        self.day_fees_e8 = 0
        return not first

    def fill(self, gross_e8: int, fee_e8: int) -> None:
        self.wallet_e8 += gross_e8 - fee_e8
        self.gross_e8 += gross_e8
        self.fees_e8 += fee_e8
        self.day_fees_e8 += fee_e8

    def fund(self, amount_e8: int) -> None:
        self.wallet_e8 += amount_e8
        self.funding_e8 += amount_e8

    def trip(self, net_e8: int) -> None:
        """Count a closed round trip; a win ends the losing streak."""
        self.entries_since_trip.clear()
        if net_e8 > 0:
            self.wins += 1
            self.losses_in_row = 0
        elif net_e8 < 0:
            self.losses += 1
            self.losses_in_row += 1
        else:
            self.flats += 1

    def mark(self, equity_e8: int) -> None:
        self.peak_e8 = max(self.peak_e8, equity_e8)

    def entry(self, at_ns: int, side: int, price: int, lots: int) -> None:
        self.entries.append((at_ns, side))
        self.entries_since_trip.append((at_ns, side))
        self.last_entry = (at_ns, side, price, lots)

    def messages_since(self, at_ns: int, window_ns: int) -> int:
        return sum(1 for time in self.messages if time > at_ns - window_ns)

    def entries_since(self, at_ns: int, window_ns: int) -> int:
        return sum(1 for time, _ in self.entries if time > at_ns - window_ns)
