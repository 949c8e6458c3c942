"""The market feed: both market connections, their pulse, and the proof of silence.

``start`` returns at once; ``delivering(timeout_s)`` answers whether the venue really speaks. One task, the pulse,
looks every ``pulse_ms`` at liveness, at silence (``tick``), at the loop's own lag (fault F06) and for a suspend
(fault F64). Everything else happens in socket callbacks.
"""

from __future__ import annotations

import asyncio
import random as dice
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from data_collector.backoff import AttemptBudget
from data_collector.connector import ConnectionStats, Connector, OnConnection, OnStream, Surroundings
from data_collector.leg import Sink
from data_collector.limits import FeedLimits
from data_collector.liveness import NEVER
from data_collector.routes import COMBINED_PATH, PREFIXES, Stream, by_category
from data_collector.transport import OpenTransport, transport_named
from models.error import ConfigurationError
from utils.clock import since_boot_s

Tick = Callable[[int], None]
MS = 1_000_000
STOP_S = 2.0
"""Both connections close within a second each; what is left then is dropped."""


class StreamStats(msgspec.Struct, frozen=True):
    """One stream so far. ``age_ns`` is run-clock ns since its newest frame, None before the first."""

    name: str
    label: str
    instrument: int
    frames: int
    bytes: int
    age_ns: int | None
    alive: bool


class FeedStats(msgspec.Struct, frozen=True):
    """A snapshot of the feed. ``lag_*`` is how late the pulse came; ``lags`` counts pulses beyond ``lag_alarm_ms``."""

    connections: tuple[ConnectionStats, ...]
    streams: tuple[StreamStats, ...]
    ticks: int
    lag_ns: int
    lag_max_ns: int
    lags: int
    suspends: int
    callback_errors: int
    callback_error: str
    attempts: int


def _ignore(*_: object) -> None:
    """Nobody asked to be told."""


class MarketFeed:
    """See the module.

    ``streams`` from ``routes.streams_for``; ``base_url`` as in ``routes.HOSTS`` (``ws://127.0.0.1:PORT`` for an own
    exchange); ``sink(connection, payload, received_ns)`` gets every text frame, in the socket callback; ``now_ns`` is
    the run's receive clock and ``rate`` its rate. ``tick(received_ns)`` comes when nothing came for ``silence_ms``.
    Callbacks that raise are counted and never stop the feed. ``open_transport`` takes the place of the named transport
    (connections in memory). Raises ConfigurationError for a bad URL or transport.
    """

    def __init__(
        self,
        streams: Iterable[Stream],
        base_url: str,
        sink: Sink,
        now_ns: Callable[[], int],
        *,
        limits: FeedLimits | None = None,
        transport: str = "picows",
        prefixes: Mapping[str, str] = PREFIXES,
        tick: Tick = _ignore,
        on_stream: OnStream = _ignore,
        on_connection: OnConnection = _ignore,
        rate: float = 1.0,
        random: Callable[[], float] = dice.random,
        monotonic_s: Callable[[], float] = time.monotonic,
        awake_s: Callable[[], float] = since_boot_s,
        ssl_context: ssl.SSLContext | None = None,
        open_transport: OpenTransport | None = None,
    ) -> None:
        limits = limits or FeedLimits()
        self._limits = limits
        self._now_ns = now_ns
        self._tick = tick
        self._awake_s = awake_s
        self._errors = 0
        self._error = ""
        around = Surroundings(
            sink=sink,
            now_ns=now_ns,
            open_transport=open_transport or transport_named(transport),
            limits=limits,
            budget=AttemptBudget(limits.attempts_max, limits.attempts_window_s),
            random=random,
            on_stream=self._guarded(on_stream),
            on_connection=self._guarded(on_connection),
            rate=rate,
            monotonic_s=monotonic_s,
            ssl_context=ssl_context,
        )
        self._budget = around.budget
        base = _checked_url(base_url)
        self.connectors = tuple(
            Connector(category, number, f"{base}{prefixes[category]}{COMBINED_PATH}", wanted, around)
            for number, (category, wanted) in enumerate(by_category(streams).items())
        )
        self._delivering = asyncio.Event()
        self._pulse_task: asyncio.Task[None] | None = None
        self._silent_from_ns = NEVER
        self._ticks = self._lags = self._suspends = 0
        self._lag_ns = self._lag_max_ns = 0

    def start(self) -> None:
        """Begin to connect; needs a running loop. Raises RuntimeError when started twice."""
        if self._pulse_task is not None:
            raise RuntimeError("the feed is already started")
        self._silent_from_ns = self._now_ns()
        for connector in self.connectors:
            connector.start()
        self._pulse_task = asyncio.get_running_loop().create_task(self._pulse(), name="feed pulse")

    async def stop(self) -> None:
        """Close all connections and end all tasks; bounded, idempotent."""
        task, self._pulse_task = self._pulse_task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=STOP_S)
        async with asyncio.timeout(STOP_S * len(self.connectors)):
            await asyncio.gather(*(connector.stop() for connector in self.connectors))
        self._delivering.clear()

    async def delivering(self, timeout_s: float) -> bool:
        """True as soon as every wanted stream delivers (where silence is normal: always), False after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._delivering.wait()
        except TimeoutError:
            return False
        return True

    def lose(self, reason: str) -> None:
        """Declare everything heard old and connect again, within the attempt budget."""
        for connector in self.connectors:
            connector.lose(reason)
        self._delivering.clear()

    def stats(self) -> FeedStats:
        """A snapshot; builds new objects, never called on the hot path."""
        now_ns = self._now_ns()
        streams = []
        for connector in self.connectors:
            times = connector.stream_times()
            for number, stream in enumerate(connector.streams):
                frames, size = connector.frames(number)
                age_ns = None if times[number] == NEVER else now_ns - times[number]
                streams.append(
                    StreamStats(
                        stream.name, stream.kind.label, stream.instrument, frames, size, age_ns, connector.alive[number]
                    )
                )
        return FeedStats(
            connections=tuple(connector.stats() for connector in self.connectors),
            streams=tuple(streams),
            ticks=self._ticks,
            lag_ns=self._lag_ns,
            lag_max_ns=self._lag_max_ns,
            lags=self._lags,
            suspends=self._suspends,
            callback_errors=self._errors,
            callback_error=self._error,
            attempts=self._budget.total,
        )

    async def _pulse(self) -> None:
        limits = self._limits
        period_s, alarm_s, suspend_s = limits.pulse_ms / 1e3, limits.lag_alarm_ms / 1e3, limits.suspend_s
        last_s = self._awake_s()
        while True:
            await asyncio.sleep(period_s)
            now_s = self._awake_s()
            lag_s, last_s = max(now_s - last_s - period_s, 0.0), now_s
            self._lag_ns = int(lag_s * 1e9)
            self._lag_max_ns = max(self._lag_max_ns, self._lag_ns)
            if lag_s > alarm_s:
                self._lags += 1
            if lag_s > suspend_s:
                self._suspends += 1
                self.lose("suspend")
            self._look()

    def _look(self) -> None:
        now_ns = self._now_ns()
        newest_ns = self._silent_from_ns
        settled = True
        for connector in self.connectors:
            connector.pulse(now_ns)
            newest_ns = max(newest_ns, connector.newest_ns())
            settled = settled and connector.delivering
        if settled:
            self._delivering.set()
        else:
            self._delivering.clear()
        if now_ns - newest_ns >= self._limits.silence_ms * MS:
            self._silent_from_ns = now_ns
            self._ticks += 1
            try:
                self._tick(now_ns)
            except Exception as error:  # a failing observer must not stop the pulse
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._errors += 1
        self._error = f"{type(error).__name__}: {error}"

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        def call(*facts: object) -> None:
            try:
                callback(*facts)
            except Exception as error:  # a failing observer must not stop a connection
                self._failed(error)

        return call


def _checked_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc or parts.query:
        raise ConfigurationError(f"the stream address {base_url!r} must look like wss://fstream.binance.com")
    return base_url.rstrip("/")
