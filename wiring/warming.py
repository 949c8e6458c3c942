"""Nothing compiles while a market moves: the whole path runs once on a scratch engine before the first socket opens."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from config.settings import Settings
from core.engine import Engine
from core.kernels.kernel import address_of
from core.kernels.probe import collar_walk, depth_top, mid_before, quote_gap
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.binance.venue import BinanceVenue
from exchange.emulator.generator import Generator
from exchange.emulator.source import GeneratedSource, depth_body
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from interface.drivers import virtual
from interface.drivers.keep_warm import KeepWarm, Nowhere
from interface.drivers.parts import Parts
from models.account import AccountShape
from models.action import Note, Submit
from models.instrument import E8
from models.order import Side
from models.recording import RecordKind
from storage.cold.checksum import SEAL, SUMMARY_WORDS, walk_records
from storage.cold.keeper import encode
from wiring.terms import PREFIX, VIRTUAL_START_NS, paper_terms, stream_names, with_terms

WARM_SEED, WARM_NS = 7, 4_000_000_000  # the generated market's first burst, with its entry, lies inside


WARM_CHAIN_FRAMES = 400  # a second's beats use them up in 0.4 s; then the chain begins anew


def warm(settings: Settings) -> None:
    """Compile or load every kernel and run the whole path once, orders included, on a scratch engine.

    Done before the first socket opens: nothing compiles while a market moves. 0.4 s from the cache, 20 s without.
    """
    scratch = Scratch(settings)
    virtual.drive(scratch, GeneratedSource(scratch.market, scratch.instruments, stream_names(settings)), WARM_NS)
    # What that run does not reach: frames heard before the start, refusals, checksums (4 s where nothing is cached).
    Hearing(scratch.instruments).hear(RecordKind.FRAME, 0, b"{}", 1, 1)
    memory, nothing = scratch.engine.memory.address, np.zeros(SUMMARY_WORDS, np.int64)
    collar_walk(memory, 0, Side.BUY.value, 1)
    depth_top(memory, 0, 1)
    mid_before(memory, 0, 0)
    quote_gap(memory, 0)
    walk_records(address_of(nothing), 0, SEAL, address_of(nothing))


def compiled() -> bool:
    """Whether a ``warm`` before has left every kernel in the cache: its last one is there."""
    cache = os.environ.get("NUMBA_CACHE_DIR")
    return cache is not None and any(Path(cache).rglob("checksum.walk_records*.nbi"))


class Scratch:
    """An engine of its own on the generated market; keeps and publishes nothing: for warming, never for trading."""

    def __init__(self, settings: Settings) -> None:
        self.market = Generator(WARM_SEED, VIRTUAL_START_NS, ("BTCUSDT",))
        self.instruments = with_terms(self.market.instruments, settings)
        self.engine = Engine(self.instruments, settings, PREFIX)
        shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
        exchange = SimulatedExchange(self.instruments, shape, paper_terms(settings))
        self.session = Session(self.engine, SimulatedVenue(exchange), None, _Mute())
        self.ear = Ear(Hearing(self.instruments), self.session, None)

    @property
    def flat(self) -> bool:
        return not self.engine.account.unfinished()


def keep_warm_bot(settings: Settings, rehearse: Callable[[Submit], object] = encode) -> KeepWarm:
    """The scratch bot that keeps the path of a decision in the caches; see ``interface.drivers.keep_warm``.

    ``rehearse`` is what the run's journal and venue do to an order before its first byte leaves, without an effect.
    """
    market = Generator(WARM_SEED, VIRTUAL_START_NS, ("BTCUSDT",))
    instruments = with_terms(market.instruments, settings)
    engine, venue = Engine(instruments, settings, PREFIX), Nowhere()
    session = Session(engine, venue, None, _Mute())
    ear = Ear(Hearing(instruments), session, None, renewed=False)
    frames: list[bytes] = []
    body = b""
    for _, _, payload in market.frames(streams=["btcusdt@depth@100ms"]):
        if not body:
            body = depth_body(market, "BTCUSDT") or b""
        elif len(frames) < WARM_CHAIN_FRAMES:
            frames.append(payload)
        else:
            break

    def restart(at_ns: int) -> None:
        ear.resync(0, "RESTART", at_ns)
        ear.pass_on(0)
        ear.take(RecordKind.DEPTH_ANSWER, 0, body, at_ns)

    return KeepWarm(engine, session, ear, venue, frames, restart, rehearse)


def warmth(settings: Settings, parts: Parts, venue: BinanceVenue | None) -> KeepWarm:
    """The scratch bot for a run: it rehearses with the run's own journal and, on a real account, its venue."""

    def rehearse(submit: Submit) -> None:
        if parts.keeper is not None:
            parts.keeper.rehearse(submit)
        if venue is not None:
            venue.rehearse(submit.order)

    return keep_warm_bot(settings, rehearse)


class _Mute:
    """Publishes to nobody. Records are built all the same: their kernels are to be compiled and warm as well."""

    def note(self, note: Note) -> None:
        _ = note.record
