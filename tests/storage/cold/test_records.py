"""The JSONL files of a run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import orjson
import pytest

from models.control import Operating
from models.error import DataError
from storage.cold import records
from storage.cold.records import FILES, RunFiles, file_hash, make_run_folder, read_records, run_name, write_document

RUN_ID = "20261121T120000Z-paper-3f9a"
NOON_NS = 1_795_262_400_123_456_789


def test_a_line_holds_the_keys_in_order_then_v_run_id_and_seq(tmp_path: Path) -> None:
    """The bytes of a record are those of the conventions."""
    with RunFiles(tmp_path, RUN_ID) as files:
        files.write("state_transitions", {"ts": 5, "data_trust": "TRUSTED", "operating": Operating.NORMAL})
        files.write("state_transitions", {"ts": 6, "ratio": 0.25})
    assert (tmp_path / "state_transitions.jsonl").read_bytes() == (
        b'{"ts":5,"data_trust":"TRUSTED","operating":"NORMAL","v":1,"run_id":"20261121T120000Z-paper-3f9a","seq":1}\n'
        b'{"ts":6,"ratio":0.25,"v":1,"run_id":"20261121T120000Z-paper-3f9a","seq":2}\n'
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.jsonl" for name in FILES)


def test_the_feed_stands_in_every_record(tmp_path: Path) -> None:
    """Behind ``seq`` each line of each file says where its market came from, what cannot be formatted included."""
    with RunFiles(tmp_path, RUN_ID, feed="EMBEDDED file:tape") as files:
        for name in FILES:
            files.write(name, {"ts": 1})
            files.write(name, {"ts": 2, "huge": 2**70})
    for name in FILES:
        for line in (tmp_path / f"{name}.jsonl").read_bytes().splitlines():
            assert line.endswith(b',"feed":"EMBEDDED file:tape"}')


def test_quarantine_has_a_quota_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it one record tells and further refusals are counted, with and without the thread; other files go on."""
    monkeypatch.setattr(records, "QUARANTINE_BYTES_MAX", 2 << 20)
    kept = []
    for folder, threaded in (("a", True), ("b", False)):
        with RunFiles(tmp_path / folder, RUN_ID, threaded=threaded) as files:
            for number in range(3000):
                files.write("quarantine", {"ts": number, "bytes": "x" * 1000})
                files.write("orders", {"ts": number, "text": "y" * 1000})
        path = tmp_path / folder / "quarantine.jsonl"
        *before, last = read_records(path)
        assert (last["ts"], last["reason"], last["seq"]) == (len(before), "QUOTA", len(before) + 1)
        assert last["detail"] == "2 MB are written; refused frames from here on are counted in summary.json"
        assert len(before) + files.left_out == 3000 and files.lost == 0
        assert (2 << 20) - 2000 < path.stat().st_size < (2 << 20) + 300  # the record that says so may lie beyond
        assert len(list(read_records(tmp_path / folder / "orders.jsonl"))) == 3000
        kept.append(path.read_bytes())
    assert kept[0] == kept[1]


def test_the_thread_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the thread, and when the caller has to help, the files are equal."""
    monkeypatch.setattr(records, "WAITING_MAX", 10)
    for folder, threaded in (("a", True), ("b", False)):
        with RunFiles(tmp_path / folder, RUN_ID, threaded=threaded) as files:
            for number in range(3000):
                files.write(FILES[number % 3], {"ts": number, "text": "가" * (number % 50)})
    for name in FILES:
        assert (tmp_path / "a" / f"{name}.jsonl").read_bytes() == (tmp_path / "b" / f"{name}.jsonl").read_bytes()
    assert [record["seq"] for record in read_records(tmp_path / "a" / "signals.jsonl")] == list(range(1, 1001))


def test_the_number_of_waiting_records_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that does not keep up makes the caller format; nothing is dropped."""
    monkeypatch.setattr(records, "WAITING_MAX", 100)
    monkeypatch.setattr(records, "PAUSE_S", 0.5)
    files = RunFiles(tmp_path, RUN_ID)
    waiting = 0
    for number in range(1000):
        files.write("orders", {"ts": number})
        waiting = max(waiting, len(files._waiting))
    files.close()
    assert waiting <= 101
    assert [record["ts"] for record in read_records(tmp_path / "orders.jsonl")] == list(range(1000))


def test_flush_puts_everything_into_the_files(tmp_path: Path) -> None:
    """After flush every record written before can be read."""
    for threaded in (True, False):
        files = RunFiles(tmp_path / str(threaded), RUN_ID, threaded=threaded)
        for number in range(100):
            files.write("fills", {"ts": number})
        files.flush()
        assert len(list(read_records(tmp_path / str(threaded) / "fills.jsonl"))) == 100
        files.close()


def test_content_that_json_cannot_say_is_kept_as_text(tmp_path: Path) -> None:
    """A strange value costs its form, not the record."""
    with RunFiles(tmp_path, RUN_ID) as files:
        files.write("quarantine", {"ts": 1, "frame": b"\xff", "nan": float("nan")})
        files.write("quarantine", {"ts": 2, "huge": 2**70})
    assert [
        {key: value for key, value in record.items() if key not in ("v", "run_id")}
        for record in read_records(tmp_path / "quarantine.jsonl")
    ] == [
        {"ts": 1, "frame": "b'\\xff'", "nan": None, "seq": 1},
        {"ts": 0, "unformatted": f"{{'ts': 2, 'huge': {2**70}}}", "seq": 2},
    ]


def test_a_full_disk_leaves_whole_lines_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that failed half-way is cut off; once there is room, all lines follow in order."""
    real, full = os.write, True

    def failing(descriptor: int, data: bytes) -> int:
        if full:
            real(descriptor, bytes(data)[:7])
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr("storage.cold.records.os.write", failing)
    files = RunFiles(tmp_path, RUN_ID, threaded=False)
    for number in range(50):
        files.write("orders", {"ts": number})
    files.flush()
    assert (tmp_path / "orders.jsonl").read_bytes() == b""
    assert files.problem == "records cannot be written: orders.jsonl: [Errno 28] No space left on device"
    full = False
    files.close()
    assert [record["ts"] for record in read_records(tmp_path / "orders.jsonl")] == list(range(50))
    assert files.lost == 0


def test_what_a_full_disk_costs_is_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the newest lines are given up, and the count says how many."""

    def failing(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "UNWRITTEN_BYTES_MAX", 1000)
    monkeypatch.setattr(records, "WRITE_BYTES", 100)
    with monkeypatch.context() as full:
        full.setattr("storage.cold.records.os.write", failing)
        files = RunFiles(tmp_path, RUN_ID, threaded=False)
        for number in range(100):
            files.write("orders", {"ts": number})
    files.close()
    kept = [record["ts"] for record in read_records(tmp_path / "orders.jsonl")]
    assert kept == list(range(len(kept)))
    assert (len(kept) + files.lost, 0 < len(kept) < 20) == (100, True)


def test_a_file_cut_at_any_byte_reads_as_a_prefix(tmp_path: Path) -> None:
    """A torn last line is skipped without a word."""
    with RunFiles(tmp_path, RUN_ID) as files:
        for number in range(3):
            files.write("trades", {"ts": number, "text": '}"\n'})
    path = tmp_path / "trades.jsonl"
    whole = path.read_bytes()
    for size in range(len(whole), -1, -1):
        os.truncate(path, size)
        assert [record["ts"] for record in read_records(path)] == list(range(whole[:size].count(b"\n")))


@pytest.mark.parametrize("line", [b"{\n", b"[1]\n", b"\x00\x00\n"])
def test_a_damaged_line_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    """Damage before the last line is named, not skipped."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"ts":1}\n' + line + b'{"ts":3}\n')
    with pytest.raises(DataError, match="line 2 is no JSON object"):
        list(read_records(path))


def test_the_hash_leaves_run_id_and_feed_out(tmp_path: Path) -> None:
    """Two runs of the same facts have one hash: SHA-256 over the lines without ``run_id`` and ``feed``."""
    for run_id, feed in (("a", ""), ("b", "EMBEDDED")):
        with RunFiles(tmp_path / run_id, run_id, feed=feed) as files:
            files.write("decisions", {"ts": 1, "duration_ms": 0.1})
    hashes = [file_hash(tmp_path / run_id / "decisions.jsonl") for run_id in ("a", "b")]
    assert hashes == [hashlib.sha256(b'{"ts":1,"duration_ms":0.1,"v":1,"seq":1}\n').hexdigest()] * 2
    assert file_hash(tmp_path / "a" / "trades.jsonl") == hashlib.sha256().hexdigest()


def test_a_run_folder_is_named_by_time_mode_and_token(tmp_path: Path) -> None:
    """The name is that of the conventions, and no folder is used twice."""
    assert run_name(NOON_NS, "paper", "3f9a") == RUN_ID
    assert make_run_folder(tmp_path, NOON_NS, "paper", "3f9a") == (RUN_ID, tmp_path / RUN_ID)
    with pytest.raises(DataError, match="exists already"):
        make_run_folder(tmp_path, NOON_NS, "paper", "3f9a")
    run_id, folder = make_run_folder(tmp_path, NOON_NS, "paper")
    assert folder.is_dir()
    assert run_id.startswith("20261121T120000Z-paper-")


def test_a_run_never_writes_into_the_files_of_another(tmp_path: Path) -> None:
    """Opening the same folder twice is refused."""
    RunFiles(tmp_path, RUN_ID).close()
    with pytest.raises(DataError, match="never writes into files of another"):
        RunFiles(tmp_path, RUN_ID)


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    """An unknown file and a closed run are said at the call, not later in the thread."""
    files = RunFiles(tmp_path, RUN_ID)
    with pytest.raises(DataError, match="there is no file 'trade'"):
        files.write("trade", {})
    files.close()
    files.close()
    with pytest.raises(DataError, match="are closed"):
        files.write("trades", {})
    with pytest.raises(DataError, match="cannot be read"):
        next(read_records(tmp_path / "absent.jsonl"))


def test_documents_are_written_whole(tmp_path: Path) -> None:
    """A dictionary becomes indented JSON, a text stays a text; both end with a line end."""
    with RunFiles(tmp_path, RUN_ID) as files:
        files.write_document("config.toml", 'mode = "paper"\n')
        files.write_document("summary.json", {"net": "1.5"})
    write_document(tmp_path / "run.json", {"pid": 5})
    assert (tmp_path / "config.toml").read_text() == 'mode = "paper"\n'
    assert (tmp_path / "summary.json").read_text() == '{\n  "net": "1.5"\n}\n'
    assert orjson.loads((tmp_path / "run.json").read_bytes()) == {"pid": 5}
