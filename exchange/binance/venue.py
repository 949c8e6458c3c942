"""The venue behind the core's door: wishes become requests, answers and private events become facts.

``execute`` builds, signs, writes and returns; it waits for nothing and tells nothing. Every fact goes to ``tell`` from
a callback of the loop, in the order heard. What reading takes time runs beside: queries, the reading of the account,
the clock, the private stream.

Three streams are told of by ``StreamState`` beside the market's: ``user`` (the private stream, lost as long as
something may have been missed and the account has not been read since), ``account`` (signed calls are refused or the
venue is closed, F30, F33) and ``trading`` (the venue bars the account from opening positions, until ``forgive``).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from core.kernels.engine import advance
from exchange.binance.account_rest import AccountRest
from exchange.binance.answers import AlgoAnswer, AlgoCancelled, OrderAnswer, algo_state, order_state, read
from exchange.binance.ids import Ids
from exchange.binance.order_line import Answer
from exchange.binance.order_lines import LineStats, OrderLines
from exchange.binance.outcomes import Meaning, Outcome, meaning_of
from exchange.binance.quota import Quota
from exchange.binance.reader import Reader
from exchange.binance.refusals import VenueAnswerError
from exchange.binance.requests import OrderRequests
from exchange.binance.server_time import MS, VenueClock, aged
from exchange.binance.user_events import UserEvents
from exchange.binance.user_stream import StreamCounts, UserStream
from models.action import Cancel, Inspect, Query, Submit, Wish
from models.error import ScalperError, VenueUnreachableError
from models.event import BookInvalid, ClockOffset, Event, OrderReport, StreamState
from models.instrument import Instrument
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Refused
from models.rows import FAR_NS

USER, ACCOUNT, TRADING = "user", "account", "trading"
RETRY_S = (0.2, 0.4, 0.8)  # reference §7; all within the time the venue accepts the order
LATENCIES_KEPT = 512
BEAT_S = 0.25


class VenueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds, seconds."""

    order_s: float = 2.0
    """An answer to an order; after it the order is unknown and asked for (F39)."""
    clock_every_s: float = 60.0
    """F23; 0 leaves the clock to the composition root."""
    inspect_again_s: float = 1.0
    """A reading that failed while a doubt stands is repeated after this."""


class VenueStats(msgspec.Struct, frozen=True):
    orders: LineStats
    stream: StreamCounts
    requests: dict[tuple[str, str], int]
    recovered: int
    doubts: int
    failed_reads: int
    events_bad: int
    foreign_fees: int


class Joints(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a venue, made in ``assembly``."""

    instruments: Sequence[Instrument]
    build: OrderRequests
    lines: OrderLines
    reads: OrderLines
    account: AccountRest
    clock: VenueClock
    ids: Ids
    quota: Quota
    recv_window_ms: int


class BinanceVenue:
    """``core.ports.Venue``. ``tell`` takes every fact; ``refresh(instrument)`` hears when filters seem to have changed.

    ``attach`` completes it with what needs it in turn: reader, events and stream.
    """

    due_ns = FAR_NS
    passage = (0, 0)

    def __init__(
        self,
        joints: Joints,
        tell: Callable[[Event], None],
        *,
        limits: VenueLimits | None = None,
        refresh: Callable[[int], None] = lambda instrument: None,
    ) -> None:
        self.account, self.clock = joints.account, joints.clock
        self.doubts = self.failed_reads = 0
        self._joints, self._listener = joints, tell
        self._build, self._lines, self._ids = joints.build, joints.lines, joints.ids
        self._now_ns = joints.clock.now_ns
        self._window_ns = joints.recv_window_ms * MS
        self._limits = limits or VenueLimits()
        self._refresh, self._quota = refresh, joints.quota
        self._reader: Reader
        self._events: UserEvents
        self._stream: UserStream
        self._latencies: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lost: dict[str, str] = {}  # stream → why
        self._doubt_ns = -1  # since when a reading is owed; -1 when none is
        self._inspecting = self._inspect_again = False
        self._inspect_next_s = 0.0
        self._querying: set[str] = set()
        self._measuring: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        joints.account.resync = self.resync

    def attach(self, reader: Reader, events: UserEvents, stream: UserStream) -> None:
        self._reader, self._events, self._stream = reader, events, stream

    # -- life -------------------------------------------------------------------------------------------------

    async def connect(self, timeout_s: float = 10.0) -> None:
        """Open the lines and measure the clock: ``account`` answers from then on, and nothing is told yet.

        Raises VenueUnreachableError when no line opens.
        """
        self._loop = asyncio.get_running_loop()
        self._joints.reads.start()
        if self._joints.lines is not self._joints.reads:
            self._lines.start()
        if not await self._joints.reads.ready(timeout_s, 1) or not await self._lines.ready(timeout_s, 1):
            raise VenueUnreachableError("no connection for orders could be opened; check the network or the address")
        self.clock.hear(await self.account.clock_offset())

    async def start(self, timeout_s: float = 10.0) -> None:
        """Connect, if that has not been done, and open the private stream: facts begin."""
        if self.clock.offset is None:
            await self.connect(timeout_s)
        self._fell(USER, "the private stream is not open yet")
        if self.clock.offset is not None:
            self._tell(aged(self.clock.offset, self._now_ns()))
        self._reader.begin()
        self._stream.start()
        self._spawn(self._beat())
        if self._limits.clock_every_s > 0:
            self._spawn(self._keep_clock())

    async def close(self) -> None:
        """End everything; nothing is told any more. Idempotent."""
        self._closed = True
        await self._stream.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._lines.close()
        await self._joints.reads.close()

    def recall(self, orders: Sequence[ApprovedOrder]) -> None:
        """Orders of a run before that may still be at the venue: which of them are conditional must be known."""
        for order in orders:
            if order.type is OrderType.STOP_MARKET:
                self._ids.stop(order.client_id, order.instrument)

    def stats(self) -> VenueStats:
        return VenueStats(
            self._lines.stats(), msgspec.structs.replace(self._stream.counts), dict(self.account.requests),
            self._reader.recovered, self.doubts, self.failed_reads, sum(self._events.bad.values()),
            self._events.foreign_fees,
        )  # fmt: skip

    def forgive(self) -> None:
        """A person says that the account may open positions again."""
        self._rose(TRADING)

    # -- core.ports.Venue -------------------------------------------------------------------------------------

    def advance(self, engine_address: int, rows_address: int, start: int, stop: int) -> int:
        result: int = advance(engine_address, rows_address, start, stop)
        return result

    def settle(self, rows_address: int, stop: int) -> None:
        """No book of its own."""

    def take(self, until_ns: int) -> Sequence[Event]:
        """Facts are told as they are heard."""
        return ()

    def hear(self, event: ClockOffset | BookInvalid) -> None:
        if isinstance(event, ClockOffset):
            self.clock.hear(event)

    def execute(self, action: Wish) -> None:
        if isinstance(action, Submit):
            self._submit(action.order)
        elif isinstance(action, Cancel):
            self._cancel(action)
        elif isinstance(action, Query):
            self._query(action.instrument, action.client_id, action.stop)
        elif isinstance(action, Inspect):
            self._inspect()

    # -- placing ----------------------------------------------------------------------------------------------

    def rehearse(self, order: ApprovedOrder) -> bytes:
        """Everything that an order costs here before its first byte, and no byte: keeps that in the caches. Counts and
        sends nothing.
        """
        self._quota.held(order.purpose is Purpose.ENTRY)
        self._lines.best()
        return self._build.order(order, self.clock.ms(order.created_ns))

    def _submit(self, order: ApprovedOrder) -> None:
        began_ns = self._now_ns()
        held = self._quota.held(order.purpose is Purpose.ENTRY)
        if held:
            asyncio.get_running_loop().call_soon(self._not_placed, order, held)
            return
        if order.type is OrderType.STOP_MARKET:
            self._ids.stop(order.client_id, order.instrument)
        self._send(order, 0)
        self._quota.sent()
        latencies = self._latencies
        latencies[order.client_id] = began_ns - order.created_ns, self._now_ns() - began_ns
        if len(latencies) > LATENCIES_KEPT:
            latencies.popitem(last=False)

    def _send(self, order: ApprovedOrder, attempt: int) -> None:
        """Write an order. It is signed for the time of the fact that caused it, however late it leaves: the venue
        refuses an old one, and the core's proof of absence reckons from that time."""
        request = self._build.order(order, self.clock.ms(order.created_ns))
        self._lines.send(
            request, lambda answer: self._placed(order, attempt, answer), self._limits.order_s,
            exit=order.purpose is not Purpose.ENTRY,
        )  # fmt: skip

    def _placed(self, order: ApprovedOrder, attempt: int, answer: Answer) -> None:
        """The answer to an order."""
        meaning = meaning_of(answer, self._now_ns() // MS)
        self._consider(meaning, order.instrument)
        if meaning.outcome is Outcome.ACCEPTED:
            self._accepted(order, answer)
        elif meaning.outcome is Outcome.REJECTED:
            self._report(order.client_id, OrderState.REJECTED, meaning.reason)
        elif meaning.outcome in (Outcome.NOT_EXECUTED, Outcome.LIMITED):
            self._repeat(order, attempt, meaning)
        else:
            self._report(order.client_id, OrderState.UNKNOWN, meaning.reason)

    def _accepted(self, order: ApprovedOrder, answer: Answer) -> None:
        client_id, index = order.client_id, order.instrument
        instrument = self._joints.instruments[index]
        try:
            if order.type is OrderType.STOP_MARKET:
                algo = read("algoOrder", answer.body, AlgoAnswer)
                self._ids.stop(client_id, index, algo.algoId)
                named, number, at_ms, filled = algo.clientAlgoId, algo.algoId, algo.updateTime, 0
                state = algo_state(algo.algoStatus, 0, instrument.lots(algo.quantity))
            else:
                plain = read("order", answer.body, OrderAnswer)
                named, number, at_ms = plain.clientOrderId, plain.orderId, plain.updateTime
                filled, state = instrument.lots(plain.executedQty), order_state(plain.status)
                self._ids.learn(index, number, client_id)
        except ScalperError as error:
            self._report(client_id, OrderState.UNKNOWN, error.message)
            return
        if named != client_id:
            self._report(client_id, OrderState.UNKNOWN, f"the answer is about {named[:40]}")
            return
        self._stream.expect(client_id)
        self._tell(OrderReport(self._now_ns(), client_id, number, state, filled, at_ms * MS))
        if filled:
            self._query(index, client_id, False)  # the answer names a quantity; the executions are read

    def _repeat(self, order: ApprovedOrder, attempt: int, meaning: Meaning) -> None:
        """It is proven that nothing happened. What reduces or protects is sent again while the venue would take it;
        an entry's signal is old by then."""
        wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
        until_ns = order.created_ns + self._window_ns
        again = meaning.again or (meaning.outcome is Outcome.LIMITED and not meaning.banned)
        late = self._now_ns() + int(wait_s * 1e9) >= until_ns or attempt >= len(RETRY_S)
        if order.purpose is Purpose.ENTRY or not again or late:
            self._not_placed(order, meaning.reason)
            return
        self._spawn(self._send_again(order, attempt + 1, 0.0 if meaning.resync else wait_s, meaning))

    async def _send_again(self, order: ApprovedOrder, attempt: int, wait_s: float, meaning: Meaning) -> None:
        if meaning.resync:
            await self.resync()
        await asyncio.sleep(wait_s)
        if self._stream.told_of(order.client_id):  # any evidence ends the repetition (F20)
            self._report(order.client_id, OrderState.UNKNOWN, meaning.reason)
        elif self._now_ns() >= order.created_ns + self._window_ns:  # measuring the clock took too long
            self._not_placed(order, meaning.reason)
        elif held := self._quota.order(entry=False):
            self._not_placed(order, held)
        else:
            self._send(order, attempt)

    def _not_placed(self, order: ApprovedOrder, reason: str) -> None:
        stop = self._ids.known_stop(order.client_id)
        if stop is not None:
            stop.ended = True
        self._report(order.client_id, OrderState.REJECTED, f"{Refused.NOT_PLACED.value}: {reason}")

    def _report(self, client_id: str, state: OrderState, reason: str) -> None:
        stop = self._ids.known_stop(client_id)
        if stop is not None and state.terminal:
            stop.ended = True
        self._tell(OrderReport(self._now_ns(), client_id, 0, state, 0, self.clock.ms() * MS, reason))

    # -- cancelling and asking --------------------------------------------------------------------------------

    def _cancel(self, wish: Cancel) -> None:
        if self._quota.banned:
            return  # the core asks again
        at_ms = self.clock.ms()
        if wish.stop:
            request = self._build.cancel_stop(wish.client_id, at_ms)
        else:
            request = self._build.cancel(wish.instrument, wish.client_id, at_ms)
        self._quota.weights.spend(1, self._quota.monotonic_s())
        self._lines.send(request, lambda answer: self._cancelled(wish, answer), self._limits.order_s, exit=True)

    def _cancelled(self, wish: Cancel, answer: Answer) -> None:
        """The answer to a cancel. Whatever is not a plain yes is asked for: the order may have filled (F31)."""
        meaning = meaning_of(answer, self._now_ns() // MS)
        self._consider(meaning, wish.instrument)
        if meaning.outcome in (Outcome.NOT_EXECUTED, Outcome.LIMITED):
            return  # the core asks again
        if meaning.outcome is not Outcome.ACCEPTED:
            self._query(wish.instrument, wish.client_id, wish.stop)
            return
        try:
            number, filled, at_ns, state = self._ended(wish, answer.body)
        except ScalperError:
            self._query(wish.instrument, wish.client_id, wish.stop)
            return
        self._tell(OrderReport(self._now_ns(), wish.client_id, number, state, filled, at_ns))
        if filled:
            self._query(wish.instrument, wish.client_id, wish.stop)

    def _ended(self, wish: Cancel, body: bytes) -> tuple[int, int, int, OrderState]:
        """(number, lots filled, venue time, state) of a cancelled order. Raises when the answer is about another."""
        if wish.stop:
            algo = read("algoOrder", body, AlgoCancelled)
            named, found = algo.clientAlgoId, (algo.algoId, 0, self.clock.ms() * MS, OrderState.CANCELED)
            self._ids.stop(wish.client_id, wish.instrument, algo.algoId).ended = True
        else:
            order = read("order", body, OrderAnswer)
            filled = self._joints.instruments[wish.instrument].lots(order.executedQty)
            named = order.clientOrderId
            found = order.orderId, filled, order.updateTime * MS, order_state(order.status)
            self._ids.learn(wish.instrument, order.orderId, wish.client_id)
        if named != wish.client_id:
            raise VenueAnswerError("an answer about another order", blame="venue", status=200)
        return found

    def _query(self, instrument: int, client_id: str, stop: bool) -> None:
        """Ask for one order beside everything else; once at a time."""
        if client_id not in self._querying:
            self._querying.add(client_id)
            self._spawn(self._ask(instrument, client_id, stop))

    async def _ask(self, instrument: int, client_id: str, stop: bool) -> None:
        try:
            await self._reader.order(instrument, client_id, stop)
        except ScalperError:
            self.failed_reads += 1  # the core asks again
        finally:
            self._querying.discard(client_id)

    def _consider(self, meaning: Meaning, instrument: int) -> None:
        """What an answer says beside the order it is about."""
        if meaning.outcome is Outcome.LIMITED and meaning.code != -1015:  # -1015 counts orders: our ledger does
            self._quota.block(meaning.retry_after_s, banned=meaning.banned)
        if meaning.blind or meaning.banned:
            self._fell(ACCOUNT, meaning.reason)
        elif meaning.outcome in (Outcome.ACCEPTED, Outcome.NOT_FOUND):
            self._rose(ACCOUNT)
        if meaning.barred:
            self._fell(TRADING, meaning.reason)
        if meaning.filters:
            self._refresh(instrument)
        if meaning.resync:
            self._spawn(self.resync())

    # -- reading the account ----------------------------------------------------------------------------------

    def doubt(self, reason: str) -> None:
        """Something may have been missed: no entry before the account has been read again."""
        self.doubts += 1
        self._doubt_ns = self._now_ns()
        self._fell(USER, reason)
        self._inspect()

    def stream_lost(self, reason: str) -> None:
        self._fell(USER, reason)

    def access(self, answered: bool, reason: str) -> None:
        """A signed read was answered, or refused for what we are."""
        if answered:
            self._rose(ACCOUNT)
        else:
            self._fell(ACCOUNT, reason)

    def _inspect(self) -> None:
        if self._closed:
            return
        if self._inspecting:
            self._inspect_again = True  # the reading under way began too early for whoever asks now
            return
        self._inspecting = True
        self._spawn(self._inspection())

    async def _inspection(self) -> None:
        try:
            while True:
                self._inspect_again = False
                await self._read()
                if not self._inspect_again:
                    return
        finally:
            self._inspecting = False
            self._inspect_next_s = self._quota.monotonic_s() + self._limits.inspect_again_s

    async def _read(self) -> None:
        try:
            truth = await self._reader.truth()
        except ScalperError:
            self.failed_reads += 1
            return
        self._tell(truth)
        if truth.asked_ns >= self._doubt_ns:
            self._doubt_ns = -1
            if self._stream.up:
                self._rose(USER)

    async def _beat(self) -> None:
        """What nobody else looks at: debts of the stream, and a reading that is still owed."""
        while True:
            await asyncio.sleep(BEAT_S)
            for instrument, number in self._events.overdue() if self._events.owing else ():
                self._spawn(self._settle(instrument, number))
            if self._doubt_ns >= 0 and not self._inspecting and self._quota.monotonic_s() >= self._inspect_next_s:
                self._inspect()

    async def _settle(self, instrument: int, number: int) -> None:
        try:
            await self._reader.settle(instrument, number)
        except ScalperError:
            self.failed_reads += 1  # asked again when it is overdue once more

    # -- the clock --------------------------------------------------------------------------------------------

    async def resync(self, *, anew: bool = True) -> None:
        """Measure the venue's clock; whoever asks meanwhile waits for the same answer. ``anew``: what was known of it
        is wrong (F23).
        """
        if self._measuring is None or self._measuring.done():
            self._measuring = self._spawn(self._measure(anew))
        await asyncio.shield(self._measuring)

    async def _measure(self, anew: bool) -> None:
        try:
            offset = await self.account.clock_offset()
        except ScalperError:
            if self.clock.offset is None:
                raise
            self._tell(aged(self.clock.offset, self._now_ns()))
            return
        self.clock.hear(offset, anew=anew)
        self._tell(self.clock.offset or offset)

    async def _keep_clock(self) -> None:
        while True:
            await asyncio.sleep(self._limits.clock_every_s)
            await self.resync(anew=False)

    # -- telling ----------------------------------------------------------------------------------------------

    def _fell(self, stream: str, reason: str) -> None:
        if stream not in self._lost:
            self._lost[stream] = reason
            self._tell(StreamState(self._now_ns(), 0, stream, False, reason[:200]))

    def _rose(self, stream: str) -> None:
        if self._lost.pop(stream, None) is not None:
            self._tell(StreamState(self._now_ns(), 0, stream, True))

    def tell(self, event: Event) -> None:
        """Facts of the parts beside."""
        self._tell(event)

    def _tell(self, event: Event) -> None:
        """Hand over a fact; the first word on an order carries how long it took to leave."""
        if self._closed:
            return
        if type(event) is OrderReport:
            took = self._latencies.pop(event.client_id, None)
            if took is not None:
                event = msgspec.structs.replace(event, decide_ns=took[0], send_ns=took[1])
        self._listener(event)

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "a task of the venue failed", "exception": error})
