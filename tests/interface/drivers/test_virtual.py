"""The virtual driver: one market, one clock, everything in order and the same each time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

import wiring
from config.load import load
from config.settings import Settings
from core.engine import Engine
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.emulator.generator import Generator
from exchange.emulator.source import GeneratedSource, depth_body
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from interface.drivers.virtual import ANSWER_NS, DRAIN_NS, FEED_LATENCY_NS, SILENCE_NS, VirtualClock, drive
from models.account import AccountShape
from models.action import Note
from models.instrument import E8
from models.recording import RecordKind

SECOND_NS = 10**9
START_NS = wiring.VIRTUAL_START_NS
Frame = tuple[int, str, bytes]
Heard = tuple[int, int, bytes, int, int]  # kind, connection, payload, received_ns, number


@cache
def settings(folder: str = "data") -> Settings:
    """The defaults, whatever the machine's own settings say."""
    loaded = load(overrides=[f"app.data_dir={folder}"], environment={}, folder=Path(folder))
    assert loaded.settings is not None
    return loaded.settings


class Run:
    """A course of its own, without files: everything the ear was told is in ``heard``, every note in ``notes``."""

    def __init__(self, symbols: tuple[str, ...] = ("BTCUSDT",), seed: int = 7) -> None:
        self.market = Generator(seed, START_NS, symbols)
        self.instruments = wiring.with_terms(self.market.instruments, settings())
        self.engine = Engine(self.instruments, settings(), "sc")
        shape = AccountShape(round(settings().risk.equity_usdt * E8), settings().risk.leverage)
        exchange = SimulatedExchange(self.instruments, shape, wiring.paper_terms(settings()))
        self.notes: list[Note] = []
        self.session = Session(self.engine, SimulatedVenue(exchange), None, self)
        self.heard: list[Heard] = []
        self.ear = Ear(Hearing(self.instruments), self.session, lambda *told: self.heard.append(told))
        self.session.resync = self.ear.resync

    def note(self, note: Note) -> None:
        self.notes.append(note)

    @property
    def flat(self) -> bool:
        return not self.engine.account.unfinished()

    def source(self, streams: Sequence[str] = ()) -> GeneratedSource:
        return GeneratedSource(self.market, self.instruments, streams or wiring.stream_names(settings()))

    def told(self, kind: int) -> list[Heard]:
        return [one for one in self.heard if one[0] == kind]


class Script:
    """Frames from a list; a snapshot is refused ``refusals`` times before it is given."""

    def __init__(self, frames: Iterable[Frame], body: bytes | None = None, refusals: int = 0) -> None:
        self._frames, self._body, self._refusals = list(frames), body, refusals
        self.asked = 0

    def frames(self) -> Iterable[Frame]:
        return iter(self._frames)

    def snapshot(self, instrument: int) -> bytes | None:
        self.asked += 1
        return None if self.asked <= self._refusals else self._body

    def trades(self, instrument: int) -> list[bytes]:
        return []


@cache
def market(seconds: int = 3, seed: int = 7) -> tuple[tuple[Frame, ...], bytes]:
    """The first seconds of a market, and the snapshot of its very beginning."""
    made = Generator(seed, START_NS)
    body = depth_body(made, "BTCUSDT")
    assert body is not None
    return tuple(made.frames(seconds * SECOND_NS)), body


def test_receive_times_rise_strictly() -> None:
    """Everything heard has its own instant, later than all before, and a number one above the last."""
    run = Run()
    drive(run, run.source(), 5 * SECOND_NS)
    times = [received_ns for _, _, _, received_ns, _ in run.heard]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert [number for *_, number in run.heard] == list(range(1, len(run.heard) + 1))


def test_frames_are_received_one_latency_after_the_venue() -> None:
    """A frame is heard one feed latency after its venue time, to the nanosecond unless another took the instant."""
    frames, _ = market()
    run = Run()
    drive(run, Script(frames), 10 * SECOND_NS, prime=False)
    told = run.told(RecordKind.FRAME)
    assert [payload for _, _, payload, _, _ in told] == [payload for _, _, payload in frames]
    late = [one[3] - frame[0] - FEED_LATENCY_NS for one, frame in zip(told, frames, strict=True)]
    assert min(late) == 0 and max(late) < 1_000


def test_depth_and_quotes_come_over_one_connection_everything_else_over_another() -> None:
    """As on the venue: public and market streams do not share a connection."""
    run = Run()
    drive(run, run.source(), 2 * SECOND_NS, prime=False)
    for _, connection, payload, _, _ in run.told(RecordKind.FRAME):
        stream = orjson.loads(payload)["stream"]
        assert connection == (0 if "@depth" in stream or "@bookTicker" in stream else 1)


def test_the_past_is_told_before_the_first_frame() -> None:
    """Primed, every instrument's recent trades come first, oldest page first, then frames; unprimed there are none."""
    run = Run(("BTCUSDT", "ETHUSDT"))
    drive(run, run.source(), SECOND_NS)
    kinds = [kind for kind, *_ in run.heard if kind != RecordKind.FACT]
    assert run.heard[0][0] == RecordKind.FACT  # the clock's offset comes before all else
    pages = run.told(RecordKind.TRADES_ANSWER)
    assert kinds == [RecordKind.TRADES_ANSWER] * len(pages) + kinds[len(pages) :]
    assert RecordKind.TRADES_ANSWER not in kinds[len(pages) :]
    for place in (0, 1):
        newest = [orjson.loads(payload)[-1]["a"] for _, connection, payload, _, _ in pages if connection == place]
        assert newest and newest == sorted(newest)
    bare = Run()
    drive(bare, bare.source(), SECOND_NS, prime=False)
    assert not bare.told(RecordKind.TRADES_ANSWER)


def test_a_snapshot_comes_one_round_trip_after_it_was_wanted() -> None:
    """Wanted at the first depth frame, answered with the first frame 20 ms later, once; the book follows from there."""
    run = Run()
    drive(run, run.source(), 3 * SECOND_NS, prime=False)
    first = next(one[3] for one in run.told(RecordKind.FRAME) if b"@depth" in one[2])
    (answer,) = run.told(RecordKind.DEPTH_ANSWER)
    assert first + ANSWER_NS <= answer[3] < first + ANSWER_NS + 200_000_000
    assert not run.ear.hearing.snapshot_wanted
    book = run.engine.memory.book(0)
    assert book["valid"] and book["best_bid"] < book["best_ask"]


def test_a_refused_snapshot_is_asked_for_again_each_round_trip() -> None:
    """While the market has no book the wish stands: it is asked again, never more often than every 20 ms."""
    frames, body = market()
    script = Script(frames, body, refusals=5)
    run = Run()
    drive(run, script, 10 * SECOND_NS, prime=False)
    (answer,) = run.told(RecordKind.DEPTH_ANSWER)
    first = next(one[3] for one in run.told(RecordKind.FRAME) if b"@depth" in one[2])
    assert script.asked == 6
    assert answer[3] >= first + 6 * ANSWER_NS


def test_a_lost_frame_is_noticed_and_mended() -> None:
    """After a hole in the diffs the book is asked for anew and is whole again within the second."""
    run = Run()
    depth = itertools.count()

    class Lossy(GeneratedSource):
        def frames(self) -> Iterable[Frame]:
            return (frame for frame in super().frames() if "@depth" not in frame[1] or next(depth) != 20)

    drive(run, Lossy(run.market, run.instruments, wiring.stream_names(settings())), 5 * SECOND_NS, prime=False)
    first, second = run.told(RecordKind.DEPTH_ANSWER)
    assert 1_500_000_000 < second[3] - first[3] < 3_000_000_000
    assert run.engine.memory.book(0)["valid"]


def test_silence_is_told_each_tenth_of_a_second() -> None:
    """In a gap of the market ticks say that nothing came, every 100 ms up to the next frame; else there are none."""
    frames, _ = market()
    gap_ns = SECOND_NS
    middle = len(frames) // 2
    apart = [*frames[:middle], *((at + gap_ns, stream, payload) for at, stream, payload in frames[middle:])]
    run, calm = Run(), Run()
    drive(calm, Script(frames), 10 * SECOND_NS, prime=False)
    assert not calm.told(RecordKind.TICK)
    drive(run, Script(apart), 10 * SECOND_NS, prime=False)
    before = frames[middle - 1][0] + FEED_LATENCY_NS
    ticks = [received_ns for _, _, _, received_ns, _ in run.told(RecordKind.TICK)]
    assert 9 <= len(ticks) <= 11
    assert all(0 <= tick - before - SILENCE_NS * number < 1_000 for number, tick in enumerate(ticks, 1))


def test_the_run_ends_on_time() -> None:
    """A flat run stops at its duration: nothing is heard from beyond it, and the end follows the last fact."""
    run = Run()
    end_ns = drive(run, run.source(), SECOND_NS, prime=False)
    frames = run.told(RecordKind.FRAME)
    first, last = frames[0][3], frames[-1][3]
    assert last < first + SECOND_NS <= end_ns < first + SECOND_NS + 100_000_000
    assert run.told(RecordKind.FACT)[-1][3] == first + SECOND_NS  # the run's own word that it ends


def test_an_open_position_is_closed_before_the_end() -> None:
    """Stopped in the middle of a trade, the run goes on until it is flat, and no longer than half a minute."""
    whole = Run()
    drive(whole, whole.source(), 60 * SECOND_NS)
    trade = next(note.record for note in whole.notes if note.file == "trades")
    opened_ns, closed_ns = int(trade["opened_at"]) * 1_000, int(trade["closed_at"]) * 1_000
    assert closed_ns - opened_ns > 200_000_000
    run = Run()
    cut_ns = opened_ns + 100_000_000 - START_NS
    end_ns = drive(run, run.source(), cut_ns)
    assert run.flat and START_NS + cut_ns < end_ns < START_NS + cut_ns + DRAIN_NS
    (closed,) = [note.record for note in run.notes if note.file == "trades"]
    assert closed["opened_at"] == trade["opened_at"] and closed["closed_at"] < trade["closed_at"]


def test_a_run_can_be_stopped_early() -> None:
    """Asked to stop, the run ends within the frame when it is flat."""
    run = Run()
    drive(run, run.source(), 60 * SECOND_NS, prime=False, stop=lambda: len(run.told(RecordKind.FRAME)) >= 100)
    assert len(run.told(RecordKind.FRAME)) == 100


def test_a_market_that_ends_ends_the_run() -> None:
    """When the source has no more frames the run is over, whatever its duration; an empty one ends at once."""
    frames, _ = market()
    run, empty = Run(), Run()
    end_ns = drive(run, Script(frames), 60 * SECOND_NS, prime=False)
    assert end_ns == run.heard[-1][3] + 1
    drive(empty, Script([]), 60 * SECOND_NS)
    assert empty.heard == []


def test_progress_is_told_up_to_the_end() -> None:
    """Progress rises from 0 to the run's length."""
    run, told = Run(), list[int]()
    drive(run, run.source(), SECOND_NS, told.append, prime=False)
    assert told[0] == 0 and told == sorted(told) and SECOND_NS * 0.98 < told[-1] < SECOND_NS


def test_the_clock_never_stands_still() -> None:
    """Asked for the past or for now, the clock still moves on by one."""
    clock = VirtualClock()
    assert [clock.at(wanted) for wanted in (5, 5, 3, 10, 10)] == [5, 6, 7, 10, 11]


@pytest.mark.parametrize("seed", [3, 7])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    """Twice the same seed: the same messages, the same notes, the same state; another seed another run."""
    one, again, other = Run(seed=seed), Run(seed=seed), Run(seed=seed + 100)
    for run in (one, again, other):
        drive(run, run.source(), 20 * SECOND_NS)
    assert one.heard == again.heard
    assert [(note.at_ns, note.file, note.record) for note in one.notes] == [
        (note.at_ns, note.file, note.record) for note in again.notes
    ]
    assert one.engine.memory.hash() == again.engine.memory.hash() != other.engine.memory.hash()


@pytest.mark.parametrize("seed", [1, 2, 7, 11])
def test_the_scalper_trades_within_the_first_minute(seed: int) -> None:
    """On any generated market the first minute has a burst that the scalper enters: a demonstration shows a trade."""
    run = Run(seed=seed)
    drive(run, run.source(), 60 * SECOND_NS)
    assert [note for note in run.notes if note.file == "fills"]
    assert [note for note in run.notes if note.file == "trades"]


def test_a_wired_run_keeps_the_same_files_each_time(tmp_path: Path) -> None:
    """Wired with journal, recording and files, two runs of a seed leave decisions, orders and fills that differ in
    nothing but the run's own name.
    """

    def kept(folder: Path) -> dict[str, list[Any]]:
        parts, source = wiring.paper_virtual(settings(str(folder)), seed=7, started_ns=1)
        drive(parts, source, 20 * SECOND_NS)
        parts.files.flush()
        for close in parts.closing:
            close()
        found = {}
        for name in ("decisions", "orders", "fills", "signals", "state_transitions"):
            lines = [json.loads(line) for line in (parts.folder / f"{name}.jsonl").read_text().splitlines()]
            found[name] = [{key: value for key, value in line.items() if key != "run_id"} for line in lines]
        return found

    one, two = kept(tmp_path / "one"), kept(tmp_path / "two")
    assert one == two and one["orders"]
