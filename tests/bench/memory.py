"""Does a long run grow? ``python -m tests.bench.memory [--json] [--minutes 60]``.

``demo --speed max`` in this process: the seeded market, recording, journal and records on. Resident memory is read each
minute of the market; the garbage collector is off, as in a run. Bar: at the end ≤ 10 MB above minute 10.
"""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

import wiring
from config.settings import Settings
from interface.commands import outcome
from interface.drivers import virtual
from tests.bench import timing

MINUTE_NS = 60_000_000_000
SETTLED_MINUTE = 10
BAR_MB = 10.0


def resident_mb() -> float:
    """Resident memory now; where the system does not tell, the largest so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(minutes: int, seed: int) -> dict[str, Any]:
    """The figures of one run."""
    samples: dict[int, float] = {}

    def look(done_ns: int) -> None:
        minute = done_ns // MINUTE_NS
        if minute not in samples:
            samples[minute] = resident_mb()

    with tempfile.TemporaryDirectory() as folder:
        base = Settings()
        settings = msgspec.structs.replace(base, app=msgspec.structs.replace(base.app, data_dir=folder))
        wiring.warm(settings)
        gc.collect()
        gc.disable()
        began = time.process_time()
        parts, source = wiring.paper_virtual(settings, seed=seed, started_ns=time.time_ns())
        ended_ns = virtual.drive(parts, source, minutes * MINUTE_NS, look)
        cpu_s = time.process_time() - began
        last = resident_mb()
        document = outcome.finish(parts, started_ns=wiring.VIRTUAL_START_NS, ended_ns=ended_ns, config="")
        gc.enable()
    settled = samples[min(SETTLED_MINUTE, max(samples))]
    return {
        "minutes": minutes,
        "frames": document["market"]["frames"],
        "signals": document["signals"]["total"],
        "round_trips": document["trades"]["count"],
        "cpu_s": round(cpu_s, 1),
        "mb_by_minute": {minute: round(value, 1) for minute, value in samples.items() if minute % 5 == 0},
        "mb_at_minute_10": round(settled, 1),
        "mb_at_end": round(last, 1),
        "bars": {"MB at the end above minute 10": (round(last - settled, 1), "≤", BAR_MB)},
    }


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="length of the run (60)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the market (7)")
    options = parser.parse_args()
    return timing.tell(measure(options.minutes, options.seed), options.json)


if __name__ == "__main__":
    sys.exit(main())
