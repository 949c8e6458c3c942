"""The composition root: one function for each way to run, one record of parts. No other file knows the mode.

Paper, back test and a second run of a record are the same engine, session and simulated exchange; what differs is
where frames come from, whose clock counts, and what is kept.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from config.settings import APPLICATION, Settings
from config.venue import shipped_instruments, shipped_symbols
from config.version import VERSION
from core.engine import Engine
from core.kernels.kernel import address_of
from core.kernels.probe import collar_walk, depth_top, mid_before, quote_gap
from core.ports import Keeper
from core.session import Session
from data_collector.ear import Ear
from data_collector.feed import MarketFeed
from data_collector.hearing import Hearing
from data_collector.limits import FeedLimits
from data_collector.routes import streams_for
from exchange.binance.instruments import instruments_of
from exchange.binance.rest import MarketRest, VenueAnswerError
from exchange.emulator.flow import KINDS
from exchange.emulator.generator import Generator
from exchange.emulator.source import GeneratedSource, depth_body
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.terms import PaperTerms
from exchange.simulated.venue import SimulatedVenue
from interface.drivers import virtual
from interface.drivers.embedded import embedded
from interface.drivers.keep_warm import KeepWarm, Nowhere
from interface.drivers.parts import RUN, Parts, Printer
from interface.drivers.sockets import Line
from interface.summary import EMBEDDED
from models.account import AccountShape
from models.action import Note
from models.error import DataError, UsageError, VenueUnreachableError
from models.event import Command, Event
from models.instrument import E8, Fees, Instrument
from models.order import Side
from models.recording import RecordKind
from storage.cold.checksum import SEAL, SUMMARY_WORDS, walk_records
from storage.cold.journal import Journal
from storage.cold.journal_reader import check_journal
from storage.cold.keeper import ACTION, Finish, JournalKeeper, encode, kept
from storage.cold.recording import Recording
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import RunFiles, make_run_folder
from storage.cold.selection import Selection
from utils.clock import RunClock

MILLISECOND_NS = 1_000_000
WARM_SEED, WARM_NS = 7, 4_000_000_000  # the generated market's first burst, with its entry, lies inside
VIRTUAL_START_NS = 1_795_262_400_000_000_000  # 2026-11-21T12:00:00Z: a virtual run has no clock of its own
PREFIX = APPLICATION[:2]
GIGABYTE = 1 << 30
EMBEDDED_TIMEOUT_S = 15.0  # a child on a busy machine
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
        if symbol in shipped_symbols():
            found += shipped_instruments([symbol])
    return found  # without a dated copy the caller takes BTCUSDT's brackets and says so by ``dated``


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
) -> Parts:
    """Join the parts of one run around a simulated exchange; everything a mode decides is in the arguments."""
    wired = with_terms(instruments, settings)
    engine = Engine(wired, settings, client_prefix(epoch))
    shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
    venue = SimulatedVenue(SimulatedExchange(wired, shape, paper_terms(settings)))
    meta = {
        "version": VERSION, "run_id": place.run_id, "source": feed, "settings": digest(settings), "epoch": epoch,
        "instruments": msgspec.to_builtins(wired), **facts,
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
        found = tuple(msgspec.convert(meta["instruments"], list[Instrument]))
    except (KeyError, msgspec.ValidationError) as error:
        raise DataError(
            f"{where}: its index.json names no usable instruments ({error}); import the capture again", code="RECORDING"
        ) from None
    if not found:
        raise DataError(f"{where}: its index.json names no instruments; import the capture again", code="RECORDING")
    return found


def paper_virtual(
    settings: Settings, *, seed: int, started_ns: int, observer: Callable[[Note], None] | None = None
) -> tuple[Parts, GeneratedSource]:
    """Paper on the seeded market in virtual time: no sockets, no clock, the same bytes for the same seed.

    Raises UsageError for a depth speed that the market itself does not have; over sockets the emulator serves them all.
    """
    if stream_names(settings)[0] not in KINDS:
        raise UsageError(
            f"feed.depth_speed_ms is {settings.feed.depth_speed_ms}; in virtual time the generated market has 100 only"
        )
    market = Generator(seed, VIRTUAL_START_NS, settings.feed.symbols)
    place = Place(settings, "paper", started_ns)
    parts = build(
        settings,
        market.instruments,
        place,
        feed=EMBEDDED,
        epoch=f"{seed}|{digest(settings)}",
        facts={"seed": seed, "speed": "max", "assumptions": assumptions(settings)},
        threaded=False,
        record=settings.feed.record,
        observer=observer,
    )
    return parts, GeneratedSource(market, parts.instruments, stream_names(settings))


def history(
    settings: Settings, paths: Sequence[Path], *, mode: str, started_ns: int, selection: Selection | None = None,
    observer: Callable[[Note], None] | None = None,
) -> tuple[Parts, list[Recording]]:  # fmt: skip
    """Recorded markets through the same engine against the simulated exchange; of their contracts, ``selection``'s."""
    recordings = [Recording.open(path) for path in paths]
    instruments = recorded_instruments(recordings[0].meta, paths[0])
    for path, recording in zip(paths[1:], recordings[1:], strict=True):
        others = recorded_instruments(recording.meta, path)
        if [one.symbol for one in others] != [one.symbol for one in instruments]:
            raise DataError(
                f"{path} holds {' '.join(one.symbol for one in others)}, {paths[0]} "
                f"{' '.join(one.symbol for one in instruments)}; give recordings of the same symbols",
                code="RECORDING",
            )
    names = [recording.folder.name for recording in recordings]
    parts = build(
        settings,
        instruments if selection is None else selection.instruments,
        Place(settings, mode, started_ns),
        feed=f"file:{names[0]}",
        epoch=str(recordings[0].meta.get("epoch", "|".join([*names, digest(settings)]))),
        facts={"recordings": names, "assumptions": assumptions(settings)},
        threaded=False,
        record=False,
        journal=False,
        observer=observer,
        renewed=all("run_id" in recording.meta for recording in recordings),  # a run of ours renewed its snapshots
    )
    return parts, recordings


def assumptions(settings: Settings) -> str:
    """What the simulated exchange assumes, in one line: printed above every result."""
    paper = settings.paper
    fees = f"{paper.maker_bps:g}/{paper.taker_bps:g} bps fixed" if paper.fees == "fixed" else "of the venue's tier"
    return (
        f"market orders walk the known book, {paper.latency_out_ms:g} ms out, {paper.latency_back_ms:g} ms back, "
        f"reports {paper.reports}, queue {paper.queue_model}, fees {fees}"
    )


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


WARM_CHAIN_FRAMES = 400  # a second's beats use them up in 0.4 s; then the chain begins anew


def keep_warm_bot(settings: Settings) -> KeepWarm:
    """The scratch bot that keeps the path of a decision in the caches; see ``interface.drivers.keep_warm``."""
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

    return KeepWarm(engine, session, ear, venue, frames, restart, encode)


class _Mute:
    """Publishes to nobody. Records are built all the same: their kernels are to be compiled and warm as well."""

    def note(self, note: Note) -> None:
        _ = note.record


class SocketVenue:
    """Where a socket run hears and asks: feed, REST, and the line that opens when the run is ready."""

    def __init__(
        self, name: str, feed: MarketFeed, market: MarketRest, line: Line, instruments: tuple[Instrument, ...]
    ) -> None:
        self.gone: asyncio.Task[int] | None = None  # done when an exchange of ours has ended by itself
        self.name = name
        self.feed = feed
        self.market = market
        self.line = line
        self.instruments = instruments


async def choose_venue(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    source: str,
    clock: RunClock,
    emulator: Sequence[str],
) -> SocketVenue:
    """The venue's public streams when they deliver in time, else (``auto``) the embedded exchange.

    Raises VenueUnreachableError when ``source`` leaves no choice and it does not deliver.
    """
    feed = settings.feed
    if source in ("auto", "binance"):
        warm(settings)
        venue = await _connect(stack, settings, "binance", feed.rest_url, feed.stream_url, clock)
        if venue is not None:
            return venue
        if source == "binance":
            raise VenueUnreachableError(
                f"{feed.stream_url} did not deliver market data within {feed.deliver_timeout_s:g} s; check the "
                "network, or use --feed embedded"
            )
    exchange = await stack.enter_async_context(embedded(emulator, lambda: warm(settings)))
    venue = await _connect(stack, settings, EMBEDDED, exchange.rest_url, exchange.stream_url, clock)
    if venue is None:
        raise VenueUnreachableError(
            f"the embedded exchange did not deliver market data within {EMBEDDED_TIMEOUT_S:g} s; is the machine out of "
            "memory or time? free some and start again"
        )
    venue.gone = exchange.gone
    return venue


async def _connect(
    stack: contextlib.AsyncExitStack, settings: Settings, name: str, rest_url: str, stream_url: str, clock: RunClock
) -> SocketVenue | None:
    """Connect feed and REST of a venue; None when it does not deliver in time."""
    timeout_s = EMBEDDED_TIMEOUT_S if name == EMBEDDED else settings.feed.deliver_timeout_s
    line = Line()
    market = MarketRest(rest_url, clock.now_ns)
    streams = streams_for(enumerate(settings.feed.symbols), stream_names(settings))
    feed = MarketFeed(
        streams,
        stream_url,
        line.frame,
        clock.now_ns,
        limits=feed_limits(settings),
        transport=settings.feed.transport,
        tick=line.tick,
        on_stream=line.stream,
        rate=clock.rate,
    )
    feed.start()
    try:
        async with asyncio.timeout(timeout_s):
            instruments = instruments_of(await market.exchange_info(), settings.feed.symbols)
            delivers = await feed.delivering(timeout_s)
        if delivers:
            stack.push_async_callback(market.close)
            stack.push_async_callback(feed.stop)
            return SocketVenue(name, feed, market, line, tuple(instruments))
    except (TimeoutError, VenueUnreachableError, VenueAnswerError):
        pass
    await feed.stop()
    await market.close()
    return None


def paper_sockets(
    settings: Settings,
    venue: SocketVenue,
    *,
    seed: int,
    started_ns: int,
    speed: float,
    observer: Callable[[Note], None] | None,
) -> Parts:
    """Paper over real sockets: the simulated exchange trades on what the feed hears."""
    place = Place(settings, "paper", started_ns)
    return build(
        settings,
        venue.instruments,
        place,
        feed=venue.name,
        epoch=f"{place.run_id}|{digest(settings)}",
        facts={"seed": seed, "speed": speed, "assumptions": assumptions(settings)},
        threaded=True,
        record=settings.feed.record,
        observer=observer,
    )


class Again:
    """A finished run, found again: its folder, recording, journal and settings, ready to be run a second time."""

    def __init__(self, folder: Path, journal: Path, recording: Path) -> None:
        self.folder = folder
        self.run_id = folder.name
        header = check_journal(journal).header
        self._header = header
        self._recording = Recording.open(recording)
        self._again: list[Any] = []
        self._wishes: list[Any] = []
        self._outer: list[Event] = []
        self.finish: Finish | None = None
        for record, content in kept(journal):
            if isinstance(content, Finish):
                self.finish = content
            elif record.kind == ACTION:
                self._wishes.append(content)
            elif isinstance(content, Command) and content.source != RUN:
                self._outer.append(content)  # all other facts stand in the recording

    @classmethod
    def find(cls, data: Path, named: Path) -> Again:
        """By the run's folder, its recording's folder, or its id. Raises DataError when a part is missing."""
        here = named.absolute()
        name = here.name
        homes = sorted(data.glob("*/"))
        if here.is_dir() and here.parent.name == "runs":
            homes = [here.parent.parent]
        elif here.is_dir() and here.parent.name == "market":
            homes = sorted(here.parent.parent.glob("*/"))
        for home in homes:
            folder, journal = home / "runs" / name, home / "journal" / f"{name}.journal"
            if folder.is_dir() and journal.is_file():
                recording = home.parent / "market" / name
                if not recording.is_dir():
                    raise DataError(
                        f"run {name} has no recording at {recording}; it ran with feed.record = false, or the quota "
                        "has removed it"
                    )
                return cls(folder, journal, recording)
        raise DataError(
            f"{named} is no run with a journal (back tests keep none: run them again); give the folder of a run, such "
            f"as {data}/paper/runs/<run id>"
        )

    @property
    def recording(self) -> Recording:
        return self._recording

    @property
    def feed(self) -> str:
        """Where its market came from, as its records say."""
        return str(self._header.get("source", ""))

    def parts(self, scratch: Path) -> Parts:
        """The same parts once more, with the first run's settings, writing to ``scratch``."""
        settings = msgspec.convert(self._header["values"], Settings)
        app = msgspec.structs.replace(settings.app, data_dir=str(scratch))
        settings = msgspec.structs.replace(settings, app=app)
        return build(
            settings,
            recorded_instruments(self._header, self.folder),
            Place(settings, str(self.run_id.split("-")[1]), 0),
            feed=str(self._header["source"]),
            epoch=str(self._header["epoch"]),
            facts={},
            threaded=False,
            record=False,
            journal=False,
            agenda=self._outer,
            keeper=_Noted(self._again),
        )

    def drive(self, parts: Parts, progress: Callable[[int], None] | None) -> str:
        """Message by message, as the first time; the state hash at the end."""
        done = 0
        for record in self._recording.records():
            parts.ear.take(record.kind, record.connection, record.payload, record.received_ns)
            done += len(record.payload)
            if progress is not None:
                progress(done)
        ended_ns = self.finish.at_ns if self.finish is not None else parts.engine.memory.now_ns + 1
        parts.session.time(ended_ns)
        parts.session.carry(parts.engine.finish(ended_ns))
        return parts.engine.memory.hash()

    def wishes(self) -> list[Any]:
        return self._wishes

    def wishes_again(self) -> list[Any]:
        return self._again


class _Noted:
    """A keeper that only remembers wishes, to compare them."""

    def __init__(self, wishes: list[Any]) -> None:
        self._wishes = wishes

    def event(self, event: Event, frame: int) -> None:
        """Facts are compared through what they cause."""

    def action(self, action: Any, frame: int) -> None:
        self._wishes.append(action)
