"""Hearing: records in, checked rows out. One compiled call for a frame in sequence; Python for everything else.

``hear`` takes one record, ``hear_chunk`` a recorded chunk of them with identical rows. In = accepted + quarantined,
exactly. Rows handed out are in order; ``invalidated`` holds the
books lost *after* the rows handed out last (a frame that breaks the chain has none itself).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from core.kernels.kernel import address_of
from data_collector import continuity, layout
from data_collector.book_answer import decode_book
from data_collector.book_sync import ROWS_MAX, BookSync, Diff, Phase, Verdict
from data_collector.past_trades import PastTrades
from data_collector.quarantine import Quarantine, Quarantined, Reason, counted_as
from data_collector.streaks import Streaks
from data_collector.twin import ANSWER_BYTES_MAX, KLINES_ANSWER, NAMES, SNAPSHOT, TRADES_ANSWER, Decoded, Twin
from models.action import EDGE
from models.error import DataError
from models.event import BookInvalid
from models.instrument import Instrument
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from models.rows import KIND_NAMES, ROW, UNKNOWN_NS, Flag, Kind, empty_rows

SCRATCH_ROWS = ROWS_MAX + layout.FRAME_ROWS_MAX  # a snapshot and every buffered diff behind it
BLOCK_ROWS = 262_144  # 16 MB: a 4 MB chunk of depth frames gives 190,000 rows
EVENTS_MAX = 1024  # kept for a listener who never looks; each is one lost book
_ANSWERS = {
    RecordKind.DEPTH_ANSWER: SNAPSHOT,
    RecordKind.TRADES_ANSWER: TRADES_ANSWER,
    RecordKind.KLINES_ANSWER: KLINES_ANSWER,
}
_NO_TRADE = (Reason.OFF_MARKET, Reason.ZERO_PRICE, Reason.ZERO_QUANTITY)
"""Prints that take an id without being a trade of the book; any other refused trade is one that is missing."""
_FRAME = RecordKind.FRAME
_hear_frame = continuity.hear_frame
_WORDS = {
    layout.DEPTH: continuity.STATE_DEPTH,
    layout.QUOTE_EVENT: continuity.STATE_QUOTE,
    layout.TRADE: continuity.STATE_TRADE,
    layout.AGGREGATE: continuity.STATE_AGGREGATE,
}


class Stored(Protocol):
    """What a recording must offer (``storage.cold.recording.Recording`` does)."""

    @property
    def meta(self) -> dict[str, Any]: ...

    def chunks(self) -> Iterable[bytes]: ...


class Counts(msgspec.Struct, frozen=True):
    """Counters since the start. ``frames``: of streams, ``answers``: REST bodies, ``fast``: frames by the fast pass.

    ``frames + answers == accepted + quarantined``. ``gaps``: depth chains broken; ``trade_gaps``: breaks in trade ids
    and ``trades_missing`` the ids in them; ``stale``: diffs that a snapshot made superfluous; ``snapshots_old``: F09;
    ``renewed``: streams begun anew after refusals in a row (F16).
    """

    frames: int
    answers: int
    accepted: int
    quarantined: int
    fast: int
    gaps: int
    trade_gaps: int
    trades_missing: int
    stale: int
    snapshots: int
    snapshots_old: int
    renewed: int
    ignored: int
    rows: dict[str, int]
    events: dict[str, int]
    reasons: dict[str, int]
    streams: dict[str, int]

    @property
    def fast_share(self) -> float:
        """Share of the stream frames that the fast pass took."""
        return self.fast / self.frames if self.frames else 1.0


class Hearing:
    """One ear for a list of instruments, whose ``index`` is their place in it.

    ``rows`` (dtype ROW, at ``address``) holds what ``hear`` returned the number of, until the next call.
    ``snapshot_wanted``: instrument → reason, set once for each need; whoever asks the venue removes the entry.
    ``trades_wanted``: instrument → (first, last) missing aggregate id, likewise. ``invalidated``: the books lost since
    somebody took them.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        on_quarantine: Callable[[Quarantined], None] | None = None,
        on_control: Callable[[int, dict[str, Any]], None] | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        self.rows = empty_rows(SCRATCH_ROWS)
        self.address = address_of(self.rows)
        self.quarantine = Quarantine(on_quarantine)
        self.snapshot_wanted: dict[int, str] = {}
        self.trades_wanted: dict[int, tuple[int, int]] = {}
        self.invalidated: deque[BookInvalid] = deque(maxlen=EVENTS_MAX)
        self._on_control = on_control
        self._twin = Twin(instruments)
        self._table = layout.instruments_table(instruments)
        self._info = np.zeros(layout.INFO_WORDS, dtype=np.int64)
        self._state = np.full((len(self.instruments), continuity.STATE_WORDS), -1, dtype=np.int64)
        self._state[:, continuity.STATE_SYNCED] = Phase.WAITING
        self._syncs = [BookSync(state[: continuity.STATE_DEPTH + 1]) for state in self._state]
        self._past = [PastTrades() for _ in self.instruments]
        self._streaks = Streaks()
        self._context = np.zeros(continuity.CONTEXT_WORDS, dtype=np.int64)
        for word, array in (
            (continuity.TABLE, self._table),
            (continuity.ROWS, self.rows),
            (continuity.INFO, self._info),
            (continuity.STATE, self._state),
        ):
            self._context[word] = address_of(array)
        self._context_address = address_of(self._context)
        self._copy = np.zeros(0 if continuity.DIRECT else layout.FRAME_BYTES_MAX, dtype=np.uint8)
        self._block: np.ndarray | None = None
        self._slow: Counter[str] = Counter()
        self._slow_events: Counter[str] = Counter()
        self._invalid = 0

    # ---- one record -------------------------------------------------------------------------------------------------

    def hear(self, kind: int, connection: int, payload: bytes, received_ns: int, number: int) -> int:
        """Take one record; the number of rows that now stand at ``rows[0:n]``. Never raises for what a payload says.

        ``kind`` is a ``models.recording.RecordKind``; ``connection`` the instrument's index for REST answers.
        """
        if kind == _FRAME:
            payload = bytes(payload)
            if continuity.DIRECT:
                count = _hear_frame(
                    id(payload) + continuity.BYTES_AT, len(payload), received_ns, number, self._context_address
                )
            else:
                count = self._hear_copy(payload, received_ns, number)
            if count >= 0:
                return count
            return self._frame_by_python(count, connection, payload, received_ns, number)
        if kind in _ANSWERS:
            return self._answer(_ANSWERS[kind], connection, bytes(payload), received_ns, number)
        if kind == RecordKind.TICK:
            head = (Kind.TICK, Flag.FIRST | Flag.LAST, 0, 0, 0)
            self.rows[0] = (*head, UNKNOWN_NS, received_ns, 0, 0, 0, 0, number)
            self._context[continuity.TICKS] += 1
            return self._counted(1)
        self._context[continuity.SKIPPED] += 1
        return 0

    def into(self, passage: tuple[int, int, int]) -> int:
        """The context for ``continuity.hear_through``, which runs frames in sequence through ``passage`` (engine, the
        venue's pass, the venue; zeros for nowhere).
        """
        self._context[[continuity.ENGINE, continuity.PASS, continuity.VENUE]] = passage
        return self._context_address

    def finish(self, code: int, connection: int, payload: bytes, received_ns: int, number: int) -> int:
        """The slow half of a frame that ``hear_through`` answered with ``code``; its rows are for the engine."""
        return self._frame_by_python(code, connection, payload, received_ns, number)

    def _hear_copy(self, payload: bytes, received_ns: int, number: int) -> int:
        """The compiled call where a payload's address is not known: through a copy."""
        if len(payload) > layout.FRAME_BYTES_MAX:
            return continuity.HAND_OVER
        if not len(self._copy):
            self._copy = np.zeros(layout.FRAME_BYTES_MAX, dtype=np.uint8)
        self._copy[: len(payload)] = np.frombuffer(payload, dtype=np.uint8)
        return int(_hear_frame(address_of(self._copy), len(payload), received_ns, number, self._context_address))

    def _frame_by_python(self, code: int, connection: int, payload: bytes, received_ns: int, number: int) -> int:
        """A frame the fast pass handed over, or one that does not continue its stream."""
        self._slow["frames"] += 1
        record = _Arrival(connection, payload, received_ns, number)
        if code == continuity.IRREGULAR:
            self._slow["irregular"] += 1
            return self._settle(record, int(self._info[layout.INFO_ROWS]))
        decoded = self._twin.frame(payload, received_ns, number)
        self._slow["ignored"] += decoded.ignored
        if decoded.reason is not None:
            self._pass_refused_trade(decoded)
            self._bad(record, decoded)
            return self._refuse(record, decoded.reason, decoded.stream, decoded.detail)
        self._slow_events[counted_as(decoded.stream or "unknown", self._slow_events)] += 1
        if decoded.control is not None and self._on_control is not None:
            self._on_control(connection, decoded.control)
        count = self._take(decoded)
        if decoded.facts.event not in layout.EVENT_NAMES:
            return self._accepted(count)
        admitted = int(continuity.admit(address_of(self._info), address_of(self._state)))
        return self._accepted(admitted) if admitted >= 0 else self._settle(record, count)

    def _take(self, decoded: Decoded) -> int:
        """Put the twin's rows and facts where the fast pass puts its own."""
        facts, count = decoded.facts, len(decoded.rows)
        if count:
            self.rows[:count] = np.array(decoded.rows, dtype=ROW)
        self._info[: layout.INFO_USED] = (
            facts.event, facts.instrument, facts.first, facts.last, facts.previous, facts.event_ns, facts.occurred_ns,
            count,
        )  # fmt: skip
        return count

    # ---- frames that do not continue their stream -------------------------------------------------------------------

    def _settle(self, record: _Arrival, count: int) -> int:
        event, index, first, last, previous = (int(word) for word in self._info[: layout.INFO_PREVIOUS + 1])
        if event == layout.DEPTH:
            return self._diff(record, index, Diff(first, last, previous, self.rows[:count].copy()))
        word = _WORDS[event]
        before = int(self._state[index, word])
        if last <= before:
            self._old(record, event, index)
            reason = Reason.DUPLICATE if last == before else Reason.OUT_OF_ORDER
            return self._refuse(record, reason, NAMES[event], f"id {last} after {before}")
        self._miss(event, index, before + 1, last - 1)
        self._state[index, word] = last
        return self._accepted(count)

    def _miss(self, event: int, index: int, first: int, last: int) -> None:
        """Trade ids ``first`` to ``last`` never came. Not fatal; aggregates can be asked for afterwards."""
        self._slow["trade_gaps"] += 1
        self._slow["trades_missing"] += last - first + 1
        if event == layout.AGGREGATE:
            self._past[index].miss(first, last)
            known = self.trades_wanted.get(index)
            self.trades_wanted[index] = (known[0] if known else first, last)

    def _pass_refused_trade(self, decoded: Decoded) -> None:
        """A refused print (off market, zero quantity) has its id all the same: without it the next would be a gap."""
        facts = decoded.facts
        if decoded.reason in _NO_TRADE and facts.event in (layout.TRADE, layout.AGGREGATE):
            word = _WORDS[facts.event]
            before = int(self._state[facts.instrument, word])
            if before >= 0 and facts.last == before + 1:
                self._state[facts.instrument, word] = facts.last

    def _diff(self, record: _Arrival, index: int, diff: Diff) -> int:
        sync = self._syncs[index]
        before, joining = sync.needed, sync.phase is Phase.JOINING
        verdict = sync.diff(diff)
        refused = verdict is Verdict.DUPLICATE or (verdict is Verdict.STALE and not joining)
        if not refused:
            self._streaks.good((layout.DEPTH, index))
        if sync.needed and sync.needed != before:
            self.snapshot_wanted[index] = sync.needed
        if verdict is Verdict.APPLY:
            return self._accepted(len(diff.rows))
        if verdict is Verdict.GAP:
            self._slow["gaps"] += 1
            self._lost(index, "GAP", record.received_ns)
        elif refused:
            self._old(record, layout.DEPTH, index)
            reason = Reason.DUPLICATE if verdict is Verdict.DUPLICATE else Reason.OUT_OF_ORDER
            return self._refuse(record, reason, "depthUpdate", f"u {diff.last} is not new")
        elif verdict is Verdict.STALE:
            self._slow["stale"] += 1  # the snapshot holds it: part of joining, nobody's fault
        return self._accepted(0)

    # ---- refusals in a row (fault F16) ------------------------------------------------------------------------------

    def _bad(self, record: _Arrival, decoded: Decoded) -> None:
        """A frame of a wrong shape. Trades find their gap by their ids and each quote stands alone; a book does not."""
        index = decoded.facts.instrument
        if decoded.facts.event != layout.DEPTH or index < 0:
            return
        mark = int(self._state[index, continuity.STATE_DEPTH])
        if self._streaks.bad((layout.DEPTH, index), mark) and self.synced(index):
            self._slow["renewed"] += 1
            self.invalidate(index, "BAD_FRAMES", record.received_ns)

    def _old(self, record: _Arrival, event: int, index: int) -> None:
        """A frame whose id is not new. When nothing else comes any more, the stream is taken from its next frame on."""
        state = self._state[index]
        word = _WORDS[event]
        if not self._streaks.old((event, index), int(state[word]), record.received_ns):
            return
        self._slow["renewed"] += 1
        if event == layout.DEPTH:
            self.invalidate(index, "BAD_FRAMES", record.received_ns)
            return
        state[word] = -1
        if event == layout.AGGREGATE:
            self._past[index] = PastTrades()

    def invalidate(self, instrument: int, reason: str, received_ns: int) -> None:
        """Somebody who knows the book (crossed, too near its edge) declares it lost: a snapshot is wanted."""
        self._syncs[instrument].invalidate(reason)
        self.snapshot_wanted[instrument] = reason
        self._lost(instrument, reason, received_ns)

    def renew(self, instrument: int) -> None:
        """The proven range of a good book is to be renewed: a snapshot is wanted, the book stays valid meanwhile."""
        if self._syncs[instrument].renew():
            self.snapshot_wanted[instrument] = EDGE

    def _lost(self, index: int, reason: str, received_ns: int) -> None:
        self._invalid += 1
        self.invalidated.append(BookInvalid(received_ns, index, reason))

    def take_invalidated(self) -> list[BookInvalid]:
        """The books lost since the last call, in order; the list is empty afterwards."""
        taken = list(self.invalidated)
        self.invalidated.clear()
        return taken

    def synced(self, instrument: int) -> bool:
        """Whether the book of ``instrument`` stands on a snapshot and an unbroken chain."""
        return self._syncs[instrument].phase is not Phase.WAITING

    # ---- REST answers -----------------------------------------------------------------------------------------------

    def _answer(self, event: int, index: int, payload: bytes, received_ns: int, number: int) -> int:
        self._slow["answers"] += 1
        record = _Arrival(index, payload, received_ns, number)
        if event == SNAPSHOT and (count := self._book(record, index)) > 0:
            self._slow_events[NAMES[SNAPSHOT]] += 1
            return self._snapshot(record, index, count)
        decoded = self._twin.answer(event, index, payload, received_ns, number)
        if decoded.reason is not None:
            if event == SNAPSHOT and 0 <= index < len(self._syncs):
                self.snapshot_wanted[index] = "SNAPSHOT_BAD"
            return self._refuse(record, decoded.reason, decoded.stream, decoded.detail)
        self._slow_events[decoded.stream] += 1
        count = self._take(decoded)
        if event == SNAPSHOT:
            return self._snapshot(record, index, count)
        if event == TRADES_ANSWER:
            state = self._state[index]
            words = (continuity.STATE_FIRST_AGGREGATE, continuity.STATE_AGGREGATE)
            new, state[words[0]], state[words[1]] = self._past[index].new(
                self.rows["sequence"][:count], int(state[words[0]]), int(state[words[1]])
            )
            kept = self.rows[:count][new]
            self.rows[: len(kept)] = kept
            count = len(kept)
        return self._accepted(count)

    def _book(self, record: _Arrival, index: int) -> int:
        """The compiled pass over a depth body: its rows are in place, or the twin decides (0 or less)."""
        if not continuity.DIRECT or not 0 <= index < len(self.instruments) or len(record.payload) > ANSWER_BYTES_MAX:
            return 0
        count = decode_book(
            id(record.payload) + continuity.BYTES_AT, len(record.payload), record.received_ns, record.number, index,
            address_of(self._table), self.address, layout.FRAME_ROWS_MAX, address_of(self._info),
        )  # fmt: skip
        if count > 0:
            self._info[layout.INFO_EVENT] = SNAPSHOT
        return int(count)

    def _snapshot(self, record: _Arrival, index: int, count: int) -> int:
        """Rows of the snapshot, then of the diffs that waited for it: all become known with this answer."""
        self.snapshot_wanted.pop(index, None)
        diffs = self._syncs[index].snapshot(int(self._info[layout.INFO_LAST]))
        if diffs is None:
            self._slow["snapshots_old"] += 1
            if self._syncs[index].needed:
                self.snapshot_wanted[index] = self._syncs[index].needed
            return self._accepted(0)
        self._slow["snapshots"] += 1
        for diff in diffs:
            rows = self.rows[count : count + len(diff.rows)]
            rows[:] = diff.rows
            rows["received_ns"], rows["frame"] = record.received_ns, record.number
            count += len(diff.rows)
        return self._accepted(count)

    # ---- a chunk of records -----------------------------------------------------------------------------------------

    def hear_chunk(self, chunk: bytes) -> Iterator[np.ndarray]:
        """The rows of a chunk of whole records (``models.recording``), as blocks in order; the same as one by one.

        A block is a view that the next one overwrites. After each block ``invalidated`` holds the books lost
        behind its last row: a block ends where a book was lost (and may be empty). Raises DataError where no whole
        record stands.
        """
        if self._block is None:
            self._block = empty_rows(BLOCK_ROWS)
        block, capacity = self._block, BLOCK_ROWS
        data = np.frombuffer(chunk, dtype=np.uint8)
        cursor = np.zeros(continuity.CURSOR_WORDS, dtype=np.int64)
        places = (address_of(data) if len(data) else 0, len(data), address_of(block), capacity, self._context_address)
        while True:
            result = continuity.hear_records(*places, address_of(cursor))
            offset, rows = int(cursor[continuity.CURSOR_OFFSET]), int(cursor[continuity.CURSOR_ROWS])
            if result == continuity.DAMAGED:
                raise DataError(f"no whole record stands at byte {offset} of a chunk of {len(data)}", code="RECORD")
            if result == continuity.PYTHON:
                invalid = self._invalid
                size, kind, connection, _, received_ns, number, _ = RECORD_HEADER.unpack_from(chunk, offset)
                offset += RECORD_HEADER_BYTES + size
                count = self.hear(kind, connection, bytes(chunk[offset - size : offset]), received_ns, number)
                if rows + count > capacity:
                    yield block[:rows]
                    rows = 0
                block[rows : rows + count] = self.rows[:count]
                rows += count
                if self._invalid == invalid:
                    cursor[:] = offset, rows, 0
                    continue
            elif result == continuity.END and rows == 0:
                return
            yield block[:rows]
            if result == continuity.END:
                return
            cursor[:] = offset, 0, 0

    # ---- accounts ---------------------------------------------------------------------------------------------------

    def _accepted(self, count: int) -> int:
        self._slow["accepted"] += 1
        return self._counted(count)

    def _counted(self, count: int) -> int:
        if count:
            numbers = np.bincount(self.rows["kind"][:count])
            self._context[continuity.KIND_ROWS : continuity.KIND_ROWS + len(numbers)] += numbers
        return count

    def _refuse(self, record: _Arrival, reason: Reason, stream: str, detail: str) -> int:
        self.quarantine.put(
            reason,
            record.payload,
            detail=detail,
            stream=stream,
            connection=record.connection,
            received_ns=record.received_ns,
            number=record.number,
        )
        return 0

    @property
    def counts(self) -> Counts:
        """All counters as they stand."""
        slow, words = self._slow, self._context
        fast = int(words[continuity.FAST])
        regular = fast - slow["irregular"]
        events = Counter(self._slow_events)
        for event, name in layout.EVENT_NAMES.items():
            events[name] += int(words[continuity.FAST_EVENTS + event])
        return Counts(
            frames=regular + slow["frames"],
            answers=slow["answers"],
            accepted=regular + slow["accepted"],
            quarantined=self.quarantine.count,
            fast=fast,
            gaps=slow["gaps"],
            trade_gaps=slow["trade_gaps"],
            trades_missing=slow["trades_missing"],
            stale=slow["stale"],
            snapshots=slow["snapshots"],
            snapshots_old=slow["snapshots_old"],
            renewed=slow["renewed"],
            ignored=slow["ignored"],
            rows={name: int(words[continuity.KIND_ROWS + kind]) for kind, name in KIND_NAMES.items()},
            events={name: count for name, count in sorted(events.items()) if count},
            reasons=dict(self.quarantine.reasons),
            streams=dict(self.quarantine.streams),
        )


class _Arrival(msgspec.Struct, frozen=True, gc=False):
    """A record as it arrived, for the quarantine."""

    connection: int
    payload: bytes
    received_ns: int
    number: int


def instruments_from(meta: dict[str, Any]) -> list[Instrument]:
    """The instruments a recording was made with (``meta["instruments"]``, ``msgspec.to_builtins`` of each).

    Raises DataError when they are missing or not in order.
    """
    try:
        found = msgspec.convert(meta["instruments"], list[Instrument])
    except (KeyError, msgspec.ValidationError) as error:
        raise DataError(f"the recording's facts lack usable instruments: {error}", code="RECORDING_META") from None
    return found


def blocks_of(recording: Stored, hearing: Hearing) -> Iterator[np.ndarray]:
    """All rows of a recording as blocks, each valid until the next; see ``Hearing.hear_chunk``."""
    for chunk in recording.chunks():
        yield from hearing.hear_chunk(chunk)


def rows_of(recording: Stored, hearing: Hearing | None = None) -> np.ndarray:
    """All rows of a recording in one array (64 bytes each: 1 GB holds 16 million rows, about 40 minutes of BTCUSDT)."""
    hearing = hearing or Hearing(instruments_from(recording.meta))
    blocks = [block.copy() for block in blocks_of(recording, hearing)]
    return np.concatenate(blocks) if blocks else empty_rows(0)
