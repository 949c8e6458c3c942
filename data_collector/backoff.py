"""When may we connect again? Exponential waits with full jitter, under one attempt budget per host (fault F05)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

DOUBLINGS_MAX = 30
"""2**30 × any sensible base is above every cap; keeps the power from growing for ever on endless failures."""


class Backoff:
    """Waits between attempts of one connection: uniform in [0, min(cap, base · 2ⁿ)] after n failures in a row.

    ``random`` gives floats in [0, 1). Full jitter as in the AWS Architecture blog «Exponential Backoff and Jitter».
    """

    def __init__(self, base_s: float, cap_s: float, random: Callable[[], float]) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self.failures = 0

    def next_s(self) -> float:
        """The wait before the next attempt, seconds; counts one more failure."""
        end_s = min(self._cap_s, self._base_s * 2.0 ** min(self.failures, DOUBLINGS_MAX))
        self.failures += 1
        return self._random() * end_s

    def reset(self) -> None:
        """The connection delivered long enough: the next failure is the first again."""
        self.failures = 0


class AttemptBudget:
    """At most ``attempts`` connection attempts to one host in any ``window_s`` seconds, over all its connections.

    Times are seconds of one monotonic clock, given by the caller and never running backward.
    """

    def __init__(self, attempts: int, window_s: float) -> None:
        self._window_s = window_s
        self._taken: deque[float] = deque(maxlen=attempts)
        self.total = 0

    def wait_s(self, now_s: float) -> float:
        """Seconds until one more attempt is allowed; 0 when it is allowed now."""
        if len(self._taken) < (self._taken.maxlen or 0):
            return 0.0
        return max(0.0, self._taken[0] + self._window_s - now_s)

    def take(self, now_s: float) -> None:
        """Book one attempt at ``now_s``. Raises RuntimeError when ``wait_s`` is not zero: the caller forgot to ask."""
        if self.wait_s(now_s) > 0:
            raise RuntimeError("a connection attempt was made beyond the host's attempt budget")
        self._taken.append(now_s)
        self.total += 1
