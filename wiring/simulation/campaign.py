"""Many seeds: run one after the other or on several cores, and their sum."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from config.settings import Settings
from wiring.simulation.world import FAULTS_PER_HOUR, Outcome, World
from wiring.warming import warm

SEEDS_A_WORKER = 16  # then a fresh one takes its place
SHOWN = 200  # violations listed one by one


class Sum(msgspec.Struct):
    """What all seeds came to. ``violations`` counts by the invariant's name."""

    seeds: int = 0
    hours: float = 0.0
    frames: int = 0
    intents: int = 0
    entries: int = 0
    trips: int = 0
    faults: int = 0
    kills: int = 0
    violations: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    tuples: int = 0
    least: dict[str, float] = {}  # the poorest seed's frames a second, intents and faults an hour
    unprotected_worst_s: float = 0.0
    restart_p50_s: float = 0.0
    restart_p99_s: float = 0.0
    cpu_s: float = 0.0
    by_kind: dict[str, int] = {}


class Tally:
    """Adds outcomes up."""

    def __init__(self) -> None:
        self.sum = Sum()
        self._tuples: set[tuple[str, ...]] = set()
        self._restarts_s: list[float] = []

    def add(self, one: Outcome) -> None:
        total, hours = self.sum, one.hours
        total.seeds += 1
        total.hours += hours
        for name in ("frames", "intents", "entries", "trips", "faults", "kills"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.cpu_s += one.elapsed_s
        total.unprotected_worst_s = max(total.unprotected_worst_s, one.bare_worst_s)
        rates = {"frames_per_s": one.frames / hours / 3600, "intents_per_h": one.intents / hours,
                 "faults_per_h": one.faults / hours}  # fmt: skip
        for name, rate in rates.items():
            total.least[name] = min(total.least.get(name, rate), round(rate, 1))
        for kind, count in one.by_kind.items():
            total.by_kind[kind] = total.by_kind.get(kind, 0) + count
        for broken in one.violations:
            total.violations[broken.name] = total.violations.get(broken.name, 0) + 1
            if len(total.found) < SHOWN:
                total.found.append({"seed": one.seed, "invariant": broken.invariant, "name": broken.name,
                                    "at_s": broken.at_s, "text": broken.text})  # fmt: skip
        self._tuples.update(one.tuples)
        total.tuples = len(self._tuples)
        self._restarts_s += one.restarts_s
        ordered = sorted(self._restarts_s)
        if ordered:
            total.restart_p50_s = ordered[len(ordered) // 2]
            total.restart_p99_s = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def one_seed(work: tuple[int, float, Settings, float]) -> Outcome:
    """Run one seed; rubbish is collected between seeds, not inside them."""
    seed, hours, settings, faults_per_hour = work
    gc.collect()
    gc.disable()
    try:
        return World(seed, hours, settings, faults_per_hour).run()
    finally:
        gc.enable()


def outcomes(
    seeds: Sequence[int], hours: float, settings: Settings, *, jobs: int = 1, faults_per_hour: float = FAULTS_PER_HOUR
) -> Iterator[Outcome]:
    """The outcome of each seed, as they come; in their order with one job."""
    work = [(seed, hours, settings, faults_per_hour) for seed in seeds]
    if jobs <= 1:
        warm(settings)
        yield from map(one_seed, work)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, warm, (settings,), SEEDS_A_WORKER) as pool:
        yield from pool.imap_unordered(one_seed, work)
