"""Watches the loop from a thread of its own: a loop that stands still is told, and one that stays so is ended (F65).

A position keeps its stop at the venue meanwhile; whoever supervises the process starts it again. When the whole
process was stopped (SIGSTOP, a machine that slept), the thread stood still too: that is forgiven, and is F64.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

LOOK_S = 0.25
ALARM_S = 2.0
END_S = 10.0
EXIT_STUCK = 1


class Watchdog:
    """``tick`` says that the loop lives; the first one starts the watch, ``close`` ends it.

    ``alarm(seconds)`` is called once a standstill after ``ALARM_S``, with every thread's stack on stderr; after
    ``END_S`` the process ends with code 1 through ``end``, which takes no lock and closes nothing.
    """

    def __init__(self, alarm: Callable[[float], None], end: Callable[[int], object] = os._exit) -> None:
        self._alarm = alarm
        self._end = end
        self._tick_s = -1.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def tick(self) -> None:
        self._tick_s = time.monotonic()

    async def keep_ticking(self) -> None:
        """Tick from the loop until cancelled: a task of its own, that waits for nothing else."""
        while True:
            self.tick()
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Nobody is watched any more."""
        self._closed.set()
        self._thread.join()

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        looked_s, forgiven_s, told = time.monotonic(), -1.0, False
        while not self._closed.wait(LOOK_S):
            now_s = time.monotonic()
            if now_s - looked_s > ALARM_S / 2 + LOOK_S:
                forgiven_s = now_s  # we stood still ourselves
            looked_s = now_s
            if self._tick_s < 0:
                continue
            still_s = now_s - max(self._tick_s, forgiven_s)
            if still_s < ALARM_S:
                told = False
                continue
            if not told:
                told = True
                self._tell(still_s)
            if still_s >= END_S:
                self._end(EXIT_STUCK)

    def _tell(self, still_s: float) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a stderr that is no file
            faulthandler.dump_traceback(sys.stderr, all_threads=True)
        with contextlib.suppress(Exception):  # an alarm that fails must not end the watch
            self._alarm(still_s)
