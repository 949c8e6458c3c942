"""The disk quota of all recordings together: the oldest are removed first, never one that is being written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

import orjson

INDEX_NAME = "index.json"
FIRST_NAME = "0000.zst"
REMOVED_PREFIX = ".removed-"  # renamed first, so that no reader ever meets half a recording


def hold(folder: Path) -> int:
    """Mark ``folder`` as being written, for every process: the returned descriptor holds it until it is closed.

    Raises OSError when another writer holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_room(root: Path, current: Path, quota_bytes: int) -> int:
    """Remove recordings under ``root``, least recently written first, until all of them fit ``quota_bytes``.

    Never removed: ``current``, a folder that a writer holds, one whose index says ``meta.keep`` (imported data), and
    anything that is no recording. Returns the bytes in use afterwards, which may still be more than the quota.
    Raises OSError when ``root`` cannot be read.
    """
    found: list[tuple[int, str, int]] = []
    used = 0
    for folder in root.iterdir():
        if folder.name.startswith(REMOVED_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir() and ((folder / INDEX_NAME).exists() or (folder / FIRST_NAME).exists()):
            facts = [entry.stat() for entry in folder.iterdir()]
            size = sum(fact.st_size for fact in facts)
            used += size
            found.append((max(fact.st_mtime_ns for fact in facts), folder.name, size))
    for _, name, size in sorted(found):
        if used <= quota_bytes:
            break
        if name != current.name and _remove(root / name):
            used -= size
    return used


def _remove(folder: Path) -> bool:
    if _kept(folder):
        return False
    try:
        descriptor = hold(folder)
    except OSError:
        return False
    try:
        doomed = folder.with_name(REMOVED_PREFIX + folder.name)
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _kept(folder: Path) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return orjson.loads((folder / INDEX_NAME).read_bytes()).get("meta", {}).get("keep") is True
    return False
