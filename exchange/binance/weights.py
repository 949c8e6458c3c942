"""What we may still ask the venue's interfaces: request weight, orders, blocks, and snapshots per symbol. Pure.

Source: venue reference §6. The venue counts per wall-clock minute and IP; we count any sixty seconds of our own
monotonic clock, which is never below what the venue counts for us. Others on the same address are seen through the
``X-MBX-USED-WEIGHT-1M`` header, until the venue's minute ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0
WEIGHT_LIMIT = 2400
NORMAL_SHARE = 0.5
"""Normal use stays below half (fault F22)."""
ESSENTIAL_SHARE = 0.95
"""What a start and a reading of the account need may use the quarter kept for reconciliation and exits (fault F22) but
for a twentieth: exits cancel their rest from it, and others on our address use some before we are told."""
SNAPSHOTS_PER_MINUTE = 6
"""Book snapshots per symbol (fault F12): a resync storm must not become an IP ban."""
ORDERS_10S, ORDERS_1M = 300, 1200
"""Orders placed or changed by one account (reference §6)."""
FAST_S = 10.0
ENTRY_SHARE = 0.75
"""Entries may use three quarters of the orders; the rest belongs to what reduces and protects."""
BAN_S = 120.0
"""The shortest ban the venue gives (reference §6), taken when an answer 418 does not say how long."""


class WeightLedger:
    """Weight used in the last minute and whether calls are blocked. Times: seconds of one monotonic clock.

    ``left_s`` says how long the venue's running window lasts at most: what the venue tells counts until then.
    """

    def __init__(self, limit: int = WEIGHT_LIMIT, window_s: float = WINDOW_S) -> None:
        self.limit = limit
        self.left_s: Callable[[], float] = lambda: window_s
        self._window_s = window_s
        self._spent: deque[tuple[float, int]] = deque()  # at most one per call of a minute: bounded by the limit
        self._own = 0
        self._told = 0
        self._told_until_s = float("-inf")
        self.blocked_until_s = float("-inf")
        self.banned = False

    def used(self, now_s: float) -> int:
        """Weight used in the last minute: our own sum or the venue's word, whichever is more."""
        while self._spent and self._spent[0][0] <= now_s - self._window_s:
            self._own -= self._spent.popleft()[1]
        told = self._told if now_s < self._told_until_s else 0
        return max(self._own, told)

    def wait_s(self, weight: int, now_s: float, share: float = NORMAL_SHARE) -> float:
        """Seconds until a call of ``weight`` fits into ``share`` of the limit; 0 when it fits now. Blocks not counted.

        Raises ValueError when ``weight`` alone is above the share: it would never fit.
        """
        allowed = int(self.limit * share)
        if weight > allowed:
            raise ValueError(f"a call of weight {weight} never fits into {allowed}")
        if self.used(now_s) + weight <= allowed:
            return 0.0
        wait_s = 0.0
        if now_s < self._told_until_s and self._told + weight > allowed:
            wait_s = self._told_until_s - now_s
        own = self._own
        for at_s, spent in self._spent:
            if own + weight <= allowed:
                break
            own -= spent
            wait_s = max(wait_s, at_s + self._window_s - now_s)
        return wait_s

    def spend(self, weight: int, now_s: float) -> None:
        """A call of ``weight`` leaves now."""
        self.used(now_s)
        self._spent.append((now_s, weight))
        self._own += weight

    def told(self, used: int, now_s: float) -> None:
        """The venue's running total of its current window, from an answer's header."""
        self._told, self._told_until_s = used, now_s + self.left_s()

    def block(self, seconds: float, now_s: float, *, banned: bool) -> None:
        """The venue refused us (429, or 418 with ``banned``): no call before ``seconds`` have passed."""
        self.blocked_until_s = max(self.blocked_until_s, now_s + seconds)
        self.banned = banned

    def blocked_s(self, now_s: float) -> float:
        """Seconds until calls are allowed again; 0 when they are."""
        left_s = max(0.0, self.blocked_until_s - now_s)
        if left_s == 0.0:
            self.banned = False
        return left_s


class OrderLedger:
    """Orders sent in the last ten seconds and the last minute, by our count or the venue's word.

    ``spare`` entries fit whatever time it is: worked out after answers, so that the next order need not wait for it.
    """

    def __init__(self, fast: int = ORDERS_10S, slow: int = ORDERS_1M) -> None:
        self._windows = WeightLedger(fast, FAST_S), WeightLedger(slow, WINDOW_S)
        self.spare = 0

    def spend(self, now_s: float) -> None:
        """An order leaves now."""
        self.spare -= 1
        for window in self._windows:
            window.spend(1, now_s)

    def told(self, fast: int, slow: int, now_s: float) -> None:
        """The venue's counts, from an answer's headers."""
        self._windows[0].told(fast, now_s)
        self._windows[1].told(slow, now_s)
        self.spare = min(int(window.limit * ENTRY_SHARE) - window.used(now_s) for window in self._windows)

    def used(self, now_s: float) -> tuple[int, int]:
        return self._windows[0].used(now_s), self._windows[1].used(now_s)

    def room(self, now_s: float, share: float = ENTRY_SHARE) -> bool:
        """Whether one more order fits into ``share`` of both limits."""
        return all(window.used(now_s) + 1 <= window.limit * share for window in self._windows)


class SnapshotBudget:
    """At most ``per_minute`` book snapshots of one symbol in any minute."""

    def __init__(self, per_minute: int = SNAPSHOTS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._taken: dict[str, deque[float]] = {}  # one entry per symbol ever asked for: a handful

    def wait_s(self, symbol: str, now_s: float) -> float:
        """Seconds until one more snapshot of ``symbol`` is allowed; 0 when it is now."""
        taken = self._taken.get(symbol)
        if taken is None or len(taken) < self._per_minute:
            return 0.0
        return max(0.0, taken[0] + WINDOW_S - now_s)

    def take(self, symbol: str, now_s: float) -> None:
        self._taken.setdefault(symbol, deque(maxlen=self._per_minute)).append(now_s)
