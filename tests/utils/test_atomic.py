"""Files that are whole or absent."""

import os

import pytest

from utils.atomic import write_atomic


def test_content_is_written(tmp_path):
    """A new file holds the data."""
    write_atomic(tmp_path / "run.json", b"{}")
    assert (tmp_path / "run.json").read_bytes() == b"{}"


def test_content_is_replaced(tmp_path):
    """An existing file is replaced as a whole."""
    path = tmp_path / "run.json"
    path.write_bytes(b"a long old content")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_nothing_else_is_left(tmp_path):
    """No temporary file remains."""
    write_atomic(str(tmp_path / "a"), b"x")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_keeps_the_old_content(tmp_path, monkeypatch, step):
    """When the disk refuses at any step the old file stays and the temporary one goes."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["a"])


def test_mode_is_kept_narrow(tmp_path):
    """A private file is created private, not narrowed afterwards."""
    write_atomic(tmp_path / "key", b"k", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
