"""Recordings: written, read, cut, damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest
import zstandard

from models.error import DataError
from storage.cold.quota import hold
from storage.cold.recording import Record, Recording, RecordingWriter, RecordKind

START_NS = 1_700_000_000_000_000_000 // 3_600_000_000_000 * 3_600_000_000_000
REPOSITORY = Path(__file__).resolve().parents[3]


def sample(count: int, start: int = 0, step_ns: int = 1_000_000) -> list[Record]:
    """Records of several kinds and sizes."""
    return [
        Record(
            number,
            RecordKind.TICK if number % 7 == 6 else RecordKind.FRAME,
            number % 2,
            START_NS + number * step_ns,
            b"" if number % 7 == 6 else (b'{"u":%d}' % number) * (1 + number % 40),
        )
        for number in range(start, start + count)
    ]


def write(folder: Path, records: list[Record], **options: object) -> RecordingWriter:
    """Write and close a recording; waits for the disk, so that nothing is dropped."""
    options = {"meta": {"source": "test"}, "wait": True, "chunk_bytes": 4096} | options
    with RecordingWriter(folder, **options) as writer:  # type: ignore[arg-type]
        for record in records:
            writer.record(record.kind, record.connection, record.payload, record.received_ns, record.number)
    return writer


def test_a_recording_returns_what_was_recorded(tmp_path: Path) -> None:
    """Every record comes back in order with its number, kind, connection, time and bytes."""
    records = sample(1000)
    writer = write(tmp_path / "r", records)
    recording = Recording.open(tmp_path / "r")
    assert list(recording.records()) == records
    assert (recording.meta, recording.torn, recording.complete) == ({"source": "test"}, "", True)
    assert (writer.dropped, writer.problem, recording.verify()) == (0, "", "")


def test_chunks_are_blocks_of_whole_records(tmp_path: Path) -> None:
    """The blocks joined are the headers and payloads of all records."""
    records = sample(300)
    write(tmp_path / "r", records)
    blocks = list(Recording.open(tmp_path / "r").chunks())
    assert len(blocks) > 3
    assert sum(len(block) for block in blocks) == sum(32 + len(record.payload) for record in records)


def test_files_roll_by_the_hour_and_by_size(tmp_path: Path) -> None:
    """A new hour begins a new file; so does a file that reached its size."""
    write(tmp_path / "hours", sample(10, step_ns=1_200_000_000_000))  # 20 minutes apart
    hours = Recording.open(tmp_path / "hours").index
    assert [(entry.name, entry.records) for entry in hours.files] == [
        ("0000.zst", 3),
        ("0001.zst", 3),
        ("0002.zst", 3),
        ("0003.zst", 1),
    ]
    write(tmp_path / "sizes", sample(1000), file_bytes=2000)
    sizes = Recording.open(tmp_path / "sizes")
    assert len(sizes.index.files) > 3
    assert list(sizes.records()) == sample(1000)


def test_the_index_counts_what_the_files_hold(tmp_path: Path) -> None:
    """Counting the files again gives the entries that the writer noted."""
    write(tmp_path / "r", sample(500), file_bytes=2000)
    noted = Recording.open(tmp_path / "r").index
    (tmp_path / "r" / "index.json").unlink()
    recording = Recording.open(tmp_path / "r")
    assert recording.index.files == noted.files
    assert (recording.meta, recording.complete) == ({"source": "test"}, False)


def test_a_file_is_an_ordinary_zstd_file(tmp_path: Path) -> None:
    """A plain zstd reader that steps over skippable frames sees the same bytes."""
    write(tmp_path / "r", sample(200))
    with zstandard.ZstdDecompressor().stream_reader(
        (tmp_path / "r" / "0000.zst").open("rb"), read_across_frames=True
    ) as reader:
        assert reader.read() == b"".join(Recording.open(tmp_path / "r").chunks())


def test_a_recording_cut_at_any_byte_reads_as_a_prefix(tmp_path: Path) -> None:
    """Without its index and cut anywhere, a recording gives a prefix of its records and says what it left out."""
    records = sample(60)
    write(tmp_path / "r", records, chunk_bytes=1024)
    (tmp_path / "r" / "index.json").unlink()
    path = tmp_path / "r" / "0000.zst"
    whole = path.read_bytes()
    lengths = set()
    for size in range(len(whole), -1, -1):
        os.truncate(path, size)
        recording = Recording.open(tmp_path / "r")
        torn = recording.torn
        found = list(recording.records())
        assert found == records[: len(found)]
        assert recording.torn == torn
        assert bool(torn) != (size == 0 or size == len(whole) or recording.index.files[0].bytes == size)
        lengths.add(len(found))
    assert len(lengths) > 4


def test_a_zero_filled_end_is_torn(tmp_path: Path) -> None:
    """Pages that were never written read as zeros; the chunk they belong to is left out and reported."""
    write(tmp_path / "r", sample(200))
    (tmp_path / "r" / "index.json").unlink()
    path = tmp_path / "r" / "0000.zst"
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes(20))
    recording = Recording.open(tmp_path / "r")
    found = list(recording.records())
    assert 0 < len(found) < 200
    assert "unfinished and were left out" in recording.torn


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """No bit flip passes verify, and none changes a record that is read."""
    records = sample(60)
    write(tmp_path / "r", records, chunk_bytes=1024)
    path = tmp_path / "r" / "0000.zst"
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        recording = Recording.open(tmp_path / "r")
        assert recording.verify() != ""
        found = []
        try:
            found.extend(recording.records())
        except DataError as error:
            assert error.code == "RECORDING_DAMAGED"
        assert found == records[: len(found)]


def test_damage_before_whole_chunks_is_refused_with_its_place(tmp_path: Path) -> None:
    """A damaged middle is not taken for a torn end, even without an index."""
    write(tmp_path / "r", sample(200))
    (tmp_path / "r" / "index.json").unlink()
    path = tmp_path / "r" / "0000.zst"
    data = bytearray(path.read_bytes())
    start = data.find(zstandard.FRAME_HEADER)
    data[start + 1] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"0000.zst is damaged at byte {start}"):
        list(Recording.open(tmp_path / "r").records())
    assert f"damaged at byte {start}" in Recording.open(tmp_path / "r").verify()


def test_a_killed_writer_leaves_a_readable_prefix(tmp_path: Path) -> None:
    """After SIGKILL the recording opens with its meta, and what it gives is a prefix of what was recorded."""
    script = (
        "import sys; from storage.cold.recording import RecordingWriter\n"
        "writer = RecordingWriter(sys.argv[1], meta={'seed': 7}, chunk_bytes=1024, wait=True)\n"
        "for number in range(10**9):\n"
        "    writer.record(1, 0, b'{\"n\":%d}' % number, 10**18 + number, number)\n"
        "    if number == 5000: print('going', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "r")], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"going\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    recording = Recording.open(tmp_path / "r")
    found = list(recording.records())
    assert recording.meta == {"seed": 7}
    assert len(found) > 1000
    assert [record.payload for record in found] == [b'{"n":%d}' % number for number in range(len(found))]


def test_a_slow_disk_costs_records_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no buffer is free, records are dropped and counted, and a NOTE stands in their place."""
    gate = threading.Event()
    slow_write = os.write

    def stuck(descriptor: int, data: bytes) -> int:
        gate.wait(10)
        return slow_write(descriptor, data)

    monkeypatch.setattr("storage.cold.recording_writer.os.write", stuck)
    writer = RecordingWriter(tmp_path / "r", meta={}, chunk_bytes=1024)
    for record in sample(400):
        writer.record(record.kind, record.connection, record.payload, record.received_ns, record.number)
    assert writer.dropped > 0
    lost = writer.dropped
    gate.set()
    writer.close()
    found = list(Recording.open(tmp_path / "r").records())
    note = orjson.loads(found[-1].payload)
    assert found[-1].kind == RecordKind.NOTE
    assert (note["note"], note["records"], note["last_number"]) == ("dropped", lost, 399)
    assert found[:-1] == sample(400)[: 400 - lost]
    assert Recording.open(tmp_path / "r").index.dropped == lost


def test_recording_goes_on_after_a_drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the disk is free again, the NOTE and later records follow in order."""
    gate, written = threading.Event(), threading.Semaphore(0)
    real_write = os.write

    def stuck(descriptor: int, data: bytes) -> int:
        gate.wait(10)
        count = real_write(descriptor, data)
        written.release()
        return count

    monkeypatch.setattr("storage.cold.recording_writer.os.write", stuck)
    writer = RecordingWriter(tmp_path / "r", meta={}, chunk_bytes=1024)
    records = sample(800)
    for record in records[:400]:
        writer.record(record.kind, record.connection, record.payload, record.received_ns, record.number)
    lost = writer.dropped
    gate.set()
    for _ in range(8):  # the head of the file and seven chunks
        assert written.acquire(timeout=10)
    for record in records[400:420]:
        writer.record(record.kind, record.connection, record.payload, record.received_ns, record.number)
    writer.close()
    found = list(Recording.open(tmp_path / "r").records())
    note = next(record for record in found if record.kind == RecordKind.NOTE)
    place = found.index(note)
    assert orjson.loads(note.payload)["records"] == note.number - records[400 - lost].number + 1
    assert found[:place] + found[place + 1 :] == records[: 400 - lost] + records[note.number + 1 : 420]
    assert writer.dropped == orjson.loads(note.payload)["records"]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_turns_the_recording_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """After an error of the disk nothing is raised, what was written stays readable, and ``problem`` says why."""
    calls = 0
    real = getattr(os, call)

    def failing(descriptor: int, *data: bytes) -> object:
        nonlocal calls
        calls += 1
        if calls == 5:
            if call == "write":
                real(descriptor, data[0][:10])
            raise OSError(28, "No space left on device")
        return real(descriptor, *data)

    monkeypatch.setattr(f"storage.cold.recording_writer.os.{call}", failing)
    records = sample(2000)
    writer = write(tmp_path / "r", records, chunk_bytes=1024, file_bytes=1500)
    assert "No space left on device" in writer.problem
    recording = Recording.open(tmp_path / "r")
    found = list(recording.records())
    assert found == records[: len(found)]
    assert (recording.torn, recording.verify(), recording.index.problem) == ("", "", writer.problem)
    assert len(found) + writer.dropped == len(records)


def test_the_quota_removes_the_oldest_recordings_only(tmp_path: Path) -> None:
    """Older recordings go first; kept ones, foreign folders, held ones and the current one stay."""
    for age, name in enumerate(["kept", "old", "older", "held"]):
        write(tmp_path / name, sample(300), meta={"keep": name == "kept"})
        for path in (tmp_path / name).iterdir():
            os.utime(path, ns=(0, (10 - age) * 10**9))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "letter.txt").write_text("x" * 100_000)
    size = sum(path.stat().st_size for path in (tmp_path / "old").iterdir())
    held = hold(tmp_path / "held")
    write(tmp_path / "now", sample(10), quota_bytes=int(size * 3.8))
    os.close(held)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held", "kept", "notes", "now", "old"]


def test_a_recording_that_fills_the_quota_alone_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording being written is never removed: it stops, says why, and stays readable."""
    monkeypatch.setattr("storage.cold.recording_writer.QUOTA_STEP_BYTES", 1000)
    writer = write(tmp_path / "m" / "r", sample(3000), chunk_bytes=1024, quota_bytes=3000)
    assert "the quota of 3000 bytes" in writer.problem
    recording = Recording.open(tmp_path / "m" / "r")
    assert recording.verify() == ""
    assert 0 < recording.index.records < 3000


def test_a_huge_payload_is_kept_whole(tmp_path: Path) -> None:
    """A frame above the chunk size is recorded whole and in order."""
    records = sample(5)
    records[2] = Record(2, 1, 0, records[2].received_ns, os.urandom(100_000))
    write(tmp_path / "r", records, chunk_bytes=1024)
    assert list(Recording.open(tmp_path / "r").records()) == records


def test_a_payload_above_the_bound_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile frame is cut to the largest payload, counted, and the records after it are whole."""
    monkeypatch.setattr("storage.cold.recording_writer.PAYLOAD_BYTES_MAX", 2000)
    writer = write(tmp_path / "r", [Record(1, 1, 0, START_NS, b"x" * 5000), *sample(3, 2)], chunk_bytes=1024)
    found = list(Recording.open(tmp_path / "r").records())
    assert [len(record.payload) for record in found] == [2000] + [len(record.payload) for record in sample(3, 2)]
    assert writer.cut == 1


def test_a_chunk_is_handed_over_after_five_seconds(tmp_path: Path) -> None:
    """In quiet hours a chunk does not wait until it is full."""
    write(tmp_path / "r", sample(20, step_ns=1_000_000_000), chunk_bytes=1 << 20)
    assert Recording.open(tmp_path / "r").index.files[0].chunks == 4


def test_a_folder_with_a_recording_is_not_written_again(tmp_path: Path) -> None:
    """A second writer into the same folder is refused."""
    write(tmp_path / "r", sample(5))
    with pytest.raises(DataError, match="holds a recording already"):
        RecordingWriter(tmp_path / "r", meta={})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist; give the folder of a recording"),
        (lambda path: path.write_text(""), "is a file; give the folder of a recording"),
        (lambda path: path.mkdir(), "holds no recording: neither index.json nor NNNN.zst files are there"),
        (lambda path: _index(path, b"{}"), "is no index of a recording"),
        (lambda path: _index(path, b'{"version":2}'), "is of version 2; this program reads version 1"),
        (
            lambda path: _index(
                path, b'{"version":1,"complete":true,"meta":{},"files":[{"name":"0000.zst"}],"dropped":0}'
            ),
            "0000.zst is missing from the recording; put it back",
        ),
    ],
)
def test_a_wrong_folder_is_refused_with_one_sentence(tmp_path: Path, make: object, sentence: str) -> None:
    """Opening something else says what was wrong and what would be right."""
    make(tmp_path / "r")  # type: ignore[operator]
    with pytest.raises(DataError, match=sentence):
        Recording.open(tmp_path / "r")


def _index(folder: Path, data: bytes) -> None:
    folder.mkdir()
    (folder / "index.json").write_bytes(data)


def test_a_missing_middle_file_is_refused(tmp_path: Path) -> None:
    """Without an index a hole in the row of files is noticed."""
    write(tmp_path / "r", sample(500), file_bytes=1000)
    (tmp_path / "r" / "index.json").unlink()
    (tmp_path / "r" / "0001.zst").unlink()
    with pytest.raises(DataError, match=r"0001\.zst is missing"):
        Recording.open(tmp_path / "r")
