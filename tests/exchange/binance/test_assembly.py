"""The whole client side against the embedded exchange's doors: real sockets, signatures verified over the raw bytes."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from config.secret import Secret
from data_collector.limits import FeedLimits
from data_collector.picows_transport import open_picows
from exchange.binance.assembly import Addresses, Bounds, binance_venue
from exchange.binance.instruments import instruments_of
from exchange.binance.rest import MarketRest
from exchange.binance.signing import HmacSigner
from exchange.binance.user_stream import StreamLimits
from exchange.binance.venue import BinanceVenue, VenueLimits
from exchange.emulator.errors import VenueError
from exchange.emulator.faults import Fault
from exchange.emulator.generator import Generator
from exchange.emulator.routes import ROUTES
from exchange.emulator.server import Emulator
from exchange.emulator.venue import AccountPlan, VenueTerms
from models.action import Cancel, Inspect, Query, Submit
from models.error import ConfigurationError, DataError
from models.event import AccountTruth, ClockOffset, Event, Fill, NotFound, OrderReport, StreamState
from models.instrument import E8, Instrument
from models.order import OrderState, Refused
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import (
    ETHUSDT,
    KEY,
    SECRET,
    SIGNER,
    Facts,
    a_stop,
    an_exit,
    an_order,
    on_uvloop,
    owns,
    until,
)
from tests.exchange.binance.mini_venue import MiniVenue
from utils.clock import RunClock, wall_ns

START_NS = 1_795_262_400_000_000_000
ENTRY, EXIT, STOP = "scabcdefghe000001", "scabcdefghx000002", "scabcdefghs000003"
DESK = "exchange.emulator.trading.desk"
both_desks = pytest.mark.parametrize("desk", ["mini", "trading"])
QUICK = Bounds(stream=StreamLimits(silence_s=1.0), venue=VenueLimits(clock_every_s=0.0))


class MiniDesk(MiniVenue):
    """The venue of a few lines behind the real doors, with the interface of the trading desk."""

    def __init__(self, market: Any, now_ms: Callable[[], int], emit: Any, *, seed: int = 0, audit: Any = None) -> None:
        super().__init__(None)
        self.now_ms = now_ms  # type: ignore[method-assign]
        self.emit = emit
        self.accounts: dict[str, Any] = {}
        self.handlers = {call: self._handler(call) for call in ROUTES if "listenKey" not in call}

    def open_account(self, name: str, usdt_e8: int, **options: Any) -> Any:
        self.accounts[name] = msgspec.defstruct("Named", [("name", str)])(name)
        return self.accounts[name]

    def _handler(self, call: str) -> Callable[[Any, dict[str, str]], object]:
        def handle(account: Any, params: dict[str, str]) -> object:
            try:
                return self._calls[call](params)
            except LookupError as unknown:
                raise VenueError(400, int(unknown.args[0]), "no") from None

        return handle

    def say(self, event: dict[str, Any]) -> None:
        for account in self.accounts.values():
            self.emit(account, event)

    def market_event(self, frame: Any) -> None:
        """No market."""

    def timer(self) -> None:
        """No time."""


class Scene:
    """The embedded exchange and the client side of it."""

    def __init__(
        self, exchange: Emulator, instruments: tuple[Instrument, ...], clock: RunClock, transport: str
    ) -> None:
        self.exchange, self.clock = exchange, clock
        self.facts = Facts()
        key = exchange.venue.key()
        streams = exchange.stream_url
        self.venue: BinanceVenue = binance_venue(
            instruments,
            HmacSigner(Secret(key.key, "a test"), Secret(key.secret, "a test")),
            Addresses(rest=exchange.rest_url, private=f"{streams}/private", ws_api=f"{streams}/ws-fapi/v1"),
            self.facts.append,
            clock.now_ns,
            lambda url, on_frame, on_closed: open_picows(url, on_frame, on_closed, clock.now_ns, FeedLimits(), None),
            owns,
            transport=transport,
            bounds=QUICK,
        )

    def submit(self, order: Any) -> None:
        now_ns = self.clock.now_ns()
        self.venue.execute(Submit(now_ns, msgspec.structs.replace(order, created_ns=now_ns)))

    async def heard(self, kind: type, count: int = 1, **fields: Any) -> Any:
        """The newest of ``count`` facts of a kind with these fields, waited for."""

        def fitting() -> list[Any]:
            return [one for one in self.facts.of(kind) if all(getattr(one, k) == v for k, v in fields.items())]

        await until(lambda: len(fitting()) >= count)
        return fitting()[-1]

    async def truth(self) -> AccountTruth:
        count = len(self.facts.of(AccountTruth))
        self.venue.execute(Inspect(self.clock.now_ns()))
        found: AccountTruth = await self.heard(AccountTruth, count + 1)
        return found


def trading(doing: Any, desk: str = "mini", transport: str = "rest", **terms: Any) -> Any:
    """Run ``doing`` with an account of 1,000 USDT at a fresh exchange."""
    if desk == "mini":
        make: Any = MiniDesk
    elif importlib.util.find_spec(DESK) is None:
        pytest.skip("the trading desk of the embedded exchange is not there")
    else:
        make = importlib.import_module(DESK).TradingDesk
    plan = VenueTerms(accounts=(AccountPlan(usdt_e8=1_000 * E8),), make_desk=make, **terms)

    async def run() -> Any:
        clock = RunClock(wall_ns())
        async with Emulator(Generator(7, START_NS), terms=plan) as exchange:
            async with MarketRest(exchange.rest_url, clock.now_ns) as market:
                instruments = tuple(instruments_of(await market.exchange_info(), ["BTCUSDT"]))
            scene = Scene(exchange, instruments, clock, transport)
            await scene.venue.start()
            try:
                await scene.heard(StreamState, stream="user", alive=True)
                result = await doing(scene)
            finally:
                await scene.venue.close()
            assert exchange.failed is None, exchange.failed
            return result

    return on_uvloop(run())


@pytest.mark.parametrize("transport", ["rest", "ws"])
@both_desks
def test_a_round_trip_over_real_sockets(desk: str, transport: str) -> None:
    """Entry, fill, stop, reading, cancel, exit and query, over either way of orders, end flat and clean."""

    async def doing(scene: Scene) -> None:
        await scene.venue.account.prove_signing("BTCUSDT")
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        fills = scene.facts.of(Fill)
        assert sum(fill.quantity for fill in fills) == 10
        scene.submit(a_stop(trigger=fills[0].price * 95 // 100))
        await scene.heard(OrderReport, client_id=STOP, state=OrderState.ACCEPTED)
        held = await scene.truth()
        assert [one.lots for one in held.positions] == [10]
        assert [(one.client_id, one.stop, one.reduce_only, one.quantity) for one in held.orders] == [
            (STOP, True, True, 10)
        ]
        scene.venue.execute(Cancel(scene.clock.now_ns(), STOP, 0, True))
        await scene.heard(OrderReport, client_id=STOP, state=OrderState.CANCELED)
        scene.submit(an_exit())
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        scene.venue.execute(Query(scene.clock.now_ns(), EXIT))
        await scene.heard(OrderReport, 2, client_id=EXIT, state=OrderState.FILLED)
        scene.venue.execute(Query(scene.clock.now_ns(), "sce9"))
        await scene.heard(NotFound, client_id="sce9")
        flat = await scene.truth()
        assert ([one.lots for one in flat.positions], flat.orders) == ([0], ())
        trades = [fill.trade_id for fill in scene.facts.of(Fill)]
        assert len(trades) == len(set(trades))
        assert {fill.cause for fill in scene.facts.of(Fill)} == {""}

    trading(doing, desk, transport)


def test_the_clocks_are_days_apart_and_orders_are_taken() -> None:
    """Whatever the two clocks say, requests are signed with the venue's time (F23)."""

    async def doing(scene: Scene) -> ClockOffset:
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        return scene.facts.of(ClockOffset)[-1]

    offset = trading(doing)
    assert abs(offset.offset_ns) > 3_600 * 10**9
    assert offset.uncertainty_ns < 10**9


@both_desks
@pytest.mark.parametrize("fault", [
    Fault("drop_reply", "POST /fapi/v1/order"),
    Fault("drop_reply", "POST /fapi/v1/order", args={"reset": True}),
    Fault("cut_reply", "POST /fapi/v1/order", args={"at_byte": 30}),
    Fault("busy", "POST /fapi/v1/order", args={"text": "unknown", "placed": True}),
    Fault("timeout", "POST /fapi/v1/order", args={"placed": True}),
    Fault("html", "POST /fapi/v1/order", args={"status": 502, "placed": True}),
    Fault("garble", "POST /fapi/v1/order", args={"kind": "length", "placed": True}),
], ids=lambda fault: f"{fault.lever} {fault.args}")  # fmt: skip
def test_an_order_whose_answer_was_lost_is_known_in_the_end(fault: Fault, desk: str) -> None:
    """Placed, and the answer lost or spoilt: never refused, filled once by the stream's word (F17, F18)."""

    async def doing(scene: Scene) -> None:
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.UNKNOWN)
        assert OrderState.REJECTED not in {one.state for one in scene.facts.of(OrderReport)}
        assert len({fill.trade_id for fill in scene.facts.of(Fill)}) == len(scene.facts.of(Fill))
        assert (await scene.truth()).positions[0].lots == 10

    trading(doing, desk, faults=(fault,))


@both_desks
def test_a_request_that_was_cut_is_unknown_and_not_found(desk: str) -> None:
    """The connection ended inside the request: unknown to us, not known to the venue (F17)."""

    async def doing(scene: Scene) -> None:
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.UNKNOWN)
        scene.venue.execute(Query(scene.clock.now_ns(), ENTRY))
        await scene.heard(NotFound, client_id=ENTRY)
        assert scene.facts.of(Fill) == []

    trading(doing, desk, faults=(Fault("cut_request", "POST /fapi/v1/order", args={"at_byte": 200}),))


@both_desks
def test_an_overloaded_venue_gets_the_exit_again(desk: str) -> None:
    """A 503 that did nothing is answered by the same exit a moment later (F18, F19)."""

    async def doing(scene: Scene) -> None:
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        scene.submit(an_exit())
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        assert OrderState.REJECTED not in {one.state for one in scene.facts.of(OrderReport)}
        assert scene.venue.stats().orders.sent == 3

    busy = Fault("busy", "POST /fapi/v1/order", where={"reduceOnly": "true"}, args={"text": "unavailable"})
    trading(doing, desk, faults=(busy,))


@both_desks
def test_an_expired_listen_key_is_replaced_and_the_account_read(desk: str) -> None:
    """The key ends: the loss is told, another stream opened, the account read, and trading goes on (F34)."""

    async def doing(scene: Scene) -> None:
        scene.exchange.venue.hands.pull("expire_listen_key", {"account": "main"})
        await scene.heard(StreamState, 2, stream="user", alive=True)
        scene.submit(an_order())
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        assert len(scene.facts.of(AccountTruth)) == 2

    trading(doing, desk)


@both_desks
def test_a_silent_private_stream_is_found_and_its_executions_are_read(desk: str) -> None:
    """Events stop while the socket lives: an order the venue took proves the silence, nothing is missed (F40)."""

    async def doing(scene: Scene) -> None:
        scene.submit(an_order())
        await scene.heard(StreamState, 2, stream="user", alive=True)
        assert sum(fill.quantity for fill in scene.facts.of(Fill)) == 10

    trading(doing, desk, faults=(Fault("stall", "user:*", count=0),))


@both_desks
def test_a_revoked_key_is_told_at_once(desk: str) -> None:
    """When the key loses its rights the account counts as lost, and the order was not placed (F30)."""

    async def doing(scene: Scene) -> None:
        scene.exchange.venue.keys.allow("main", ())
        scene.submit(an_order())
        lost = await scene.heard(StreamState, stream="account", alive=False)
        assert "-2015" in lost.reason
        report = await scene.heard(OrderReport, client_id=ENTRY)
        assert (report.state, Refused.NOT_PLACED.within(report.reason)) == (OrderState.REJECTED, False)

    trading(doing, desk)


# -- what is refused at the start -------------------------------------------------------------------------------------


def _made(**changes: Any) -> BinanceVenue:
    given: dict[str, Any] = {"instruments": (INSTRUMENT,), "addresses": Addresses(rest="https://h", private="wss://h")}
    tell: Callable[[Event], None] = Facts().append
    given |= {"signer": SIGNER, "tell": tell, "now_ns": wall_ns, "open_socket": None, "owns": owns}
    return binance_venue(**given | changes)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"transport": "ws"}, ConfigurationError, "no address of the WebSocket API"),
        ({"transport": "carrier pigeon"}, ConfigurationError, "it is rest or ws"),
        ({"addresses": Addresses(rest="fapi", private="wss://h")}, ConfigurationError, "must look like"),
        ({"addresses": Addresses(rest="https://h", private="h")}, ConfigurationError, "must look like"),
        ({"instruments": (INSTRUMENT, msgspec.structs.replace(ETHUSDT, quote="USDC"))}, DataError, "USDC, USDT"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_connects(changes: Any, error: Any, match: str) -> None:
    """Addresses, ways and contracts that do not fit are told at once."""
    with pytest.raises(error, match=match):
        _made(**changes)


def test_a_venue_shows_no_secret() -> None:
    """Neither the venue nor its parts print key or secret (F75)."""
    venue = _made()
    said = f"{venue!r}{vars(venue)!r}{vars(venue.account)!r}"
    assert KEY not in said
    assert SECRET not in said


def test_a_thousand_facts_leave_no_task_behind() -> None:
    """After a hundred orders, queries and readings no task is left beside the venue's own (F07, F67)."""

    async def doing(scene: Scene) -> None:
        before = len(asyncio.all_tasks())
        for number in range(100):
            scene.submit(an_order(number + 10))
            scene.venue.execute(Query(scene.clock.now_ns(), "sce9"))
            if number % 20 == 0:
                scene.venue.execute(Inspect(scene.clock.now_ns()))
        await scene.heard(OrderReport, 100, state=OrderState.FILLED)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert scene.venue._latencies == {}

    trading(doing)
