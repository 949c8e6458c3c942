"""Measuring: interleaved rounds, minima of CPU time, one line a figure.

The machines are shared: a round of one subject is followed at once by a round of the other, and the least of all rounds
counts. So ratios of two figures of one run can be trusted, figures of two runs not.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def interleaved(subjects: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, int]:
    """The least CPU time, ns, of ``rounds`` rounds of each subject, one after the other, garbage collection off."""
    least = dict.fromkeys(subjects, sys.maxsize)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, subject in subjects.items():
                started = time.process_time_ns()
                subject()
                least[name] = min(least[name], time.process_time_ns() - started)
    finally:
        if collecting:
            gc.enable()
    return least


def arguments(text: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes; ``text`` is its module's docstring."""
    parser = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (15)")
    return parser


def tell(document: Mapping[str, Any], as_json: bool) -> int:
    """Print the figures; exit code 1 when a bar named in ``bars`` is missed.

    ``bars`` maps the name of a figure to (measured, "≤" or "≥", bar).
    """
    bars = {name: tuple(bar) for name, bar in document.get("bars", {}).items()}
    met = {name: value <= bar if sign == "≤" else value >= bar for name, (value, sign, bar) in bars.items()}
    if as_json:
        print(json.dumps({**document, "met": met}, ensure_ascii=False))
    else:
        for name, value in document.items():
            if name != "bars":
                print(f"{name:28} {value}")
        for name, (value, sign, bar) in bars.items():
            print(f"{name:28} {value:.3f} {sign} {bar}  {'met' if met[name] else 'MISSED'}")
    return 0 if all(met.values()) else 1
