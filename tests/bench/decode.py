"""Bytes to checked rows against a JSON parser: ``python -m tests.bench.decode [--json]``.

The compiled pass, validation and sequence check included, called from Python as the feed calls it, beside
``orjson.loads`` of the same frames, which checks nothing and builds no number. Bar: depth frames of 100 + 100 levels
≤ 0.20 × orjson.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

from config.venue import shipped_instruments
from data_collector.continuity import hear_through
from data_collector.hearing import Hearing
from models.recording import RecordKind
from tests.bench import timing
from tests.bench.depth_frames import EVENT_MS, depth_frames, snapshot
from tests.bench.scene import generated

LEVELS = 100
BAR = 0.20


def measure(frames: int, rounds: int) -> dict[str, Any]:
    """The figures: ns a frame of both, and the ratio."""
    kinds = {"depth_100_100": depth_frames(frames, LEVELS), **small(frames)}
    document: dict[str, Any] = {"rounds": rounds}
    for name, payloads in kinds.items():
        ears: list[Hearing] = []

        def ready(ears: list[Hearing] = ears) -> None:
            hearing = Hearing(shipped_instruments(["BTCUSDT"]))
            hearing.hear(RecordKind.DEPTH_ANSWER, 0, snapshot(), EVENT_MS * 1_000_000, 1)
            ears.append(hearing)

        def ours(ears: list[Hearing] = ears, payloads: list[bytes] = payloads) -> None:
            hearing = ears.pop()
            context = hearing.into((0, 0, 0))  # no engine behind: what is measured ends with the rows
            for number, payload in enumerate(payloads):
                hear_through(id(payload), EVENT_MS * 1_000_000 + number, number, context)

        def theirs(payloads: list[bytes] = payloads) -> None:
            loads = orjson.loads
            for payload in payloads:
                loads(payload)

        for _ in range(rounds):
            ready()
        checked = ears[0]
        least = timing.interleaved({"ours": ours, "orjson": theirs}, rounds)
        counts = checked.counts
        document[name] = {
            "bytes": round(sum(map(len, payloads)) / len(payloads)),
            "ours_ns": round(least["ours"] / len(payloads)),
            "orjson_ns": round(least["orjson"] / len(payloads)),
            "ratio": round(least["ours"] / least["orjson"], 4),
            "fast_share": counts.fast_share,
            "quarantined": counts.quarantined,
        }
    document["bars"] = {"depth_100_100 ÷ orjson": (document["depth_100_100"]["ratio"], "≤", BAR)}
    return document


def small(frames: int) -> dict[str, list[bytes]]:
    """Frames of the small streams, from the generated market, in sequence."""
    kinds: dict[str, list[bytes]] = {}
    seconds = 10.0
    while min((len(kept) for kept in kinds.values()), default=0) < frames and seconds <= 160:
        kinds = {"bookTicker": [], "aggTrade": []}
        for payload in generated(seconds, streams=("bookTicker", "aggTrade")).frames():
            for name, kept in kinds.items():
                if f'"e":"{name}"'.encode() in payload[:80] and len(kept) < frames:
                    kept.append(payload)
        seconds *= 2
    return kinds


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--frames", type=int, default=1_000, help="frames of each kind (1000)")
    options = parser.parse_args()
    return timing.tell(measure(options.frames, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
