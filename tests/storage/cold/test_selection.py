"""Some contracts of a recording: frames, answers and facts of the others are gone, numbers and times stay."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import msgspec
import pytest

from config.venue import shipped_instruments
from models.event import ClockOffset, StreamState
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from storage.cold.selection import Selection

BTC, ETH = shipped_instruments(["BTCUSDT", "ETHUSDT"])
Message = tuple[int, int, bytes]
"""kind, connection, payload"""


def frame(symbol: str, *, ascii_only: bool = False) -> bytes:
    """A frame as the venue writes it."""
    data = {"e": "trade", "s": symbol}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=ascii_only).encode()


def state(instrument: int) -> bytes:
    """The fact that a stream of an instrument was lost."""
    return msgspec.json.encode(StreamState(5, instrument, "depth", False, "closed"))


def chunk_of(messages: Sequence[Message]) -> bytes:
    """Messages as the records of a chunk, numbered from 1, a microsecond apart."""
    parts = []
    for number, (kind, connection, payload) in enumerate(messages, 1):
        head = (len(payload), kind, connection, 0, number * 1000, number, zlib.crc32(payload))
        parts.append(RECORD_HEADER.pack(*head) + payload)
    return b"".join(parts)


def messages_of(chunk: bytes) -> dict[int, Message]:
    """The records of a chunk by number; their times and checksums are checked."""
    at, found = 0, {}
    while at < len(chunk):
        size, kind, connection, zero, received_ns, number, checksum = RECORD_HEADER.unpack_from(chunk, at)
        payload = chunk[at + RECORD_HEADER_BYTES : at + RECORD_HEADER_BYTES + size]
        assert (zero, received_ns, checksum) == (0, number * 1000, zlib.crc32(payload))
        found[number] = (kind, connection, payload)
        at += RECORD_HEADER_BYTES + size
    return found


CLOCK = msgspec.json.encode(ClockOffset(5, 1, 2))
MESSAGES: list[Message] = [
    (RecordKind.FRAME, 1, frame("BTCUSDT")),
    (RecordKind.FRAME, 1, frame("ETHUSDT")),
    (RecordKind.FRAME, 1, b"no JSON"),
    (RecordKind.DEPTH_ANSWER, 0, b"of BTC"),
    (RecordKind.TRADES_ANSWER, 1, b"of ETH"),
    (RecordKind.KLINES_ANSWER, 1, b"of ETH"),
    (RecordKind.FACT, 0, state(0)),
    (RecordKind.FACT, 0, state(1)),
    (RecordKind.FACT, 0, CLOCK),
    (RecordKind.FACT, 0, b"{}"),
    (RecordKind.TICK, 0, b""),
    (RecordKind.NOTE, 0, b"{}"),
]
SHARED = {number: MESSAGES[number - 1] for number in (3, 9, 10, 11, 12)}
"""What belongs to no contract: stays whatever is chosen."""


@pytest.mark.parametrize(
    ("symbol", "own"),
    [
        ("BTCUSDT", {1: MESSAGES[0], 4: MESSAGES[3], 7: MESSAGES[6]}),
        (
            "ETHUSDT",
            {
                2: MESSAGES[1],
                5: (RecordKind.TRADES_ANSWER, 0, b"of ETH"),
                6: (RecordKind.KLINES_ANSWER, 0, b"of ETH"),
                8: (RecordKind.FACT, 0, state(0)),
            },
        ),
    ],
)
def test_what_belongs_to_the_chosen_contract_is_left(symbol: str, own: dict[int, Message]) -> None:
    """Its frames, and its answers and stream states under its new number; the others' are gone."""
    selection = Selection([BTC, ETH], [symbol, "ABSENTUSDT"])
    assert [(one.symbol, one.index) for one in selection.instruments] == [(symbol, 0)]
    (chunk,) = selection.chunks([chunk_of(MESSAGES)])
    assert messages_of(chunk) == SHARED | own


@pytest.mark.parametrize("symbols", [["BTCUSDT", "ETHUSDT"], ["ETHUSDT", "BTCUSDT"]])
def test_all_contracts_are_the_recording_itself(symbols: list[str]) -> None:
    """With nothing left out the chunks pass as they are, and the order is the recording's."""
    selection, chunk = Selection([BTC, ETH], symbols), chunk_of(MESSAGES)
    assert selection.instruments == (BTC, ETH)
    assert all(one is chunk for one in selection.chunks([chunk]))


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_symbol_beyond_ascii_is_known_in_both_forms(ascii_only: bool) -> None:
    """The venue writes such a symbol as it is or escaped; both are left out."""
    chinese = msgspec.structs.replace(ETH, symbol="币安人生USDT")
    left = frame(chinese.symbol, ascii_only=ascii_only)
    chunk = chunk_of([(RecordKind.FRAME, 0, left), (RecordKind.FRAME, 0, frame("BTCUSDT"))])
    (kept,) = Selection([BTC, chinese], ["BTCUSDT"]).chunks([chunk])
    assert list(messages_of(kept)) == [2]


def test_a_chunk_of_others_alone_becomes_empty() -> None:
    """The number of chunks stays, so that progress does."""
    chunk = chunk_of([(RecordKind.FRAME, 0, frame("ETHUSDT"))])
    assert list(Selection([BTC, ETH], ["BTCUSDT"]).chunks([chunk])) == [b""]
