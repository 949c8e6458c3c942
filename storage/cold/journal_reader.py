"""The journal's reading half: every record checked before the first is given out.

The end of a journal is where the chain stops. Behind it there may be nothing, zeros, half a record, or records that
were never synced (a power loss may keep a later page and lose an earlier one): that is a torn tail, left out and
reported. But when a record behind the stop says that the missing one was on the disk already, the middle is damaged,
and the journal is refused: what was promised is gone, and a guess about orders is worse than asking the venue.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from models.error import DataError
from storage.cold.journal import CHECKSUM, END, HEAD, HEAD_BYTES, HEADER, MAGIC, PAD


class JournalDamagedError(DataError):
    """A journal that is damaged before its tail, or is none. Trying again never helps; the message names the place."""

    code = "JOURNAL_DAMAGED"
    exit_code = 7


class JournalRecord(msgspec.Struct, frozen=True, gc=False):
    """One record: ``at_ns`` and ``frame`` as given to ``append``."""

    sequence: int
    kind: int
    at_ns: int
    frame: int
    payload: bytes


class JournalState(msgspec.Struct, frozen=True):
    """What a check of a journal found.

    ``header`` is record 1, ``records`` how many of the caller's there are, ``closed`` whether it ended in order,
    ``end`` the byte where the chain stops, ``tail`` one sentence about what was left out there, or empty.
    """

    header: dict[str, Any]
    records: int
    last_sequence: int
    closed: bool
    end: int
    tail: str


def read_journal(path: Path | str) -> Iterator[JournalRecord]:
    """The caller's records in order, without header and tail; the whole file is checked before the first is given.

    Raises JournalDamagedError (exit 7) for a damaged middle, DataError for a missing file.
    """
    state = check_journal(path)
    data = _bytes_of(path)
    for _, record in _chain(data):
        if record.sequence > state.last_sequence:  # pragma: no cover - another process is appending
            return
        if record.kind not in (HEADER, PAD, END):
            yield record


def check_journal(path: Path | str) -> JournalState:
    """Check every record. Raises JournalDamagedError when the middle is damaged or the header is not whole."""
    target = Path(path)
    data = _bytes_of(target)
    if data[: len(MAGIC)] != MAGIC:
        raise JournalDamagedError(f"{target} is no journal: it does not begin with {MAGIC.decode()!r}")
    header: dict[str, Any] | None = None
    records = sequence = 0
    end = len(MAGIC)
    kind = PAD
    for start, record in _chain(data):
        kind, sequence = record.kind, record.sequence
        if sequence == 1:
            header = _header(target, record)
        elif kind == HEADER:
            raise JournalDamagedError(f"{target} has a second header at byte {start}")
        records += kind not in (HEADER, PAD, END)
        end = max(_after(start, record), record.frame) if kind == PAD else _after(start, record)
    if header is None:
        raise JournalDamagedError(f"{target}: its header record at byte {len(MAGIC)} is not whole")
    closed = kind == END
    proof = _proof_of_loss(data, end, sequence)
    if proof is not None:
        raise JournalDamagedError(
            f"{target} is damaged at byte {end}: record {sequence + 1} was on the disk (record {proof} says so) "
            "and is not whole"
        )
    tail = "" if closed else _tail(target, data, end, sequence)
    if closed and data[end:].strip(b"\0"):
        raise JournalDamagedError(f"{target} goes on at byte {end}, after its end record")
    return JournalState(header, records, sequence, closed, end, tail)


def begun(path: Path | str) -> bool:
    """False for a journal whose run was killed while it was being made: nothing stands in it, and nothing is lost."""
    data = _bytes_of(path)
    if not MAGIC.startswith(data[: len(MAGIC)].rstrip(b"\0")):
        return True  # something else stands there: whoever reads it is told
    whole = data[: len(MAGIC)] == MAGIC and next(_chain(data), None) is not None
    return whole or _proof_of_loss(data, len(MAGIC), 0) is not None


def _bytes_of(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give the journal file of a run") from None


def _chain(data: bytes) -> Iterator[tuple[int, JournalRecord]]:
    """(start byte, record) from the magic on, as long as length, sequence, link and checksum agree."""
    checksum = zlib.crc32(MAGIC)
    sequence = 1
    at = len(MAGIC)
    while (found := _record_at(data, at)) is not None:
        record, _, before, own = found
        if record.sequence != sequence or before != checksum:
            return
        yield at, record
        checksum = own
        sequence += 1
        at = max(_after(at, record), record.frame) if record.kind == PAD else _after(at, record)


def _after(start: int, record: JournalRecord) -> int:
    return (start + HEAD_BYTES + len(record.payload) + 7) & -8


def _record_at(data: bytes, at: int) -> tuple[JournalRecord, int, int, int] | None:
    """(record, durable sequence, checksum before, own checksum) when bytes at ``at`` are a record in themselves."""
    if at + HEAD_BYTES > len(data):
        return None
    length, kind, zero, sequence, durable, at_ns, frame, before = HEAD.unpack_from(data, at)
    body = at + HEAD_BYTES
    if not sequence or zero or body + length > len(data):
        return None
    payload = data[body : body + length]
    (own,) = CHECKSUM.unpack_from(data, at + HEAD.size)
    if zlib.crc32(payload, zlib.crc32(data[at : at + HEAD.size])) != own:
        return None
    return JournalRecord(sequence, kind, at_ns, frame, payload), durable, before, own


def _proof_of_loss(data: bytes, end: int, sequence: int) -> int | None:
    """The sequence of a whole record behind ``end`` that was written when record ``sequence + 1`` was on the disk."""
    for at in range(end, len(data[end:].rstrip(b"\0")) + end, 8):
        if data[at + 8 : at + 16] == bytes(8):  # sequence 0: nothing was written here
            continue
        found = _record_at(data, at)
        if found is not None and found[0].sequence > sequence and found[1] > sequence:
            return found[0].sequence
    return None


def _tail(path: Path, data: bytes, end: int, sequence: int) -> str:
    torn = len(data[end:].rstrip(b"\0"))
    if not torn:
        return f"{path.name} was not closed; it ends with record {sequence}"
    return f"{path.name} was not closed; {torn} bytes after record {sequence} (from byte {end}) are torn and left out"


def _header(path: Path, record: JournalRecord) -> dict[str, Any]:
    try:
        header = orjson.loads(record.payload)
    except ValueError:
        header = None
    if record.kind != HEADER or not isinstance(header, dict):
        raise JournalDamagedError(f"{path} does not open with a header record")
    return header
