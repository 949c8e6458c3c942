"""A journal in memory: the layout of ``storage.cold.journal`` without its file, its thread and its disk.

``spill`` writes what a killed process would have left behind, with a torn tail, where the product's own reader finds
it. ``near(record, written)`` is called just before and just after every record: the moments at which a kill strikes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

from storage.cold.journal import CHECKSUM, HEAD, HEAD_BYTES, HEADER, MAGIC


class MemoryJournal:
    """See the module. ``failed`` as in the real one: set it, and the disk is full."""

    def __init__(self, near: Callable[[int, bool], None]) -> None:
        self.failed = ""
        self.sealed = False  # the process is gone: nothing is written any more
        self.records = 0
        self._near = near
        self._data = bytearray(MAGIC)
        self._checksum = zlib.crc32(MAGIC)
        self._put(HEADER, 0, 0, b"{}")

    def append(self, kind: int, at_ns: int, frame: int, payload: bytes) -> int:
        if self.sealed:
            return 0
        self._near(self.records + 1, False)
        if self.sealed:
            return 0
        self._put(kind, at_ns, frame, payload)
        self._near(self.records, True)
        return self.records

    def _put(self, kind: int, at_ns: int, frame: int, payload: bytes) -> None:
        self.records += 1
        head = HEAD.pack(len(payload), kind, 0, self.records, 0, at_ns, frame, self._checksum)
        self._checksum = zlib.crc32(payload, zlib.crc32(head))
        self._data += head + CHECKSUM.pack(self._checksum) + payload
        self._data += bytes(-len(self._data) % 8)

    @property
    def data(self) -> bytes:
        return bytes(self._data)

    def spill(self, path: Path, torn: int = 0) -> None:
        """Write the journal with ``torn`` bytes of a record that was never finished."""
        junk = HEAD.pack(40, 1, 0, self.records + 1, 0, 0, 0, self._checksum)[:torn] if torn < HEAD_BYTES else b""
        path.write_bytes(self._data + junk)
