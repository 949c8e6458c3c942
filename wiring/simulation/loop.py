"""An event loop whose clock stands still while anything runs and jumps to the next timer when nothing does.

It touches no socket, no pipe and no real clock: a run on it is a function of its inputs.
"""

from __future__ import annotations

import asyncio
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

    def time(self) -> float:
        return self.now_s

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the loop was made."""
        return round((self.now_s - START_S) * 1e9)

    def select(self, timeout: float | None) -> tuple[()]:
        """The selector's part of an iteration: time passes, nothing comes from outside."""
        if timeout is None:
            raise RuntimeError("the simulation stands still: no timer is left")
        if timeout > 0:
            self.settled()
            if not self._ready:  # type: ignore[attr-defined]
                self.now_s = max(self.now_s, self._scheduled[0]._when)  # type: ignore[attr-defined]
        return ()

    def _process_events(self, event_list: Any) -> None:
        """None come."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""
