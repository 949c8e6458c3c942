"""Processes that ``tests.bench.tick_to_order`` measures: started, asked, and seen from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import order_path, order_usual
from tests.bench.order_sender import Peer, Sender
from tests.exchange.binance.desk import KEY, SECRET

SOURCE = Path(__file__).with_name("rival_epoll.c")
READY_S = 120.0
"""A cold kernel cache takes 20 s, twice that on a shared machine."""


class Compiled(NamedTuple):
    """The C program, or why there is none; ``tls`` says whether it was linked with OpenSSL."""

    path: Path | None
    tls: bool
    why: str


def compiled(folder: Path) -> Compiled:
    """Compile the C program with the system's compiler, with TLS where OpenSSL's headers are."""
    compiler = shutil.which("cc")
    if compiler is None:
        return Compiled(None, False, "no C compiler (cc) was found")
    target = folder / "rival_epoll"
    base = [compiler, "-O2", "-o", str(target), str(SOURCE)]
    if subprocess.run([*base, "-DWITH_TLS", "-lssl", "-lcrypto"], capture_output=True).returncode == 0:
        return Compiled(target, True, "")
    plain = subprocess.run(base, capture_output=True, text=True)
    if plain.returncode:
        return Compiled(None, False, f"cc failed: {plain.stderr[:200]}")
    return Compiled(target, False, "no OpenSSL to link with: the C program has no TLS")


def certificate(folder: Path) -> tuple[Path, Path] | str:
    """A self-signed certificate for localhost and its key, made on the spot; or why there is none."""
    tool = shutil.which("openssl")
    if tool is None:
        return "no openssl command was found to make a certificate with"
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        tool, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(made), "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    return (made, key) if done.returncode == 0 else f"openssl failed: {done.stderr[-200:]}"


class Subject:
    """One process and the sender's view of it. The C program obeys nothing: it waits in ``epoll_wait`` anyway."""

    def __init__(self, name: str, sender: Sender, cafile: str, program: Path | None = None) -> None:
        self.name = name
        self.peer: Peer = sender.peer(name)
        self._sender = sender
        self._lines: list[dict[str, Any]] = []
        self._text = b""
        port = str(self.peer.port)
        if program is not None:
            command = [str(program), port, KEY, SECRET, *([cafile] if cafile else [])]
        else:
            module = order_usual if name == "usual" else order_path
            command = [sys.executable, "-m", module.__name__, port]
            command += ["--tls", cafile] if cafile else []
            command += ["--minimal"] if name == "minimal" else []
        self._obeys = program is None
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2]
        )
        assert self._process.stdout is not None
        sender.watch[self._process.stdout.fileno()] = self._read
        sender.changed()

    def _read(self) -> None:
        assert self._process.stdout is not None
        data = self._process.stdout.read1(65536)  # type: ignore[attr-defined]
        if not data:
            self._forget(self._process.stdout)
        self._text += data
        *lines, self._text = self._text.split(b"\n")
        self._lines += [json.loads(line) for line in lines]

    def word(self, timeout_s: float = READY_S) -> dict[str, Any]:
        """The next line it prints; the sender goes on answering meanwhile."""
        end_s = time.monotonic() + timeout_s
        while not self._lines:
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise ChildProcessError(f"{self.name} did not answer ({self._process.poll()})")
            self._sender.serve(0.05)
        return self._lines.pop(0)

    def say(self, command: str) -> None:
        if self._obeys:
            assert self._process.stdin is not None
            self._process.stdin.write(command.encode() + b"\n")
            self._process.stdin.flush()

    def cpu_ns(self) -> int:
        """CPU time of all its threads, where the system tells."""
        total = 0
        for task in Path(f"/proc/{self._process.pid}/task").glob("*"):
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def stop(self) -> dict[str, Any]:
        """End it; what it says at the end."""
        found: dict[str, Any] = {}
        if self._obeys:
            self.say("stop")
            found = self.word()
        self.kill()
        return found

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                self._forget(pipe)
                pipe.close()

    def _forget(self, pipe: Any) -> None:
        self._sender.watch.pop(pipe.fileno(), None)
        self._sender.changed()
