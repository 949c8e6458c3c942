"""The JSONL files of a run (conventions §4): one object per line, formatted and written off the hot path.

``write`` keeps the dictionary; a thread formats it within 20 ms. Order and bytes do not depend on the thread: the
sequence numbers are given in the order of the calls, and without the thread (virtual time) the files are the same.
Records are never dropped for lack of room: beyond ``WAITING_MAX`` the caller formats, which is slow and bounded.
A disk that refuses leaves whole lines behind; what could not be written is kept up to ``UNWRITTEN_BYTES_MAX`` a file
and tried again, what is beyond that is counted in ``lost``, and ``problem`` says why.
``quarantine`` alone grows with what others send: beyond ``QUARANTINE_BYTES_MAX`` its last record says so, and further
ones are counted in ``left_out``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from models.error import DataError
from utils.atomic import write_atomic

VERSION = 1
FILES = ("decisions", "state_transitions", "signals", "orders", "fills", "trades", "quarantine")
NAMING = ("run_id", "feed")
"""Keys that say which run a record is of, not what happened: hashes and comparisons leave them out."""

WAITING_MAX = 4096  # records: 4 s of the busiest feed with every frame quarantined at 1,000 frames/s
BATCH = 64  # records formatted in one go: about 0.2 ms of the interpreter
PAUSE_S = 0.02  # the thread looks so often; a wake-up by the caller would cost it 5 us in the hot path
WRITE_BYTES = 64 << 10  # without a thread, lines are written in pieces of this size
UNWRITTEN_BYTES_MAX = 8 << 20  # per file, while the disk refuses: about 30,000 records
QUARANTINE = "quarantine"
QUARANTINE_BYTES_MAX = 64 << 20  # 2,500 refused frames of the largest kept size, each byte escaped; 200,000 usual ones
LINE_BYTES_MAX = 128 << 20  # a quarantined frame of 16 MiB, each byte escaped as six
TOKEN_TRIES = 16  # run ids of one second and mode: 65,536 tokens, sixteen collisions do not happen by chance


def run_name(started_ns: int, mode: str, token: str) -> str:
    """The id of a run and the name of its folder: ``20261121T120000Z-paper-3f9a``. ``started_ns``: wall clock, ns."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started_ns // 1_000_000_000))}-{mode}-{token}"


def make_run_folder(runs: Path | str, started_ns: int, mode: str, token: str = "") -> tuple[str, Path]:
    """Create a new folder below ``runs``; returns (run id, folder). ``token``: four hex digits, else drawn at random.

    Raises DataError when the folder exists, OSError when the disk refuses.
    """
    for _ in range(TOKEN_TRIES):
        run_id = run_name(started_ns, mode, token or secrets.token_hex(2))
        folder = Path(runs) / run_id
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if token:
                break
            continue
        return run_id, folder
    raise DataError(f"{folder} exists already; a run never writes into the folder of another", code="EXISTS")


class RunFiles:
    """The record files of one run in ``folder`` (made when absent): each of ``FILES`` with ``.jsonl`` appended.

    ``feed``, where the market comes from (``EMBEDDED``, ``binance`` …), stands in every record; empty, in none.
    ``threaded=False`` formats at once and writes in pieces (virtual time); the bytes are the same. Dictionaries belong
    to the files once written: the caller does not change them afterwards. ``write`` is for one thread.
    Raises DataError when a file is there already, OSError when the files cannot be made.
    """

    def __init__(self, folder: Path | str, run_id: str, *, feed: str = "", threaded: bool = True) -> None:
        self.folder = Path(folder)
        self.run_id = run_id
        self.feed = feed
        self.problem = ""  # why lines could not be written, the last time that happened
        self.lost = 0  # records that are in no file
        self.left_out = 0  # refused frames beyond the quota of quarantine.jsonl
        self._full = False  # that quota is used up
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lines = {name: _LineFile(self.folder / f"{name}.jsonl") for name in FILES}
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._lock = threading.Lock()  # held for one batch; the hot path takes it beyond WAITING_MAX only
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="records", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    def write(self, file: str, record: dict[str, Any]) -> None:
        """Append ``record`` to ``file`` (a name of ``FILES``); ``v``, ``run_id``, ``seq`` and ``feed`` follow its keys.

        Raises DataError for an unknown file, or after ``close``.
        """
        if file not in self._lines or self._closed:
            reason = "the run's files are closed" if self._closed else f"there is no file {file!r}; known: {FILES}"
            raise DataError(f"a record cannot be written: {reason}")
        self._waiting.append((file, record))
        if self._thread is None:
            self._format(1)
        elif len(self._waiting) > WAITING_MAX:
            with self._lock:
                self._format(BATCH)

    def flush(self) -> None:
        """Return when everything written so far is in the files (not yet on the disk: ``close`` syncs)."""
        with self._lock:
            self._format(len(self._waiting))
            self._append(0)

    def close(self) -> None:
        """Flush, sync and close. What the disk still refuses is counted in ``lost``."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._thread.join()
        self.flush()
        for lines in self._lines.values():
            self.lost += lines.close()

    def __enter__(self) -> RunFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write_document(self, name: str, document: dict[str, Any] | str) -> None:
        """Write ``summary.json`` (a dictionary) or ``config.toml`` (a text) whole or not at all. Raises OSError."""
        write_document(self.folder / name, document)

    def _work(self) -> None:
        while not self._closed:
            time.sleep(PAUSE_S)
            while self._waiting:
                with self._lock:
                    self._format(BATCH)
            with self._lock:
                self._append(0)

    def _format(self, count: int) -> None:
        """Turn at most ``count`` waiting records into lines, in order; the caller holds the lock."""
        for _ in range(min(count, len(self._waiting))):
            file, record = self._waiting.popleft()
            if file == QUARANTINE and self._full:
                self.left_out += 1
                continue
            lines = self._lines[file]
            line = self._line(record, lines.seq + 1)
            if file == QUARANTINE and lines.taken_bytes + len(line) > QUARANTINE_BYTES_MAX:
                self._full = True
                self.left_out += 1
                line = self._line(_quota_record(record), lines.seq + 1)
            lines.add(line)
        self._append(WRITE_BYTES)

    def _line(self, record: dict[str, Any], seq: int) -> bytes:
        """The line of a record. What JSON cannot say is written as its text: a record is never lost to its content."""
        tail: dict[str, Any] = {"v": VERSION, "run_id": self.run_id, "seq": seq}
        if self.feed:
            tail["feed"] = self.feed
        option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
        try:
            return orjson.dumps({**record, **tail}, default=str, option=option)
        except TypeError:  # an integer beyond 64 bits, a key that is no text
            return orjson.dumps({"ts": 0, "unformatted": repr(record), **tail}, option=option)

    def _append(self, above: int) -> None:
        """Write the lines of each file that has more than ``above`` bytes of them."""
        for lines in self._lines.values():
            if len(lines.unwritten) <= above:
                continue
            try:
                lines.write()
            except OSError as error:
                self.problem = f"records cannot be written: {lines.path.name}: {error}"
                self.lost += lines.shed()


class _LineFile:
    """One file: lines not yet written, and how many bytes of whole lines are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = 0
        self.taken_bytes = 0  # of all lines added, on the disk or not: what a quota counts is the same in every run
        self.unwritten = bytearray()
        self.good_bytes = 0
        try:
            self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except FileExistsError:
            raise DataError(f"{path} exists already; a run never writes into files of another", code="EXISTS") from None

    def add(self, line: bytes) -> None:
        self.seq += 1
        self.taken_bytes += len(line)
        self.unwritten += line

    def write(self) -> None:
        """Append all lines; on an error cut off what was written of them, so that the file ends with a whole line."""
        data = memoryview(bytes(self.unwritten))
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, self.good_bytes)
            raise
        self.good_bytes += len(self.unwritten)
        self.unwritten.clear()

    def shed(self) -> int:
        """Give up the newest lines beyond the bound; returns how many. The hole in ``seq`` shows where they were."""
        if len(self.unwritten) <= UNWRITTEN_BYTES_MAX:
            return 0
        keep = self.unwritten.rfind(b"\n", 0, UNWRITTEN_BYTES_MAX) + 1
        lost = self.unwritten.count(b"\n", keep)
        del self.unwritten[keep:]
        return lost

    def close(self) -> int:
        """Sync and close; returns how many lines were never written."""
        try:
            os.fsync(self.descriptor)
        except OSError:
            pass
        finally:
            os.close(self.descriptor)
        return self.unwritten.count(b"\n")


def _quota_record(record: dict[str, Any]) -> dict[str, Any]:
    """The last record of ``quarantine.jsonl``: from the refused frame of ``record`` on they are counted only."""
    detail = f"{QUARANTINE_BYTES_MAX >> 20} MB are written; refused frames from here on are counted in summary.json"
    return {"ts": record.get("ts", 0), "reason": "QUOTA", "detail": detail}


def write_document(path: Path | str, document: dict[str, Any] | str) -> None:
    """Write ``run.json``, ``summary.json`` (indented JSON) or ``config.toml`` whole or not at all. Raises OSError."""
    data = document.encode() if isinstance(document, str) else orjson.dumps(document, option=orjson.OPT_INDENT_2)
    write_atomic(Path(path), data if data.endswith(b"\n") else data + b"\n")


def read_records(path: Path | str) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file in order; a torn last line (no line end) is skipped.

    Raises DataError for a missing file, and for a line that is no object, with its number.
    """
    target = Path(path)
    try:
        file = target.open("rb")
    except OSError as error:
        raise DataError(f"{target} cannot be read: {error.strerror}; give a .jsonl file of a run") from None
    with file:
        number = 0
        while (line := file.readline(LINE_BYTES_MAX)).endswith(b"\n"):
            number += 1
            try:
                record = orjson.loads(line)
            except ValueError as error:
                raise DataError(f"{target} line {number} is no JSON object ({error})", code="RECORD_DAMAGED") from None
            if not isinstance(record, dict):
                raise DataError(f"{target} line {number} is no JSON object", code="RECORD_DAMAGED")
            yield record
        if len(line) >= LINE_BYTES_MAX:
            raise DataError(f"{target} line {number + 1} is longer than {LINE_BYTES_MAX} bytes", code="RECORD_DAMAGED")


def file_hash(path: Path | str) -> str:
    """SHA-256 over the lines of a JSONL file without ``run_id`` and ``feed``: equal for two runs of the same facts.

    Raises DataError like ``read_records``.
    """
    digest = hashlib.sha256()
    for record in read_records(path):
        for name in NAMING:
            record.pop(name, None)
        digest.update(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    return digest.hexdigest()
