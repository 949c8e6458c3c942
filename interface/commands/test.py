"""`test`: the offline test suite. The test packages are in place before this module is imported."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from config.settings import Settings
from interface.commands import environment
from interface.commands.dispatch import ROOT
from models.error import ScalperError

FLAGS = ("-q", "-p", "no:cacheprovider")
WORKERS_MAX = 4  # each has its own copy of the compiled kernels in memory, 250 MB
EXIT_NO_TESTS = 5  # pytest's code when nothing was selected


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """pytest over ``tests``; words behind ``test`` go on to it. Exit 0 when all passed, else pytest's own code or 1.

    A group with environments of its own is a folder of tests of its own: only these run, once the environments stand.
    """
    groups = [group for group in arguments.group if group in environment.SEPARATE]
    for name in (name for group in groups for name in environment.SEPARATE[group]):
        environment.separate(ROOT, name)
    words = [*(f"tests/{group}" for group in groups), *arguments.pytest]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("SCALPER_")}
    variables[environment.OFF] = os.environ.get(environment.OFF, "1")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *FLAGS, *_side_by_side(words), *words],
            cwd=ROOT,
            env=variables,
            check=False,
        )
    except OSError as error:
        raise ScalperError(f"pytest could not be started: {error}", code="TEST") from None
    if done.returncode == EXIT_NO_TESTS:
        raise ScalperError("no test matches these words; try `main.py test --help`", code="NO_TESTS")
    return 1 if done.returncode < 0 else done.returncode


def _side_by_side(words: Sequence[str]) -> list[str]:
    """pytest-xdist's words for the whole suite on all cores, a file in one process; a choice runs in one process."""
    workers = min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, WORKERS_MAX
    )
    return ["-n", str(workers), "--dist", "loadfile"] if workers > 1 and not words else []
