"""The program as its users start it: in this process where that is enough, else as a child with streams of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import wiring
from exchange.emulator.generator import Generator
from exchange.emulator.source import depth_body
from interface.commands import dispatch

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_S = 60


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def sentence(self) -> str:
        """The one line on stderr."""
        (line,) = self.err.splitlines()
        return line


def inside(*words: object) -> Ran:
    """Run a command line in this process; its streams are taken."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = dispatch.main([str(word) for word in words])
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return Ran(code, *texts)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A small environment with the compiled kernels of this test run."""
    kept = {name: os.environ[name] for name in ("NUMBA_CACHE_DIR", "PATH") if name in os.environ}
    return {"SCALPER_NO_BOOTSTRAP": "1", "HOME": str(home), **kept, **more}


def command(*words: object) -> list[str]:
    """The words that start the program with this interpreter."""
    return [sys.executable, str(REPOSITORY / "main.py"), *map(str, words)]


def child(folder: Path, *words: object, **more: str) -> Ran:
    """Run a command line as a child process in ``folder``; ``more`` are environment variables."""
    done = subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=WAIT_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def started(folder: Path, *words: object, **options: Any) -> subprocess.Popen[str]:
    """Start a command line as a child in a session of its own, with pipes on all three streams."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        command(*words), cwd=folder, env=environment(folder), text=True, start_new_session=True, **pipes
    )


def capture(
    path: Path, seconds: int = 3, *, symbols: tuple[str, ...] = ("BTCUSDT",), streams: Iterable[str] = (), seed: int = 7
) -> Path:
    """A raw capture in µs of the generated market: its snapshot, then frames of ``streams`` (all) as a recorder gets
    them.
    """
    market = Generator(seed, wiring.VIRTUAL_START_NS, symbols)
    lines = [b"%d %b\n" % (market.now_ns // 1000, depth_body(market, symbols[0]) or b"")]
    wanted = [f"{symbol.lower()}@{name}" for symbol in symbols for name in streams]
    for venue_ns, _, payload in market.frames(seconds * 10**9, streams=wanted or None):
        lines.append(b"%d %b\n" % ((venue_ns + 5_000_000) // 1000, payload))
    path.write_bytes(b"".join(lines))
    return path
