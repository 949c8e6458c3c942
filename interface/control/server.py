"""The control socket ``data/<mode>/control.sock``: one line of JSON asks, one answers. Mode 600, the same user only.

It shares the loop with the market, so everything is bounded: request size, clients (the newest displaces the oldest:
whoever holds connections open cannot keep a kill out), the time a client may take, and requests a second of all clients
together. A status is built when somebody asks; nobody pays for one otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from interface import log
from interface.control.desk import COMMANDS, Desk
from interface.control.place import SOCKET_NAME, address
from models.error import ScalperError

REQUEST_BYTES_MAX = 4096
CLIENTS_MAX, BACKLOG = 8, 64
IDLE_S = 5.0  # how long a client may take to ask, and to take its answer
PACE_S = 0.005  # between two answers: at most 200 a second, each of them about 0.1 ms
LOOK_S = 1.0
SIGNALS = {signal.SIGUSR1: "stop_entries", signal.SIGUSR2: "kill"}


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What a client may say."""

    request: str
    since_ns: int = 0


_decode = msgspec.json.Decoder(Request).decode


class ControlServer:
    """Serves ``desk`` on the control socket of ``home``; the caller holds the lock of ``home``."""

    def __init__(self, home: Path, desk: Desk) -> None:
        self.path = home / SOCKET_NAME
        self._desk = desk
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._served: set[asyncio.Task[None]] = set()  # of them, those that had an answer
        self._turn = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._inode = -1
        self._log = log.logger("control")
        self._answers: dict[str, Callable[[Request], dict[str, Any]]] = {
            "status": lambda _: desk.status(),
            "health": lambda _: desk.health(),
            "flat": lambda request: desk.flat(request.since_ns),
            "stop": self._stop,
            **dict.fromkeys(COMMANDS, self._command),
        }

    async def start(self) -> None:
        """Listen. What a run before left behind is replaced. Raises OSError where there can be no socket."""
        fresh = self.path.with_name(f"{SOCKET_NAME}.new")  # renamed when nobody but us can open it any more
        fresh.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with address(fresh) as path:
                listener.bind(path)
            os.chmod(fresh, 0o600)
            self._inode = fresh.stat().st_ino
            os.replace(fresh, self.path)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, backlog=BACKLOG, limit=REQUEST_BYTES_MAX
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Hang up, and remove the socket if it is still ours."""
        if self._server is not None:
            self._server.close()
        clients = dict(self._clients)
        for task, writer in clients.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not _same_user(writer):
            self._log.warning("control.stranger")
            writer.transport.abort()
            return
        while len(self._clients) >= CLIENTS_MAX:
            self._displace()
        self._clients[task] = writer
        try:
            await self._talk(task, reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # slow, gone, or displaced: nothing is owed to it
        finally:
            self._clients.pop(task, None)
            self._served.discard(task)
            writer.close()

    def _displace(self) -> None:
        """Hang up on the oldest client that has not asked anything yet; on the oldest of all when each has."""
        task = next((one for one in self._clients if one not in self._served), next(iter(self._clients)))
        self._clients.pop(task).transport.abort()

    async def _talk(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    line = b""
            async with self._turn:
                answer, more = self._answer(line)
                self._served.add(task)
                writer.write(answer)
                await asyncio.sleep(PACE_S)
            async with asyncio.timeout(IDLE_S):
                await writer.drain()
            if not more:
                return

    def _answer(self, line: bytes) -> tuple[bytes, bool]:
        """The line to send back, and whether to go on listening."""
        try:
            request = _asked(line)
            document = {"ok": True, **self._known(request)(request)}
        except ScalperError as error:
            refused = {"ok": False, "error": {"code": error.code, "message": error.message}}
            return msgspec.json.encode(refused) + b"\n", error.code != "REQUEST"
        except Exception as error:  # the engine failed under the command: its own run says so; who asked must know
            self._log.error("control.failed", error=str(error), error_type=type(error).__name__, exc_info=True)
            failed = {"ok": False, "error": {"code": "INTERNAL", "message": f"{type(error).__name__}: {error}"}}
            return msgspec.json.encode(failed) + b"\n", False
        return msgspec.json.encode(document) + b"\n", True

    def _known(self, request: Request) -> Callable[[Request], dict[str, Any]]:
        try:
            return self._answers[request.request]
        except KeyError:
            raise ScalperError(
                f"{request.request!r} is no request; there are {', '.join(self._answers)}", code="REQUEST"
            ) from None

    def _command(self, request: Request) -> dict[str, Any]:
        since_ns = self._desk.give(request.request, "socket")
        return {"since_ns": since_ns, **self._desk.flat(since_ns)}

    def _stop(self, request: Request) -> dict[str, Any]:
        status = self._desk.status()
        self._desk.stop()
        return {"v": 1, "pid": status["pid"], "run_id": status.get("run_id"), "folder": status.get("folder")}


def _asked(line: bytes) -> Request:
    """The request of a line. Raises ScalperError for one that is none; nothing of it is repeated."""
    if not line:
        raise ScalperError(f"a request is one line of at most {REQUEST_BYTES_MAX} bytes", code="REQUEST")
    try:
        return _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ScalperError('a request is one line like {"request": "status"}', code="REQUEST") from None


def _same_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer is of this process's user. The mode of the socket says so too, its folder may be anybody's."""
    peer = writer.get_extra_info("socket")
    try:
        if sys.platform == "darwin":
            _, uid = struct.unpack_from("2I", peer.getsockopt(0, 1, 76))  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        else:
            _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except (OSError, struct.error):
        return False
    return bool(uid == os.geteuid())


@contextlib.asynccontextmanager
async def controlled(home: Path, stop: asyncio.Event, now_ns: Callable[[], int]) -> AsyncIterator[Desk]:
    """A desk with socket, signals and KILL file; without the socket where the system has none for this folder."""
    desk = Desk(home, stop, now_ns)
    server = ControlServer(home, desk)
    loop = asyncio.get_running_loop()
    for number, name in SIGNALS.items():
        loop.add_signal_handler(number, desk.signalled, name)
    try:
        await server.start()
    except OSError as error:
        log.logger("control").error("control.no_socket", error=str(error), path=str(server.path))
    looking = asyncio.create_task(_look(desk), name="control look")
    try:
        yield desk
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await server.close()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # the default would end the process while it writes its end


async def _look(desk: Desk) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            desk.look()
        except Exception as error:  # it has to look again: the KILL file must work until the last moment
            log.logger("control").error("control.failed", error=str(error), error_type=type(error).__name__)
