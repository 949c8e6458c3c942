"""Recordings: written, read, cut, damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zstandard

from models.error import DataError
from storage.cold.recording import Record, Recording, RecordingWriter, RecordKind
from tests.storage.cold.test_journal import overwrite

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


def test_a_file_cut_between_two_chunks_is_noticed(tmp_path: Path) -> None:
    """The index knows how long a finished file was: the last one is reported as cut, one before others is refused."""
    write(tmp_path / "r", sample(500), file_bytes=2000)
    first, *_, last = sorted((tmp_path / "r").glob("*.zst"))
    whole = last.read_bytes()
    os.truncate(last, 0)
    recording = Recording.open(tmp_path / "r")
    assert recording.torn == f"{last.name}: the last {len(whole)} bytes (from byte 0) are missing"
    assert 0 < len(list(recording.records())) < 500 and recording.torn
    last.write_bytes(whole)
    os.truncate(first, 0)
    with pytest.raises(DataError, match="ends at byte 0, the index says"):
        list(Recording.open(tmp_path / "r").records())


def test_damage_at_the_end_of_a_finished_file_is_no_torn_end(tmp_path: Path) -> None:
    """Where the index was written behind the last byte nothing can be unfinished: the last chunk is not left out."""
    write(tmp_path / "r", sample(60))
    path = tmp_path / "r" / "0000.zst"
    overwrite(path, path.stat().st_size - 20, b"\x55")
    recording = Recording.open(tmp_path / "r")
    assert recording.torn == ""
    with pytest.raises(DataError, match="but the file was finished; use an undamaged copy"):
        list(recording.records())


def test_a_folder_with_the_name_of_a_file_is_none(tmp_path: Path) -> None:
    """Only files count as files of a recording."""
    write(tmp_path / "r", sample(10))
    (tmp_path / "r" / "0000.zst").unlink()
    (tmp_path / "r" / "0000.zst").mkdir()
    with pytest.raises(DataError, match=r"0000\.zst is missing"):
        Recording.open(tmp_path / "r")


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
    for at in range(0, len(whole), 11):
        overwrite(path, at, bytes([whole[at] ^ 1 << at % 8]))
        recording = Recording.open(tmp_path / "r")
        assert recording.verify() != ""
        found = []
        try:
            found.extend(recording.records())
        except DataError as error:
            assert error.code == "RECORDING_DAMAGED"
        assert found == records[: len(found)]
        overwrite(path, at, whole[at : at + 1])


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
