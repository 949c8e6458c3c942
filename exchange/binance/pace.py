"""How often we may try to connect: growing waits with full jitter, under one budget for a host (fault F05). Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

BASE_S, CAP_S = 0.25, 60.0
LEAST_S = 0.01  # even full jitter leaves the loop a breath between two attempts
SETTLED_S = 60.0  # only a connection that lived so long makes the next failure the first again
URGENT_S = 0.25  # an exit that waits for a connection tries so often, whatever the budget says
ATTEMPTS, WINDOW_S = 20, 300.0
DOUBLINGS_MAX = 16


class Budget(Protocol):
    """Connection attempts to one host, shared by all who connect to it."""

    def wait_s(self, now_s: float) -> float: ...

    def take(self, now_s: float) -> None: ...


class Attempts:
    """At most ``attempts`` in any ``window_s`` seconds of one monotonic clock."""

    def __init__(self, attempts: int = ATTEMPTS, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._taken: deque[float] = deque(maxlen=attempts)

    def wait_s(self, now_s: float) -> float:
        if len(self._taken) < (self._taken.maxlen or 0):
            return 0.0
        return max(0.0, self._taken[0] + self._window_s - now_s)

    def take(self, now_s: float) -> None:
        """Book an attempt; beyond the budget too, for whoever may go beyond it."""
        self._taken.append(now_s)


class Pace:
    """When one connection may be tried again. ``random`` gives floats in [0, 1)."""

    def __init__(
        self, budget: Budget, random: Callable[[], float], base_s: float = BASE_S, cap_s: float = CAP_S
    ) -> None:
        self._budget, self._random = budget, random
        self._base_s, self._cap_s = base_s, cap_s
        self._failures = 0
        self._next_s = float("-inf")
        self._tried_s = float("-inf")

    def wait_s(self, now_s: float, *, urgent: bool = False) -> float:
        """Seconds until the next attempt. An urgent one waits only for the last to be ``URGENT_S`` old."""
        if urgent:
            return max(0.0, self._tried_s + URGENT_S - now_s)
        return max(0.0, self._next_s - now_s, self._budget.wait_s(now_s))

    def tried(self, now_s: float) -> None:
        """An attempt begins."""
        self._tried_s = now_s
        self._budget.take(now_s)

    def ended(self, now_s: float, lived_s: float) -> None:
        """The attempt failed (``lived_s`` 0), or its connection ended after so long: plan the next."""
        if lived_s >= SETTLED_S:
            self._failures = 0
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, DOUBLINGS_MAX))
        self._failures += 1
        self._next_s = now_s + max(LEAST_S, self._random() * ceiling_s)
