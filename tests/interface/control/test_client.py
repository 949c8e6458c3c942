"""The client's side: what is said when nobody answers, or nobody is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from interface.control.client import connected, ended_within, flat_within
from interface.control.place import SOCKET_NAME, address
from models.error import NotRunningError, ScalperError
from storage.cold.instance import InstanceLock


@contextmanager
def speaker(folder: Path, *answers: bytes) -> Iterator[list[Any]]:
    """A socket in ``folder`` that gives these answers in turn, then hangs up; what it was asked."""
    asked: list[Any] = []
    with socket.socket(socket.AF_UNIX) as listener:
        with address(folder / SOCKET_NAME) as name:
            listener.bind(name)
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as client, client.makefile("rb") as file:
                for answer in answers:
                    asked.append(json.loads(file.readline()))
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_nobody_is_there(tmp_path: Path) -> None:
    """Without a folder, without a socket, or with the socket of a dead run, nothing runs."""
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(NotRunningError, match="nothing runs in"), connected(folder):
            pass
    with socket.socket(socket.AF_UNIX) as dead, address(tmp_path / SOCKET_NAME) as name:
        dead.bind(name)
    with pytest.raises(NotRunningError, match="nothing runs in"), connected(tmp_path):
        pass


def test_somebody_starts(tmp_path: Path) -> None:
    """A process that holds the lock and does not listen starts or ends; it is named."""
    expected = rf"pid {os.getpid()}\) does not listen .*: it starts or ends"
    with (
        InstanceLock(tmp_path, started="now"),
        pytest.raises(ScalperError, match=expected) as caught,
        connected(tmp_path),
    ):
        pass
    assert (caught.value.code, caught.value.exit_code) == ("NO_ANSWER", 1)


def test_an_answer(tmp_path: Path) -> None:
    """The request goes out with what belongs to it, the document comes back; a refusal is raised in the bot's words."""
    refusal = b'{"ok": false, "error": {"code": "HALTED", "message": "no"}}\n'
    with speaker(tmp_path, b'{"ok": true, "x": 1}\n', refusal) as asked, connected(tmp_path) as line:
        assert line.ask("status", since_ns=7) == {"x": 1}
        with pytest.raises(ScalperError, match="no") as caught:
            line.ask("rearm")
    assert caught.value.code == "HALTED"
    assert asked == [{"request": "status", "since_ns": 7}, {"request": "rearm"}]


@pytest.mark.parametrize("answers", [(), (b'{"ok": tr',)])
def test_it_hangs_up(tmp_path: Path, answers: tuple[bytes, ...]) -> None:
    """No answer, or half of one, is an error of its own."""
    with (
        speaker(tmp_path, *answers),
        connected(tmp_path) as line,
        pytest.raises(ScalperError, match="hung up") as caught,
    ):
        line.ask("status")
    assert caught.value.code == "NO_ANSWER"


def test_flat_is_waited_for(tmp_path: Path) -> None:
    """It asks until flat was read back after the command, or gives the last answer when the time is over."""
    no, yes = b'{"ok": true, "flat": false}\n', b'{"ok": true, "flat": true}\n'
    with speaker(tmp_path, no, no, yes, no) as asked, connected(tmp_path) as line:
        assert flat_within(line, 7, 60) == (True, {"flat": True})
        assert flat_within(line, 7, 0) == (False, {"flat": False})
    assert asked == [{"request": "flat", "since_ns": 7}] * 4


def test_the_end_of_a_process(tmp_path: Path) -> None:
    """It is seen by the process itself where the system can watch one, else by its lock."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        descriptor = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else -1
        if descriptor >= 0:
            assert not ended_within(tmp_path, descriptor, 0)
        process.communicate(b"\n")
        assert ended_within(tmp_path, descriptor, 0)
    with InstanceLock(tmp_path, started="now"):
        assert not ended_within(tmp_path, -1, 0)
    assert ended_within(tmp_path, -1, 0)
