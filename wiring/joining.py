"""Joins the parts of one run: engine, venue, session, ear, and what is kept. Every way to run ends here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.settings import Settings
from config.version import VERSION
from core.engine import Engine
from core.ports import Keeper, Venue
from core.session import Session
from core.strategies.strategy import Strategy
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from interface.drivers.parts import Parts, Printer
from models.account import AccountShape
from models.action import Note
from models.event import Event
from models.instrument import E8, Instrument
from storage.cold.journal import Journal
from storage.cold.keeper import JournalKeeper
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import RunFiles, make_run_folder
from wiring.terms import PREFIX, client_prefix, digest, paper_terms, with_terms

GIGABYTE = 1 << 30


class Place:
    """Where a run keeps its files: ``data/<mode>/runs/<run_id>``, journal and recording beside."""

    def __init__(self, settings: Settings, mode: str, started_ns: int, token: str = "") -> None:
        self.mode = mode
        self.data = Path(settings.app.data_dir)
        self.home = self.data / mode
        self.run_id, self.folder = make_run_folder(self.home / "runs", started_ns, mode, token)
        self.journal = self.home / "journal" / f"{self.run_id}.journal"
        self.recording = self.data / "market" / self.run_id


def build(
    settings: Settings,
    instruments: Sequence[Instrument],
    place: Place,
    *,
    feed: str,
    epoch: str,
    facts: dict[str, Any],
    threaded: bool,
    record: bool,
    journal: bool = True,
    agenda: Iterable[Event] = (),
    keeper: Keeper | None = None,
    observer: Callable[[Note], None] | None = None,
    renewed: bool = True,
    venue: Venue | None = None,
    strategy: Strategy | None = None,
) -> Parts:
    """Join the parts of one run; everything a mode decides is in the arguments.

    Without ``venue`` orders go to a simulated exchange of its own. A given one is real: it can lose words, so the
    engine gets custody of the account. ``strategy`` takes the place of the settings' one.
    """
    wired, simulated = with_terms(instruments, settings), venue is None
    engine = Engine(wired, settings, client_prefix(epoch), strategy, custody="" if simulated else PREFIX)
    venue = _simulated(wired, settings) if venue is None else venue
    meta = {
        "version": VERSION, "run_id": place.run_id, "source": feed, "settings": digest(settings), "epoch": epoch,
        "instruments": msgspec.to_builtins(wired), "account": "simulated" if simulated else "real", **facts,
    }  # fmt: skip
    closing: list[Callable[[], None]] = []
    if journal:
        written = _journal(place, settings, meta)
        keeper = JournalKeeper(written)
        closing.append(written.close)
    files = RunFiles(place.folder, place.run_id, feed=feed, threaded=threaded)  # makes the folder: after refusals
    session = Session(engine, venue, keeper, Printer(files, observer))
    session.agenda.extend(agenda)
    writer = _recorder(place, settings, meta, wait=not threaded) if record else None
    if writer is not None:
        closing.insert(0, writer.close)
    hearing = Hearing(wired, on_quarantine=lambda refused: files.write("quarantine", refused.record()))
    ear = Ear(hearing, session, writer.record if writer is not None else None, renewed=renewed)
    session.resync = ear.resync
    closing.append(files.close)
    return Parts(
        run_id=place.run_id,
        mode=place.mode,
        feed=feed,
        folder=place.folder,
        instruments=wired,
        engine=engine,
        session=session,
        ear=ear,
        files=files,
        keeper=keeper,
        writer=writer,
        closing=closing,
        facts={**facts, "epoch": epoch, "recording": str(place.recording) if record else None},
    )


def _simulated(instruments: Sequence[Instrument], settings: Settings) -> SimulatedVenue:
    shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
    return SimulatedVenue(SimulatedExchange(instruments, shape, paper_terms(settings)))


def _journal(place: Place, settings: Settings, meta: dict[str, Any]) -> Journal:
    place.journal.parent.mkdir(parents=True, exist_ok=True)
    header = {**meta, "values": msgspec.to_builtins(settings)}
    return Journal(place.journal, header, sync="always" if settings.journal.sync == "always" else "interval")


def _recorder(place: Place, settings: Settings, meta: dict[str, Any], *, wait: bool) -> RecordingWriter:
    return RecordingWriter(
        place.recording,
        meta=meta,
        quota_bytes=int(settings.recording.quota_gb * GIGABYTE),
        chunk_bytes=settings.recording.chunk_mb << 20,
        wait=wait,
    )
