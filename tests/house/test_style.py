"""Style and types, by the same tools and settings as `make check`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.house.sources import ROOT


def _run(tool: str, *words: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} of the group test is not installed")
    return subprocess.run([sys.executable, "-m", tool, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing():
    """The linter has nothing to say."""
    done = _run("ruff", "check", "--no-cache", "--output-format=concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_formatted():
    """The formatter would change no file."""
    done = _run("ruff", "format", "--no-cache", "--check", ".")
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if "-->" in line) + done.stderr


def test_types_are_strict_inside(tmp_path):
    """core and models pass the type checker in strict mode."""
    done = _run("mypy", f"--cache-dir={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
