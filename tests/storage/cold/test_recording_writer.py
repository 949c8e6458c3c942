"""Writing a recording: rolling, kills, slow and full disks, bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from models.error import DataError
from storage.cold.recording import Record, Recording, RecordingWriter, RecordKind
from tests.storage.cold.test_recording import START_NS, sample, write

REPOSITORY = Path(__file__).resolve().parents[3]


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


def test_a_chunk_is_handed_over_after_two_seconds(tmp_path: Path) -> None:
    """In quiet hours a chunk does not wait until it is full."""
    write(tmp_path / "r", sample(20, step_ns=1_000_000_000), chunk_bytes=1 << 20)
    assert Recording.open(tmp_path / "r").index.files[0].chunks == 10


def test_a_folder_with_a_recording_is_not_written_again(tmp_path: Path) -> None:
    """A second writer into the same folder is refused."""
    write(tmp_path / "r", sample(5))
    with pytest.raises(DataError, match="holds a recording already"):
        RecordingWriter(tmp_path / "r", meta={})


def test_facts_that_json_cannot_say_turn_the_recording_off(tmp_path: Path) -> None:
    """Nothing hangs and nothing is raised in the feed when the recording's facts cannot be written."""
    writer = write(tmp_path / "r", sample(2000), chunk_bytes=1024, meta={"offset": 2**70})
    assert "recording is off: r: " in writer.problem
    assert writer.dropped == 2000
