"""The history driver: a recording through the same ear, whole chunks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wiring
from config.load import load
from config.settings import Settings
from interface.drivers import history
from interface.drivers.parts import Parts
from models.rows import FAR_NS
from storage.cold.recording import Recording
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import read_records

SECOND_NS = 10**9


class Bench:
    """Back tests of one recording, each in a folder of its own."""

    def __init__(self, folder: Path, recording: Path) -> None:
        self.recording = recording
        self._folder = folder
        self._open: list[Parts] = []

    def made(self) -> tuple[Parts, Recording]:
        settings = self.settings(self._folder / str(len(self._open)))
        parts, (recording,) = wiring.history(settings, [self.recording], mode="backtest", started_ns=1)
        self._open.append(parts)
        return parts, recording

    def driven(self, **options: Any) -> tuple[Parts, int]:
        parts, recording = self.made()
        return parts, history.drive(parts, recording.chunks(), **options)

    @staticmethod
    def settings(folder: Path) -> Settings:
        return load(overrides=[f"app.data_dir={folder}"], environment={}, folder=folder.parent).settings

    def close(self) -> None:
        for parts in self._open:
            for close in parts.closing:
                close()


@pytest.fixture
def bench(finished: Path, tmp_path: Path) -> Iterator[Bench]:
    (recording,) = (finished / "market").iterdir()
    made = Bench(tmp_path, recording)
    yield made
    made.close()


def records(parts: Parts, name: str) -> list[dict[str, Any]]:
    """The run's records so far, without what names the run."""
    parts.files.flush()
    found = read_records(parts.folder / f"{name}.jsonl")
    return [{key: value for key, value in one.items() if key != "run_id"} for one in found]


def test_a_recorded_paper_run_is_traded_again(bench: Bench, finished: Path) -> None:
    """A back test of a run's recording makes the same entry at the same time and price."""
    parts, _ = bench.driven()
    (first,) = (finished / "paper" / "runs").iterdir()
    then = next(read_records(first / "fills.jsonl"))
    now = records(parts, "fills")[0]
    assert {name: now[name] for name in ("ts", "symbol", "side", "price", "qty", "fee")} == {
        name: then[name] for name in ("ts", "symbol", "side", "price", "qty", "fee")
    }


def test_the_end_follows_the_last_fact(bench: Bench) -> None:
    """The returned time is one nanosecond behind the last row, and everything recorded was heard."""
    parts, ended_ns = bench.driven()
    recording = Recording.open(bench.recording)
    assert ended_ns == recording.index.files[-1].last_received_ns + 1
    assert parts.ear.hearing.counts.frames == sum(one.kinds.get("1", 0) for one in recording.index.files)


def test_nothing_is_decided_before_the_first_instant(bench: Bench) -> None:
    """What lies before ``from_ns`` fills the windows: its signals are refused, the market is heard all the same."""
    fill_ns = records(bench.driven()[0], "fills")[0]["ts"] * 1000
    parts, _ = bench.driven(from_ns=fill_ns + SECOND_NS)
    assert not records(parts, "fills")
    assert parts.ear.hearing.counts.frames == bench.driven()[0].ear.hearing.counts.frames
    reasons = {one["reject_reason"] for one in records(parts, "signals")}
    assert reasons and all("OPERATOR" in reason for reason in reasons)


def test_nothing_is_heard_from_the_end_on(bench: Bench) -> None:
    """No row received at ``until_ns`` or later reaches the engine."""
    whole, ended_ns = bench.driven()
    until_ns = ended_ns - 4 * SECOND_NS
    parts, at_ns = bench.driven(until_ns=until_ns)
    assert at_ns <= until_ns < parts.engine.memory.now_ns + SECOND_NS
    rows = [int(one.engine.memory.engine[0]["rows"]) for one in (parts, whole)]
    assert 0 < rows[0] < rows[1]


def test_it_stops_behind_the_chunk_in_which_it_was_asked(bench: Bench) -> None:
    """Asked to stop, the driver takes no further chunk."""
    parts, recording = bench.made()
    taken: list[int] = []

    def chunks() -> Iterator[bytes]:
        for chunk in recording.chunks():
            taken.append(len(chunk))
            yield chunk

    told: list[int] = []
    history.drive(parts, chunks(), told.append, stop=lambda: True)
    assert taken == told and len(taken) == 1


def test_progress_counts_the_bytes(bench: Bench) -> None:
    """Progress is told behind each chunk with the sum so far."""
    parts, recording = bench.made()
    told: list[int] = []
    history.drive(parts, recording.chunks(), told.append)
    sizes = [len(chunk) for chunk in recording.chunks()]
    assert told == [sum(sizes[: number + 1]) for number in range(len(sizes))]


def test_chunks_of_any_size_give_the_same_run(bench: Bench, finished: Path, tmp_path: Path) -> None:
    """The same records in small chunks give the same files and the same state."""
    source = Recording.open(bench.recording)
    with RecordingWriter(tmp_path / bench.recording.name, meta=source.meta, wait=True, chunk_bytes=4096) as writer:
        for record in source.records():
            writer.record(record.kind, record.connection, record.payload, record.received_ns, record.number)
    whole, _ = bench.driven()
    bench.recording = tmp_path / bench.recording.name
    small, _ = bench.driven()
    assert len(list(Recording.open(bench.recording).chunks())) > len(list(source.chunks()))
    assert small.engine.memory.hash() == whole.engine.memory.hash()
    for name in ("decisions", "orders", "fills", "signals"):
        assert records(small, name) == records(whole, name)


def test_without_bounds_all_is_run(bench: Bench) -> None:
    """The bounds' defaults bound nothing."""
    _, ended_ns = bench.driven()
    _, again_ns = bench.driven(from_ns=0, until_ns=FAR_NS)
    assert ended_ns == again_ns
