"""The disk quota of all recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.cold.quota import hold, make_room
from storage.cold.recording import Recording
from tests.storage.cold.test_recording import sample, write


def test_the_quota_removes_the_oldest_recordings_only(tmp_path: Path) -> None:
    """Older recordings go first; kept ones, foreign folders, held ones and the current one stay."""
    for age, name in enumerate(["kept", "old", "older", "held"]):
        write(tmp_path / name, sample(300), meta={"keep": name == "kept"})
        for path in (tmp_path / name).iterdir():
            os.utime(path, ns=(0, (10 - age) * 10**9))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "letter.txt").write_text("x" * 100_000)
    size = sum(path.stat().st_size for path in (tmp_path / "old").iterdir())
    held = hold(tmp_path / "held")
    write(tmp_path / "now", sample(10), quota_bytes=int(size * 3.8))
    os.close(held)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held", "kept", "notes", "now", "old"]


def test_nothing_is_removed_below_the_quota(tmp_path: Path) -> None:
    """With room for all, the bytes in use are counted and every recording stays readable."""
    for name in ("a", "b"):
        write(tmp_path / name, sample(50))
    used = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert make_room(tmp_path, tmp_path / "c", used) == used
    assert [Recording.open(tmp_path / name).index.records for name in ("a", "b")] == [50, 50]


def test_a_removal_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """A folder already renamed for removal goes, whatever is in it."""
    (tmp_path / ".removed-old").mkdir()
    (tmp_path / ".removed-old" / "0003.zst").write_bytes(b"x")
    assert make_room(tmp_path, tmp_path / "c", 10**9) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_held_folder_is_held_once(tmp_path: Path) -> None:
    """A second writer cannot hold a folder before the first lets go."""
    descriptor = hold(tmp_path)
    with pytest.raises(OSError):
        hold(tmp_path)
    os.close(descriptor)
    os.close(hold(tmp_path))
