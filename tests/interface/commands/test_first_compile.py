"""The second process of a first start: begun once, and what it leaves is the exchange's part of the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from interface.commands import first_compile
from tests.interface.program import REPOSITORY, WAIT_S


def test_it_compiles_the_exchange_when_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty cache it runs beside us, and a cache with the exchange in it begins nothing more."""
    monkeypatch.setattr(first_compile, "MODULE", "json.venue")  # a module that is not there: it ends at once
    helper = first_compile.begin(REPOSITORY, tmp_path)
    assert helper is not None and helper.wait(WAIT_S) == 1
    (tmp_path / "venue-0123456789abcdef").mkdir()
    assert first_compile.begin(REPOSITORY, tmp_path) is None


def test_the_module_is_there() -> None:
    """The name it imports is a module of ours whose kernels compile at import."""
    assert REPOSITORY.joinpath(*first_compile.MODULE.split(".")).with_suffix(".py").is_file()


def test_a_process_that_cannot_be_started_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start goes on alone."""
    monkeypatch.setattr(first_compile.sys, "executable", str(tmp_path / "absent"))
    assert first_compile.begin(REPOSITORY, tmp_path) is None
