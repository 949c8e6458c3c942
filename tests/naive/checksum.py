"""Slow twin of ``storage.cold.checksum``: the same walk with struct and zlib."""

from __future__ import annotations

import zlib

from models.recording import PAYLOAD_BYTES_MAX, RECORD_HEADER, RECORD_HEADER_BYTES
from storage.cold.checksum import CHECK, KIND_COUNTS, LAST_OFFSET, SEAL, SUMMARY_WORDS


def walk_records(data: bytearray, mode: int) -> tuple[int, list[int]]:
    """Returns (number of records or −1 − offset, summary words) and, with ``SEAL``, writes checksums into ``data``."""
    summary = [0] * SUMMARY_WORDS
    count = at = 0
    while at < len(data):
        if len(data) - at < RECORD_HEADER_BYTES:
            return -1 - at, summary
        size, kind, connection, zero, received_ns, number, crc = RECORD_HEADER.unpack_from(data, at)
        payload = data[at + RECORD_HEADER_BYTES : at + RECORD_HEADER_BYTES + size]
        if size > PAYLOAD_BYTES_MAX or len(payload) != size:
            return -1 - at, summary
        if mode == SEAL:
            RECORD_HEADER.pack_into(data, at, size, kind, connection, zero, received_ns, number, zlib.crc32(payload))
        elif mode == CHECK and crc != zlib.crc32(payload):
            return -1 - at, summary
        summary[LAST_OFFSET] = at
        summary[KIND_COUNTS + kind] += 1
        count += 1
        at += RECORD_HEADER_BYTES + size
    return count, summary
