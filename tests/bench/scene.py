"""What the benchmarks run: frames of a generated or recorded market, and a bot that hears them with no venue behind.

``generated`` is the embedded exchange's seeded market: anybody has it. ``--recording FOLDER`` takes an imported capture
instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import wiring
from config.settings import Settings
from core.engine import Engine
from core.kernels.engine import advance
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.emulator.generator import Generator
from exchange.emulator.source import depth_body
from models.action import Note, Wish
from models.event import BookInvalid, ClockOffset, Event
from models.instrument import Instrument
from models.recording import RecordKind
from models.rows import FAR_NS
from storage.cold.recording import Recording

SEED = 7
FEED_LATENCY_NS = 5_000_000
SNAPSHOT_EVERY_NS = 15_000_000_000
STREAMS = ("depth@100ms", "bookTicker", "aggTrade")


class Message(NamedTuple):
    """One heard message, as the recording keeps it."""

    kind: int
    connection: int
    payload: bytes
    received_ns: int


class Market(NamedTuple):
    """Messages in order of receipt, and the instruments they are about."""

    instruments: tuple[Instrument, ...]
    messages: list[Message]

    def frames(self) -> list[bytes]:
        """The payloads of the stream frames."""
        return [message.payload for message in self.messages if message.kind == RecordKind.FRAME]


def generated(
    seconds: float, *, seed: int = SEED, streams: Sequence[str] = STREAMS, snapshot_every_ns: int = SNAPSHOT_EVERY_NS
) -> Market:
    """``seconds`` of the seeded market: frames, and a REST snapshot at first and every 15 s, as a run asks for."""
    settings = Settings()
    market = Generator(seed, wiring.VIRTUAL_START_NS, settings.feed.symbols)
    instruments = wiring.with_terms(market.instruments, settings)
    names = [f"{one.symbol.lower()}@{suffix}" for one in instruments for suffix in streams]
    messages: list[Message] = []
    first_ns = due_ns = -1
    for venue_ns, _, payload in market.frames(streams=names):
        first_ns = venue_ns if first_ns < 0 else first_ns
        if venue_ns > first_ns + seconds * 1e9:
            break
        received_ns = venue_ns + FEED_LATENCY_NS
        if venue_ns >= due_ns and b"depthUpdate" in payload[:80]:
            # The book behind this frame, so it is asked for before the next one can be heard.
            due_ns = venue_ns + snapshot_every_ns
            for one in instruments:
                body = depth_body(market, one.symbol)
                if body is not None:
                    messages.append(Message(RecordKind.DEPTH_ANSWER, one.index, body, received_ns))
        messages.append(Message(RecordKind.FRAME, 0, payload, received_ns))
    return Market(instruments, messages)


def recorded(folder: Path) -> Market:
    """The messages of an imported capture or of a run's recording."""
    recording = Recording.open(folder)
    instruments = wiring.with_terms(wiring.recorded_instruments(recording.meta, folder), Settings())
    kept = [
        Message(one.kind, one.connection, bytes(one.payload), one.received_ns)
        for one in recording.records()
        if one.kind in (RecordKind.FRAME, RecordKind.DEPTH_ANSWER, RecordKind.TRADES_ANSWER)
    ]
    return Market(instruments, kept)


class Deaf:
    """Publishes to nobody."""

    def note(self, note: Note) -> None:
        """Records are not what is measured."""


class Outside:
    """A venue beyond the process: it takes orders, answers nothing, and keeps no book of its own."""

    due_ns = FAR_NS

    def __init__(self) -> None:
        self.taken: list[Wish] = []

    def advance(self, engine_address: int, rows_address: int, start: int, stop: int) -> int:
        result: int = advance(engine_address, rows_address, start, stop)
        return result

    passage = (0, 0)

    def settle(self, rows_address: int, stop: int) -> None:
        """Nothing of its own to settle."""

    def execute(self, action: Wish) -> None:
        self.taken.append(action)

    def take(self, until_ns: int) -> Sequence[Event]:
        return ()

    def hear(self, event: ClockOffset | BookInvalid) -> None:
        """No picture of its own."""


class Bot:
    """The bot from bytes to orders, as a live venue sees it."""

    def __init__(self, instruments: Sequence[Instrument], settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.engine = Engine(instruments, settings, "bench")
        self.venue = Outside()
        self.session = Session(self.engine, self.venue, None, Deaf())
        self.ear = Ear(Hearing(instruments), self.session, None)
        self.session.resync = self.ear.resync

    def hear(self, messages: Sequence[Message]) -> None:
        """Take messages one by one, frames through the hot path."""
        ear = self.ear
        for kind, connection, payload, received_ns in messages:
            if kind == RecordKind.FRAME:
                ear.frame(connection, payload, received_ns)
            else:
                ear.take(kind, connection, payload, received_ns)
