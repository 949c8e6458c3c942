"""The writing half of a recording: a cheap append for the socket callback, one thread for everything slow.

Bounds. The callback fills one of ``BUFFERS`` preallocated chunks; a full one goes to the thread and comes back empty.
When the disk is so slow that none is free, records are dropped, counted, and a NOTE in their place says how many:
the callback never blocks and never raises. ``wait=True`` (importers, virtual time) waits for the disk instead.
When the disk refuses (full, input/output error) the recording goes off, ``problem`` says why, and the feed goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import zstandard

from core.kernels.kernel import address_of
from models.error import DataError
from models.recording import PAYLOAD_BYTES_MAX, RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from storage.cold.checksum import KIND_COUNTS, LAST_OFFSET, SEAL, SUMMARY_WORDS, walk_records
from storage.cold.quota import INDEX_NAME, hold, make_room
from storage.cold.zstd_frames import skippable_frame
from utils.atomic import sync_folder, write_atomic

VERSION = 1
BUFFERS = 8  # of 4 MiB: a disk may stand still for 28 s at 1 MB/s, the rate of a violent minute on one symbol
CHUNK_BYTES = 4 << 20  # a reader's memory is one chunk; recorded frames gain nothing from more, and 6 % above 50 kB
NOTE_BYTES_MAX = 512
CHUNK_BYTES_MAX = PAYLOAD_BYTES_MAX + 2 * RECORD_HEADER_BYTES + NOTE_BYTES_MAX  # the largest frame, a note before it
AGE_NS_MAX = 2_000_000_000  # a killed process loses at most two seconds
HOUR_NS = 3_600_000_000_000
FILE_BYTES_MAX = 256 << 20  # a file is checked and searched as a whole
QUOTA_STEP_BYTES = 16 << 20  # the quota is looked at after so many bytes, and may be exceeded by so many
LEVEL = 1  # on recorded USD-M frames 6 to 10 % smaller and 1.3 times as fast as level 3; level 6: 4 % less, 4 x slower
CLOSE_S_MAX = 20.0  # of the 30 s a shutdown may take
LONG_AGO_NS = -(2**63)


class FileEntry(msgspec.Struct):
    """One file of a recording. ``kinds`` counts records by kind; times are receive times, ns."""

    name: str
    bytes: int = 0
    sha256: str = ""
    chunks: int = 0
    records: int = 0
    kinds: dict[str, int] = {}
    first_number: int = 0
    last_number: int = 0
    first_received_ns: int = 0
    last_received_ns: int = 0


class Index(msgspec.Struct):
    """``index.json``. ``complete`` is false until the recording was closed; ``dropped`` counts records not written."""

    version: int
    complete: bool
    meta: dict[str, Any]
    files: list[FileEntry]
    dropped: int = 0
    cut: int = 0
    problem: str = ""

    @property
    def records(self) -> int:
        return sum(entry.records for entry in self.files)


class RecordingWriter:
    """Writes one recording into ``folder``, which must not hold one yet.

    ``meta`` is stored with it (settings digest, instruments, source, clock offset …) and may be amended until
    ``close``. ``quota_bytes`` bounds all recordings beside this one in the parent folder together, by
    ``quota.make_room``; None touches nothing. When this recording alone fills the quota, it goes off.
    Raises DataError when ``folder`` holds a recording or ``chunk_bytes`` is out of range. A disk that refuses raises
    nothing: see ``problem``.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        meta: dict[str, Any],
        quota_bytes: int | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        wait: bool = False,
        file_bytes: int = FILE_BYTES_MAX,
    ) -> None:
        if not 1024 <= chunk_bytes <= PAYLOAD_BYTES_MAX:
            raise DataError(f"chunk_bytes is {chunk_bytes}; it must be 1024 to {PAYLOAD_BYTES_MAX}")
        self.folder = Path(folder)
        self.meta = meta
        self.problem = ""  # why the recording is off, one sentence; empty while all is well
        self.cut = 0  # payloads cut to PAYLOAD_BYTES_MAX
        self._quota_bytes, self._chunk_bytes, self._wait, self._file_bytes = quota_bytes, chunk_bytes, wait, file_bytes
        self._full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(BUFFERS - 1):
            self._free.put(_touched(chunk_bytes))
        self._buffer = _touched(chunk_bytes)
        self._room = chunk_bytes
        self._fill = 0
        self._due_ns = LONG_AGO_NS  # the receive time at which the chunk is handed over, full or not
        self._pack = RECORD_HEADER.pack_into
        self._refused = 0  # dropped by the callback: no buffer was free
        self._unwritten = 0  # dropped by the thread: the disk refused
        self._gap: list[int] = []  # of the running drop: first number, last number, received_ns, count
        self._closed = False
        self._disk = _Disk(self)
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records that are in no file, for whatever reason."""
        return self._refused + self._unwritten

    def record(self, kind: int, connection: int, payload: bytes, received_ns: int, number: int) -> None:
        """Append one record (``RecordKind``; connection 0–255; ``number`` rises). Never blocks, unless ``wait``."""
        start = self._fill
        body = start + RECORD_HEADER_BYTES
        stop = body + len(payload)
        if stop > self._room or received_ns >= self._due_ns:
            self._turn(kind, connection, payload, received_ns, number)
            return
        buffer = self._buffer
        self._pack(buffer, start, stop - body, kind, connection, 0, received_ns, number, 0)
        buffer[body:stop] = payload
        self._fill = stop

    def _turn(self, kind: int, connection: int, payload: bytes, received_ns: int, number: int) -> None:
        """The rare half of ``record``: hand a chunk over, note a loss, make room for a huge payload, refuse."""
        if self._closed or self.problem:
            if self._fill and not self._closed:
                self._hand_over(False)  # the thread counts what the chunk held
            self._room = -1
            self._refused += 1
            return
        if len(payload) > PAYLOAD_BYTES_MAX:
            payload = payload[:PAYLOAD_BYTES_MAX]
            self.cut += 1
        fits = self._fill + RECORD_HEADER_BYTES + len(payload) <= self._room
        if self._fill and (self._gap or not fits or received_ns >= self._due_ns) and not self._hand_over(self._wait):
            if self._gap or not fits:
                self._drop(number, received_ns)
                return
            self._due_ns = received_ns + AGE_NS_MAX  # late but with room: fill on, ask again later
        if not self._fill:
            self._due_ns = min(received_ns + AGE_NS_MAX, (received_ns // HOUR_NS + 1) * HOUR_NS)
            self._note_gap()
        needed = self._fill + RECORD_HEADER_BYTES + len(payload)
        if needed > self._room:  # a payload above the chunk size gets a buffer of its own, which does not come back
            grown = bytearray(needed)
            grown[: self._fill] = memoryview(self._buffer)[: self._fill]
            self._buffer, self._room = grown, needed
        self._put(kind, connection, payload, received_ns, number)

    def _put(self, kind: int, connection: int, payload: bytes, received_ns: int, number: int) -> None:
        body = self._fill + RECORD_HEADER_BYTES
        stop = body + len(payload)
        self._pack(self._buffer, self._fill, len(payload), kind, connection, 0, received_ns, number, 0)
        self._buffer[body:stop] = payload
        self._fill = stop

    def _hand_over(self, wait: bool) -> bool:
        """Give the filled chunk to the thread and take an empty one; False when none is free (never with ``wait``)."""
        try:
            empty = self._free.get(wait)
        except queue.Empty:
            return False
        self._full.put((self._buffer, self._fill))
        self._buffer, self._room, self._fill = empty, len(empty), 0
        return True

    def _drop(self, number: int, received_ns: int) -> None:
        self._refused += 1
        self._room = -1  # every record takes the rare half until a buffer is free: order is kept around the loss
        first = self._gap[0] if self._gap else number
        count = self._gap[3] + 1 if self._gap else 1
        self._gap = [first, number, received_ns, count]

    def _note_gap(self) -> None:
        if not self._gap:
            return
        first, last, received_ns, count = self._gap
        self._gap = []
        facts = {"note": "dropped", "records": count, "first_number": first, "last_number": last}
        note = orjson.dumps(facts | {"reason": "the disk was slower than the feed"})
        self._put(RecordKind.NOTE, 0, note, received_ns, last)

    def close(self) -> None:
        """Write what is left, the index with the checksums, and sync. Waits for the disk, at most 20 s."""
        if self._closed:
            return
        if self._fill:
            self._finish_chunks()
        self._closed = True
        self._room = -1
        self._full.put(None)
        self._thread.join(CLOSE_S_MAX)
        if self._thread.is_alive():
            self.problem = self.problem or f"the disk did not take the recording's end within {CLOSE_S_MAX:.0f} s"

    def _finish_chunks(self) -> None:
        with contextlib.suppress(queue.Empty):
            empty = self._free.get(timeout=CLOSE_S_MAX)
            self._full.put((self._buffer, self._fill))
            self._buffer, self._room, self._fill = empty, len(empty), 0
            if self._gap:
                self._note_gap()
                self._full.put((self._buffer, self._fill))

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        disk = self._disk
        self._attempt(disk.open)
        while (item := self._full.get()) is not None:
            buffer, fill = item
            records = disk.seal(buffer, fill)
            if self.problem or not self._attempt(disk.write, buffer, fill, records):
                self._unwritten += records
            self._free.put(buffer if len(buffer) == self._chunk_bytes else bytearray(self._chunk_bytes))
        self._attempt(disk.close)

    def _attempt(self, action: Any, *arguments: Any) -> bool:
        """Do something on the disk; when it refuses, the recording goes off for good: a half-written one misleads.

        Every exception ends here: a thread that died would keep the buffers, and ``wait`` would wait for ever.
        """
        try:
            action(*arguments)
        except Exception as error:
            self.problem = self.problem or f"recording is off: {self.folder.name}: {error}"
            return False
        return True


def _touched(size: int) -> bytearray:
    """A buffer whose pages exist: a first touch in the callback would cost 0.25 µs per 4 KiB."""
    buffer = bytearray(size)
    buffer[::4096] = b"\x01" * len(range(0, size, 4096))
    return buffer


class _Disk:
    """What the thread knows: the folder, the file being written, the index. Raises OSError; nothing else calls it."""

    def __init__(self, writer: RecordingWriter) -> None:
        self.writer = writer
        self.folder = writer.folder
        if self.folder.is_dir() and any(self.folder.glob("*.zst")):
            raise DataError(f"{self.folder} holds a recording already; choose another folder", code="EXISTS")
        self.entries: list[FileEntry] = []
        self.descriptor = self.held = -1
        self.digest = hashlib.sha256()
        self.hour = 0
        self.unchecked_bytes = QUOTA_STEP_BYTES  # so that the first chunk looks at the quota
        self.summary = np.zeros(SUMMARY_WORDS, dtype=np.int64)
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
        self.seal(bytearray(1), 0)  # compiles here (1 s when not cached) and not while frames wait

    def open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.held = hold(self.folder)
        self._index(complete=False)

    def seal(self, buffer: bytearray, fill: int) -> int:
        """Write the checksums of a chunk's records; returns how many there are, ``summary`` has the counts."""
        address = address_of(np.frombuffer(buffer, dtype=np.uint8))
        return int(walk_records(address, fill, SEAL, address_of(self.summary)))

    def write(self, buffer: bytearray, fill: int, records: int) -> None:
        first = RECORD_HEADER.unpack_from(buffer, 0)
        last = RECORD_HEADER.unpack_from(buffer, int(self.summary[LAST_OFFSET]))
        hour = first[4] // HOUR_NS
        if self.descriptor < 0 or hour != self.hour or self.entries[-1].bytes >= self.writer._file_bytes:
            self._roll(hour)
        packed = self.compressor.compress(memoryview(buffer)[:fill])
        self._append(packed)
        entry = self.entries[-1]
        if not entry.records:
            entry.first_received_ns, entry.first_number = first[4], first[5]
        entry.last_received_ns, entry.last_number = last[4], last[5]
        entry.records += records
        entry.chunks += 1
        for kind in np.flatnonzero(self.summary[KIND_COUNTS : KIND_COUNTS + 256]):
            name = str(int(kind))
            entry.kinds[name] = entry.kinds.get(name, 0) + int(self.summary[KIND_COUNTS + kind])
        self._look_at_quota(len(packed))

    def _append(self, data: bytes) -> None:
        """Append all of ``data`` or nothing: a full disk must not leave half a chunk before later ones."""
        entry = self.entries[-1]
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, entry.bytes)
            raise
        entry.bytes += len(data)
        self.digest.update(data)

    def _roll(self, hour: int) -> None:
        """Finish the file and begin the next: by the hour of the chunk's first record, and by size."""
        self._finish_file()
        name = f"{len(self.entries):04d}.zst"
        self.descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        facts = {"version": VERSION, "file": len(self.entries), "meta": self.writer.meta}
        self.entries.append(FileEntry(name=name, kinds={}))
        self.digest = hashlib.sha256()
        self.hour = hour
        self._append(skippable_frame(orjson.dumps(facts)))

    def _finish_file(self) -> None:
        if self.descriptor < 0:
            return
        descriptor, self.descriptor = self.descriptor, -1
        self.entries[-1].sha256 = self.digest.hexdigest()
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._index(complete=False)

    def _index(self, *, complete: bool) -> None:
        writer = self.writer
        index = Index(VERSION, complete, writer.meta, self.entries, writer.dropped, writer.cut, writer.problem)
        write_atomic(self.folder / INDEX_NAME, orjson.dumps(msgspec.to_builtins(index), option=orjson.OPT_INDENT_2))

    def _look_at_quota(self, added: int) -> None:
        self.unchecked_bytes += added
        quota = self.writer._quota_bytes
        if quota is None or self.unchecked_bytes < QUOTA_STEP_BYTES:
            return
        self.unchecked_bytes = 0
        if make_room(self.folder.parent, self.folder, quota) > quota:
            raise OSError(f"the quota of {quota} bytes for recordings is used up and none older can be removed")

    def close(self) -> None:
        """Finish the last file and the index, also after a failure: what was written stays readable."""
        try:
            self._finish_file()
            self._index(complete=True)
            sync_folder(self.folder)
        finally:
            if self.held >= 0:
                os.close(self.held)
