"""One engine holds all instruments, and a strategy on one decides the same whether others are present or not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

import wiring
from config.settings import Settings
from config.venue import shipped_instruments, shipped_symbols
from core.engine import Engine
from core.kernels.kernel import address_of
from core.session import Session
from core.strategies.scalper import Scalper
from core.strategies.strategy import Decline, View
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.emulator.generator import Generator
from exchange.emulator.source import depth_body
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from models.account import AccountShape
from models.action import Note
from models.instrument import E8, Instrument
from models.order import Intent
from models.recording import RecordKind
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording

Heard = tuple[int, int, bytes, int]
Made = tuple[tuple[Instrument, ...], list[Heard]]
LATENCY_NS = 5_000_000


def eager() -> Settings:
    """Low thresholds: decisions to compare within minutes."""
    base = Settings()
    params = msgspec.structs.replace(
        base.strategy.params,
        volume_multiple=0.8,
        imbalance_entry=0.3,
        momentum_z=0.3,
        momentum_ready_min=1,
        baseline_bars=8,
    )
    return msgspec.structs.replace(base, strategy=msgspec.structs.replace(base.strategy, params=params))


class First(Scalper):
    """The scalper on the first instrument only."""

    def decide(self, view: View) -> Intent | Decline | None:
        return super().decide(view) if view.instrument.index == 0 else None


class Run:
    """A bot with the simulated exchange, and what it said."""

    def __init__(self, instruments: Sequence[Instrument], only_first: bool = True) -> None:
        settings = eager()
        wired = wiring.with_terms(instruments, settings)
        self.engine = Engine(wired, settings, "test", First(settings.strategy.params) if only_first else None)
        exchange = SimulatedExchange(wired, AccountShape(70 * E8, 10), wiring.paper_terms(settings))
        self.session = Session(self.engine, SimulatedVenue(exchange), None, self)
        self.ear = Ear(Hearing(wired), self.session, None, renewed=False)
        self.session.resync = self.ear.resync
        self.said: list[tuple[str, object]] = []

    def note(self, note: Note) -> None:
        if note.record.get("symbol", "BTCUSDT") == "BTCUSDT" and note.file != "state_transitions":
            self.said.append((note.file, note.record))

    def hear(self, messages: Sequence[Heard]) -> list[tuple[str, object]]:
        """All messages; what was said about the first instrument."""
        for kind, connection, payload, received_ns in messages:
            self.ear.take(kind, connection, payload, received_ns)
        return self.said


def generated(seconds: int, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> Made:
    """A market of two contracts: snapshots, then frames in order of receipt."""
    market = Generator(11, wiring.VIRTUAL_START_NS, symbols)
    names = [f"{symbol.lower()}@{suffix}" for symbol in symbols for suffix in ("depth@100ms", "bookTicker", "aggTrade")]
    heard: list[Heard] = []
    wanted = set(range(len(symbols)))
    for venue_ns, stream, payload in market.frames(duration_ns=seconds * 1_000_000_000, streams=names):
        heard.append((RecordKind.FRAME, 0, payload, venue_ns + LATENCY_NS))
        index = symbols.index(stream.partition("@")[0].upper())
        if index in wanted and "depth" in stream:
            wanted.discard(index)
            body = depth_body(market, symbols[index])
            assert body is not None
            heard.append((RecordKind.DEPTH_ANSWER, index, body, venue_ns + LATENCY_NS))
    return market.instruments, heard


def of_first(messages: Sequence[Heard]) -> list[Heard]:
    """The messages of BTCUSDT alone."""
    return [
        one
        for one in messages
        if (one[0] == RecordKind.FRAME and b"btcusdt@" in one[2][:40]) or (one[0] != RecordKind.FRAME and one[1] == 0)
    ]


@pytest.fixture(scope="module")
def market() -> Made:
    """Four minutes of BTCUSDT and ETHUSDT."""
    return generated(240)


def test_btc_decides_alike_beside_eth(market: Made) -> None:
    """The scalper on BTCUSDT signals, orders, fills and closes the same, to the byte, with ETHUSDT heard beside it."""
    instruments, messages = market
    together = Run(instruments).hear(messages)
    alone = Run(instruments[:1]).hear(of_first(messages))
    assert together == alone
    assert {"signals", "orders", "fills", "trades"} <= {file for file, _ in alone}


def test_real_captures_merged_decide_as_btc_alone(shared: Path, tmp_path: Path) -> None:
    """The BTC and ETH captures of 2024-08-08 as one recording: the scalper decides as on the BTC capture alone."""
    raw = shared / "market-data" / "raw"
    files = [raw / f"binance-usdm-{name}-raw-2024-08-08T2354.gz" for name in ("btcusdt", "ethusdt")]
    known = {one.symbol: one for one in shipped_instruments(shipped_symbols())}
    offset_ms = 1273.0
    said: list[list[tuple[str, object]]] = []
    for name, chosen in (("both", files), ("alone", files[:1])):
        import_raw_lines(chosen, tmp_path / name, unit="ns", clock_offset_ms=offset_ms, known=known, progress=None)
        recording = Recording.open(tmp_path / name)
        run = Run(wiring.recorded_instruments(recording.meta, tmp_path))
        for chunk in recording.chunks():
            run.ear.chunk(chunk)
        said.append(run.said)
    assert said[0] == said[1]
    assert any(file == "signals" for file, _ in said[1])


def rows_run(instruments: tuple[Instrument, ...], rows: np.ndarray, cuts: Sequence[int]) -> tuple[object, str, bytes]:
    """Rows through engine and exchange, cut at ``cuts``: what was said, and both state hashes."""
    run = Run(instruments, only_first=False)
    at = 0
    for stop in [*cuts, len(rows)]:
        run.session.rows(address_of(rows), at, stop)
        at = stop
    exchange = run.session.venue.exchange  # type: ignore[attr-defined]
    return run.said, run.engine.memory.hash(), exchange.state_hash()


@pytest.mark.parametrize("seed", range(3))
def test_any_split_of_the_rows_gives_the_same(
    market: Made, seed: int, tmp_path: Path, made_rows: Callable[[], np.ndarray]
) -> None:
    """Rows cut at random places, inside frames too, give identical records and states of engine and exchange."""
    instruments, _ = market
    rows = made_rows()
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(rows)), 400))
    assert rows_run(instruments, rows, cuts) == rows_run(instruments, rows, [])


@pytest.fixture(scope="module")
def made_rows(market: Made) -> Callable[[], np.ndarray]:
    """The rows of the market, heard once."""
    instruments, messages = market
    hearing = Hearing(instruments)
    blocks = []
    for number, (kind, connection, payload, received_ns) in enumerate(messages, 1):
        count = hearing.hear(kind, connection, payload, received_ns, number)
        blocks.append(hearing.rows[:count].copy())
    rows = np.concatenate(blocks)
    return lambda: rows
