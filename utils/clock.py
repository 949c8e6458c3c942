"""The run's receive clock: the wall clock read once, the monotonic clock from then on."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_ns() -> int:
    """The wall clock, ns since 1970 UTC. A run reads it once, as the anchor; nothing else reads it."""
    return time.time_ns()


def utc_text(at_ns: int) -> str:
    """``2026-11-21T12:00:00Z``: a time for people and other programs, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ns // 1_000_000_000))


def since_boot_s() -> float:
    """Seconds of a clock that also counts while the machine sleeps, where the system has one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class RunClock:
    """``now_ns()`` = anchor + rate × monotonic elapsed, as strictly increasing integers.

    ``anchor_ns`` is ns since 1970 UTC; ``rate`` is how many ns of the run pass in one real ns (an embedded market at
    ten times its speed uses 10.0). Steps of the wall clock (time sync, suspend) never reach the run. Two readings in
    the same ns differ by one, so that a time can order facts. Raises ValueError when ``rate`` is not positive.
    """

    __slots__ = ("_last_ns", "_monotonic_ns", "_rate", "_start_ns", "anchor_ns", "rate")

    def __init__(
        self, anchor_ns: int, rate: float = 1.0, *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        if not rate > 0:
            raise ValueError(f"the clock's rate must be positive, got {rate}")
        self.anchor_ns = anchor_ns
        self.rate = rate
        # The usual rate is kept as None: the hot path then adds integers only (a float step would lose ns precision).
        self._rate = None if rate == 1.0 else rate
        self._monotonic_ns = monotonic_ns
        self._start_ns = monotonic_ns()
        self._last_ns = anchor_ns - 1

    def now_ns(self) -> int:
        """The run's time, ns since 1970 UTC; later than every time returned before."""
        elapsed_ns = self._monotonic_ns() - self._start_ns
        now_ns = self.anchor_ns + (elapsed_ns if self._rate is None else int(elapsed_ns * self._rate))
        last_ns = self._last_ns
        if now_ns <= last_ns:
            now_ns = last_ns + 1
        self._last_ns = now_ns
        return now_ns
