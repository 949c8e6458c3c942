"""`test`: the offline test suite. The test packages are in place before this module is imported."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from config.settings import Settings
from interface.commands.dispatch import ROOT
from models.error import ScalperError

FLAGS = ("-q", "-p", "no:cacheprovider")
EXIT_NO_TESTS = 5  # pytest's code when nothing was selected


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """pytest over ``tests``; words behind ``test`` go on to it. Exit 0 when all passed, else pytest's own code or 1."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCALPER_")}
    environment["SCALPER_NO_BOOTSTRAP"] = os.environ.get("SCALPER_NO_BOOTSTRAP", "1")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *FLAGS, *arguments.pytest], cwd=ROOT, env=environment, check=False
        )
    except OSError as error:
        raise ScalperError(f"pytest could not be started: {error}", code="TEST") from None
    if done.returncode == EXIT_NO_TESTS:
        raise ScalperError("no test matches these words; try `main.py test --help`", code="NO_TESTS")
    return 1 if done.returncode < 0 else done.returncode
