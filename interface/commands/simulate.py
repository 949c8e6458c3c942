"""``simulate``: bot and embedded exchange in one process, in virtual time, with random faults; one seed is one run."""

from __future__ import annotations

import argparse
import json
import sys
import time

import msgspec

from config.settings import Settings
from interface.progress import Progress

EXIT_VIOLATED, EXIT_INTERRUPTED = 7, 130


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Simulate the seeds; exit code 7 when an invariant was broken. An interrupt ends it with what is done so far."""
    from wiring.simulation.campaign import Tally, outcomes

    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    tally, began_s = Tally(), time.perf_counter()
    shown = Progress(arguments, "simulate")
    interrupted = False
    try:
        for one in outcomes(seeds, arguments.hours, settings, jobs=arguments.jobs):
            tally.add(one)
            broken = sum(tally.sum.violations.values())
            shown.text(f"{tally.sum.seeds} of {len(seeds)} seeds · {tally.sum.faults} faults · {broken} violations")
            if not arguments.json:
                for found in one.violations:
                    shown.done()
                    sys.stdout.write(f"seed {one.seed} at {found.at_s:.3f} s: {found.name}: {found.text}\n")
                    sys.stdout.flush()
    except KeyboardInterrupt:  # the seeds that are done count all the same
        interrupted = True
    shown.done()
    took_s = time.perf_counter() - began_s
    total = tally.sum
    document = {
        **msgspec.to_builtins(total), "first_seed": arguments.first_seed, "jobs": arguments.jobs,
        "interrupted": interrupted,
        "took_s": round(took_s, 1), "times_real_per_core": round(total.hours * 3600 / max(total.cpu_s, 1e-9), 1),
    }  # fmt: skip
    sys.stdout.write(json.dumps(document) + "\n" if arguments.json else _text(document))
    return EXIT_VIOLATED if total.violations else EXIT_INTERRUPTED if interrupted else 0


def _text(document: dict[str, object]) -> str:
    """The result for people."""
    least, violations = document["least"], document["violations"]
    assert isinstance(least, dict) and isinstance(violations, dict)
    broken = ", ".join(f"{name} {count}" for name, count in sorted(violations.items())) or "none"
    return (
        f"{document['seeds']} seeds, {document['hours']:g} simulated hours: {document['frames']:,} frames, "
        f"{document['intents']:,} intents, {document['trips']:,} round trips, {document['faults']:,} faults, "
        f"{document['kills']:,} kills\n"
        f"poorest seed: {least.get('frames_per_s', 0):g} frames/s, {least.get('intents_per_h', 0):g} intents/h, "
        f"{least.get('faults_per_h', 0):g} faults/h\n"
        f"states reached (order × position × stop × connection): {document['tuples']:,}\n"
        f"longest time without protection, faults included: {document['unprotected_worst_s']:g} s; restart to "
        f"reconciled p50 {document['restart_p50_s']:g} s, p99 {document['restart_p99_s']:g} s\n"
        f"speed: {document['times_real_per_core']:g} × real time a core, {document['took_s']:g} s in all\n"
        f"violations: {broken}\n"
    )
