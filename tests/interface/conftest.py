"""Fixtures of the interface's tests: a clean place to stand in, and a finished run to look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interface.commands import environment
from tests.interface.program import inside

RUN_FOR = "8s"  # the generated market's first burst with its entry lies inside; the end closes the position


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no settings from outside, no set-up of packages."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SCALPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(environment.OFF, "1")
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one finished paper run in virtual time, its journal and its recording; for looking only."""
    data = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.OFF, "1")
        patch.chdir(data)
        ran = inside("demo", "--for", RUN_FOR, "--speed", "max", "--seed", 7, "--data-dir", data, "--json")
    assert ran.code == 0, ran
    assert ran.document["fills"] == 2, "the run was meant to hold a trade"
    return data
