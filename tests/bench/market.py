"""Bytes → book → features → trigger check against a JSON parser: ``python -m tests.bench.market [--json]``.

The hot path of a live venue, called from Python frame by frame, beside ``orjson.loads`` alone of the same frames. Bars:
a depth frame of 61 + 61 levels ≤ 0.30 × orjson; a mixed feed ≥ 1.5 × as many frames a second as orjson alone.
``--recording FOLDER`` takes the frames of an imported capture for the mixed feed instead of the generated market.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from config.venue import shipped_instruments
from models.recording import RecordKind
from tests.bench import timing
from tests.bench.depth_frames import EVENT_MS, STEP_MS, depth_frames, snapshot
from tests.bench.scene import Bot, Market, Message, generated, recorded

LEVELS = 61
DEPTH_BAR, MIXED_BAR = 0.30, 1.5
MIXED_FRAMES = 20_000
MS = 1_000_000


def deep(frames: int) -> Market:
    """A snapshot and depth frames of 122 levels."""
    messages = [Message(RecordKind.DEPTH_ANSWER, 0, snapshot(), EVENT_MS * MS)]
    for number, payload in enumerate(depth_frames(frames, LEVELS), 1):
        messages.append(Message(RecordKind.FRAME, 0, payload, (EVENT_MS + number * STEP_MS) * MS))
    return Market(tuple(shipped_instruments(["BTCUSDT"])), messages)


def compare(market: Market, rounds: int) -> dict[str, Any]:
    """CPU time a frame of both, on the same frames, and what the bot made of them."""
    # Everything up to the REST snapshot is heard beforehand: orjson's side has no snapshot to turn into rows.
    head = 1 + next(index for index, one in enumerate(market.messages) if one.kind == RecordKind.DEPTH_ANSWER)
    bots = [Bot(market.instruments) for _ in range(rounds)]
    for bot in bots:
        bot.hear(market.messages[:head])
    heard = bots[0]
    body = market.messages[head:]
    frames = [message.payload for message in body]

    def ours() -> None:
        bots.pop().hear(body)

    def theirs() -> None:
        loads = orjson.loads
        for payload in frames:
            loads(payload)

    least = timing.interleaved({"ours": ours, "orjson": theirs}, rounds)
    counts = heard.ear.hearing.counts
    return {
        "frames": len(frames),
        "ours_ns": round(least["ours"] / len(frames)),
        "orjson_ns": round(least["orjson"] / len(frames)),
        "ours_frames_per_s": round(len(frames) * 1e9 / least["ours"]),
        "ratio": round(least["ours"] / least["orjson"], 4),
        "fast_share": round(counts.fast_share, 6),
        "quarantined": counts.quarantined,
        "signals": heard.engine.signals,
        "events": dict(counts.events),
    }


def measure(mixed: Market, frames: int, rounds: int) -> dict[str, Any]:
    """All figures."""
    document: dict[str, Any] = {
        "rounds": rounds,
        "depth_61_61": compare(deep(frames), rounds),
        "mixed": compare(mixed, rounds),
    }
    document["bars"] = {
        "depth_61_61 ÷ orjson": (document["depth_61_61"]["ratio"], "≤", DEPTH_BAR),
        "mixed frames/s ÷ orjson": (round(1 / document["mixed"]["ratio"], 4), "≥", MIXED_BAR),
    }
    return document


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--frames", type=int, default=1_000, help="depth frames (1000)")
    parser.add_argument("--recording", type=Path, help="folder of an imported capture, for the mixed feed")
    options = parser.parse_args()
    mixed = recorded(options.recording) if options.recording else generated(240)
    mixed = Market(mixed.instruments, mixed.messages[:MIXED_FRAMES])
    return timing.tell(measure(mixed, options.frames, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
