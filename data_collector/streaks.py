"""Refusals in a row: when must a stream begin anew? Pure.

One bad frame is skipped. Three in a row of one stream of one instrument (fault F16) mean that what they should have
told is lost. Ids that do not rise are normal for a while (a burst heard twice, fault F15), so they count only when
nothing new came for ``OLD_NS`` meanwhile: the venue counts from a new beginning, or one frame told an id far ahead.
"""

from __future__ import annotations

import msgspec

IN_A_ROW = 3
OLD_NS = 2_000_000_000  # as long as a book without depth stays trusted (trust.stale_ms)


class _Run(msgspec.Struct):
    mark: int
    bad: int = 0
    old: int = 0
    since_ns: int = 0


class Streaks:
    """One run of refusals for each ``(event, instrument)``.

    ``mark`` is the newest id the stream accepted: frames accepted by the compiled pass are not told here, they show by
    moving it.
    """

    def __init__(self) -> None:
        self._runs: dict[tuple[int, int], _Run] = {}

    def bad(self, stream: tuple[int, int], mark: int) -> bool:
        """A frame of a wrong shape was refused; True for the third in a row."""
        run = self._run(stream, mark)
        run.bad += 1
        return run.bad >= IN_A_ROW and self.good(stream)

    def old(self, stream: tuple[int, int], mark: int, received_ns: int) -> bool:
        """A frame with an id that is not new was refused; True from the third in a row on, after ``OLD_NS``."""
        run = self._run(stream, mark)
        run.old += 1
        run.since_ns = received_ns if run.old == 1 else run.since_ns
        return run.old >= IN_A_ROW and received_ns - run.since_ns >= OLD_NS and self.good(stream)

    def good(self, stream: tuple[int, int]) -> bool:
        """The run is over: a frame was accepted, or the stream begins anew. Always True."""
        self._runs.pop(stream, None)
        return True

    def _run(self, stream: tuple[int, int], mark: int) -> _Run:
        run = self._runs.get(stream)
        if run is None or run.mark != mark:
            run = self._runs[stream] = _Run(mark)
        return run
