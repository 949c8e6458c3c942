"""One life of the bot on connections in memory: from its first connection to its end or its death.

All of it is the product: feed, ear, session, engine, custody, journal records, venue adapter, private stream, the
driver of real runs. Only what touches the outside is replaced: sockets, REST client, clock, disk.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiohttp import ClientError
from yarl import URL

from config.secret import Secret
from config.settings import Settings
from core.engine import Engine
from core.session import Session
from data_collector.ear import Ear
from data_collector.feed import MarketFeed
from data_collector.hearing import Hearing
from data_collector.routes import streams_for
from exchange.binance.assembly import Addresses, binance_venue
from exchange.binance.instruments import instruments_of
from exchange.binance.requests import Terms
from exchange.binance.rest import MarketRest, _whole
from exchange.binance.rules import RuleWatch
from exchange.binance.shape import shaped
from exchange.binance.signing import HmacSigner
from exchange.binance.venue import BinanceVenue
from exchange.emulator.http import Reply, Request
from interface.drivers import sockets
from interface.drivers.parts import Parts
from models.action import Note, Remember, Submit, Wish
from models.error import VenueUnreachableError
from models.event import Event, Inherited
from models.instrument import Instrument
from storage.cold.keeper import JournalKeeper
from utils.clock import RunClock
from wiring.real import AccountSide
from wiring.simulation.exchange import Exchange
from wiring.simulation.memory_journal import MemoryJournal
from wiring.simulation.network import PEER, Network
from wiring.terms import PREFIX, client_prefix, feed_limits, stream_names, with_terms

HOST = "venue.simulation"
PULSE_S = 0.2  # of the run; the feed looks half as often: what is due in silence is at most so late
SILENCE_MS = 1_000.0  # the market is heard each 400 ms; the run's pulse delivers what is due between
DELIVER_S = 10.0

OWNER: contextvars.ContextVar[Any] = contextvars.ContextVar("owner", default=None)
"""Whose task is being made: a killed bot takes all of its own with it."""


class MemoryRest(MarketRest):
    """The public REST reader over the door of a venue in the same process."""

    def __init__(self, network: Network, exchange: Exchange, now_ns: Callable[[], int], dice: Random) -> None:
        super().__init__(f"http://{HOST}", now_ns, monotonic_s=network.loop.time, random=dice.random)
        self._network, self._exchange = network, exchange

    async def _once(self, endpoint: str, url: URL, weight: int, shape: str | list[Any] | None) -> bytes:
        network, label = self._network, "timeout"
        try:
            async with asyncio.timeout(self._limits.total_s):
                reply = await self._asked(Request("GET", url.path, url.raw_query_string.encode(), {}, b"", PEER[0]))
            label = f"{reply.status // 100}xx"
        finally:
            key = (endpoint, label)
            self._requests[key] = self._requests.get(key, 0) + 1
        if network.dead or reply.cut_at is not None:
            raise ClientError("the connection ended before the answer did")
        answer: Any = Answered(reply)
        self._heed(answer)
        if reply.status != 200:
            raise self._refusal(endpoint, answer, reply.body)
        return _whole(endpoint, reply.body, shape)

    async def _asked(self, request: Request) -> Reply:
        network, loop = self._network, self._network.loop
        answer: asyncio.Future[Reply] = loop.create_future()

        def respond(reply: Reply) -> None:
            if not reply.hang:
                loop.call_later(network.latency_s(), lambda: answer.done() or answer.set_result(reply))

        await asyncio.sleep(network.latency_s())
        self._exchange.venue.request(request, respond)
        return await answer


class Answered:
    """A reply as ``MarketRest`` reads one."""

    def __init__(self, reply: Reply) -> None:
        self.status, self.headers = reply.status, reply.headers


class Watch:
    """What a run is told of a bot: every fact and wish that the journal keeps, in order."""

    def event(self, bot: Bot, event: Event) -> None: ...

    def action(self, bot: Bot, action: Wish | Remember) -> None: ...

    def near(self, bot: Bot, record: int, written: bool) -> None: ...


class WatchedKeeper(JournalKeeper):
    """The journal's keeper, with a watcher beside it."""

    def __init__(self, bot: Bot, journal: Any, watch: Watch) -> None:
        super().__init__(journal)
        self._bot, self._watch = bot, watch

    def event(self, event: Event, frame: int) -> None:
        super().event(event, frame)
        self._watch.event(self._bot, event)

    def action(self, action: Wish | Remember, frame: int) -> None:
        if isinstance(action, Submit):
            self._watch.action(self._bot, action)  # while it is still a wish
        super().action(action, frame)


class Mute:
    """Publishes to nobody; the files of a run are no part of this."""

    problem, lost, left_out = "", 0, 0

    def note(self, note: Note) -> None:
        _ = note.record

    def write(self, file: str, record: dict[str, Any]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def write_document(self, name: str, document: Any) -> None: ...


class Bot:
    """``live`` ends when ``stop`` is set; ``kill`` ends everything at once."""

    def __init__(
        self, exchange: Exchange, network: Network, settings: Settings, dice: Random, watch: Watch, *, name: str,
        anchor_ns: int, left: Inherited | None,
    ) -> None:  # fmt: skip
        self.exchange, self.network, self.settings, self.dice = exchange, network, settings, dice
        self.name, self.left = name, left
        self.loop = network.loop
        self.stop = asyncio.Event()
        self.dead = asyncio.Event()
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.began_s = self.loop.now_s
        self.ready_s = -1.0  # when the account had been read and everything in it was protected
        self.clock = RunClock(anchor_ns, monotonic_ns=lambda: self.loop.now_ns)
        self.journal = MemoryJournal(lambda record, written: watch.near(self, record, written))
        self.keeper = WatchedKeeper(self, self.journal, watch)
        self.side: AccountSide
        self.parts: Parts | None = None
        self.ended = False

    @property
    def engine(self) -> Engine | None:
        return None if self.parts is None else self.parts.engine

    async def live(self) -> None:
        """Connect, take over what is there, trade, close what is open."""
        OWNER.set(self)
        now_ns = self.clock.now_ns
        limits = msgspec.structs.replace(feed_limits(self.settings), pulse_ms=2 * PULSE_S * 1e3, silence_ms=SILENCE_MS)
        line = sockets.Line()
        market = MemoryRest(self.network, self.exchange, now_ns, self.dice)
        feed = self._feed(line, limits)
        instruments = tuple(instruments_of(await market.exchange_info(), self.settings.feed.symbols))
        rules = RuleWatch(market.exchange_info, instruments, now_ns)
        self.side = AccountSide(lambda tell: self._venue(instruments, tell, market, rules), now_ns, rules)
        venue = self.side.venue
        await venue.connect()
        await venue.account.prove_signing(instruments[0].symbol)
        instruments = await shaped(venue.account, instruments, self.settings.risk.leverage)
        self.side.left = self.left
        parts = self._parts(instruments, venue)
        self.side.join(parts)
        self.parts = parts

        async def listen() -> None:
            feed.start()
            if not await feed.delivering(DELIVER_S):
                raise VenueUnreachableError("the market does not deliver")

        await sockets.drive(
            parts, line, feed, market, now_ns, self.stop, prime=self.settings.feed.prime, account=self.side,
            listen=listen, pulse_s=PULSE_S, awake_s=self.loop.time,
        )  # fmt: skip
        await feed.stop()
        self.ended = True

    def _feed(self, line: sockets.Line, limits: Any) -> MarketFeed:
        async def connect(url: str, on_frame: Any, on_closed: Any, now_ns: Any, *_: Any) -> Any:
            return await self.network.socket(url, on_frame, on_closed, now_ns)

        streams = streams_for(enumerate(self.settings.feed.symbols), stream_names(self.settings))
        return MarketFeed(
            streams, f"ws://{HOST}", line.frame, self.clock.now_ns, limits=limits, tick=line.tick,
            on_stream=line.stream, random=self.dice.random, monotonic_s=self.loop.time, awake_s=self.loop.time,
            open_transport=connect,
        )  # fmt: skip

    def _venue(
        self, instruments: tuple[Instrument, ...], tell: Callable[[Event], None], market: MarketRest, rules: RuleWatch
    ) -> BinanceVenue:
        now_ns, execution = self.clock.now_ns, self.settings.execution
        key = self.exchange.venue.key()
        return binance_venue(
            instruments,
            HmacSigner(Secret(key.key, "the simulation"), Secret(key.secret, "the simulation")),
            Addresses(rest=f"http://{HOST}", private=f"ws://{HOST}/private", ws_api=f"ws://{HOST}/ws-fapi/v1"),
            tell,
            now_ns,
            lambda url, on_frame, on_closed: self.network.socket(url, on_frame, on_closed, now_ns),
            lambda client_id: client_id.startswith(PREFIX),
            transport=execution.transport,
            terms=Terms(recv_window_ms=execution.recv_window_ms, working_type=execution.stop_working_type),
            connect=self.network.http,
            refresh=rules.refresh,
            ledger=market.ledger,
            monotonic_s=self.loop.time,
            random=self.dice.random,
        )

    def _parts(self, instruments: tuple[Instrument, ...], venue: BinanceVenue) -> Parts:
        wired = with_terms(instruments, self.settings)
        engine = Engine(wired, self.settings, client_prefix(self.name), custody=PREFIX)
        files = Mute()
        session = Session(engine, venue, self.keeper, files)
        ear = Ear(Hearing(wired), session, None)
        session.resync = ear.resync
        return Parts(
            run_id=self.name, mode="simulation", feed="memory", folder=Path(), instruments=wired, engine=engine,
            session=session, ear=ear, files=files, keeper=self.keeper, writer=None, closing=(), facts={},
        )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL: from now on nothing this process does has an effect."""
        if not self.dead.is_set():
            self.journal.sealed = True
            self.network.kill()
            self.dead.set()

    def bury(self) -> None:
        """End what is left of a killed process."""
        for task in list(self.tasks):
            task.cancel()
