"""How often we may try to connect: growing waits with full jitter, under one budget for a host (fault F05). Pure.

All lines to one host share one pace. While the host fails they take turns, so that an outage of minutes costs a handful
of attempts and not the whole budget in its first seconds, and its end is found within ``CAP_S``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

BASE_S, CAP_S = 0.25, 30.0
LEAST_S = 0.01  # even full jitter leaves the loop a breath between two attempts
TURN_S = 0.05  # whoever waits for its turn looks again after this
BRIEF_S = 1.0  # a connection that ended so soon is a failure
SETTLED_S = 60.0  # only a connection that lived so long makes the next failure the first again
URGENT_S = 0.25  # an exit that waits for a connection tries so often, whatever the budget says
ATTEMPTS, WINDOW_S = 20, 300.0
DOUBLINGS_MAX = 16


class Budget(Protocol):
    """Connection attempts to one host. ``take`` must allow attempts beyond it: exits are not held back."""

    def wait_s(self, now_s: float) -> float: ...

    def take(self, now_s: float) -> None: ...


class Attempts:
    """At most ``attempts`` in any ``window_s`` seconds of one monotonic clock: half of them whenever they are wanted,
    the other half spread over the window, so that nobody is ever locked out for longer than one of its parts.
    """

    def __init__(self, attempts: int = ATTEMPTS, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._free = max(1, attempts // 2)
        self._part_s = window_s / max(1, attempts - self._free)
        self._taken: deque[float] = deque(maxlen=attempts)

    def wait_s(self, now_s: float) -> float:
        taken = self._taken
        if len(taken) < self._free or taken[-self._free] + self._window_s <= now_s:
            return 0.0
        full_s = taken[0] + self._window_s - now_s if len(taken) == taken.maxlen else 0.0
        return max(0.0, full_s, taken[-1] + self._part_s - now_s)

    def take(self, now_s: float) -> None:
        self._taken.append(now_s)


class Pace:
    """When a connection to the host may be tried. ``random`` gives floats in [0, 1).

    Each ``tried`` is followed by one ``opened`` or ``failed``; what was opened and has ended by one ``lost``.
    """

    def __init__(
        self, budget: Budget, random: Callable[[], float], base_s: float = BASE_S, cap_s: float = CAP_S
    ) -> None:
        self._budget, self._random = budget, random
        self._base_s, self._cap_s = base_s, cap_s
        self._failures = 0
        self._trying = 0
        self._next_s = float("-inf")
        self._tried_s = float("-inf")

    def wait_s(self, now_s: float, *, urgent: bool = False) -> float:
        """Seconds until the next attempt. An urgent one waits only for the last to be ``URGENT_S`` old."""
        if urgent:
            return max(0.0, self._tried_s + URGENT_S - now_s)
        turn_s = TURN_S if self._failures and self._trying else 0.0
        return max(turn_s, self._next_s - now_s, self._budget.wait_s(now_s))

    def tried(self, now_s: float) -> None:
        """An attempt begins."""
        self._trying += 1
        self._tried_s = now_s
        self._budget.take(now_s)

    def opened(self) -> None:
        self._trying -= 1

    def failed(self, now_s: float) -> None:
        self._trying -= 1
        self._count(now_s)

    def lost(self, now_s: float, lived_s: float) -> None:
        """A connection ended after so long. Many that end at once are one event, unless they only just began."""
        if lived_s >= SETTLED_S:
            self._failures = 0
        if lived_s < BRIEF_S:
            self._count(now_s)
        else:
            self._plan(now_s)

    def _count(self, now_s: float) -> None:
        self._plan(now_s)
        self._failures += 1

    def _plan(self, now_s: float) -> None:
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, DOUBLINGS_MAX))
        self._next_s = now_s + max(LEAST_S, self._random() * ceiling_s)
