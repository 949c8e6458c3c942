"""What remembering costs the hot path: ``python -m tests.bench.storage [--json]``.

Figures are µs per call: the minimum and the median of batches, between which the threads may work as they do behind a
feed. The frame is a depth frame of 1.0 kB, the journal payload an order of 200 bytes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from storage.cold.journal import Journal
from storage.cold.recording import Recording, RecordingWriter
from storage.cold.records import RunFiles
from storage.hot.ring import Ring

BATCH = 500
PAUSE_S = 0.002
START_NS = 1_700_000_000_000_000_000
FRAME = b'{"e":"depthUpdate","b":[["61807.70","3.141"],["61807.60","0.002"]]}' * 15
ORDER = b'{"client_id":"sc3f9a0001e00000042","side":"BUY","type":"MARKET","quantity":8}'.ljust(200)


def batches(call: Callable[[int], object], count: int) -> dict[str, float]:
    """µs per call of ``call(number)``: minimum and median over ``count`` batches with pauses between."""
    costs = []
    for batch in range(count):
        numbers = range(batch * BATCH, (batch + 1) * BATCH)
        start_ns = time.perf_counter_ns()
        for number in numbers:
            call(number)
        costs.append((time.perf_counter_ns() - start_ns) / BATCH / 1000)
        time.sleep(PAUSE_S)
    return {"min_us": round(min(costs), 3), "median_us": round(statistics.median(costs), 3)}


def measure(folder: Path, count: int = 100) -> dict[str, dict[str, float]]:
    """All figures; ``count`` batches each. Also proves that everything written can be read back."""
    figures = {"empty call": batches(lambda number: None, count)}
    with RecordingWriter(folder / "recording", meta={}) as writer:
        record = writer.record
        figures["recording.record 1 kB"] = batches(
            lambda number: record(1, 0, FRAME, START_NS + number * 1000, number), count
        )
    recording = Recording.open(folder / "recording")
    assert recording.index.records == count * BATCH
    start_ns = time.perf_counter_ns()
    size = sum(len(chunk) for chunk in recording.chunks())
    figures["recording.chunks"] = {"mb_per_s": round(size * 1000 / (time.perf_counter_ns() - start_ns))}
    with Journal(folder / "journal", {}) as journal:
        append = journal.append
        figures["journal.append 200 B"] = batches(lambda number: append(1, START_NS, number, ORDER), count)
    with Journal(folder / "always", {}, sync="always") as journal:
        costs = []
        for number in range(min(count, 50)):
            start_ns = time.perf_counter_ns()
            journal.append(1, START_NS, number, ORDER)
            costs.append((time.perf_counter_ns() - start_ns) / 1000)
        figures["journal.append, always"] = {"min_us": round(min(costs), 1), "median_us": statistics.median(costs)}
    with RunFiles(folder / "run", "bench") as files:
        write = files.write
        figures["records.write"] = batches(lambda number: write("orders", {"ts": number, "side": "BUY"}), count)
    ring = Ring({"time_ns": int, "price": int, "quantity": int, "score": float}, 1 << 16)
    figures["ring.append 4 columns"] = batches(lambda number: ring.append(number, 618077, 3, 0.5), count)
    figures["ring.newest 1000"] = batches(lambda number: ring.newest("score", 1000), count)
    column = np.arange(BATCH * count, BATCH * (count + 1))
    many = [column, column, column, column.astype(float)]
    start_ns = time.perf_counter_ns()
    ring.append_many(many)
    figures["ring.append_many, a row"] = {"min_us": round((time.perf_counter_ns() - start_ns) / BATCH / 1000, 4)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="cost of recording, journal, records and ring")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--batches", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.batches)
    if arguments.json:
        print(json.dumps({"bench": "storage", "figures": figures}))
        return
    for name, values in figures.items():
        print(f"{name:24}", "  ".join(f"{key} {value}" for key, value in values.items()))


if __name__ == "__main__":
    main()
