"""An event loop whose clock stands still while anything runs and jumps to the next timer when nothing does.

It touches no socket, no pipe and no real clock: a run on it is a function of its inputs.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

START_S = 1_000.0


class VirtualLoop(asyncio.BaseEventLoop):
    """``settled`` is called whenever everything of an instant has been done, before the clock goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self.settled: Callable[[], None] = lambda: None
        self._selector = self
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer = 0

    def time(self) -> float:
        return self.now_s

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the loop was made."""
        return round((self.now_s - START_S) * 1e9)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Timers of one instant run in the order they were asked for."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer += 1
        heapq.heappush(self._timers, (when, self._timer, timer))  # tuples compare four times as fast as handles
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _run_once(self) -> None:
        """All that is ready now; when nothing is, the next timer's instant begins."""
        ready = self._ready  # type: ignore[attr-defined]
        if not ready:
            self._next()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _next(self) -> None:
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if timers and timers[0][0] > self.now_s:
            self.settled()
            if ready:
                return
            while timers and timers[0][2].cancelled():
                heapq.heappop(timers)
            if timers:
                self.now_s = max(self.now_s, timers[0][0])
        if not timers:
            raise RuntimeError("the simulation stands still: no timer is left")
        while timers and timers[0][0] <= self.now_s:
            timer = heapq.heappop(timers)[2]
            if not timer.cancelled():
                ready.append(timer)

    def _process_events(self, event_list: Any) -> None:
        """None come."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""
