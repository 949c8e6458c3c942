"""Asking a running bot over its control socket: one line of JSON there, one back. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interface.control.place import SOCKET_NAME, address, holder
from models.error import NotRunningError, ScalperError

ANSWER_S = 2.0  # a container's health check gives 3 s for everything
ANSWER_BYTES_MAX = 1 << 20
LOOK_S = 0.05


class Line:
    """An open connection to the bot that runs in ``folder``."""

    def __init__(self, folder: Path, connection: socket.socket) -> None:
        self.folder = folder
        self._socket = connection
        self._file = connection.makefile("rb")

    def ask(self, request: str, **more: Any) -> dict[str, Any]:
        """The answer to a request. Raises ScalperError with the bot's own words, or when no answer comes."""
        try:
            self._socket.sendall(json.dumps({"request": request, **more}).encode() + b"\n")
            line = self._file.readline(ANSWER_BYTES_MAX)
        except TimeoutError:
            raise silent(self.folder, f"did not answer within {ANSWER_S:g} s: it is busy or stuck") from None
        except OSError as error:
            raise silent(self.folder, f"hung up ({error.strerror})") from None
        if not line.endswith(b"\n"):
            raise silent(self.folder, "hung up: it has ended, or does not serve this user")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise ScalperError(answer["error"]["message"], code=answer["error"]["code"])
        return answer

    def process(self) -> int:
        """A descriptor that becomes readable when the bot's process has ended; -1 where there is no such thing."""
        with contextlib.suppress(OSError, AttributeError):  # another system, or a process of another name space
            size = struct.calcsize("3i")
            options = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            return os.pidfd_open(struct.unpack("3i", options)[0])
        return -1


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[Line]:
    """A line to the bot of ``folder``. Raises NotRunningError when there is none, ScalperError when it is deaf."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ANSWER_S)
        try:
            _connect(connection, folder / SOCKET_NAME)
        except PermissionError:
            raise silent(folder, "belongs to another user; use the account that runs it", "PERMISSION") from None
        except OSError as error:
            if holder(folder) is None:
                raise NotRunningError(
                    f"nothing runs in {folder}; start it, or name the place with --data-dir and --mode"
                ) from None
            raise silent(folder, f"does not listen ({error.strerror or error}): it starts or ends") from None
        line = Line(folder, connection)
        try:
            yield line
        finally:
            line._file.close()
    finally:
        connection.close()


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect, and wait a little for a place where many others want one. Raises OSError."""
    until = time.monotonic() + ANSWER_S
    with address(path) as name:
        while True:
            try:
                return connection.connect(name)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(LOOK_S)


def silent(folder: Path, what: str, code: str = "NO_ANSWER") -> ScalperError:
    """The error for a bot that is there and does not do what was asked."""
    pid = (holder(folder) or {}).get("pid")
    return ScalperError(f"the bot in {folder}{f' (pid {pid})' if pid else ''} {what}", code=code)


def flat_within(line: Line, since_ns: int, wait_s: float) -> tuple[bool, dict[str, Any]]:
    """Ask until flat was read back after ``since_ns``, for at most ``wait_s``; and the last answer."""
    until = time.monotonic() + wait_s
    while True:
        answer = line.ask("flat", since_ns=since_ns)
        if answer["flat"] or time.monotonic() >= until:
            return bool(answer["flat"]), answer
        time.sleep(LOOK_S)


def ended_within(folder: Path, process: int, wait_s: float) -> bool:
    """Whether the process behind the descriptor ``process``, or the holder of the lock, ends within ``wait_s``."""
    if process >= 0:
        watch = select.poll()
        watch.register(process, select.POLLIN)
        return bool(watch.poll(wait_s * 1000))
    until = time.monotonic() + wait_s
    while holder(folder) is not None:
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_S)
    return True
