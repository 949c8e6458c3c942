"""What was refused: the reason, the bytes, and how often. Nothing is refused without standing here."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable

import msgspec

KEPT = 256  # the last refusals with their bytes: 1 MiB at most, enough to see a pattern
BYTES_KEPT = 4096  # of one refused frame; every frame of the fast streams but the longest depth diffs fits
NAMES_MAX = 64  # stream names counted apart: the venue's own are a dozen, a hostile one invents any number


class Reason(enum.StrEnum):
    """Why a frame was refused. The texts are stable: records, metrics and alert rules carry them."""

    NOT_JSON = "NOT_JSON"
    TRUNCATED = "TRUNCATED"  # JSON up to its end, which is missing
    TOO_LARGE = "TOO_LARGE"  # more bytes or more levels than any frame of the venue
    MISSING_FIELD = "MISSING_FIELD"
    WRONG_TYPE = "WRONG_TYPE"
    BAD_NUMBER = "BAD_NUMBER"  # no plain decimal, or longer than any number of the venue
    NEGATIVE = "NEGATIVE"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NOT_UM = "NOT_UM"  # st is not 1: another market on the same stream
    OFF_TICK = "OFF_TICK"
    OFF_STEP = "OFF_STEP"
    ZERO_PRICE = "ZERO_PRICE"
    ZERO_QUANTITY = "ZERO_QUANTITY"
    OFF_MARKET = "OFF_MARKET"  # insurance fund, ADL: outside the book
    BAD_SEQUENCE = "BAD_SEQUENCE"  # ids of one frame that contradict each other
    CROSSED = "CROSSED"  # best bid not below best ask in one frame
    DUPLICATE = "DUPLICATE"
    OUT_OF_ORDER = "OUT_OF_ORDER"


def counted_as(name: str, counter: Counter[str]) -> str:
    """The name ``counter`` keeps ``name`` under: a known one, a new one while there is room, else «other»."""
    return name if name in counter or len(counter) < NAMES_MAX else "other"


class Quarantined(msgspec.Struct, frozen=True):
    """One refused frame. ``payload`` holds its first ``BYTES_KEPT`` bytes, ``length`` what it had."""

    number: int
    received_ns: int
    connection: int
    stream: str
    reason: Reason
    detail: str
    length: int
    payload: bytes

    def record(self) -> dict[str, object]:
        """For ``quarantine.jsonl``: reason and bytes."""
        return {
            "ts": self.received_ns // 1000,
            "reason": self.reason.value,
            "detail": self.detail,
            "stream": self.stream,
            "connection": self.connection,
            "number": self.number,
            "length": self.length,
            "bytes": self.payload.decode("utf-8", "backslashreplace"),
        }


class Quarantine:
    """The last ``kept`` refusals, counters of all, and one listener who may write them down."""

    def __init__(self, on_refused: Callable[[Quarantined], None] | None = None, kept: int = KEPT) -> None:
        self.last: deque[Quarantined] = deque(maxlen=kept)
        self.reasons: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self.count = 0
        self._on_refused = on_refused

    def put(
        self,
        reason: Reason,
        payload: bytes,
        *,
        detail: str = "",
        stream: str = "",
        connection: int = 0,
        received_ns: int = 0,
        number: int = 0,
    ) -> None:
        """Keep one refusal; the oldest kept one leaves when the ring is full, the counters never forget."""
        name = stream or "unknown"
        head = bytes(payload[:BYTES_KEPT])
        one = Quarantined(number, received_ns, connection, name, reason, detail, len(payload), head)
        self.count += 1
        self.reasons[reason.value] += 1
        self.streams[counted_as(name, self.streams)] += 1
        self.last.append(one)
        if self._on_refused is not None:
            self._on_refused(one)
