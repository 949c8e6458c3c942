"""Some contracts of a recording, as if only they had been recorded."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import orjson

from models.event import ClockOffset, Command, StreamState
from models.instrument import Instrument
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind

ANSWERS = frozenset({RecordKind.DEPTH_ANSWER, RecordKind.TRADES_ANSWER, RecordKind.KLINES_ANSWER})
"""Bodies that name no symbol: the connection of their record is the instrument's index."""
_decode = msgspec.json.Decoder(ClockOffset | StreamState | Command).decode


class Selection:
    """``instruments`` are those of ``recorded`` whose symbol is in ``symbols``, numbered anew in their order.

    ``chunks`` gives the recording's chunks without the frames, answers and stream states of the others, which would be
    quarantined or, by their number, taken for those of another contract.
    """

    def __init__(self, recorded: Sequence[Instrument], symbols: Sequence[str]) -> None:
        kept = [one for one in recorded if one.symbol in symbols]
        self.instruments = tuple(msgspec.structs.replace(one, index=index) for index, one in enumerate(kept))
        self._places = {one.index: index for index, one in enumerate(kept)}
        self._whole = len(kept) == len(recorded)
        left = [one.symbol for one in recorded if one.symbol not in symbols]
        written = {form for symbol in left for form in (orjson.dumps(symbol), _escaped(symbol))}
        self._marks = tuple(b'"s":%b' % form for form in sorted(written))

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks with what belongs to the selection; a chunk may become empty. Times and numbers stay."""
        for chunk in chunks:
            yield chunk if self._whole else b"".join(self._records(chunk))

    def _records(self, chunk: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(chunk):
            size, kind, connection, _, received_ns, number, _ = RECORD_HEADER.unpack_from(chunk, at)
            end = at + RECORD_HEADER_BYTES + size
            payload = chunk[at + RECORD_HEADER_BYTES : end]
            if kind in ANSWERS:
                if connection in self._places:
                    place = self._places[connection]
                    head = RECORD_HEADER.pack(size, kind, place, 0, received_ns, number, zlib.crc32(payload))
                    yield head + payload
            elif kind == RecordKind.FACT:
                fact = self._fact(payload)
                if fact is not None:
                    head = RECORD_HEADER.pack(len(fact), kind, connection, 0, received_ns, number, zlib.crc32(fact))
                    yield head + fact
            elif kind != RecordKind.FRAME or not any(mark in payload for mark in self._marks):
                yield chunk[at:end]
            at = end

    def _fact(self, payload: bytes) -> bytes | None:
        """A fact with its instrument's new number, None for one about another instrument."""
        try:
            event = _decode(payload)
        except msgspec.DecodeError:
            return payload  # whoever hears it says so
        if not isinstance(event, StreamState):
            return payload
        if event.instrument not in self._places:
            return None
        return msgspec.json.encode(msgspec.structs.replace(event, instrument=self._places[event.instrument]))


def _escaped(symbol: str) -> bytes:
    """The JSON text of a symbol with everything beyond ASCII escaped, as the venue may write it."""
    return b'"%b"' % symbol.encode("ascii", "backslashreplace")
