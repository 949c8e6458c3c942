"""A running bot as a child process, and raw words on its control socket."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interface.control.place import SOCKET_NAME, address
from tests.interface.program import WAIT_S, Ran, child, started


class Bot:
    """A paper daemon on the embedded exchange in ``folder``, its data in ``folder``/d."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process
        self.home = folder / "d" / "paper"
        self.run_id = str(self.heard("run.started")["run_id"])

    def heard(self, event: str, **keys: str) -> dict[str, Any]:
        """The next log line that tells of ``event`` with these values."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event and all(value in str(told.get(key)) for key, value in keys.items()):
                return told
        raise AssertionError(f"{event} {keys} never came")

    def say(self, *words: str) -> Ran:
        """Run a command line that talks to this bot."""
        return child(self.folder, *words, "--data-dir", "d")

    def ask(self, request: str) -> dict[str, Any]:
        """The answer to a request on a connection of its own."""
        with line(self.home) as connection:
            return told(connection, json.dumps({"request": request}).encode() + b"\n")

    def end(self) -> int:
        """The exit code of the bot, which has been told to end."""
        self.process.communicate(timeout=WAIT_S)
        return self.process.returncode


@contextlib.contextmanager
def bot(folder: Path, *words: str) -> Iterator[Bot]:
    """Start a bot and wait until it trades; whatever happens, it is gone in the end."""
    with started(folder, "--feed", "embedded", "--data-dir", "d", *words) as process:
        late = threading.Timer(3 * WAIT_S, process.kill)  # what never comes is not waited for
        late.start()
        try:
            yield Bot(folder, process)
        finally:
            late.cancel()
            process.kill()
            process.communicate()


@contextlib.contextmanager
def line(home: Path) -> Iterator[socket.socket]:
    """A raw connection to the control socket of ``home``."""
    connection = socket.socket(socket.AF_UNIX)
    with connection, address(home / SOCKET_NAME) as path:
        connection.connect(path)
        connection.settimeout(WAIT_S)
        yield connection


def told(connection: socket.socket, words: bytes) -> dict[str, Any]:
    """What the bot answers to ``words``; an empty document when it hangs up."""
    with contextlib.suppress(ConnectionError):  # it may hang up before it has heard all
        connection.sendall(words)
    try:
        with connection.makefile("rb") as file:
            found: dict[str, Any] = json.loads(file.readline() or b"{}")
            return found
    except ConnectionError:
        return {}
