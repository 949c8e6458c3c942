"""From a frame's stamp to the arrival of its order: ``python -m tests.bench.tick_to_order [--json]``.

This process sends market frames over loopback, with its clock in them, and takes the signed REST orders they cause.
Beside it run, each as a process of its own: our whole path (feed, engine, gate, venue; journal, recording, keep-warm
on), a plain C program around ``epoll`` that sees the trigger and signs an order, and the usual bot. They take turns in
slices of one run, over TCP and over TLS: 1,000 messages a second spaced (a third of them depth frames of 122 levels,
the rest quotes and trades), or bursts of 50 depth frames of which any may be the trigger. CPU is compared with a client
that only listens, on the same transport and with the same keep-warm timer, at 1,000 messages a second and no trigger.

Stalls: samples above 4 ms, the scheduler's measure. As many of ours as the C program had in the same scenario are left
out of p99.99, and counted.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.bench import timing
from tests.bench.order_frames import BURST
from tests.bench.order_sender import Sender
from tests.bench.order_subjects import Compiled, Subject, certificate, compiled

STALL_NS = 4_000_000
LEAD_IN_S = 1.5
PERCENTILES = {"p50_us": 50, "p90_us": 90, "p99_us": 99, "p99_9_us": 99.9, "p99_99_us": 99.99}
SCENARIOS = ("spaced", "bursts")
TRADING, IDLE = ("ours", "usual", "c"), ("ours", "minimal")
BARS = {"spaced": (2.5, 3.0), "bursts": (6.0, 8.0)}
"""Scenario → (most of the C program's p50, least of the usual bot's)"""
FAR_US, GATE_US, CPU = 100_000.0, (20.0, 50.0), 1.4


def spread(trips: Sequence[int]) -> dict[str, float]:
    """The percentiles in µs, with minimum and maximum."""
    values = np.array(trips) / 1000
    found = {"min_us": float(values.min())}
    found |= {name: float(np.percentile(values, share)) for name, share in PERCENTILES.items()}
    found["max_us"] = float(values.max())
    return {name: round(value, 1) for name, value in found.items()} | {"orders": len(trips)}


def without_stalls(ours: Sequence[int], theirs: Sequence[int]) -> tuple[list[int], int]:
    """Our trips without as many of the longest stalls as the C program had, and how many those were."""
    shared = min(sum(trip > STALL_NS for trip in theirs), sum(trip > STALL_NS for trip in ours))
    return sorted(ours)[: len(ours) - shared], shared


class Terms(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float  # a slice
    depths: int = BURST  # depth frames among the fifty of a burst


class Course:
    """All slices over one transport."""

    def __init__(self, sender: Sender, subjects: list[Subject]) -> None:
        self.sender, self.subjects = sender, subjects
        self.trips: dict[tuple[str, str], list[int]] = {}
        self.missed: dict[str, int] = {}
        self.cpu: dict[str, list[float]] = {}

    def slice(self, subject: Subject, scenario: str, seconds: float) -> None:
        """One subject's turn."""
        peer = subject.peer
        subject.say("go")
        self.sender.lead_in(peer, LEAD_IN_S)
        peer.trips, peer.triggers = [], 0
        if scenario == "idle":
            began_ns, began = time.monotonic_ns(), subject.cpu_ns()
            self.sender.spaced(peer, seconds, trigger=False)
            share = (subject.cpu_ns() - began) / (time.monotonic_ns() - began_ns)
            self.cpu.setdefault(subject.name, []).append(share)
        elif scenario == "spaced":
            self.sender.spaced(peer, seconds)
        else:
            self.sender.bursts(peer, seconds)
        self.sender.until(time.monotonic_ns() + 100_000_000)
        subject.say("rest")
        self.trips.setdefault((scenario, subject.name), []).extend(peer.trips)
        self.missed[subject.name] = self.missed.get(subject.name, 0) + peer.triggers - len(peer.trips)

    def round(self, seconds: float, turn: int) -> None:
        """A slice of each subject in each scenario; another begins each time. CPU is looked at where nobody trades."""
        for scenario in ("idle", *SCENARIOS):
            for place in range(len(self.subjects)):
                subject = self.subjects[(place + turn) % len(self.subjects)]
                if subject.name in (IDLE if scenario == "idle" else TRADING):
                    self.slice(subject, scenario, seconds)


def over(transport: str, terms: Terms, folder: Path, program: Compiled) -> tuple[Course, dict[str, Any]]:
    """One transport: the course, and what our process said at its end. Raises LookupError without a certificate."""
    context, cafile = None, ""
    if transport == "tls":
        made = certificate(folder)
        if isinstance(made, str):
            raise LookupError(made)
        cafile = str(made[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*made)
    sender = Sender(context, terms.depths)
    subjects: list[Subject] = []
    try:
        for name in ("ours", "minimal", "usual"):
            subjects.append(Subject(name, sender, cafile))
        if program.path is not None and (transport == "tcp" or program.tls):
            subjects.append(Subject("c", sender, cafile, program.path))
        for subject in subjects:
            subject.word()
        course = Course(sender, subjects)
        for turn in range(terms.rounds):
            course.round(terms.seconds, turn)
        said, *_ = [subject.stop() for subject in subjects]
        bad = {subject.name: subject.peer.bad_signatures for subject in subjects if subject.peer.bad_signatures}
        if bad:
            raise AssertionError(f"signatures that do not match what they sign: {bad}")
        return course, said
    finally:
        for subject in subjects:
            subject.kill()
        sender.close()


def figures(course: Course, said: dict[str, Any]) -> dict[str, Any]:
    """The figures of one transport."""
    found: dict[str, Any] = {"missed_triggers": course.missed, "ours_says": said}
    for (scenario, name), trips in sorted(course.trips.items()):
        if trips:
            found[f"{scenario}/{name}"] = spread(trips)
    for scenario in SCENARIOS:
        ours, theirs = course.trips.get((scenario, "ours"), []), course.trips.get((scenario, "c"), [])
        kept, shared = without_stalls(ours, theirs)
        found[f"{scenario}/stalls"] = {
            **{name: sum(trip > STALL_NS for trip in trips) for (one, name), trips in course.trips.items()
               if one == scenario and trips},
            "left_out": shared, "ours_p99_99_us": spread(kept)["p99_99_us"],
        }  # fmt: skip
    if "minimal" in course.cpu:
        found["cpu"] = {name: round(float(np.median(shares)), 4) for name, shares in course.cpu.items()}
        found["cpu"]["ratio"] = round(found["cpu"]["ours"] / found["cpu"]["minimal"], 3)
    return found


def bars(transport: str, found: dict[str, Any]) -> dict[str, tuple[float, str, float]]:
    """The bars of one transport, those whose rival ran."""
    made: dict[str, tuple[float, str, float]] = {}
    for scenario, (most, least) in BARS.items():
        where, p50 = f"{transport} {scenario}", found[f"{scenario}/ours"]["p50_us"]
        if f"{scenario}/c" in found:
            made[f"{where}, p50 ÷ C"] = (round(p50 / found[f"{scenario}/c"]["p50_us"], 2), "≤", most)
        made[f"{where}, usual bot's p50 ÷ p50"] = (round(found[f"{scenario}/usual"]["p50_us"] / p50, 2), "≥", least)
        made[f"{where}, p99.99 µs"] = (found[f"{scenario}/stalls"]["ours_p99_99_us"], "≤", FAR_US)
    if "cpu" in found:
        made[f"{transport} CPU ÷ minimal client"] = (found["cpu"]["ratio"], "≤", CPU)
    for bar, share in zip(GATE_US, ("p50", "p99"), strict=True):
        made[f"{transport} gate, {share} µs"] = (found["ours_says"]["gate"][f"{share}_us"], "≤", bar)
    return made


def measure(terms: Terms, transports: Sequence[str] = ("tcp", "tls")) -> dict[str, Any]:
    """All figures and bars."""
    document: dict[str, Any] = {"left_out": {}}
    judged: dict[str, tuple[float, str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        program = compiled(folder)
        if program.why:
            document["left_out"]["c"] = program.why
        for transport in transports:
            try:
                document[transport] = figures(*over(transport, terms, folder, program))
            except LookupError as reason:
                document["left_out"][transport] = str(reason)
                continue
            judged |= bars(transport, document[transport])
    return {**document, "bars": judged}


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.set_defaults(rounds=6)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a slice (4); twenty orders a second")
    parser.add_argument("--depths", type=int, default=BURST, help="depth frames among the fifty of a burst (50)")
    parser.add_argument("--transport", choices=["tcp", "tls", "both"], default="both")
    options = parser.parse_args()
    transports = ("tcp", "tls") if options.transport == "both" else (options.transport,)
    return timing.tell(measure(Terms(options.rounds, options.seconds, options.depths), transports), options.json)


if __name__ == "__main__":
    sys.exit(main())
