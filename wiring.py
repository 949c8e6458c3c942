"""The composition root: one function for each way to run, one record of parts. No other file knows the mode.

Paper, back test and a second run of a record are the same engine, session and simulated exchange; what differs is
where frames come from, whose clock counts, and what is kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.settings import APPLICATION, Settings
from config.venue import shipped_instruments
from config.version import VERSION
from core.engine import Engine
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from data_collector.limits import FeedLimits
from data_collector.quarantine import Quarantined
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.terms import PaperTerms
from exchange.simulated.venue import SimulatedVenue
from interface.drivers.parts import Parts, Printer
from models.account import AccountShape
from models.action import Note
from models.error import DataError
from models.event import Event
from models.instrument import E8, Fees, Instrument
from storage.cold.journal import Journal
from storage.cold.keeper import JournalKeeper
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import RunFiles, make_run_folder

MILLISECOND_NS = 1_000_000
PREFIX = APPLICATION[:2]
GIGABYTE = 1 << 30
PUBLIC_STREAMS = ("bookTicker",)
MARKET_STREAMS = ("aggTrade", "markPrice@1s", "forceOrder", "kline_1m")


class Place:
    """Where a run keeps its files: ``data/<mode>/runs/<run_id>``, journal and recording beside."""

    def __init__(self, settings: Settings, mode: str, started_ns: int, token: str = "") -> None:
        self.mode = mode
        self.data = Path(settings.app.data_dir)
        self.home = self.data / mode
        self.run_id, self.folder = make_run_folder(self.home / "runs", started_ns, mode, token)
        self.journal = self.home / "journal" / f"{self.run_id}.journal"
        self.recording = self.data / "market" / self.run_id


def digest(settings: Settings) -> str:
    """sha256 over the settings that can change a decision: strategy, risk, execution, paper, trust, hypothesis."""
    parts = (
        settings.strategy, settings.risk, settings.execution, settings.paper, settings.trust, settings.hypothesis,
        settings.feed.symbols,
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def client_prefix(epoch_of: str) -> str:
    """``sc`` and the run's eight-character epoch: a function of the input, so that a second run makes the same ids."""
    return PREFIX + base64.b32encode(hashlib.sha256(epoch_of.encode()).digest())[:8].decode().lower()


def paper_terms(settings: Settings) -> PaperTerms:
    """The simulated exchange's terms from the settings' milliseconds."""
    paper = settings.paper
    fees = None
    if paper.fees == "fixed":
        fees = Fees(maker_e8=round(paper.maker_bps * 10_000), taker_e8=round(paper.taker_bps * 10_000))
    return PaperTerms(
        latency_out_ns=round(paper.latency_out_ms * MILLISECOND_NS),
        latency_back_ns=round(paper.latency_back_ms * MILLISECOND_NS),
        jitter_ns=round(paper.jitter_ms * MILLISECOND_NS),
        seed=paper.seed,
        lag_bound_ns=paper.lag_bound_ms * MILLISECOND_NS,
        queue=paper.queue_model,
        reports=paper.reports,
        fees=fees,
    )


def with_terms(instruments: Sequence[Instrument], settings: Settings) -> tuple[Instrument, ...]:
    """Instruments with fees and brackets: the venue's where it told them, else the shipped dated copy's."""
    known = {one.symbol: one for one in _shipped([one.symbol for one in instruments])}
    terms = paper_terms(settings)
    found = []
    for one in instruments:
        copy = known.get(one.symbol) or next(iter(known.values()), None) or shipped_instruments(["BTCUSDT"])[0]
        brackets = one.brackets or copy.brackets
        dated = one.dated or (copy.dated if not one.brackets else "")
        fees = terms.fees or (one.fees if one.brackets else copy.fees)
        found.append(msgspec.structs.replace(one, brackets=brackets, fees=fees, dated=dated))
    return tuple(found)


def _shipped(symbols: Sequence[str]) -> list[Instrument]:
    found = []
    for symbol in symbols:
        try:
            found += shipped_instruments([symbol])
        except Exception:
            continue  # no dated copy of this symbol: the caller takes BTCUSDT's brackets and says so by ``dated``
    return found


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
    observer: Callable[[Note], None] | None = None,
) -> Parts:
    """Join the parts of one run around a simulated exchange; everything a mode decides is in the arguments."""
    wired = with_terms(instruments, settings)
    engine = Engine(wired, settings, client_prefix(epoch))
    files = RunFiles(place.folder, place.run_id, threaded=threaded)
    shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
    venue = SimulatedVenue(SimulatedExchange(wired, shape, paper_terms(settings)))
    meta = {
        "version": VERSION, "run_id": place.run_id, "source": feed, "settings": digest(settings), "epoch": epoch,
        "instruments": msgspec.to_builtins(wired), **facts,
    }  # fmt: skip
    closing: list[Callable[[], None]] = []
    keeper = None
    if journal:
        place.journal.parent.mkdir(parents=True, exist_ok=True)
        kept = Journal(
            place.journal,
            {**meta, "values": msgspec.to_builtins(settings)},
            sync="always" if settings.journal.sync == "always" else "interval",
        )
        keeper = JournalKeeper(kept)
        closing.append(kept.close)
    session = Session(engine, venue, keeper, Printer(files, observer))
    session.agenda.extend(agenda)
    writer = None
    if record:
        writer = RecordingWriter(
            place.recording,
            meta=meta,
            quota_bytes=int(settings.recording.quota_gb * GIGABYTE),
            chunk_bytes=settings.recording.chunk_mb << 20,
            wait=not threaded,
        )
        closing.insert(0, writer.close)
    hearing = Hearing(wired, on_quarantine=lambda refused: files.write("quarantine", quarantine_record(refused)))
    ear = Ear(hearing, session, writer.record if writer is not None else None)
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
        closing=closing,
        facts={**facts, "epoch": epoch, "recording": str(place.recording) if record else None, "writer": writer},
    )


def quarantine_record(refused: Quarantined) -> dict[str, Any]:
    """A refused frame for ``quarantine.jsonl``: reason and bytes."""
    return {
        "ts": refused.received_ns // 1000,
        "reason": refused.reason.value,
        "detail": refused.detail,
        "stream": refused.stream,
        "connection": refused.connection,
        "number": refused.number,
        "length": refused.length,
        "bytes": refused.payload.decode("utf-8", "backslashreplace"),
    }


def feed_limits(settings: Settings) -> FeedLimits:
    """The connector's bounds from the settings."""
    feed = settings.feed
    return FeedLimits(
        backoff_cap_s=feed.backoff_cap_s,
        attempts_max=feed.attempts_per_5min,
        rotate_after_s=feed.rotate_h * 3600,
        frame_bytes_max=feed.frame_kb_max << 10,
        silence_ms=float(feed.tick_ms),
    )


def stream_names(settings: Settings) -> tuple[str, ...]:
    """The stream suffixes of one symbol, by the depth speed of the settings."""
    speed = settings.feed.depth_speed_ms
    depth = "depth" if speed == 250 else f"depth@{speed}ms"
    return (depth, *PUBLIC_STREAMS, *MARKET_STREAMS)


def recorded_instruments(meta: dict[str, Any], where: Path) -> tuple[Instrument, ...]:
    """The instruments a recording was made with. Raises DataError when its index does not name them."""
    try:
        return tuple(msgspec.convert(meta["instruments"], list[Instrument]))
    except (KeyError, msgspec.ValidationError) as error:
        raise DataError(
            f"{where}: its index.json names no usable instruments ({error}); import the capture again", code="RECORDING"
        ) from None
