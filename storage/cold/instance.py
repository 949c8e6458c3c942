"""One instance per mode: an exclusive lock on ``data/<mode>/instance.lock``, held by the open file.

The system frees the lock when the process ends, however it ends, so a left-over file is no lock and is taken over.
The file says who holds it, for the refused one's message; it is never removed (removing would let two in).
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import orjson

from models.error import LockedError

LOCK_NAME = "instance.lock"
FACTS_BYTES_MAX = 4096
TRIES, TRY_S = 3, 0.01  # ``holder_of`` in another process holds a shared lock for some microseconds


class InstanceLock:
    """Holds the lock of ``folder`` (``data/<mode>``) from construction until ``release`` or the end of the process.

    ``started`` is the start as UTC text. ``previous`` holds what a process that did not end in order left behind.
    Raises LockedError when another process holds it, OSError when the folder cannot be written.
    """

    def __init__(self, folder: Path | str, *, started: str, run_id: str = "") -> None:
        self.path = Path(folder) / LOCK_NAME
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = self._locked()
        self.previous = _facts(self._descriptor)
        self._say({"pid": os.getpid(), "started": started, "run_id": run_id})

    def _locked(self) -> int:
        holder: dict[str, Any] = {}
        for _ in range(TRIES):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = _facts(descriptor)
                os.close(descriptor)
                time.sleep(TRY_S)
                continue
            if self._is_current(descriptor):
                return descriptor
            os.close(descriptor)  # somebody removed the file between opening and locking: lock the new one
        raise LockedError(
            f"another instance holds {self.path}: pid {holder.get('pid', 'unknown')}, started "
            f"{holder.get('started', 'at an unknown time')}; stop it, or give this one another --data-dir"
        )

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _say(self, facts: dict[str, Any]) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, orjson.dumps(facts) if facts else b"", 0)

    def release(self) -> None:
        """Free the lock; the emptied file stays. Doing it twice is harmless."""
        if self._descriptor >= 0:
            self._say({})
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> InstanceLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder_of(folder: Path | str) -> dict[str, Any]:
    """Who holds the lock of ``folder`` now: ``pid``, ``started``, ``run_id``; empty when nobody does."""
    try:
        descriptor = os.open(Path(folder) / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _facts(descriptor)
    else:
        return {}
    finally:
        os.close(descriptor)


def _facts(descriptor: int) -> dict[str, Any]:
    try:
        facts = orjson.loads(os.pread(descriptor, FACTS_BYTES_MAX, 0))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
