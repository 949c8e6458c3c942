"""The kernel benchmark in small, and the completeness of its table."""

from __future__ import annotations

import pytest

from core.kernels.kernel import KERNELS
from tests.bench.kernels import PAIRS, measure

MODULES = ("bars", "elementary", "micro", "microprice", "robust", "shocks", "watermark", "windows")


@pytest.mark.parametrize("module", MODULES)
def test_every_kernel_stands_in_the_table(module: str) -> None:
    """A public kernel cannot enter these modules without a row, hence not without a twin."""
    prefix = f"core.kernels.{module}."
    compiled = {name.removeprefix(prefix) for name in KERNELS if name.startswith(prefix)}
    assert compiled == {pair.name for pair in PAIRS if pair.module == module}


def test_benchmark_runs_small() -> None:
    """One round over short arrays gives a figure for each kernel and its twin."""
    records = measure(size=8, rounds=1, calls=2)
    assert len(records) == len(PAIRS) and all(record["ns"] > 0 for record in records)
