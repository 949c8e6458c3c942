"""`test`: the offline test suite. The test packages are in place before this module is imported."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from config.settings import Settings
from interface.commands import environment
from interface.commands.dispatch import ROOT
from models.error import ScalperError

FLAGS = ("-q", "-p", "no:cacheprovider")
WORKERS_MAX = 4  # each has its own copy of the compiled kernels in memory, 250 MB
LONG = "long"
LONG_TESTS = (
    "tests/faults", "tests/wiring/simulation", "tests/interface/control",
    *(f"tests/interface/commands/test_{verb}.py" for verb in ("flatten", "health", "kill", "rearm", "start", "stop")),
)  # fmt: skip
"""Runs of whole bots that mostly wait: a group of its own, so that the suite stays under five minutes on two cores."""
EXIT_NO_TESTS = 5  # pytest's code when nothing was selected


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """pytest over ``tests``; words behind ``test`` go on to it. Exit 0 when all passed, else pytest's own code or 1.

    A group with environments of its own is a folder of tests of its own: only these run, once the environments stand.
    """
    groups = [group for group in arguments.group if group in environment.SEPARATE]
    for name in (name for group in groups for name in environment.SEPARATE[group]):
        environment.separate(ROOT, name)
    words = [*(f"tests/{group}" for group in groups), *arguments.pytest]
    chosen = bool(words)
    if LONG in arguments.group:
        words = [*LONG_TESTS, *words]
    elif not chosen:
        words = [f"--ignore={name}" for name in LONG_TESTS]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("SCALPER_")}
    variables[environment.OFF] = os.environ.get(environment.OFF, "1")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *FLAGS, *_side_by_side(chosen), *words],
            cwd=ROOT,
            env=variables,
            check=False,
        )
    except OSError as error:
        raise ScalperError(f"pytest could not be started: {error}", code="TEST") from None
    if done.returncode == EXIT_NO_TESTS:
        raise ScalperError("no test matches these words; try `main.py test --help`", code="NO_TESTS")
    return 1 if done.returncode < 0 else done.returncode


def _side_by_side(chosen: bool) -> list[str]:
    """pytest-xdist's words for a whole group, a file in one process; a choice runs in one process.

    One worker more than cores: many tests wait for sockets and for children.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [] if cores == 1 or chosen else ["-n", str(min(cores + 1, WORKERS_MAX)), "--dist", "loadfile"]
