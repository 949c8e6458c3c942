"""Cost of the engine's compiled pass: nanoseconds of CPU time a row, over made-up rows and over a file of rows.

``python -m tests.bench.market_rows [--rows FILE.npy] [--json]``: ``FILE.npy`` is a saved array of dtype ``ROW``.
Minima of interleaved rounds; the scalper's conditions are on with their defaults, no exchange, no wake of any strategy.
"""

from __future__ import annotations

import argparse
import json
import random
import time

import numpy as np

from models.rows import ASK, BID, ROW, Kind
from tests.builders import MS, START_NS, Frames, Memory

SECOND = 1_000 * MS
DEFAULTS = {
    "baseline_bars": 20, "fade_bars": 3, "hold_min_ns": 15 * SECOND, "imbalance_levels": 5,
    "momentum_window_ns": 10 * SECOND, "momentum_samples_min": 120, "momentum_history": 1_800,
    "signal_quiet_ns": 5 * SECOND,
    "spread_limit_num": 5, "depth_limit_lots": 1_000, "cascade_count": 20,
}  # fmt: skip


def depth_rows(frames: int, levels: int = 60, seed: int = 7) -> np.ndarray:
    """Depth frames of ``levels`` levels 20 ms apart, a quote and a trade between; levels thin out with distance."""
    chance = random.Random(seed)
    out = Frames()
    now, mid = START_NS, 600_000
    sides = ((BID, -1), (ASK, 1))
    out.snapshot(now, [(side, mid + sign * step, 5 + step) for side, sign in sides for step in range(1, 1_000)])
    for _ in range(frames):
        now += 20 * MS
        mid += chance.choice((-2, -1, 0, 0, 0, 1, 2))
        body = [(BID, mid + step, 0) for step in range(3)] + [(ASK, mid - step, 0) for step in range(3)]
        for side, sign in sides:
            for _ in range((levels - 6) // 2):
                distance = 1 + int(chance.expovariate(1 / 60))
                body.append((side, mid + sign * distance, chance.choice((0, 3, 8, 20))))
            body.append((side, mid + sign, 9))
        out.depth(now, body, occurred_ns=now - 5 * MS)
        out.quote(now + MS, mid - 1, 9, mid + 1, 9, out.update_id)
        out.trade(now + 2 * MS, mid + 1, 1 + chance.randrange(9), occurred_ns=now - MS)
    return out.rows()


def cost_ns(rows: np.ndarray, rounds: int = 7) -> float:
    """The least CPU time a row of ``rounds`` passes over ``rows``, each on fresh state, wakes included."""
    best = float("inf")
    for _ in range(rounds):
        memory = Memory(bars=(5 * SECOND, 60 * SECOND), **DEFAULTS)
        at = 0
        started = time.process_time_ns()
        while at < len(rows):
            at, _ = memory.advance(rows, at)
        best = min(best, (time.process_time_ns() - started) / len(rows))
    return best


def shares(rows: np.ndarray) -> dict[str, int]:
    """Rows by kind, for the report."""
    counts = np.bincount(rows["kind"], minlength=9)
    return {"depth": int(counts[Kind.DEPTH]), "quote": int(counts[Kind.QUOTE]), "trade": int(counts[Kind.TRADE])}


def main() -> None:
    """Measure and print one line a figure, or one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", help="a .npy file with an array of dtype ROW")
    parser.add_argument("--frames", type=int, default=4_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    inputs = {"synthetic": depth_rows(options.frames)}
    if options.rows:
        inputs["file"] = np.load(options.rows).astype(ROW)
    report = {}
    for name, rows in inputs.items():
        ns = cost_ns(rows)
        report[name] = {"rows": len(rows), **shares(rows), "ns_per_row": round(ns, 2), "rows_per_s": round(1e9 / ns)}
    if options.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name, " ".join(f"{key}={value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
