"""The recorded record: how one received message stands in memory chunks and, compressed, on disk.

A record is a 32-byte little-endian header and the payload, without padding. Kernels walk chunks of whole records, so
the layout is fixed; ``RECORD_HEADER`` is its one description.
"""

from __future__ import annotations

import struct

RECORD_HEADER = struct.Struct("<IBBHqqQ")
"""payload length, kind, connection, zero, received_ns, number, crc32 of the payload"""
RECORD_HEADER_BYTES = 32
PAYLOAD_BYTES_MAX = 16 << 20  # the largest frame kept; exchangeInfo is 1.1 MB, hostile frames are cut to this


class RecordKind:
    FRAME = 1  # a WebSocket text frame as received
    DEPTH_ANSWER = 2  # REST depth body; connection = instrument index
    OPENED = 3  # a connection opened; payload JSON
    CLOSED = 4  # a connection closed; payload JSON with the reason
    TICK = 5  # the feed's proof of silence; empty payload
    NOTE = 6  # anything else worth keeping; payload JSON
    TRADES_ANSWER = 7  # REST aggTrades body; connection = instrument index
    KLINES_ANSWER = 8  # REST klines body; connection = instrument index
    FACT = 9  # a fact about the feed or the run that is no market data; payload an event as JSON
