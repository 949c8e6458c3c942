"""Real sockets: the feed pushes frames, REST answers fill what is missing, a pulse delivers what falls due.

Frames go straight from the socket callback into the session. The pulse (5 ms) only serves silence: with frames coming,
everything due is delivered before the next frame. The nominal time of what is due does not depend on the pulse.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from interface.drivers.parts import RUN, Parts
from models.error import ScalperError
from models.event import ClockOffset, Command, StreamState
from models.instrument import Instrument
from models.recording import RecordKind
from utils.clock import since_boot_s

PULSE_S = 0.005
PRIME_PAGES = 10  # of 1,000 aggregate trades, weight 20 each: at most 200 of 2,400 a minute
PRIME_NS = 600 * 1_000_000_000  # ten minutes of past are enough for every window's readiness
PROTECT_S = 3.0  # so long the market waits for the account; what is still in doubt then is settled beside it
DRAIN_S = 20.0  # inside the 30 s stop budget: how long closing may take
CLOCK_EVERY_S = 60.0
SNAPSHOT_RETRY_S = 0.5
SUSPEND_S = 1.0  # a pulse so late is no pulse: the process was stopped, or the machine slept
LOOK_S = 0.25  # how often gaps and the journal are looked at
GAP_TRADES = 1000  # one page; a longer gap is left, counted, and the windows go on from the streams


class Market(Protocol):
    """The venue's public REST answers (``exchange.binance.rest``)."""

    async def depth(self, symbol: str, limit: int = 1000) -> bytes: ...

    async def agg_trades(
        self, symbol: str, *, from_id: int | None = None, start_ms: int | None = None,
        end_ms: int | None = None, limit: int = 1000,
    ) -> bytes: ...  # fmt: skip

    async def clock_offset(self, probes: int = 5) -> ClockOffset: ...


class Feed(Protocol):
    def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def delivering(self, timeout_s: float) -> bool: ...

    def stats(self) -> Any: ...


class Account(Protocol):
    """A real account (``wiring.real.AccountSide``)."""

    async def open(self) -> None: ...

    def woke(self) -> None: ...

    async def close(self) -> None: ...


class _Aggregate(msgspec.Struct):
    a: int
    T: int


class Line:
    """The way from the feed to the ear, shut until the run is ready to hear; ``dropped`` frames came before that."""

    def __init__(self) -> None:
        self.parts: Parts | None = None
        self.dropped = 0

    def frame(self, connection: int, payload: bytes, received_ns: int) -> None:
        if self.parts is not None:
            self.parts.ear.frame(connection, payload, received_ns)
        else:
            self.dropped += 1

    def tick(self, received_ns: int) -> None:
        if self.parts is not None:
            self.parts.ear.tick(received_ns)

    def stream(self, state: StreamState) -> None:
        if self.parts is not None:
            self.parts.ear.fact(state)


async def drive(
    parts: Parts,
    line: Line,
    feed: Feed,
    market: Market,
    now_ns: Callable[[], int],
    stop: asyncio.Event,
    *,
    rate: float = 1.0,
    duration_s: float | None = None,
    prime: bool = True,
    protect: bool = False,
    gone: asyncio.Task[int] | None = None,
    progress: Callable[[], None] | None = None,
    account: Account | None = None,
    listen: Callable[[], Awaitable[None]] | None = None,
    pulse_s: float = PULSE_S,
    awake_s: Callable[[], float] = since_boot_s,
) -> int:
    """Trade until ``stop`` is set, ``duration_s`` (real seconds) are over or the venue is ``gone``, then close.

    With ``protect`` a stop leaves an open position with its stop order instead of closing it. What a venue that is gone
    had sent is heard to its last frame. Returns the time of the end; what was dropped or lost on the way goes into the
    facts of ``parts``.

    The feed delivers, or does so when ``listen`` has returned; its frames begin to count when the windows have been
    primed. A real ``account`` comes before all that: what a run before left open is protected first. It is closed when
    nothing more is to be told.
    """
    woken = asyncio.Event()
    pulse = asyncio.create_task(
        _pulse(parts, line, market, now_ns, progress, account, woken, pulse_s, awake_s), name="run pulse"
    )
    clock = asyncio.create_task(_keep_clock(parts, market, now_ns, woken), name="run clock")
    try:
        await _begin(parts, market, now_ns, account, listen, prime)
        line.parts, parts.facts["frames_dropped"] = parts, line.dropped
        await _first(stop, duration_s, pulse, gone)
        if gone is not None and gone.done():
            await _heard_out(feed)
            parts.facts["tape_ended"] = gone.result() == 0
        leave = protect and stop.is_set()
        parts.ear.fact(Command(now_ns(), "handover" if leave else "shutdown", RUN, "end of run"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while parts.engine.account.on_the_way() if leave else not parts.flat:
                    await asyncio.sleep(PULSE_S)
    finally:
        line.parts = None
        for task in (pulse, clock):
            task.cancel()
        await asyncio.gather(pulse, clock, return_exceptions=True)
        if account is not None:
            await account.close()
    parts.facts["connections_lost"] = sum(sum(one.reconnects.values()) for one in feed.stats().connections)
    end_ns = now_ns()
    parts.session.time(end_ns)
    return end_ns


async def _begin(
    parts: Parts, market: Market, now_ns: Callable[[], int], account: Account | None,
    listen: Callable[[], Awaitable[None]] | None, prime: bool,
) -> None:  # fmt: skip
    """Everything before the first frame: the account, the venue's clock, the feed, the past of the windows."""
    if account is not None:
        await account.open()
        await _protected(parts)
    offset = await market.clock_offset()
    parts.ear.fact(ClockOffset(now_ns(), offset.offset_ns, offset.uncertainty_ns))
    if listen is not None:
        await listen()
    for instrument in parts.instruments if prime else ():
        await _prime(parts, market, instrument, now_ns)


async def _protected(parts: Parts) -> None:
    """Wait, within bounds, until the account has been read and everything found in it is covered."""
    custody = parts.engine.custody
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PROTECT_S):
            while custody is not None and not custody.ready:
                await asyncio.sleep(PULSE_S)


async def _first(
    stop: asyncio.Event, duration_s: float | None, pulse: asyncio.Task[None], gone: asyncio.Task[int] | None
) -> None:
    """Wait for the stop, the end of the time or of the venue, or a pulse that failed (which is raised)."""
    waiter = asyncio.create_task(stop.wait(), name="run stop")
    ends: set[asyncio.Task[Any]] = {waiter, pulse} if gone is None else {waiter, pulse, gone}
    done, _ = await asyncio.wait(ends, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if pulse in done:
        pulse.result()


async def _heard_out(feed: Feed) -> None:
    """Wait until both connections have come to the end of what the venue had sent."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while any(one.connected for one in feed.stats().connections):
                await asyncio.sleep(PULSE_S)


async def _prime(parts: Parts, market: Market, instrument: Instrument, now_ns: Callable[[], int]) -> None:
    """Ask for the recent aggregate trades, newest page first, and let the ear hear them oldest first."""
    pages: list[bytes] = []
    from_id: int | None = None
    newest_ms = 0
    try:
        while len(pages) < PRIME_PAGES:
            body = await market.agg_trades(instrument.symbol, from_id=from_id, limit=1000)
            trades = msgspec.json.decode(body, type=list[_Aggregate])
            if not trades:
                break
            pages.append(body)
            newest_ms = newest_ms or trades[-1].T
            first = trades[0]
            if (
                first.a <= 0
                or (newest_ms - first.T) * 1_000_000 >= PRIME_NS
                or (from_id is not None and first.a > from_id)
            ):
                break
            from_id = max(0, first.a - 1000)
    except ScalperError:
        pass  # the windows then fill from the streams: signals say «warming up» meanwhile
    for body in reversed(pages):
        parts.ear.take(RecordKind.TRADES_ANSWER, instrument.index, body, now_ns())


async def _pulse(
    parts: Parts,
    line: Line,
    market: Market,
    now_ns: Callable[[], int],
    progress: Callable[[], None] | None,
    account: Account | None,
    woken: asyncio.Event,
    pulse_s: float,
    awake_s: Callable[[], float],
) -> None:
    """Deliver what is due in silence, fetch wanted snapshots, and look after the run now and then."""
    fetching: dict[int, asyncio.Task[None]] = {}
    keeping = Caretaker(parts, market, now_ns)
    looks = 0.0
    while True:
        asleep_s = awake_s()
        await asyncio.sleep(pulse_s)
        if awake_s() - asleep_s > SUSPEND_S:
            woken.set()
            if account is not None:
                account.woke()
        now = now_ns()
        if parts.session.due_ns < now:
            parts.session.time(now)
        looks += pulse_s
        if looks >= LOOK_S:
            looks = 0.0
            await keeping.look()
        for instrument in parts.ear.hearing.snapshot_wanted:
            if line.parts is not None and instrument not in fetching:  # one from before the frames joins nothing
                symbol = parts.instruments[instrument].symbol
                fetching[instrument] = asyncio.create_task(_snapshot(parts, market, instrument, symbol, now_ns))
        for instrument in [number for number, task in fetching.items() if task.done()]:
            fetching.pop(instrument).result()
        if progress is not None:
            progress()


async def _snapshot(parts: Parts, market: Market, instrument: int, symbol: str, now_ns: Callable[[], int]) -> None:
    try:
        body = await market.depth(symbol, 1000)
    except ScalperError:
        await asyncio.sleep(SNAPSHOT_RETRY_S)  # still wanted: the next pulse asks again, inside the snapshot budget
        return
    parts.ear.take(RecordKind.DEPTH_ANSWER, instrument, body, now_ns())


class Caretaker:
    """What a run needs now and then: missing trades, a journal that still keeps."""

    def __init__(self, parts: Parts, market: Market, now_ns: Callable[[], int]) -> None:
        self._parts = parts
        self._market = market
        self._now_ns = now_ns
        self._told = False

    async def look(self) -> None:
        self._journal()
        await self._gaps()

    def _journal(self) -> None:
        """A journal that cannot keep blocks entries; exits go on (F62)."""
        keeper = self._parts.keeper
        if keeper is not None and keeper.failed and not self._told:
            self._told = True
            self._parts.session.event(Command(self._now_ns(), "stop_entries", "journal", keeper.failed))

    async def _gaps(self) -> None:
        """Ask for aggregate trades that never came; they are heard as filled in."""
        wanted = self._parts.ear.hearing.trades_wanted
        for index in list(wanted):
            first, last = wanted.pop(index)
            count, body = last - first + 1, b""
            if count <= GAP_TRADES:
                with contextlib.suppress(ScalperError):
                    symbol = self._parts.instruments[index].symbol
                    body = await self._market.agg_trades(symbol, from_id=first, limit=count)
            if body:
                self._parts.ear.take(RecordKind.TRADES_ANSWER, index, body, self._now_ns())
            else:
                self._parts.facts["trades_missing"] = self._parts.facts.get("trades_missing", 0) + count


async def _keep_clock(parts: Parts, market: Market, now_ns: Callable[[], int], woken: asyncio.Event) -> None:
    """Estimate the venue clock's offset again each minute, and at once after a standstill, in which our clock may have
    stood still too; a failed estimate keeps the last one."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), CLOCK_EVERY_S)
        woken.clear()
        with contextlib.suppress(ScalperError):
            offset = await market.clock_offset()
            parts.ear.fact(ClockOffset(now_ns(), offset.offset_ns, offset.uncertainty_ns))
