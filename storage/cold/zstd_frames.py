"""Where the zstd frames of a file begin and end, read from their headers without decompressing (RFC 8878 §3.1)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import msgspec
import zstandard

MAGIC = zstandard.FRAME_HEADER
SKIPPABLE_MAGIC = 0x184D2A50
SKIPPABLE = struct.Struct("<II")  # magic, length of the content
HEADER_BYTES_MAX = 18  # RFC 8878 §3.1.1.1
BLOCK_RAW, BLOCK_RLE, BLOCK_RESERVED = 0, 1, 3


class ZstdFrame(msgspec.Struct, frozen=True):
    """Bytes ``start`` to ``stop`` of a file. ``content_bytes`` is the decompressed size; −1 for a skippable frame."""

    start: int
    stop: int
    content_bytes: int

    @property
    def skippable(self) -> bool:
        return self.content_bytes < 0


def skippable_frame(content: bytes) -> bytes:
    """A frame that every zstd decoder steps over: room for facts about the file itself."""
    return SKIPPABLE.pack(SKIPPABLE_MAGIC, len(content)) + content


def frame_at(descriptor: int, start: int, size: int) -> ZstdFrame | None:
    """The frame that begins at byte ``start`` of an open file of ``size`` bytes; None when none stands there whole."""
    head = os.pread(descriptor, HEADER_BYTES_MAX, start)
    if len(head) >= SKIPPABLE.size and SKIPPABLE.unpack_from(head)[0] == SKIPPABLE_MAGIC:
        stop = start + SKIPPABLE.size + SKIPPABLE.unpack_from(head)[1]
        return ZstdFrame(start, stop, -1) if stop <= size else None
    if head[:4] != MAGIC:
        return None
    try:
        parameters = zstandard.get_frame_parameters(head)
        at = start + zstandard.frame_header_size(head)
    except zstandard.ZstdError:
        return None
    last = 0
    while not last:
        block = os.pread(descriptor, 3, at)
        if len(block) < 3:
            return None
        word = int.from_bytes(block, "little")
        last, shape, length = word & 1, (word >> 1) & 3, word >> 3
        if shape == BLOCK_RESERVED:
            return None
        at += 3 + (1 if shape == BLOCK_RLE else length)
    at += 4 if parameters.has_checksum else 0
    return ZstdFrame(start, at, parameters.content_size) if at <= size else None


def frames(descriptor: int, size: int) -> Iterator[ZstdFrame]:
    """The whole frames of a file, one after the other; ends at the file's end or before the first that is not whole."""
    start = 0
    while start < size and (frame := frame_at(descriptor, start, size)) is not None:
        yield frame
        start = frame.stop


def content(descriptor: int, frame: ZstdFrame, limit: int) -> bytes | None:
    """The decompressed bytes of ``frame``; None when they are damaged, of unknown size, or more than ``limit``."""
    if not 0 <= frame.content_bytes <= limit:  # an unknown size reads as 2**64 - 1
        return None
    try:
        packed = os.pread(descriptor, frame.stop - frame.start, frame.start)
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError:
        return None
