"""Recordings: the raw frames of all connections in arrival order, compressed, on disk. This is the reading half.

A recording is a folder of ``NNNN.zst`` files and ``index.json``. A file is a skippable zstd frame with the facts about
the recording (so that a lost index loses nothing), then one zstd frame for each chunk of whole records
(``models.recording``); ``zstd -dc`` reads it too. The index is written when a file is finished and at the end.

A process killed at any byte leaves a readable prefix: every chunk stands alone, and an unfinished last one is skipped
and reported in ``Recording.torn``. Damage before whole chunks is never skipped: it is refused, with its place.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson

from core.kernels.kernel import address_of
from models.error import DataError
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from storage.cold.checksum import CHECK, KIND_COUNTS, LAST_OFFSET, SHAPE, SUMMARY_WORDS, walk_records
from storage.cold.quota import INDEX_NAME
from storage.cold.recording_writer import CHUNK_BYTES_MAX, VERSION, FileEntry, Index, RecordingWriter
from storage.cold.zstd_frames import MAGIC, SKIPPABLE, ZstdFrame, content, frame_at, frames

__all__ = ["FileEntry", "Index", "Record", "RecordKind", "Recording", "RecordingWriter"]

FILE_NAME = re.compile(r"\d{4,}\.zst")
FACTS_BYTES_MAX = 16 << 20  # of the skippable frame: meta with the filters of every instrument of the venue is 1 MB
DAMAGED = "RECORDING_DAMAGED"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One recorded message; ``received_ns`` is the recorder's receive clock."""

    number: int
    kind: int
    connection: int
    received_ns: int
    payload: bytes


class Recording:
    """A stored recording. Make one with ``Recording.open``.

    ``meta`` is what the writer was given; ``torn`` is empty, or one sentence about an unfinished end that reading
    leaves out; ``complete`` tells whether the writer closed it.
    """

    def __init__(self, folder: Path, paths: list[Path], index: Index | None, meta: dict[str, Any]) -> None:
        self.folder = folder
        self.meta = meta
        self.torn = ""
        self.complete = index is not None and index.complete
        self._paths = paths
        self._index = index
        self._summary = np.zeros(SUMMARY_WORDS, dtype=np.int64)

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Open the recording in folder ``path``. Raises DataError when there is none, or of another version."""
        folder = Path(path)
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "does not exist"
            raise DataError(f"{folder} {what}; give the folder of a recording (NNNN.zst files and index.json)")
        paths = sorted(
            (entry for entry in folder.iterdir() if FILE_NAME.fullmatch(entry.name) and entry.is_file()),
            key=lambda entry: int(entry.stem),
        )
        index = _read_index(folder)
        if index is None and not paths:
            raise DataError(f"{folder} holds no recording: neither index.json nor NNNN.zst files are there")
        _check_names(folder, paths, index)
        meta = index.meta if index is not None else _meta_of(paths[0])
        recording = cls(folder, paths, index, meta)
        if paths:
            recording._look_at_end(paths[-1])
        return recording

    @property
    def index(self) -> Index:
        """Files with counts and checksums. Where the writer did not finish, it is counted anew (reads the files)."""
        if self._index is None or not self._index.complete:
            known = {entry.name: entry for entry in (self._index.files if self._index else []) if entry.sha256}
            files = [known.get(path.name) or self._count(path) for path in self._paths]
            self._index = Index(VERSION, True, self.meta, files)
        return self._index

    def chunks(self) -> Iterator[bytes]:
        """Decompressed blocks of whole records, in order. Raises DataError at the first damaged place."""
        for path in self._paths:
            for _, block in self._blocks(path, SHAPE):
                yield block

    def records(self) -> Iterator[Record]:
        """Every record in order, its checksum compared. Raises DataError at the first damaged place."""
        unpack = RECORD_HEADER.unpack_from
        for path in self._paths:
            for _, block in self._blocks(path, CHECK):
                at = 0
                while at < len(block):
                    size, kind, connection, _, received_ns, number, _ = unpack(block, at)
                    at += RECORD_HEADER_BYTES + size
                    yield Record(number, kind, connection, received_ns, block[at - size : at])

    def verify(self) -> str:
        """Read everything and compare every checksum and count; empty, or one sentence with the first damaged place."""
        entries = {entry.name: entry for entry in self._index.files} if self._index else {}
        last_number = -1
        try:
            for path in self._paths:
                counted = self._count(path)
                stored = entries.get(path.name)
                if stored is not None and stored.sha256 and stored != counted:
                    return _difference(stored, counted)
                if counted.records and counted.first_number < last_number:
                    return f"{path.name}: its first record is number {counted.first_number}, after {last_number}"
                last_number = counted.last_number if counted.records else last_number
        except DataError as error:
            return error.message
        return self.torn

    # ---- one file ---------------------------------------------------------------------------------------------------

    def _blocks(self, path: Path, mode: int) -> Iterator[tuple[ZstdFrame, bytes]]:
        """The chunks of a file with their places. Raises DataError for damage, sets ``torn`` for an unfinished end."""
        size = self._size(path)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            stop = 0
            for frame in frames(descriptor, size):
                if not frame.skippable:
                    block = content(descriptor, frame, CHUNK_BYTES_MAX)
                    if block is None:
                        self._refuse_unless_tail(path, descriptor, frame.start, size)
                        return
                    self._check(path, frame, block, mode)
                    yield frame, block
                stop = frame.stop
            if stop < size:
                self._refuse_unless_tail(path, descriptor, stop, size)
            else:
                self._look_for_more(path, size)
        finally:
            os.close(descriptor)

    def _size(self, path: Path) -> int:
        """Bytes that belong to the recording: the index knows better than a file whose failed end was not cut off."""
        size = path.stat().st_size
        wanted = self._wanted(path)
        return size if wanted is None else min(size, wanted)

    def _wanted(self, path: Path) -> int | None:
        """The bytes of a finished file as the index knows them."""
        for entry in self._index.files if self._index else []:
            if entry.name == path.name and entry.sha256:
                return entry.bytes
        return None

    def _look_for_more(self, path: Path, size: int) -> None:
        """A file that was cut between two chunks looks whole; the index knows better."""
        wanted = self._wanted(path)
        if wanted is None or size >= wanted:
            return
        if path != self._paths[-1]:
            raise DataError(
                f"{path} ends at byte {size}, the index says {wanted}, and others follow; put the whole file back",
                code=DAMAGED,
            )
        self.torn = f"{path.name}: the last {wanted - size} bytes (from byte {size}) are missing"

    def _check(self, path: Path, frame: ZstdFrame, block: bytes, mode: int) -> None:
        address = address_of(np.frombuffer(block, dtype=np.uint8)) if block else 0
        count = int(walk_records(address, len(block), mode, address_of(self._summary)))
        if count < 0:
            raise DataError(
                f"{path}: chunk at byte {frame.start}: the record at offset {-1 - count} is damaged; use an undamaged "
                "copy",
                code=DAMAGED,
            )

    def _refuse_unless_tail(self, path: Path, descriptor: int, start: int, size: int) -> None:
        """Bytes from ``start`` are no whole chunk: the unfinished end of the last file, or damage."""
        finished = self._wanted(path) == size  # the index was written behind its last byte: nothing can be torn
        if finished or path != self._paths[-1] or _whole_chunk_after(descriptor, start + 1, size):
            why = "but the file was finished" if finished else "but others follow"
            raise DataError(
                f"{path} is damaged at byte {start}: no whole chunk begins there, {why}; use an undamaged copy",
                code=DAMAGED,
            )
        self.torn = f"{path.name}: the last {size - start} bytes (from byte {start}) are unfinished and were left out"

    def _look_at_end(self, path: Path) -> None:
        """Learn at opening whether the last file ends in an unfinished chunk, from its frame headers and last chunk."""
        size = self._size(path)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            last = None
            for last in frames(descriptor, size):  # noqa: B007 - the last one is wanted
                pass
            stop = last.stop if last is not None else 0
            if last is not None and not last.skippable and content(descriptor, last, CHUNK_BYTES_MAX) is None:
                stop = last.start
            with contextlib.suppress(DataError):  # damage is told where it is met: what is before can be read
                if stop < size:
                    self._refuse_unless_tail(path, descriptor, stop, size)
                else:
                    self._look_for_more(path, size)
        finally:
            os.close(descriptor)

    def _count(self, path: Path) -> FileEntry:
        """The index entry of a file, from its readable bytes."""
        entry = FileEntry(name=path.name, kinds={})
        size = self._size(path)
        end = 0
        for frame, block in self._blocks(path, CHECK):
            first = RECORD_HEADER.unpack_from(block, 0)
            last = RECORD_HEADER.unpack_from(block, int(self._summary[LAST_OFFSET]))
            if not entry.chunks:
                entry.first_received_ns, entry.first_number = first[4], first[5]
            entry.last_received_ns, entry.last_number = last[4], last[5]
            entry.chunks += 1
            for kind in np.flatnonzero(self._summary[KIND_COUNTS : KIND_COUNTS + 256]):
                count = int(self._summary[KIND_COUNTS + kind])
                entry.kinds[str(int(kind))] = entry.kinds.get(str(int(kind)), 0) + count
                entry.records += count
            end = frame.stop
        entry.bytes = end if self.torn and path == self._paths[-1] else size
        entry.sha256 = _sha256(path, entry.bytes)
        return entry


def _whole_chunk_after(descriptor: int, start: int, size: int) -> bool:
    """Whether an undamaged chunk begins anywhere from byte ``start`` on."""
    if start >= size:
        return False
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as data:
        at = data.find(MAGIC, start)
        while at >= 0:
            frame = frame_at(descriptor, at, size)
            if frame is not None and content(descriptor, frame, CHUNK_BYTES_MAX) is not None:
                return True
            at = data.find(MAGIC, at + 1)
    return False


def _read_index(folder: Path) -> Index | None:
    """The index; None when it is absent. Raises DataError when it is unreadable or of another version."""
    try:
        data = (folder / INDEX_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = orjson.loads(data)["version"]
        if version != VERSION:
            raise DataError(f"{folder / INDEX_NAME} is of version {version}; this program reads version {VERSION}")
        return msgspec.json.decode(data, type=Index)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / INDEX_NAME} is no index of a recording ({error}); delete it to read the files without it",
            code=DAMAGED,
        ) from None


def _check_names(folder: Path, paths: list[Path], index: Index | None) -> None:
    """Raises DataError when a file is missing: in the row of numbers, or one that the index names."""
    present = {path.name for path in paths}
    expected = [f"{number:04d}.zst" for number in range(int(paths[-1].stem) + 1 if paths else 0)]
    for name in [entry.name for entry in index.files] if index else expected:
        if name not in present:
            raise DataError(f"{folder / name} is missing from the recording; put it back", code=DAMAGED)


def _meta_of(path: Path) -> dict[str, Any]:
    """``meta`` from the head of a file, where no index is left; empty when the head was not finished either."""
    with path.open("rb") as file:
        frame = frame_at(file.fileno(), 0, path.stat().st_size)
        if frame is None or not frame.skippable or frame.stop > FACTS_BYTES_MAX:
            return {}
        file.seek(SKIPPABLE.size)
        data = file.read(frame.stop - SKIPPABLE.size)
    try:
        facts = orjson.loads(data)
        version, meta = facts["version"], facts["meta"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} does not begin like a file of a recording") from None
    if version != VERSION:
        raise DataError(f"{path} is of version {version}; this program reads version {VERSION}")
    return dict(meta)


def _sha256(path: Path, size: int) -> str:
    """SHA-256 of the first ``size`` bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, 1 << 20))):
            digest.update(data)
            size -= len(data)
    return digest.hexdigest()


def _difference(stored: FileEntry, counted: FileEntry) -> str:
    """One sentence: the first field in which a file differs from the index."""
    for name in FileEntry.__struct_fields__:
        wanted, found = getattr(stored, name), getattr(counted, name)
        if wanted != found:
            return f"{stored.name}: {name} is {found}, the index says {wanted}"
    return ""
