"""The ear: numbers every heard message, records it, turns it into rows, hands them to the session. No queue between.

It is called in the socket callback. What cannot be decided at once (a snapshot is wanted) is left for whoever drives
the run to look at: ``hearing.snapshot_wanted``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np

from core.kernels.kernel import address_of
from data_collector import continuity
from data_collector.continuity import DIRECT, hear_through
from data_collector.hearing import Hearing
from models.action import EDGE
from models.error import DataError
from models.event import ClockOffset, Command, Event, StreamState
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from models.rows import FAR_NS

Record = Callable[[int, int, bytes, int, int], None]
"""``record(kind, connection, payload, received_ns, number)``: keeps a message; never raises, never waits."""


_FRAME = RecordKind.FRAME
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ClockOffset | StreamState | Command).decode
_hear_through = hear_through


def _fact_of(payload: bytes) -> Event:
    """The fact of a recorded payload. Raises DataError for a payload that is none."""
    try:
        return _decode(payload)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise DataError(f"a recorded fact cannot be read: {error}", code="RECORD") from None


class RowSink(Protocol):
    """Where facts go: the session."""

    @property
    def passage(self) -> tuple[int, int, int]: ...

    def rows(self, address: int, start: int, stop: int) -> None: ...

    def heard(self, address: int, count: int, bits: int) -> None: ...

    def event(self, event: Event) -> None: ...


class Ear:
    """Joins hearing, recording and session. ``number`` is the number of the last message heard.

    Frames in sequence run from bytes through engine and venue in one compiled call; one that wakes nobody ends there.
    ``renewed`` says whether somebody can answer the wish for a new snapshot: nobody can for a capture of strangers.
    """

    def __init__(self, hearing: Hearing, session: RowSink, record: Record | None, *, renewed: bool = True) -> None:
        self.hearing = hearing
        self.number = 0
        self._session = session
        self._record = record
        self._renewed = renewed
        self._address = hearing.address
        self._context = hearing.into(session.passage)
        self._cursor = np.zeros(continuity.CURSOR_WORDS, dtype=np.int64)
        if not DIRECT:
            self.frame = self._copied  # type: ignore[method-assign]

    def frame(self, connection: int, payload: bytes, received_ns: int) -> None:
        """A text frame of a market stream, as it came: the hot path. ``payload`` must be a bytes object."""
        self.number = number = self.number + 1
        if self._record is not None:
            self._record(_FRAME, connection, payload, received_ns, number)
        result = _hear_through(id(payload), received_ns, number, self._context)
        if result < 0:
            self.pass_on(self.hearing.finish(result, connection, payload, received_ns, number))
        elif result & 0xFF:
            self._session.heard(self._address, result >> 8, result & 0xFF)
            if self.hearing.invalidated:  # the engine found the book impossible
                self._tell()

    def _copied(self, connection: int, payload: bytes, received_ns: int) -> None:
        """``frame`` where a payload's address is not known."""
        self.take(_FRAME, connection, payload, received_ns)

    def tick(self, received_ns: int) -> None:
        """Nothing came until ``received_ns``."""
        self.take(RecordKind.TICK, 0, b"", received_ns)

    def fact(self, event: Event) -> None:
        """A fact that is no message: a clock measured, a stream lost, the end; it has its place among them."""
        self.take(RecordKind.FACT, 0, _encode(event), event.at_ns)

    def take(self, kind: int, connection: int, payload: bytes, received_ns: int) -> None:
        """Any message of a recorded kind."""
        self.number = number = self.number + 1
        if self._record is not None:
            self._record(kind, connection, payload, received_ns, number)
        if kind == RecordKind.FACT:
            self._session.event(_fact_of(payload))
        else:
            self.pass_on(self.hearing.hear(kind, connection, payload, received_ns, number))

    def pass_on(self, count: int) -> None:
        """Hand the first ``count`` heard rows to the session, then what happened behind them."""
        if count:
            self._session.rows(self.hearing.address, 0, count)
        if self.hearing.invalidated:
            self._tell()

    def chunk(self, chunk: bytes, until_ns: int = FAR_NS) -> bool:
        """A recorded chunk of messages in bulk; False when a row was received at ``until_ns`` or later."""
        data = np.frombuffer(chunk, dtype=np.uint8)
        cursor = self._cursor
        cursor[:] = 0
        places = (address_of(data) if len(data) else 0, len(data), until_ns, self._context, address_of(cursor))
        while True:
            result = continuity.run_records(*places)
            if result == continuity.END:
                return True
            if result == continuity.PAST:
                return False
            offset, count, bits = (int(word) for word in cursor)
            if result == continuity.WOKE:
                self._session.heard(self._address, count, bits)
                if self.hearing.invalidated:
                    self._tell()
                continue
            if result == continuity.DAMAGED:
                raise DataError(f"no whole record stands at byte {offset} of a chunk of {len(data)}", code="RECORD")
            size, kind, connection, _, received_ns, number, _ = RECORD_HEADER.unpack_from(chunk, offset)
            start = offset + RECORD_HEADER_BYTES
            payload = bytes(chunk[start : start + size])
            if kind == RecordKind.FACT:
                self._session.event(_fact_of(payload))
            else:
                self.pass_on(self.hearing.hear(kind, connection, payload, received_ns, number))
            cursor[continuity.CURSOR_OFFSET] = start + size

    def resync(self, instrument: int, reason: str, at_ns: int) -> None:
        """The engine wants a new book: this one is impossible, or near the edge of what it proved."""
        if reason == EDGE:
            if self._renewed:
                self.hearing.renew(instrument)
        else:
            self.hearing.invalidate(instrument, reason, at_ns)

    def _tell(self) -> None:
        while self.hearing.invalidated:
            for event in self.hearing.take_invalidated():
                self._session.event(event)
