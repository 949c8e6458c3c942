"""The embedded exchange: one market behind REST and stream sockets, on this machine only.

The venue's clock is the market's: real time from the market's beginning, or ``speed`` times as fast; with ``speed``
None the market goes as fast as its readers take it and the clock is the market's own progress.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType

from picows import ws_create_server

from exchange.emulator.market import Market
from exchange.emulator.sockets import MESSAGE_BYTES_MAX, Connection, Limits
from exchange.emulator.venue import Venue, VenueTerms
from models.error import UsageError
from utils.clock import RunClock

JOIN_S = 0.1  # a generated market begins this long after its first reader, so that the second socket is there too
PUMP_S = 0.002  # how often the market is asked for news: frames leave within 2 ms of their time, at 1 % of a core
TEND_S = 0.25  # how often pings and ages are looked at
SLICE_FRAMES = 256  # frames sent before other connections and REST get a turn
PORT_MAX = 65_535
FAST_SLICE_NS = 100_000_000  # at full speed: venue time made in one go
FAST_BUFFER_BYTES = 256 << 10  # at full speed: how much may wait in a socket before the market waits too


class Emulator:
    """``async with Emulator(market) as exchange: exchange.rest_url, exchange.stream_url``.

    ``port`` 0 lets the system choose; otherwise REST listens there and the streams one above. ``anchor_ns`` is what
    the venue's clock shows at the start (default: where the market stands); a market behind it catches up at once.
    Raises UsageError for a speed that is not positive or a port that is none, OSError when a port is taken.
    """

    def __init__(
        self,
        market: Market,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float | None = 1.0,
        anchor_ns: int | None = None,
        limits: Limits | None = None,
        terms: VenueTerms | None = None,
    ) -> None:
        if speed is not None and not speed > 0:
            raise UsageError(f"the speed must be positive or max, got {speed}")
        if not 0 <= port < PORT_MAX:
            raise UsageError(f"the port must be 0 to {PORT_MAX - 1}, the streams take the next one, got {port}")
        self.market = market
        self.connections: set[Connection] = set()
        self.rest_url = self.stream_url = ""
        self._host, self._port, self._speed = host, port, speed
        self._anchor_ns = market.now_ns if anchor_ns is None else anchor_ns
        self._limits = limits or Limits()
        self._clock: RunClock | None = None
        self.venue = Venue(market, self.now_ms, terms or VenueTerms())
        self.venue.connections, self.venue.wake = lambda: self.connections, self.wake
        self.hub = self.venue.hub
        self._waking: asyncio.TimerHandle | None = None
        self._woken = asyncio.Event()  # the market may begin
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    def now_ns(self) -> int:
        """The venue's time."""
        return self.market.now_ns if self._clock is None else self._clock.now_ns()

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

    async def __aenter__(self) -> Emulator:
        async with contextlib.AsyncExitStack() as stack:
            await self._listen(stack)
            self._stack = stack.pop_all()
        if self._speed is not None and not self.market.recorded:
            self._clock = RunClock(self._anchor_ns, self._speed)
        self.venue.start()
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._tend())]
        return self

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        rest = await asyncio.get_running_loop().create_server(self.venue.http, self._host, self._port)
        stack.callback(rest.close)
        self.rest_url = f"http://{self._host}:{rest.sockets[0].getsockname()[1]}"
        streams = await ws_create_server(
            lambda request: self.venue.accept(request, self._limits, self.connections, self.wake),
            self._host,
            self._port and self._port + 1,
            max_frame_size=MESSAGE_BYTES_MAX,
        )
        stack.callback(streams.close)
        self.stream_url = f"ws://{self._host}:{streams.sockets[0].getsockname()[1]}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waking is not None:
            self._waking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self.connections):
            connection.close()
            if connection.behind:
                connection.cut()  # nobody will wait until it is taken
        for asking in list(self.venue.http_connections):
            asking.cut()
        await self._stack.aclose()

    def wake(self) -> None:
        """Somebody reads a stream or trades: the market begins soon. Later calls change nothing."""
        if self._waking is None:
            delay_s = self._limits.start_s if self.market.recorded or self._speed is None else JOIN_S
            self._waking = asyncio.get_running_loop().call_later(delay_s, self._woken.set)

    @property
    def failed(self) -> BaseException | None:
        """What stopped the market or its care, if anything did."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def finished(self) -> None:
        """Wait until the market has ended; raises what stopped it otherwise."""
        await self._tasks[0]

    async def _pump(self) -> None:
        """Carry the market's events to their readers until it ends, then close every connection."""
        if self.market.recorded or self._speed is None:
            await self._woken.wait()
            self.market.awake()
            if self._speed is not None:
                self._clock = RunClock(self.market.now_ns, self._speed)
            self.venue.start()
        while not self.market.ended:
            self.venue.tick()
            if self._clock is None:
                await self._rush()
                continue
            await self._publish(self._clock.now_ns())
            if self._woken.is_set():
                self.market.awake()  # now that it has come up to the clock: it begins after this moment
            await asyncio.sleep(PUMP_S)
        for connection in list(self.connections):
            connection.close()

    async def _publish(self, until_ns: int) -> None:
        for count, frame in enumerate(self.market.advance(until_ns), 1):
            self.hub.publish(frame)
            self.venue.market_event(frame)
            if count % SLICE_FRAMES == 0:
                await asyncio.sleep(0)

    async def _rush(self) -> None:
        """One slice at full speed; then wait for whoever has not taken it, up to ``stalled_s``."""
        if not self.hub.read:
            await asyncio.sleep(PUMP_S)
            return
        await self._publish(self.market.now_ns + FAST_SLICE_NS)
        await asyncio.sleep(0)
        began_s = time.monotonic()
        while slow := [one for one in self.connections if one.behind > FAST_BUFFER_BYTES]:
            if time.monotonic() - began_s > self._limits.stalled_s:
                for connection in slow:
                    connection.cut()
            await asyncio.sleep(PUMP_S / 4)

    async def _tend(self) -> None:
        """Look after the connections: pings, ages, goodbyes."""
        period_s = min(TEND_S, self._limits.ping_s / 4, self._limits.pong_s / 4, self._limits.lifetime_s / 4)
        while True:
            await asyncio.sleep(period_s)
            self.venue.tick()
            now_s, event_ms = asyncio.get_running_loop().time(), self.now_ms()
            for connection in list(self.connections):
                connection.tend(now_s, event_ms)
