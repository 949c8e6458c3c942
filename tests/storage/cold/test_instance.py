"""One instance per mode."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.error import LockedError
from storage.cold.instance import LOCK_NAME, InstanceLock, holder_of

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_second_instance_is_refused_with_pid_and_start(tmp_path: Path) -> None:
    """The refused one is told who holds the lock, since when, and what to do; the exit code is 8."""
    with (
        InstanceLock(tmp_path, started="2026-11-21T12:00:00Z"),
        pytest.raises(LockedError, match=f"pid {os.getpid()}, started 2026-11-21T12:00:00Z; stop it") as refused,
    ):
        InstanceLock(tmp_path, started="later")
    assert refused.value.exit_code == 8


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    """After release the next instance starts and nothing is left behind."""
    InstanceLock(tmp_path, started="a").release()
    with InstanceLock(tmp_path, started="b") as lock:
        assert lock.previous == {}
        assert holder_of(tmp_path)["started"] == "b"
    assert holder_of(tmp_path) == {}


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    """A file left by SIGKILL is no lock; what it said is handed on."""
    script = (
        "import sys, time; from storage.cold.instance import InstanceLock\n"
        "lock = InstanceLock(sys.argv[1], started='then', run_id='r1')\n"
        "print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(LockedError, match=f"pid {process.pid}, started then"):
        InstanceLock(tmp_path, started="now")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with InstanceLock(tmp_path, started="now") as lock:
        assert lock.previous == {"pid": process.pid, "started": "then", "run_id": "r1"}


def test_a_damaged_lock_file_still_locks(tmp_path: Path) -> None:
    """The lock is the open file, not its text."""
    (tmp_path / LOCK_NAME).write_bytes(b"\xff{")
    with InstanceLock(tmp_path, started="a") as lock:
        assert lock.previous == {}
        (tmp_path / LOCK_NAME).write_bytes(b"[1]")
        with pytest.raises(LockedError, match="pid unknown, started at an unknown time"):
            InstanceLock(tmp_path, started="b")


def test_a_lock_file_removed_and_made_again_is_not_shared(tmp_path: Path) -> None:
    """Whoever locks, locks the file that has the name now."""
    with InstanceLock(tmp_path, started="a"):
        (tmp_path / LOCK_NAME).unlink()
        with InstanceLock(tmp_path, started="b"):
            assert holder_of(tmp_path)["started"] == "b"
