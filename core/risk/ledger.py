"""Money and counters that limits judge by: wallet, day, peak, fees, streak, times of entries and messages.

All money at 1e-8. The day is the UTC day of the fact's own time. Every list of times is bounded by the largest window
that reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from models.survivors import Survivors

MINUTE_NS = 60 * 1_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS


class Entry(NamedTuple):
    """One approved entry: what P14 counts and P15 compares."""

    at_ns: int
    instrument: int
    side: int
    price: int
    lots: int


class RiskLedger:
    """What has happened to the account since the run began, and what of it belongs to today."""

    def __init__(self, equity_e8: int) -> None:
        self.start_e8 = equity_e8
        self.opened_e8 = equity_e8  # the wallet this run began with; ``start_e8`` may be a run's before
        self.wallet_e8 = equity_e8
        self.peak_e8 = equity_e8
        self.day = -1
        self.day_start_e8 = equity_e8
        self.day_fees_e8 = 0
        self.fees_e8 = 0
        self.funding_e8 = 0
        self.moved_e8 = 0  # deposits, transfers, differences adopted
        self.restored = False  # whether the marks come from the venue or from a run before
        self.gross_e8 = 0
        self.losses_in_row = 0
        self.wins = 0
        self.losses = 0
        self.flats = 0
        self.version = 0  # grows whenever something changes that a restart must not forget
        self.changes = 0  # grows whenever a count below changes: what was prepared from them is old then
        self.messages: deque[int] = deque()  # times of the last minute's order messages (P12)
        self.entries: deque[Entry] = deque()  # the last day's (P14, P15)
        self.entries_since_trip: deque[Entry] = deque()  # of them, those after the last closed round trip

    def inherit(self, left: Survivors | None, entries: Iterable[Entry]) -> None:
        """Go on where a run before ended. Its totals are its own; its marks and counts are ours."""
        self.entries.extend(entries)
        if left is not None:
            self.start_e8, self.wallet_e8, self.peak_e8 = left.start_e8, left.wallet_e8, left.peak_e8
            self.opened_e8 = left.wallet_e8
            self.day, self.day_start_e8, self.day_fees_e8 = left.day, left.day_start_e8, left.day_fees_e8
            self.losses_in_row = left.losses_in_row
            self.entries_since_trip.extend(list(self.entries)[len(self.entries) - left.repeats :])
            self.restored = True
        self.changes += 1
        self.version += 1

    def roll(self, at_ns: int, equity_e8: int) -> bool:
        """Begin a new UTC day when ``at_ns`` lies in one; True when it did.

        The run's first day began with the equity the run began with, whenever the first call comes.
        """
        day = at_ns // DAY_NS
        if day <= self.day:
            return False
        first = self.day < 0
        self.day = day
        self.version += 1
        if first:
            return False
        self.day_start_e8 = equity_e8
        self.day_fees_e8 = 0
        return True

    def fill(self, gross_e8: int, fee_e8: int) -> None:
        self.version += 1
        self.wallet_e8 += gross_e8 - fee_e8
        self.gross_e8 += gross_e8
        self.fees_e8 += fee_e8
        self.day_fees_e8 += fee_e8

    def pay(self, fee_e8: int) -> None:
        """A fee that the wallet read from the venue has lost already."""
        self.version += 1
        self.fees_e8 += fee_e8
        self.day_fees_e8 += fee_e8

    def fund(self, amount_e8: int) -> None:
        self.version += 1
        self.wallet_e8 += amount_e8
        self.funding_e8 += amount_e8

    def begin(self, wallet_e8: int) -> None:
        """The wallet as first read from the venue; without a history the limits count from it.

        With one, what it lost meanwhile is a loss (a stop may have filled), what it won is money that came in.
        """
        self.version += 1
        if self.restored:
            gap_e8 = wallet_e8 - self.wallet_e8
            if gap_e8 > 0:
                self.move(gap_e8)
            self.wallet_e8 = wallet_e8
        else:
            self.start_e8 = self.opened_e8 = self.wallet_e8 = self.peak_e8 = self.day_start_e8 = wallet_e8
            self.restored = True

    def move(self, amount_e8: int) -> None:
        """Money that moved beside trades: neither profit nor loss, so every mark moves with it."""
        self.version += 1
        self.moved_e8 += amount_e8
        self.wallet_e8 += amount_e8
        self.peak_e8 += amount_e8
        self.day_start_e8 += amount_e8

    def trip(self, net_e8: int) -> None:
        """Count a closed round trip; a win ends the losing streak."""
        self.forgive()
        if net_e8 > 0:
            self.wins += 1
            self.losses_in_row = 0
        elif net_e8 < 0:
            self.losses += 1
            self.losses_in_row += 1
        else:
            self.flats += 1

    def forgive(self) -> None:
        """Forget entries without a round trip: one closed, or a person has looked (P14)."""
        self.changes += 1
        self.version += 1
        self.entries_since_trip.clear()

    def mark(self, equity_e8: int) -> None:
        if equity_e8 > self.peak_e8:
            self.peak_e8 = equity_e8
            self.version += 1

    def message(self, at_ns: int) -> None:
        """Count an order message, and forget those that no window reads any more."""
        while self.messages and self.messages[0] <= at_ns - MINUTE_NS:
            self.messages.popleft()
        self.messages.append(at_ns)
        self.changes += 1

    def entry(self, entry: Entry) -> None:
        """Count an approved entry, and forget those that no window reads any more."""
        for kept in (self.entries, self.entries_since_trip):
            while kept and kept[0].at_ns <= entry.at_ns - DAY_NS:
                kept.popleft()
            kept.append(entry)
        self.changes += 1
        self.version += 1

    def messages_since(self, at_ns: int, window_ns: int) -> int:
        count = 0
        for time in reversed(self.messages):  # the newest first: the windows are short, the times many
            if time <= at_ns - window_ns:
                break
            count += 1
        return count

    def entries_since(self, at_ns: int, window_ns: int) -> int:
        count = 0
        for entry in reversed(self.entries):
            if entry.at_ns <= at_ns - window_ns:
                break
            count += 1
        return count
