"""The journal: what was decided and what happened, written before it takes effect. This file is the writing half.

A journal is one file for one run: eight magic bytes, then records of a 48-byte head and a payload, at multiples of
eight bytes. A record carries its sequence number, the checksum of the record before it (a chain from the magic on),
and the last sequence known to be on the disk when it was written. Record 1 is the header (``HEADER``, JSON: version,
settings, seed, snapshot …), the last one of an orderly end is ``END``. No record crosses a block border; ``PAD`` fills.

Promises. ``append`` copies into memory that the system owns (a mapped block whose place on the disk is allocated
beforehand): the record survives SIGKILL at once, and a full disk cannot kill the process at a touch of that memory.
Power loss can cost what the last 5 ms and one disk sync take, or nothing with ``sync="always"``. After a failed sync
or allocation nothing is retried as if good: ``failed`` says why for ever, entries have to stop, and what still fits
into allocated blocks is still written, so that exits are on record.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import orjson

from models.error import DataError
from utils.atomic import sync_folder

MAGIC = b"journal1"  # the digit is the version of the layout
HEAD = struct.Struct("<IHHQQqqI")  # payload length, kind, 0, sequence, durable sequence, at_ns, frame, checksum before
CHECKSUM = struct.Struct("<I")  # crc32 of head and payload, after the head
HEAD_BYTES = HEAD.size + CHECKSUM.size
if HEAD_BYTES != 48:  # pragma: no cover - a layout mistake must not start
    raise ImportError(f"a journal head must be 48 bytes, it is {HEAD_BYTES}")

HEADER, PAD, END = 0, 0xFFFE, 0xFFFF  # kinds of the journal itself; the caller's are 1 to KIND_MAX
KIND_MAX = 0xFFFD
BLOCK_BYTES = 1 << 20  # 4,000 records of 200 bytes: minutes of the busiest trading
SPARES = 2  # blocks allocated ahead: room for the exits of a halted run when the disk is full
SYNC_S = 0.005  # the thread looks so often: with a sync of up to 5 ms a record is on the disk within 10 ms
PAGE = 4096
POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, which the mmap module does not name

_sync_file = getattr(os, "fdatasync", os.fsync)  # macOS has fsync only


class Journal:
    """Writes a new journal at ``path``. ``header`` is stored as record 1.

    ``sync="always"`` makes ``append`` wait for the disk; ``"interval"`` leaves it to a thread. ``failed`` is empty, or
    one sentence saying why records are no longer safe: whoever enters positions asks it first. One thread appends.
    Raises DataError when the file exists or the header does not fit a block, OSError when the disk refuses at start.
    """

    def __init__(
        self, path: Path | str, header: dict[str, Any], *, sync: str = "interval", block_bytes: int = BLOCK_BYTES
    ) -> None:
        if sync not in ("interval", "always"):
            raise DataError(f"journal sync is {sync!r}; it must be 'interval' or 'always'")
        if block_bytes % PAGE or block_bytes <= 0:
            raise DataError(f"block_bytes is {block_bytes}; it must be a positive multiple of {PAGE}")
        self.path = Path(path)
        self.failed = ""
        self.durable = 0  # every record up to this sequence is on the disk
        self.payload_bytes_max = block_bytes - 2 * HEAD_BYTES - len(MAGIC)
        self._always = sync == "always"
        self._block_bytes = block_bytes
        self._sequence = 0
        self._checksum = zlib.crc32(MAGIC)
        self._allocated = 0  # bytes of the file that are allocated; the thread's, after the start
        self._base = 0  # file offset of the current block
        self._at = len(MAGIC)
        self._spares: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self._allocating = threading.Lock()
        self._syncing = threading.Lock()  # the kernel tells an error once per file: of two syncs only one would know
        self._closed = False
        self._open(header)
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def _open(self, header: dict[str, Any]) -> None:
        payload = orjson.dumps(header)
        if len(payload) > self.payload_bytes_max:
            raise DataError(
                f"the journal's header is {len(payload)} bytes; at most {self.payload_bytes_max} fit a block"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise DataError(
                f"{self.path} exists already; every run opens a journal of its own", code="EXISTS"
            ) from None
        try:
            self._block: mmap.mmap = self._allocate()
            for _ in range(SPARES):
                self._spares.put(self._allocate())
            self._block[: len(MAGIC)] = MAGIC
            self._put(HEADER, 0, 0, payload)
            os.fsync(self._descriptor)
            sync_folder(self.path.parent)
        except OSError:
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)
            raise
        self.durable = self._sequence

    def append(self, kind: int, at_ns: int, frame: int, payload: bytes) -> int:
        """Keep one record (``kind`` 1 to ``KIND_MAX``); returns its sequence, or 0 without room: see ``failed``.

        Raises DataError for a kind or payload out of range, and after ``close``.
        """
        if self._closed or not 1 <= kind <= KIND_MAX or len(payload) > self.payload_bytes_max:
            raise DataError(self._complaint(kind, payload))
        # A record leaves room for the PAD that ends the block.
        if self._at + 2 * HEAD_BYTES + len(payload) > self._block_bytes and not self._next_block():
            return 0
        sequence = self._put(kind, at_ns, frame, payload)
        if self._always:
            self.sync()
        return sequence

    def rehearse(self, kind: int, at_ns: int, frame: int, payload: bytes) -> int:
        """What ``append`` works out, without keeping anything; returns the record's checksum.

        A sync leaves the page write-protected, which the next record would pay for: the byte where that will begin is
        set to the zero that it is.
        """
        if not self._closed:
            self._block[self._at] = 0
        return self._made(kind, at_ns, frame, payload)[1]

    def _made(self, kind: int, at_ns: int, frame: int, payload: bytes) -> tuple[bytes, int]:
        """The next record and its checksum."""
        head = HEAD.pack(len(payload), kind, 0, self._sequence + 1, self.durable, at_ns, frame, self._checksum)
        checksum = zlib.crc32(payload, zlib.crc32(head))
        return head + CHECKSUM.pack(checksum) + payload, checksum

    def _put(self, kind: int, at_ns: int, frame: int, payload: bytes) -> int:
        record, self._checksum = self._made(kind, at_ns, frame, payload)
        start = self._at
        stop = start + len(record)
        self._block[start:stop] = record
        self._sequence += 1
        self._at = (stop + 7) & -8
        return self._sequence

    def _complaint(self, kind: int, payload: bytes) -> str:
        if self._closed:
            return f"the journal {self.path.name} is closed"
        if not 1 <= kind <= KIND_MAX:
            return f"a journal record of kind {kind}; kinds are 1 to {KIND_MAX}"
        return f"a journal record of {len(payload)} bytes; at most {self.payload_bytes_max} fit a block"

    def _next_block(self) -> bool:
        block = self._spare()
        if block is None:
            return False
        self._put(PAD, 0, self._base + self._block_bytes, b"")  # its frame: the byte where the next record stands
        old, self._block = self._block, block
        old.close()  # the pages stay with the system until they are on the disk
        self._base += self._block_bytes
        self._at = 0
        return True

    def _spare(self) -> mmap.mmap | None:
        """The next block, usually allocated ahead; None when there is none and the disk refused, now or ever before."""
        with contextlib.suppress(queue.Empty):
            return self._spares.get_nowait()
        with self._allocating:
            with contextlib.suppress(queue.Empty):
                return self._spares.get_nowait()  # the thread was quicker
            if self.failed:
                return None
            try:
                return self._allocate()
            except OSError as error:
                self.failed = f"the journal cannot grow: {error}"
                return None

    def _allocate(self) -> mmap.mmap:
        """Allocate the next block on the disk, map it, touch its pages. Raises OSError when there is no room.

        Touching costs the thread 0.1 ms and spares ``append`` a page fault (1 us) every 20 records.
        """
        start, size = self._allocated, self._block_bytes
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, start, size)
        else:  # macOS: written zeros are allocated too
            if os.pwrite(self._descriptor, bytes(size), start) != size:
                raise OSError(28, "No space left on device")
        block = mmap.mmap(self._descriptor, size, offset=start)
        block[::PAGE] = bytes(size // PAGE)
        self._allocated += size
        return block

    def sync(self) -> bool:
        """Wait until every record so far is on the disk; False when that failed, now or ever before."""
        if not self.failed and self.durable == self._sequence:
            return True
        with self._syncing:
            if self.failed:
                return False
            target = self._sequence
            try:
                _sync_file(self._descriptor)
            except OSError as error:
                # The kernel may drop the dirty pages and call the next sync a success: this one must be remembered.
                self.failed = f"the journal is not on the disk after record {self.durable}: {error}"
                return False
            self.durable = target
            self._make_writable()
            return True

    def _make_writable(self) -> None:
        """A sync makes written pages clean, and the next write to one a page fault of up to 40 us: take it here.

        Linux 5.14 and later know the advice; elsewhere ``append`` takes the fault.
        """
        block, start = self._block, self._at & -PAGE
        with contextlib.suppress(OSError, ValueError):  # unknown advice; a block closed meanwhile
            block.madvise(POPULATE_WRITE, start, min(2 * PAGE, self._block_bytes - start))

    def _work(self) -> None:
        while not self._closed:
            time.sleep(SYNC_S)
            if not self._always:
                self.sync()
            while not self.failed and not self._closed and self._spares.qsize() < SPARES:
                self._refill()

    def _refill(self) -> None:
        with self._allocating:
            try:
                self._spares.put(self._allocate())
            except OSError as error:
                self.failed = f"the journal cannot grow: {error}"

    def close(self) -> None:
        """End in order: END record, cut to length, sync. After a failure the file is left as it is."""
        if self._closed:
            return
        self._closed = True
        self._thread.join()
        if self._at + HEAD_BYTES <= self._block_bytes and not self.failed:
            self.sync()
            self._put(END, 0, 0, b"")
        self._block.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._spares.get_nowait().close()
        try:
            if not self.failed:
                os.ftruncate(self._descriptor, self._base + self._at)
                self.sync()
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
