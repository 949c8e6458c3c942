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
from storage.cold.journal import CHECKSUM, END, HEAD, HEAD_BYTES, MAGIC, Journal
from storage.cold.journal_reader import JournalDamagedError, JournalRecord, check_journal, read_journal

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


def test_a_journal_cut_at_any_byte_reads_as_a_prefix(tmp_path: Path) -> None:
    """Cut anywhere behind its header, a journal gives a prefix and says that it was not closed."""
    rows = sample(40)
    whole = build(rows, 0, end=True)
    path = tmp_path / "j"
    head = len(build([], 0))
    lengths = set()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size < head - 6:  # the header's payload is 10 bytes, padded by 6
            with pytest.raises(JournalDamagedError):
                check_journal(path)
            continue
        found = read(path)
        assert found == rows[: len(found)]
        assert not check_journal(path).closed
        assert "was not closed" in check_journal(path).tail
        lengths.add(len(found))
    assert lengths == set(range(41))


@pytest.mark.parametrize("durable", [0, 10**6])
def test_every_changed_bit_is_found(tmp_path: Path, durable: int) -> None:
    """A flipped bit never changes a record: what was synced is refused with its place, what was not is cut and told."""
    rows = sample(30)
    whole = build(rows, durable, end=True)
    path = tmp_path / "j"
    draw = random.Random(3)
    refused = told = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :])
        try:
            state = check_journal(path)
        except JournalDamagedError as error:
            assert error.exit_code == 7
            refused += 1
            continue
        found = read(path)
        assert found == rows[: len(found)]
        told += bool(state.tail)
        assert state.tail or len(found) == len(rows)  # padding between records carries nothing
    assert (refused > 0.9 * len(whole)) == bool(durable)
    assert told > 0 or durable


def test_a_damaged_middle_is_refused_with_its_place(tmp_path: Path) -> None:
    """A record that was on the disk and is not whole is named by byte and sequence."""
    write(tmp_path / "j", sample(30))
    data = bytearray((tmp_path / "j").read_bytes())
    start = len(MAGIC)
    for _ in range(10):
        start += (HEAD_BYTES + HEAD.unpack_from(data, start)[0] + 7) & -8
    data[start : start + 32] = bytes(32)
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(JournalDamagedError, match=rf"damaged at byte {start}: record 11 was on the disk") as refused:
        next(read_journal(tmp_path / "j"))
    assert (refused.value.exit_code, refused.value.code) == (7, "JOURNAL_DAMAGED")


def test_pages_lost_before_a_sync_are_a_torn_tail(tmp_path: Path) -> None:
    """After power loss a later page may be there and an earlier one zero: without a sync between, that is the tail."""
    rows = sample(200)
    data = bytearray(build(rows, 20))
    data[4096:8192] = bytes(4096)
    (tmp_path / "j").write_bytes(data + bytes(5000))
    found = read(tmp_path / "j")
    assert 20 < len(found) < len(rows)
    assert found == rows[: len(found)]
    assert "are torn and left out" in check_journal(tmp_path / "j").tail


def test_a_record_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    """Whole records swapped between two journals, or within one, break the chain."""
    rows = [(1, 5, 5, bytes([number]) * 8) for number in range(40)]
    ours = build(rows, 10**6, end=True)
    theirs = build([(2, 5, 5, b"x" * 8), *rows[1:]], 10**6, end=True)
    size, head = HEAD_BYTES + 8, len(build([], 0))
    third, fourth = slice(head + 2 * size, head + 3 * size), slice(head + 3 * size, head + 4 * size)
    for damaged in (
        ours[: third.start] + theirs[third] + ours[third.stop :],
        ours[: third.start] + ours[fourth] + ours[third] + ours[fourth.stop :],
        ours[: third.start] + ours[fourth.start :],
    ):
        (tmp_path / "j").write_bytes(damaged)
        with pytest.raises(JournalDamagedError, match=rf"damaged at byte {third.start}"):
            check_journal(tmp_path / "j")


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


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is no journal"),
        (b"journal2" + bytes(100), "is no journal"),
        (MAGIC + bytes(100), "header record at byte 8 is not whole"),
        (build([(1, 0, 0, b"")], 0).replace(b'{"seed":7}', b'["seed",7]'), "header record at byte 8 is not whole"),
        (build([], 0, end=True) + b"more and more", "goes on at byte"),
        (build([(0, 0, 0, b"{}")], 0), "second header"),
    ],
)
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    """Another file, another version or a journal without its header is named as such."""
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(JournalDamagedError, match=sentence):
        check_journal(tmp_path / "j")


def test_a_missing_journal_is_said_so(tmp_path: Path) -> None:
    """A wrong path is an error of its own, not damage."""
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list(read_journal(tmp_path / "absent"))
    assert not os.path.exists(tmp_path / "absent")
