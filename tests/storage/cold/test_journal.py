"""The journal: kept through kills, full disks and failed syncs; cut, damaged and swapped files."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from models.error import DataError
from storage.cold import journal as module
from storage.cold.journal import CHECKSUM, END, HEAD, MAGIC, Journal
from storage.cold.journal_reader import JournalRecord, check_journal, read_journal

REPOSITORY = Path(__file__).resolve().parents[3]
HEADER = {"version": "0.1.0", "seed": 7, "snapshot": {"halts": []}}


def sample(count: int, seed: int = 1) -> list[tuple[int, int, int, bytes]]:
    """Arguments of ``append``: a random walk over kinds, times, frames and sizes (empty and odd ones included)."""
    draw = random.Random(seed)
    at_ns, rows = 10**18, []
    for _ in range(count):
        at_ns += draw.randrange(10**6)
        rows.append((draw.randrange(1, 9), at_ns, draw.randrange(2**40), draw.randbytes(draw.randrange(0, 60))))
    return rows


def write(path: Path, rows: list[tuple[int, int, int, bytes]], **options: object) -> list[int]:
    with Journal(path, HEADER, **options) as journal:  # type: ignore[arg-type]
        return [journal.append(*row) for row in rows]


def read(path: Path) -> list[tuple[int, int, int, bytes]]:
    return [(record.kind, record.at_ns, record.frame, record.payload) for record in read_journal(path)]


def overwrite(path: Path, at: int, data: bytes) -> None:
    """Change bytes in place: rewriting a whole file makes some file systems wait for the disk."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, data, at)
    finally:
        os.close(descriptor)


def build(rows: list[tuple[int, int, int, bytes]], durable: int, *, end: bool = False) -> bytes:
    """The bytes of a journal, by the description of the layout alone; ``durable`` as every record notes it."""
    data, checksum = MAGIC, zlib.crc32(MAGIC)
    records = [(0, 0, 0, b'{"seed":7}'), *rows, *([(END, 0, 0, b"")] if end else [])]
    for sequence, (kind, at_ns, frame, payload) in enumerate(records, 1):
        known = min(durable, sequence - 1)
        head = HEAD.pack(len(payload), kind, 0, sequence, known, at_ns, frame, checksum)
        checksum = zlib.crc32(head + payload)
        data += head + CHECKSUM.pack(checksum) + payload
        data += bytes(-len(data) % 8)
    return data


def test_a_journal_returns_what_was_appended(tmp_path: Path) -> None:
    """Every record comes back in order; the header stands apart; sequences rise from 2."""
    rows = sample(500)
    assert write(tmp_path / "j", rows) == list(range(2, 502))
    assert read(tmp_path / "j") == rows
    state = check_journal(tmp_path / "j")
    assert (state.header, state.records, state.last_sequence, state.closed, state.tail) == (HEADER, 500, 502, True, "")
    assert next(read_journal(tmp_path / "j")) == JournalRecord(2, *rows[0])


def test_the_file_is_what_the_layout_says(tmp_path: Path) -> None:
    """A journal built from the description reads back, and the writer's bytes differ from it in ``durable`` only."""
    rows = sample(20)
    (tmp_path / "built").write_bytes(build(rows, 0, end=True))
    assert read(tmp_path / "built") == rows
    with Journal(tmp_path / "j", {"seed": 7}) as journal:
        for row in rows:
            journal.append(*row)
    assert len((tmp_path / "j").read_bytes()) == len(build(rows, 0, end=True))


def test_records_go_on_over_block_borders(tmp_path: Path) -> None:
    """Blocks are filled to any degree, and none of the random walks loses a record at a border."""
    for seed in range(6):
        draw = random.Random(seed)
        rows = [(1, number, number, draw.randbytes(draw.choice([0, 7, 100, 1000, 3900]))) for number in range(60)]
        write(tmp_path / f"j{seed}", rows, block_bytes=4096)
        assert read(tmp_path / f"j{seed}") == rows


def test_every_append_survives_a_kill(tmp_path: Path) -> None:
    """A process killed by SIGKILL leaves every record whose append had returned, over block borders too."""
    script = (
        "import sys; from storage.cold.journal import Journal\n"
        "journal = Journal(sys.argv[1], {'seed': 7}, block_bytes=8192)\n"
        "for number in range(10**9):\n"
        "    sequence = journal.append(3, number, number, b'intent %d' % number)\n"
        "    sys.stdout.write('%d %d\\n' % (number, sequence)); sys.stdout.flush()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "j")], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(1000):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    told = 1000 + sum(line.endswith(b"\n") for line in rest)
    found = list(read_journal(tmp_path / "j"))
    assert len(found) in (told, told + 1)
    assert [record.payload for record in found] == [b"intent %d" % number for number in range(len(found))]
    assert "was not closed" in check_journal(tmp_path / "j").tail


def test_a_full_disk_neither_kills_nor_raises(tmp_path: Path) -> None:
    """Without room for more blocks ``failed`` is set early, allocated blocks take exits, then append says 0."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = Journal(tmp_path / "j", HEADER, block_bytes=4096)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 4096, limits[1]))  # the allocation of a fourth block fails: EFBIG
    try:
        sequences = [journal.append(1, number, 0, bytes(1000)) for number in range(20)]
        assert "the journal cannot grow" in journal.failed
        kept = [sequence for sequence in sequences if sequence]
        assert sequences == kept + [0] * (20 - len(kept))
        assert len(kept) >= 6  # two more blocks after the first
        journal.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [record.at_ns for record in read_journal(tmp_path / "j")] == list(range(len(kept)))


def test_a_failed_sync_is_never_good_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After one failure ``failed`` stays, ``durable`` stands still, and records are still kept in memory."""
    journal = Journal(tmp_path / "j", HEADER, sync="always")
    journal.append(1, 1, 1, b"safe")
    durable, calls = journal.durable, []

    def failing(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(module, "_sync_file", failing)
        assert journal.append(1, 2, 2, b"exit") == 3
    assert journal.append(1, 3, 3, b"exit") == 4
    assert journal.failed == "the journal is not on the disk after record 2: [Errno 5] Input/output error"
    assert (journal.sync(), journal.durable, durable, len(calls)) == (False, 2, 2, 1)
    journal.close()
    assert [record.payload for record in read_journal(tmp_path / "j")] == [b"safe", b"exit", b"exit"]


def test_always_waits_for_the_disk(tmp_path: Path) -> None:
    """With ``sync="always"`` a record is on the disk when append returns."""
    with Journal(tmp_path / "j", HEADER, sync="always") as journal:
        for number in range(3):
            sequence = journal.append(1, number, 0, b"")
            assert journal.durable == sequence


def test_the_thread_syncs_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``sync="interval"`` records reach the disk while nobody waits."""
    synced = threading.Event()
    real = module._sync_file

    def watched(descriptor: int) -> None:
        real(descriptor)
        synced.set()

    monkeypatch.setattr(module, "_sync_file", watched)
    with Journal(tmp_path / "j", HEADER) as journal:
        journal.append(1, 1, 1, b"x")
        assert synced.wait(10)


def test_what_opens_in_a_failing_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that cannot be allocated at the start raises OSError and leaves nothing half made."""

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Journal(tmp_path / "j", HEADER)
    assert not (tmp_path / "j").exists()


def test_a_platform_without_fallocate_writes_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the call is missing the blocks are allocated by writing them."""
    monkeypatch.delattr(module.os, "posix_fallocate")
    rows = sample(100)
    write(tmp_path / "j", rows, block_bytes=4096)
    assert read(tmp_path / "j") == rows


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    """Bad arguments are answered with one sentence, and the journal stays usable."""
    path = tmp_path / "j"
    for options, sentence in (
        ({"sync": "never"}, "must be 'interval' or 'always'"),
        ({"block_bytes": 100}, "multiple"),
    ):
        with pytest.raises(DataError, match=sentence):
            Journal(path, HEADER, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="header is"):
        Journal(path, {"snapshot": "x" * 5000}, block_bytes=4096)
    with Journal(path, HEADER, block_bytes=4096) as journal:
        for kind, payload, sentence in (
            (0, b"", "kinds are 1"),
            (70000, b"", "kinds are 1"),
            (1, bytes(5000), "fit a"),
        ):
            with pytest.raises(DataError, match=sentence):
                journal.append(kind, 0, 0, payload)
        assert journal.append(1, 0, 0, bytes(journal.payload_bytes_max)) > 0
        with pytest.raises(DataError, match="exists already"):
            Journal(path, HEADER)
    with pytest.raises(DataError, match="is closed"):
        journal.append(1, 0, 0, b"")


def test_a_rehearsal_keeps_nothing(tmp_path: Path) -> None:
    """Records rehearsed before, between and after the appended ones change no byte of the journal."""
    rows = sample(40)
    write(tmp_path / "plain", rows, sync="always")
    with Journal(tmp_path / "rehearsed", HEADER, sync="always") as journal:
        for row in rows:
            journal.rehearse(*row)
            journal.append(*row)
            journal.rehearse(*row)
    journal.rehearse(*rows[0])
    assert (tmp_path / "rehearsed").read_bytes() == (tmp_path / "plain").read_bytes()
