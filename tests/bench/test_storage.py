"""The storage benchmark runs small."""

from __future__ import annotations

from pathlib import Path

from tests.bench.storage import measure


def test_the_storage_benchmark_runs(tmp_path: Path) -> None:
    """Every figure is there and positive, and what was written could be read back."""
    figures = measure(tmp_path, 3)
    assert len(figures) == 9
    assert all(value > 0 for values in figures.values() for value in values.values())
