"""Book synchronisation: snapshot and diffs in, gap-free diffs out, or «snapshot needed» as a value. Pure.

Futures (venue reference §2.3): a diff covers the changes after ``pu`` up to ``u``. A snapshot L is joined by the diff
with ``pu ≤ L ≤ u`` (the documented ``U ≤ L ≤ u`` and the hole before ``U``, in which nothing changed); each further
diff must have ``pu`` equal to the ``u`` before it. Spot frames have no ``pu``: the joining diff has
``U ≤ L + 1 ≤ u``, each further one ``U`` equal to the ``u`` before it plus one.

Faults F08 (gap: invalid at once), F09 (a snapshot older than the buffer keeps the buffer and asks again), F15
(duplicates and late diffs are dropped by id). Whether the book is crossed (F10) the core judges; it calls
``invalidate``.
"""

from __future__ import annotations

import enum
from collections import deque

import msgspec
import numpy as np

FRAMES_MAX = 2048  # buffered diffs: 73 s of the fastest stream (28 a second), more than any snapshot takes
ROWS_MAX = 98_304  # of all buffered diffs, 6 MB; what is behind the newest of them is older than any later snapshot
RENEWAL_FRAMES_MAX = 100  # 10 s at 100 ms: an answer that takes longer is given up, the engine asks again
SPOT = -1  # ``previous`` of a frame without ``pu``

# The state block shared with ``data_collector.continuity``: int64 words of one instrument.
SYNCED, LAST = 0, 1


class Phase(enum.IntEnum):
    """WAITING: no snapshot. JOINING: snapshot taken, no diff has joined it yet. CHAINED: in sequence.

    RENEWING: in sequence, and keeping what comes for a new snapshot that was asked for without losing the book.
    """

    WAITING = 0
    CHAINED = 1
    JOINING = 2
    RENEWING = 3


class Verdict(enum.Enum):
    """What to do with a diff."""

    APPLY = "apply"
    BUFFERED = "buffered"
    DUPLICATE = "duplicate"  # the same id again
    STALE = "stale"  # older than what the book or the buffer holds
    GAP = "gap"  # the book is invalid from here; the diff is buffered, a snapshot is needed


class Diff(msgspec.Struct, frozen=True):
    """One diff event: ids and its rows (``models.rows.ROW``)."""

    first: int
    last: int
    previous: int
    rows: np.ndarray

    def follows(self, last: int) -> bool:
        """Whether this diff continues directly after update id ``last``."""
        return self.first == last + 1 if self.previous == SPOT else self.previous == last

    def joins(self, snapshot: int) -> bool:
        """Whether this diff may be the first after a snapshot with update id ``snapshot``."""
        if self.previous == SPOT:
            return self.first <= snapshot + 1 <= self.last
        return self.previous <= snapshot <= self.last

    def precedes(self, snapshot: int) -> bool:
        """Whether the snapshot holds all of this diff already, so that it cannot join."""
        return self.last <= snapshot if self.previous == SPOT else self.last < snapshot


class BookSync:
    """The chain of one instrument. ``words`` (int64[2]: phase, last id) is shared with the compiled check.

    ``needed`` is empty, or why a snapshot is needed: START, GAP, SNAPSHOT_OLD, or what ``invalidate`` was given.
    """

    def __init__(
        self, words: np.ndarray | None = None, *, frames_max: int = FRAMES_MAX, rows_max: int = ROWS_MAX
    ) -> None:
        self._words = np.zeros(2, dtype=np.int64) if words is None else words
        self._words[LAST] = -1
        self._frames_max = frames_max
        self._rows_max = rows_max
        self._buffer: deque[Diff] = deque()
        self._rows = 0
        self.needed = ""

    @property
    def phase(self) -> Phase:
        return Phase(int(self._words[SYNCED]))

    @property
    def last(self) -> int:
        """Update id the book stands at; -1 before the first snapshot."""
        return int(self._words[LAST])

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def diff(self, diff: Diff) -> Verdict:
        """Judge one diff. On GAP the book is invalid at once and the diff waits for the next snapshot."""
        if self.phase is Phase.WAITING:
            return self._keep(diff)
        last = self.last
        if self.phase is Phase.JOINING:
            if diff.precedes(last):
                return Verdict.STALE
            if diff.joins(last):
                self._words[:2] = Phase.CHAINED, diff.last
                return Verdict.APPLY
        elif diff.last <= last:
            return Verdict.DUPLICATE if diff.last == last else Verdict.STALE
        elif diff.follows(last):
            self._words[LAST] = diff.last
            if self.phase is Phase.RENEWING:
                self._keep(diff)
                if len(self._buffer) >= RENEWAL_FRAMES_MAX:
                    self._end_renewal()
            return Verdict.APPLY
        self.invalidate("GAP")
        self._keep(diff)
        return Verdict.GAP

    def snapshot(self, last: int) -> list[Diff] | None:
        """Take a snapshot with update id ``last``: the buffered diffs to apply after it, or None when it is of no use.

        None means older than the book in sequence, which goes on and needs none, or than the buffer (or its renewal):
        what is held stays, and ``needed`` asks for another one.
        """
        renewing = self.phase is Phase.RENEWING
        if self.phase in (Phase.CHAINED, Phase.JOINING) and last < self.last:
            return None
        waiting = [one for one in self._buffer if not one.precedes(last)]
        if (waiting and not waiting[0].joins(last)) or (renewing and last < self.last and not waiting):
            self.needed = "SNAPSHOT_OLD"
            return None
        self._buffer.clear()
        self._rows = 0
        self.needed = ""
        self._words[:2] = (Phase.CHAINED, waiting[-1].last) if waiting else (Phase.JOINING, last)
        return waiting

    def renew(self) -> bool:
        """Begin to keep diffs for a snapshot that will renew the range; False when the book is not in sequence."""
        if self.phase is not Phase.CHAINED:
            return False
        self._words[SYNCED] = Phase.RENEWING
        self._buffer.clear()
        self._rows = 0
        return True

    def _end_renewal(self) -> None:
        """No snapshot came in time: the book goes on as it is."""
        self._words[SYNCED] = Phase.CHAINED
        self._buffer.clear()
        self._rows = 0
        self.needed = ""

    def invalidate(self, reason: str) -> None:
        """The book cannot be trusted: forget the chain and ask for a snapshot. Buffering starts with the next diff."""
        self._words[SYNCED] = Phase.WAITING
        self._buffer.clear()
        self._rows = 0
        self.needed = reason

    def _keep(self, diff: Diff) -> Verdict:
        """Append to the buffer, which is itself always one unbroken chain within its bounds."""
        if self._buffer:
            last = self._buffer[-1].last
            if diff.last <= last:
                return Verdict.DUPLICATE if diff.last == last else Verdict.STALE
            if not diff.follows(last):
                self._buffer.clear()  # only what follows the break can join a later snapshot
                self._rows = 0
        self._buffer.append(diff)
        self._rows += len(diff.rows)
        while len(self._buffer) > self._frames_max or self._rows > self._rows_max:
            self._rows -= len(self._buffer.popleft().rows)
        if self.phase is Phase.WAITING:
            self.needed = self.needed or "START"
        return Verdict.BUFFERED
