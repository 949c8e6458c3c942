"""Fixtures every room's tests share."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from interface.commands.dispatch import compile_cache

REPOSITORY = Path(__file__).resolve().parent.parent
compile_cache(
    REPOSITORY / "data"
)  # before numba is imported: a cache beside the sources would outlive an edited kernel


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds main.py."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recorded market data beside the repository; the test skips when it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with recorded market data is absent")
    return folder


@pytest.fixture
def no_time_zones() -> Iterator[None]:
    """A system without time zone data."""
    kept = zoneinfo.TZPATH
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=())
    if zoneinfo.available_timezones():
        zoneinfo.reset_tzpath(to=kept)
        pytest.skip("the package tzdata is installed: there are always time zones")
    yield
    zoneinfo.reset_tzpath(to=kept)


@pytest.fixture(scope="session")
def wire() -> Path:
    """The golden payloads of the venue."""
    return REPOSITORY / "tests" / "data" / "wire"
