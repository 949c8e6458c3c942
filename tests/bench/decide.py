"""From the frame callback to an approved order: ``python -m tests.bench.decide [--json]``.

CPU time of the thread from entering the frame callback to the venue's ``execute`` with an approved entry; journal,
recording and records on. One bot trades through the generated market with thresholds so low, limits so wide and fees
of nothing that it enters more than a hundred times; every entry is a sample, the first 50 are left out as warming.
Bar: p50 ≤ 25 µs, or 1.2 × ``orjson.loads`` of a depth frame of 122 levels, whichever is larger. ``with_keep_warm``
repeats it with a beat of ``execution.keep_warm`` before each frame: in this loop, which never idles, a beat only costs;
it is for the idle millisecond. ``beat_us`` is what one costs.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson

import wiring
from config.settings import Settings
from core.engine import Engine
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from interface.drivers.parts import Printer
from models.account import AccountShape
from models.action import Submit, Wish
from models.instrument import E8, Fees
from models.order import Purpose
from models.recording import RecordKind
from storage.cold.journal import Journal
from storage.cold.keeper import JournalKeeper
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import RunFiles
from tests.bench import timing
from tests.bench.depth_frames import depth_frames
from tests.bench.scene import Market, generated

BAR_US, BAR_RATIO = 25.0, 1.2
SECONDS = 400.0
LEVELS = 61
WARMING = 50


class Stopwatch(SimulatedVenue):
    """The simulated venue, noting when it was handed an entry."""

    handed_ns = 0

    def execute(self, action: Wish) -> None:
        if isinstance(action, Submit) and action.order.purpose is Purpose.ENTRY:
            self.handed_ns = time.thread_time_ns()
        super().execute(action)


def eager() -> Settings:
    """Settings that enter at the slightest sign and are stopped by no limit of time, money or number."""
    base = Settings()
    params = msgspec.structs.replace(
        base.strategy.params, volume_multiple=0.01, bar_s=1, baseline_bars=5, momentum_s=1, imbalance_levels=1,
        imbalance_entry=0.05, momentum_z=0.01, hold_min_s=0, cooldown_s=0, momentum_ready_min=1,
        fade_multiple=50.0, fade_bars=1, imbalance_window_ms=1,
    )  # fmt: skip
    risk = msgspec.structs.replace(
        base.risk, entries_per_hour=1_000_000, entries_per_day=1_000_000, repeat_entries_max=1_000_000,
        daily_loss_soft_pct=100.0, daily_loss_hard_pct=100.0, drawdown_max_pct=100.0, streak_pause=1_000_000,
        streak_halt=1_000_000, messages_per_min=1_000_000, depth_multiple_min=0.0,
    )  # fmt: skip
    paper = msgspec.structs.replace(
        base.paper, fees="fixed", maker_bps=0.0, taker_bps=0.0, latency_out_ms=1, latency_back_ms=1
    )
    strategy = msgspec.structs.replace(base.strategy, params=params)
    return msgspec.structs.replace(base, strategy=strategy, risk=risk, paper=paper)


class Desk:
    """The bot with everything a run keeps, and the stopwatch behind it."""

    def __init__(self, market: Market, folder: Path) -> None:
        settings = eager()
        shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
        instruments = [msgspec.structs.replace(one, fees=Fees(maker_e8=0, taker_e8=0)) for one in market.instruments]
        self.engine = Engine(instruments, settings, "bench")
        self.venue = Stopwatch(SimulatedExchange(instruments, shape, wiring.paper_terms(settings)))
        self.journal = Journal(folder / "journal", {"version": "bench"})
        self.writer = RecordingWriter(folder / "recording", meta={})
        self.files = RunFiles(folder, "bench", threaded=True)
        publisher = Printer(self.files, None)
        self.session = Session(self.engine, self.venue, JournalKeeper(self.journal), publisher)
        self.ear = Ear(Hearing(instruments), self.session, self.writer.record)
        self.session.resync = self.ear.resync

    def close(self) -> None:
        self.writer.close()
        self.journal.close()
        self.files.close()


def samples(market: Market, folder: Path, *, warm: bool) -> list[int]:
    """CPU ns from callback to order, for each entry in order; with ``warm`` a beat comes before each frame."""
    desk = Desk(market, folder)
    beat = wiring.keep_warm_bot(Settings()).beat if warm else None
    frame, clock, venue = desk.ear.frame, time.thread_time_ns, desk.venue
    found = []
    gc.collect()
    gc.disable()
    for kind, connection, payload, received_ns in market.messages:
        if kind != RecordKind.FRAME:
            desk.ear.take(kind, connection, payload, received_ns)
            continue
        if beat is not None:
            beat()
        venue.handed_ns = 0
        started = clock()
        frame(connection, payload, received_ns)
        if venue.handed_ns:
            found.append(venue.handed_ns - started)
    gc.enable()
    desk.close()
    return found


def percentiles(values: Sequence[int]) -> dict[str, float]:
    """Minimum, p50 and p90 in µs."""
    least, half, high = np.percentile(np.array(values), [0, 50, 90]) / 1000
    return {"min_us": round(float(least), 2), "p50_us": round(float(half), 2), "p90_us": round(float(high), 2)}


def beat_us() -> float:
    """CPU time of one beat, µs, over a thousand."""
    warm = wiring.keep_warm_bot(Settings())
    for _ in range(500):
        warm.beat()
    started = time.thread_time_ns()
    for _ in range(1000):
        warm.beat()
    return round((time.thread_time_ns() - started) / 1e6, 1)


def measure(seconds: float, warming: int = WARMING) -> dict[str, Any]:
    """All figures; the first ``warming`` entries are left out."""
    market = generated(seconds)
    with tempfile.TemporaryDirectory() as folder:
        found = samples(market, Path(folder, "alone"), warm=False)
        beaten = samples(market, Path(folder, "beaten"), warm=True)
    if len(found) <= warming:
        raise LookupError(f"only {len(found)} entries in {seconds:g} s; take more seconds")
    frames = depth_frames(500, LEVELS)

    def loads() -> None:
        for payload in frames:
            orjson.loads(payload)

    parse_us = timing.interleaved({"orjson": loads}, 9)["orjson"] / len(frames) / 1000
    bar = max(BAR_US, BAR_RATIO * parse_us)
    warm = percentiles(found[warming:])
    return {
        "entries": len(found),
        "callback_to_order": warm,
        "with_keep_warm": percentiles(beaten[warming:]),
        "beat_us": beat_us(),
        "orjson_122_levels_us": round(parse_us, 2),
        "bars": {"callback to order, p50 µs": (warm["p50_us"], "≤", round(bar, 2))},
    }


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the generated market (400)")
    options = parser.parse_args()
    return timing.tell(measure(options.seconds), options.json)


if __name__ == "__main__":
    sys.exit(main())
