"""What must hold before a run begins: a folder to write to, with room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interface.commands import preflight
from models.error import PreflightError


def refused(folder: Path) -> str:
    with pytest.raises(PreflightError) as caught:
        preflight.require_room(folder)
    assert caught.value.exit_code == 4
    return f"{caught.value.message} [{caught.value.code}]"


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    """A data folder several levels deep is made, and nothing is left in it."""
    preflight.require_room(tmp_path / "a" / "b c")
    assert list((tmp_path / "a" / "b c").iterdir()) == []


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    """A file where the folder should be, or above it, is named with what to do."""
    (tmp_path / "f").write_text("mine")
    hint = "choose another folder with --data-dir, or change its owner [DATA_DIR]"
    assert refused(tmp_path / "f") == f"{tmp_path / 'f'} is not a folder; {hint}"
    assert refused(tmp_path / "f" / "d") == f"{tmp_path / 'f' / 'd'} cannot be made (Not a directory); {hint}"
    assert (tmp_path / "f").read_text() == "mine"


def test_a_name_that_no_disk_takes_is_told(tmp_path: Path) -> None:
    """A name too long for the file system is one sentence."""
    assert "cannot be made (File name too long)" in refused(tmp_path / ("x" * 300))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less room than a run's journal needs ends with how much there is and how much it takes."""
    usage = shutil.disk_usage(tmp_path)._replace(free=preflight.ROOM_BYTES_MIN - 1)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: usage)
    assert "has 8.4 MB left and a run needs 8 MB; free some" in refused(tmp_path) and "[DISK_FULL]" in refused(tmp_path)


def test_the_nearest_folder_that_exists_is_judged(tmp_path: Path) -> None:
    """Looking at a place makes nothing there."""
    assert preflight.existing(tmp_path / "a" / "b") == tmp_path
    assert preflight.cannot_write(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []


def test_a_dangling_link_is_no_folder(tmp_path: Path) -> None:
    """A link to nowhere is told, not followed upwards."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert preflight.cannot_write(tmp_path / "link") == f"{tmp_path / 'link'} is not a folder"
