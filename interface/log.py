"""The log: one event, one line, written by a thread of its own (conventions §5).

``structlog`` builds the event, a bounded queue carries it, the writer merges repeats, takes secrets out and renders:
to stderr (console form on a terminal, JSON otherwise) and to ``logs/scalper.jsonl``, rotated. A caller pays for a
dictionary and a queue; it never waits for a disk or a terminal. The hot path does not log at all.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import structlog

QUEUE_EVENTS_MAX = 10_000  # about 10 MB; at the bound the newest event is dropped and counted
FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 10
REPEAT_NS = 10_000_000_000  # a repeated event is told once in 10 s, with its count
REPEATS_MAX = 1_024  # different events watched for repeats; at the bound the oldest is told and forgotten
STACK_NS = 60_000_000_000  # the stack of one distinct error at most once a minute
WAIT_S = 1.0  # how often the writer looks for repeats that are due when nothing arrives
CLOSE_S = 5.0  # how long closing waits for the writer: a dead terminal must not hold the program
LEVELS = ("debug", "info", "warning", "error", "critical")
HEAD = ("ts", "level", "event", "logger", "run_id", "mode")
VARYING = frozenset(["ts", "us", "ms", "lag_ms", "ack_ms", "age_ms", "seq", "attempt", "retry_after_s", "gap", "stack"])
"""Keys that differ between two tellings of the same thing."""

CHATTY = {
    "httpx": logging.WARNING,  # at INFO they print the bot token as part of the URL
    "httpcore": logging.WARNING,
    "picows.server": logging.ERROR,  # a reader that is slow is the exchange's own business: it watches its buffers
}
"""Libraries' loggers → the least level that is told."""

_SECRET_KEY = re.compile(r"(?i)(secret|token|password|signature|api_?key|private_?key|listen_?key|authorization|x-mbx)")
_SECRET_TEXT = (
    re.compile(
        r"(?i)\b((?:signature|listen_?key|api_?key|apikey|token|secret|password)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
    ),
    re.compile(r"(?i)(X-MBX-APIKEY[\"']?\s*[:,=]\s*[\"']?)[^\s\"',;}]+"),
    re.compile(r"(?i)(Bearer\s+)[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(/?\bbot)\d{6,12}:[A-Za-z0-9_-]{30,}"),
)
HIDDEN = "***"


def redacted(value: Any, known: Iterable[str] = (), key: str = "") -> Any:
    """``value`` without secrets: values under telling keys, telling patterns in texts, every ``known`` text."""
    if key and _SECRET_KEY.search(key) and value is not None:
        return HIDDEN
    if isinstance(value, str):
        for text in known:
            if text:
                value = value.replace(text, HIDDEN)
        for pattern in _SECRET_TEXT:
            value = pattern.sub(lambda match: match.group(1) + HIDDEN, value)
        return value
    if isinstance(value, Mapping):
        return {name: redacted(part, known, str(name)) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(part, known) for part in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redacted(str(value), known)


class Repeats:
    """Lets the first of equal events through and counts the others; ``due`` gives the counts back. Pure."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, dict[str, Any], int]] = {}  # what → first told at, the last of them, count

    def admit(self, record: dict[str, Any], now_ns: int) -> list[dict[str, Any]]:
        """The records to write now: this one when it is new, and what its coming pushed out."""
        what = repr(sorted((key, str(value)) for key, value in record.items() if key not in VARYING))
        out = self.due(now_ns)
        if what in self._held:
            told_ns, _, count = self._held[what]
            self._held[what] = (told_ns, record, count + 1)
            return out
        if len(self._held) >= REPEATS_MAX:
            out += self._tell(next(iter(self._held)))
        self._held[what] = (now_ns, record, 0)
        return [*out, record]

    def due(self, now_ns: int) -> list[dict[str, Any]]:
        """What was repeated and first told 10 s ago or more."""
        old = [what for what, (told_ns, _, _) in self._held.items() if now_ns - told_ns >= REPEAT_NS]
        return [record for what in old for record in self._tell(what)]

    def rest(self) -> list[dict[str, Any]]:
        """Everything still counted, at the end."""
        return [record for what in list(self._held) for record in self._tell(what)]

    def _tell(self, what: str) -> list[dict[str, Any]]:
        _, record, count = self._held.pop(what)
        return [{**record, "repeated": count}] if count else []


class RotatedFile:
    """``scalper.jsonl`` and its predecessors ``.1`` … ``.10``; a disk that refuses is counted, never raised."""

    def __init__(self, path: Path, bytes_max: int = FILE_BYTES_MAX, kept: int = FILES_KEPT) -> None:
        self.path, self.bytes_max, self.kept = path, bytes_max, kept
        self.lost = 0
        self._file: Any = None
        self._size = 0

    def write(self, line: str) -> None:
        """Append one line; rotate first when it would pass the bound."""
        data = line.encode() + b"\n"
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
                self._size = self._file.tell()
            if self._size and self._size + len(data) > self.bytes_max:
                self._rotate()
            self._file.write(data)
            self._file.flush()
            self._size += len(data)
        except OSError:
            self.lost += 1
            self.reopen()

    def reopen(self) -> None:
        """Close; the next line opens the path anew (after the file was moved away, or the disk refused)."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self.kept - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self.path.open("ab")
        self._size = 0


class Log:
    """The writer and its queue. ``emit`` is called from any thread; ``close`` writes what is left."""

    def __init__(
        self,
        *,
        folder: Path | None,
        form: str,
        stream: TextIO | None = None,
        color: bool = False,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``form`` is ``console`` or ``json``; ``folder`` holds ``scalper.jsonl``, None writes no file."""
        self.stream = sys.stderr if stream is None else stream
        self.file = RotatedFile(folder / "scalper.jsonl") if folder else None
        self.dropped = 0
        self.bound: dict[str, str] = {}  # keys of every line, those of libraries included
        self.counts = dict.fromkeys(LEVELS, 0)
        self._known: tuple[str, ...] = ()
        self._now_ns = now_ns
        self._console = _console(color) if form == "console" else None
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUE_EVENTS_MAX)
        self._repeats = Repeats()
        self._stacks: dict[str, int] = {}
        self._reopen = threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def hide(self, text: str) -> None:
        """Take this secret out of every later line, wherever it stands."""
        if len(text) >= 6:  # shorter ones would blot out ordinary words; no venue or bot has so short a secret
            self._known = (*self._known, text)

    def bind(self, **keys: str) -> None:
        """Put these keys on every later line."""
        self.bound = {**self.bound, **keys}

    def reopen(self) -> None:
        """Open the log file anew before the next line (SIGHUP, after an outside rotation)."""
        self._reopen.set()

    def emit(self, record: dict[str, Any]) -> None:
        """Queue one event. Never waits and never raises; beyond the bound the event is counted as dropped."""
        try:
            self._queue.put_nowait({"ts": self._now_ns(), **self.bound, **record})
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write everything queued and counted, then stop the writer."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=CLOSE_S)
        self._thread.join(CLOSE_S)

    def _work(self) -> None:
        while True:
            try:
                record = self._queue.get(timeout=WAIT_S)
            except queue.Empty:
                self._write(self._repeats.due(self._now_ns()))
                continue
            if record is None:
                break
            self._write(self._repeats.admit(record, record["ts"]))
        self._write(self._repeats.rest())
        if self.dropped:
            lost = {"level": "warning", "event": "log.dropped", "count": self.dropped}
            self._write([{"ts": self._now_ns(), **self.bound, **lost}])
        if self.file:
            self.file.reopen()

    def _write(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            try:
                self._line(record)
            except (OSError, ValueError):  # a closed terminal or pipe: the file still has the line
                continue

    def _line(self, record: dict[str, Any]) -> None:
        level = str(record.get("level", "info"))
        self.counts[level] = self.counts.get(level, 0) + 1
        told = redacted(self._with_stack(_ordered(record)), self._known)
        told["ts"] = _time_text(record["ts"])
        line = json.dumps(told, ensure_ascii=False, default=str)
        if self.file:
            if self._reopen.is_set():
                self._reopen.clear()
                self.file.reopen()
            self.file.write(line)
        self.stream.write(f"{self._console(told) if self._console else line}\n")
        self.stream.flush()

    def _with_stack(self, record: dict[str, Any]) -> dict[str, Any]:
        """``exc_info`` as ``error``, ``error_type`` and, once a minute per distinct error, ``stack``."""
        error = record.pop("exc_info", None)
        if not isinstance(error, BaseException):
            return record
        record.setdefault("error", str(error))
        record["error_type"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{record['error_type']} {frames[-1].filename}:{frames[-1].lineno}" if frames else record["error_type"]
        last_ns = self._stacks.get(place)
        if last_ns is None or record["ts"] - last_ns >= STACK_NS:
            if len(self._stacks) >= REPEATS_MAX:
                self._stacks.clear()
            self._stacks[place] = record["ts"]
            record["stack"] = "".join(traceback.format_exception(error))
        return record


def _ordered(record: dict[str, Any]) -> dict[str, Any]:
    head = {key: record[key] for key in HEAD if key in record}
    return {**head, **{key: value for key, value in record.items() if key not in head}}


def _time_text(ns: int) -> str:
    """UTC, ISO 8601, microseconds."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000:06d}Z"


def _console(color: bool) -> Callable[[dict[str, Any]], str]:
    renderer = structlog.dev.ConsoleRenderer(colors=color, timestamp_key="ts", sort_keys=False, pad_event_to=28)

    def render(record: dict[str, Any]) -> str:
        told = dict(record)
        stack = told.pop("stack", None)
        line = str(renderer(None, "", told))
        return f"{line}\n{stack}" if stack else line

    return render


# ------------------------------------------------------------------------------------------------------------- wiring


_LEVEL = {"exception": "error", "warn": "warning", "fatal": "critical"}


class _Named:
    """What structlog wraps: a name. Events are taken by the last processor, so it never writes."""

    def __init__(self, name: str = "") -> None:
        self.name = name


class _Foreign(logging.Handler):
    """Libraries' log records become events: ``library.message`` with the text in a key."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        event = {"level": record.levelname.lower(), "event": "library.message", "logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        self._log.emit({**event, "message": record.getMessage(), **({"exc_info": error} if error else {})})


def start(
    *,
    level: str = "info",
    form: str = "auto",
    folder: Path | None = None,
    stream: TextIO | None = None,
    color: bool | None = None,
    now_ns: Callable[[], int] = time.time_ns,
    **bound: str,
) -> Log:
    """Start the writer and make ``structlog.get_logger(NAME)`` write to it; ``bound`` (run_id, mode) goes on each line.

    ``form`` ``auto`` is console on a terminal and JSON otherwise. The caller closes the returned log.
    """
    target = sys.stderr if stream is None else stream
    terminal = bool(getattr(target, "isatty", lambda: False)())
    shape = ("console" if terminal else "json") if form == "auto" else form
    log = Log(
        folder=folder,
        form=shape,
        stream=target,
        color=terminal and "NO_COLOR" not in os.environ if color is None else color,
        now_ns=now_ns,
    )

    log.bind(**bound)

    def sink(named: _Named, method: str, event: dict[str, Any]) -> Any:
        error = event.pop("exc_info", None)
        if error is True:
            error = sys.exc_info()[1]
        event.pop("_record", None)
        extra = {"exc_info": error} if isinstance(error, BaseException) else {}
        log.emit({**event, "level": _LEVEL.get(method, method), "logger": named.name, **extra})
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, sink],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=_Named,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Foreign(log)]
    root.setLevel(logging.WARNING)
    for name, least in CHATTY.items():
        logging.getLogger(name).setLevel(least)
    return log


def logger(name: str) -> Any:
    """The logger of one part. Events are dotted English constants, values go in keys: ``info("order.sent", qty=…)``."""
    return structlog.get_logger(name)
