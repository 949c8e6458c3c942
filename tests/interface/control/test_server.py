"""The control socket of a real run, asked by friends and by others.

Another user's connection cannot be made here (a test has one user); that it is refused is tested with a peer that says
another number.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interface.control.place import SOCKET_NAME
from interface.control.server import CLIENTS_MAX, REQUEST_BYTES_MAX, _same_user
from tests.interface.control.bot import Bot, bot, line, told

STATUS = b'{"request": "status"}\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """One bot for all tests that only ask, in a place where a dead run left its socket."""
    folder = tmp_path_factory.mktemp("running")
    home = folder / "d" / "paper"
    home.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        descriptor = os.open(home, os.O_RDONLY)
        dead.bind(f"/proc/self/fd/{descriptor}/{SOCKET_NAME}")
        os.close(descriptor)
    with bot(folder) as one:
        yield one


def test_a_left_over_socket_is_replaced(running: Bot) -> None:
    """The socket of a dead run gives way to one of this run, which only its user may open."""
    mode = (running.home / SOCKET_NAME).stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    assert not list(running.home.glob("*.new"))
    assert running.ask("status")["run_id"] == running.run_id


def test_status_tells_what_the_bot_knows(running: Bot) -> None:
    """Mode, run, states, quote, position, orders and money; amounts are texts."""
    answer = running.ask("status")
    assert answer["ok"]
    assert (answer["mode"], answer["feed"], answer["symbols"]) == ("paper", "EMBEDDED", ["BTCUSDT"])
    assert answer["pid"] == running.process.pid
    assert answer["operating"] in ("NORMAL", "ENTRY_BLOCKED")
    assert set(answer["decision"]) == set(answer["position"]) | {"BTCUSDT"}
    assert isinstance(answer["equity"], str)
    assert Path(answer["folder"]).is_absolute()


def test_one_connection_asks_often(running: Bot) -> None:
    """Requests of a connection are answered one after the other, those sent together too."""
    with line(running.home) as connection, connection.makefile("rb") as file:
        connection.sendall(b'{"request": "health"}\n' * 5)
        answers = [json.loads(file.readline()) for _ in range(5)]
    assert [answer["ok"] for answer in answers] == [True] * 5


BAD: dict[str, bytes] = {
    "garbage": b"\x00\xff\xfe GET / HTTP/1.1\r\n",
    "no object": b"[1, 2]\n",
    "no request": b"{}\n",
    "another type": b'{"request": 7}\n',
    "an unknown key": b'{"request": "status", "token": "secret"}\n',
    "an unknown request": b'{"request": "shutdown"}\n',
    "an empty line": b"\n",
    "deep": b"[" * (REQUEST_BYTES_MAX - 2) + b"\n",
    "too long": b"x" * (4 * REQUEST_BYTES_MAX) + b"\n",
    "10 MB without an end": b"x" * 10_000_000,
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD)
def test_what_is_no_request_is_refused(running: Bot, words: bytes) -> None:
    """The answer is an error or nothing, the connection ends, and the next client is served."""
    with line(running.home) as connection:
        answer = told(connection, words)
        assert answer.get("ok", False) is False
        assert answer.get("error", {"code": "REQUEST"})["code"] == "REQUEST"
        assert "secret" not in str(answer)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
    assert running.ask("health")["ok"]


def test_half_a_line_holds_nobody_up(running: Bot) -> None:
    """Clients that never finish their line do not keep others from being served, and are hung up on."""
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(line(running.home)) for _ in range(CLIENTS_MAX)]
        for connection in idle:
            with contextlib.suppress(BrokenPipeError):  # a fast server has hung up on an older one already
                connection.sendall(b'{"request": "sta')
        assert running.ask("status")["ok"]
        assert idle[0].recv(1) == b""  # the newest displaces the oldest that has asked nothing


def test_two_hundred_connections(running: Bot) -> None:
    """A client that floods the socket gets no more than its bound; the next one is served, and so is one it had."""
    with line(running.home) as friend, contextlib.ExitStack() as stack:
        assert told(friend, STATUS)["ok"]
        for _ in range(200):
            stack.enter_context(line(running.home))
        assert told(friend, STATUS)["ok"]
        assert running.ask("status")["ok"]


def test_a_client_that_never_reads(running: Bot) -> None:
    """Answers that nobody takes are bounded by the system's buffers; the market goes on being heard."""
    with line(running.home) as deaf:
        deaf.setblocking(False)
        with contextlib.suppress(OSError):
            while True:
                deaf.send(STATUS * 100)
        before = running.ask("health")["frames"]
        running.heard("order.accepted")
        after = running.ask("health")
    assert after["healthy"]
    assert after["frames"] > before


class Peer:
    """A connection whose other end is of user ``uid``."""

    def __init__(self, uid: int) -> None:
        self._uid = uid

    def get_extra_info(self, name: str) -> Peer:
        assert name == "socket"
        return self

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return struct.pack("3i", 1, self._uid, 1)


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="this system tells the peer's user in another way")
def test_only_the_same_user_is_served() -> None:
    """The peer's user, told by the system, has to be that of the bot: root is another one."""
    wanted: list[Any] = [Peer(os.geteuid()), Peer(os.geteuid() + 1)]
    assert [_same_user(peer) for peer in wanted] == [True, False]
