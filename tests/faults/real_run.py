"""A real run against a real exchange in one process: the wiring of rehearsal, testnet and live, on loopback sockets.

``running(script, folder)`` opens an exchange with an account and a bot on it, and plays ``script(scene)`` beside them.
Orders are provoked by hand: ``scene.enter()``, ``scene.leave()``; the scripted strategy has no idea of its own. Faults
are pulled by ``scene.arm(...)`` (``exchange.emulator.levers``). A script waits by ``await scene.until(...)``, which
fails after a deadline and tells what the bot looked like. ``SPEED`` venue seconds pass in a real one, so that deadlines
of seconds cost tenths; the bounds of the venue's parts shrink with them. A fault's ``at_s`` and ``for_s`` are venue
seconds, the seconds a lever delays something by are real ones.

For a restart open the two apart: ``async with exchange() as venue: async with Bot(venue, folder) as bot: ...`` (see
``test_real_run``). Leaving a bot's block ends it as a kill would: nothing is closed, cancelled or said;
``await bot.stop()`` ends it in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

import wiring
from config.secret import Secret
from config.settings import Settings
from core.decision import PositionState
from core.execution.orders import Order
from core.kernels.state import Wake as Bits
from core.risk.mode import Cause
from core.strategies.strategy import Asks, Decline, View
from exchange.binance.account_rest import CallLimits
from exchange.binance.assembly import Addresses, Bounds
from exchange.binance.quota import Quota
from exchange.binance.signing import HmacSigner
from exchange.binance.user_stream import StreamLimits
from exchange.binance.venue import BinanceVenue, VenueLimits
from exchange.emulator.generator import Generator
from exchange.emulator.server import Emulator
from exchange.emulator.trading.account import Account
from exchange.emulator.venue import AccountPlan, VenueTerms
from interface.drivers import sockets
from interface.drivers.parts import Parts
from models.action import Note
from models.control import Decision, Operating
from models.event import Command
from models.instrument import E8
from models.order import Intent, Purpose, Side
from storage.cold.keeper import kept
from utils.clock import RunClock, wall_ns
from wiring.sockets import connect

SEED = 7
SPEED = 5.0
WITHIN_S = 10.0
"""Real seconds after which a test that still waits has failed."""

NUMBERS = (
    "messages_per_s", "messages_per_10s", "messages_per_min", "repeat_entries_max", "entries_per_hour",
    "entries_per_day",
)  # fmt: skip
PERCENTS = ("fee_budget_pct", "daily_loss_soft_pct", "daily_loss_hard_pct", "drawdown_max_pct")
"""Limits that end no test: many round trips are as good as one, and a busy machine is no fault of the market."""

Script = Callable[["Scene"], Awaitable[Any]]


def exchange(*, speed: float = SPEED, orderly: bool = True, usdt: float = 70.0, **terms: Any) -> Emulator:
    """An exchange with the seeded market of one contract and the account ``main``; not yet open."""
    plan = AccountPlan(usdt_e8=round(usdt * E8), options=terms.pop("options", {}))
    market = Generator(SEED, wall_ns(), ("BTCUSDT",))
    return Emulator(market, speed=speed, terms=VenueTerms([plan], seed=SEED, orderly=orderly, **terms))


def bounds(speed: float = SPEED, **changed: Any) -> Bounds:
    """The bounds of the venue's parts in real seconds, as short as the venue's seconds are."""
    usual, stream, calls = VenueLimits(), StreamLimits(), CallLimits()
    found = Bounds(
        venue=VenueLimits(
            order_s=usual.order_s / speed,
            clock_every_s=usual.clock_every_s / speed,
            inspect_again_s=usual.inspect_again_s / speed,
        ),
        stream=msgspec.structs.replace(
            stream, silence_s=stream.silence_s / speed, overlap_s=stream.overlap_s / speed,
            silent_again_s=stream.silent_again_s / speed,
        ),
        calls=CallLimits(deadline_s=calls.deadline_s / speed, backoff_base_s=calls.backoff_base_s / speed),
    )  # fmt: skip
    return msgspec.structs.replace(found, **changed)


def settings(data: Path, venue: Emulator, **sections: dict[str, Any]) -> Settings:
    """The defaults against ``venue``, with files below ``data``; ``risk={"leverage": 5}`` changes a section."""
    base = Settings()
    given = {
        "app": {"data_dir": str(data), "mode": "testnet"},
        "feed": {"rest_url": venue.rest_url, "stream_url": venue.stream_url, "deliver_timeout_s": 10.0, "prime": False},
        "execution": {"keep_warm": False},
        "strategy": {"params": msgspec.structs.replace(base.strategy.params, cooldown_s=0)},
        "risk": {
            "order_value_max_equity": 3.0,
            "position_value_max_equity": 6.0,
            **dict.fromkeys(NUMBERS, 100_000),
            **dict.fromkeys(PERCENTS, 100.0),
            "streak_pause": 1_000,
            "streak_halt": 1_001,
            "duplicate_window_ms": 1,
        },
    }
    for name, fields in sections.items():
        given[name] = {**given.get(name, {}), **fields}
    changed = {name: msgspec.structs.replace(getattr(base, name), **fields) for name, fields in given.items()}
    return msgspec.structs.replace(base, **changed)


class Scripted:
    """A strategy without an idea: the next question is answered with what a test put there."""

    name = "scripted"
    asks = Asks(on_trigger=True)

    def __init__(self) -> None:
        self.next: Intent | None = None

    def decide(self, view: View) -> Intent | Decline | None:
        answer, self.next = self.next, None
        if answer is not None and answer.purpose is Purpose.ENTRY and (view.busy or view.position):
            return Decline("BUSY", "one position at a time")
        return answer

    def state(self) -> dict[str, object]:
        return {}


@functools.cache
def _warm() -> None:
    """Compiled once for all runs of this process: a third of a second each otherwise."""
    wiring.warm(Settings())


async def _market(stack: contextlib.AsyncExitStack, wanted: Settings, clock: RunClock) -> wiring.SocketVenue:
    """``wiring.choose_venue`` for an exchange that is there."""
    _warm()
    feed = wanted.feed
    venue = await connect(stack, wanted, "binance", feed.rest_url, feed.stream_url, clock)
    assert venue is not None, "the exchange did not deliver market data"
    return venue


class Bot:
    """One run of the bot on an open exchange: from the first connection to its end, in this process."""

    def __init__(self, venue: Emulator, data: Path, *, speed: float = SPEED, limits: Bounds | None = None,
                 mode: str = "testnet", secret: str = "", **sections: dict[str, Any]) -> None:  # fmt: skip
        self.notes: list[Note] = []
        self.clock = RunClock(venue.now_ns(), speed)
        self.parts: Parts
        self.side: wiring.AccountSide
        self.strategy = Scripted()
        self.failures: list[str] = []  # of the loop: tasks that raised where nobody waits
        self._exchange, self._data, self._mode, self._secret = venue, data, mode, secret
        self._speed, self._limits, self._sections = speed, limits or bounds(speed), sections
        self._stop = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._task: asyncio.Task[int] | None = None

    async def __aenter__(self) -> Bot:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: self.failures.append(repr(told)))
        wanted = settings(self._data, self._exchange, **self._sections)
        async with contextlib.AsyncExitStack() as stack:
            venue = await _market(stack, wanted, self.clock)
            account = await wiring.open_account(
                stack, wanted, venue, self._access(), self.clock, bounds=self._limits
            )  # fmt: skip
            self.side = account.side
            self.parts = wiring.real_sockets(
                wanted, venue, account, mode=self._mode, seed=SEED, started_ns=self.clock.now_ns(), speed=self._speed,
                observer=self.notes.append, strategy=self.strategy,
            )  # fmt: skip
            self._task = asyncio.create_task(
                sockets.drive(
                    self.parts, venue.line, venue.feed, venue.market, self.clock.now_ns, self._stop, rate=self._speed,
                    prime=False, protect=wanted.execution.shutdown_policy == "protect", account=self.side,
                ),
                name="run",
            )  # fmt: skip
            self._stack = stack.pop_all()
        return self

    def _access(self) -> wiring.Access:
        key, urls = self._exchange.venue.key(), self._exchange
        addresses = Addresses(
            rest=urls.rest_url, private=f"{urls.stream_url}/private", ws_api=f"{urls.stream_url}/ws-fapi/v1"
        )
        return wiring.Access(addresses, HmacSigner(Secret(key.key, "test"), Secret(self._secret or key.secret, "test")))

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for close in self.parts.closing:
            close()
        await self._stack.aclose()

    async def stop(self) -> None:
        """An orderly end, as the run's settings want it; raises what the run raised."""
        assert self._task is not None
        self._stop.set()
        async with asyncio.timeout(WITHIN_S):
            await self._task

    def failed(self) -> BaseException | None:
        """What ended the run, if anything did."""
        done = self._task is not None and self._task.done() and not self._task.cancelled()
        return self._task.exception() if done else None  # type: ignore[union-attr]


class Scene:
    """An exchange, a bot on it, and the levers of both. ``lots`` and ``causes`` are the bot's, ``held`` the venue's."""

    def __init__(self, venue: Emulator, bot: Bot) -> None:
        self.exchange, self.bot = venue, bot
        self.engine, self.session, self.parts = bot.parts.engine, bot.parts.session, bot.parts
        self.trader = self.engine.traders[0]
        self.arm = venue.venue.faults.arm
        self.pull = venue.venue.hands.pull
        self.clear = venue.venue.faults.clear

    # -- what is ------------------------------------------------------------------------------------------------

    @property
    def venue(self) -> BinanceVenue:
        """The client side."""
        return self.bot.side.venue

    @property
    def quota(self) -> Quota:
        """What the client knows of the venue's limits."""
        return self.venue._quota

    @property
    def account(self) -> Account:
        """The account as it is at the exchange."""
        found: Account = self.exchange.venue.accounts["main"]
        return found

    @property
    def lots(self) -> int:
        return self.trader.position.lots

    @property
    def held(self) -> int:
        """Lots at the exchange."""
        return self.account.position("BTCUSDT").quantity_e8 // self.parts.instruments[0].lot_e8

    @property
    def causes(self) -> dict[Cause, str]:
        return self.engine.mode.causes

    @property
    def stops(self) -> list[str]:
        """Conditional orders that wait at the exchange."""
        return [one.client_id for one in self.account.watched_algos()]

    def own(self, purpose: Purpose) -> list[Order]:
        """Living orders as the bot sees them."""
        return self.engine.orders.alive(0, purpose)

    def placed(self, purpose: Purpose) -> list[str]:
        """Ids of orders that the exchange has ever accepted, by what they were for."""
        every = [one.client_id for one in self.account.orders.values()]
        every += [one.client_id for one in self.account.algos.values()]
        return [name for name in dict.fromkeys(every) if name[10:11] == purpose.value and name.startswith("sc")]

    def records(self, file: str) -> list[dict[str, Any]]:
        """What the run has written down so far."""
        return [note.record for note in self.bot.notes if note.file == file]

    def calls(self, name: str) -> int:
        """How often a call has reached the exchange since ``count`` was set on it: see ``counting``."""
        return self._counters[name].met

    _counters: dict[str, Any]

    def counting(self, *names: str) -> None:
        """Count calls (``POST /fapi/v1/order``) from now on; nothing is done to them."""
        self._counters = {name: self.arm("headers", name, count=0) for name in names}

    # -- what to do ---------------------------------------------------------------------------------------------

    def ask(self, intent: Intent, bits: Bits) -> None:
        """Let the strategy be asked now, and answer with ``intent``."""
        now_ns = self.bot.clock.now_ns()
        self.session.time(now_ns)
        self.bot.strategy.next = intent
        self.session.wake(now_ns, intent.instrument, bits)

    def enter(self, side: Side = Side.BUY) -> str:
        """The strategy wants in, now; the client id of the entry under way, or empty: ``refusal`` says why. See
        ``entered``.
        """
        self.ask(Intent(0, side, Purpose.ENTRY, "test"), Bits.ENTRY)
        return self.trader.entry_id

    @property
    def refusal(self) -> str:
        """Why the newest signal became no order."""
        return str(self.records("signals")[-1].get("reject_reason") or "")

    def leave(self) -> str:
        """The strategy wants out; the exit's client id."""
        self.ask(Intent(0, Side.SELL, Purpose.EXIT, "test"), Bits.EXIT)
        return self.trader.exit_id

    def command(self, name: str) -> None:
        """What an operator says."""
        self.parts.ear.fact(Command(self.bot.clock.now_ns(), name, "test", ""))

    async def until(self, met: Callable[[], Any], why: str = "") -> None:
        """Wait for a state; ``WITHIN_S`` real seconds without it are a failure."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not met():
                    error = self.bot.failed()
                    if error is not None:
                        raise error
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise AssertionError(f"{why or 'the state'} never came; {self.said()}") from None

    async def passes(self, seconds: float) -> None:
        """Let venue time pass, for what must not happen in it."""
        end_ns = self.bot.clock.now_ns() + int(seconds * 1e9)
        await self.until(lambda: self.bot.clock.now_ns() >= end_ns)

    async def normal(self) -> None:
        """Wait until entries are allowed."""
        await self.until(lambda: self.can_enter, "NORMAL with a trusted market")

    @property
    def can_read(self) -> bool:
        """Whether the account is answered and has been read since anything was in doubt."""
        return Cause.STREAM not in self.causes and Cause.BLIND not in self.causes

    @property
    def can_enter(self) -> bool:
        return (
            self.engine.mode.state is Operating.NORMAL
            and self.trader.machine.now.decision is Decision.ALLOWED
            and self.trader.state is PositionState.FLAT
        )

    async def entered(self, side: Side = Side.BUY) -> str:
        """An entry that has left, as soon as the market lets it; its client id."""
        name = ""

        def tried() -> bool:
            nonlocal name
            name = self.enter(side) if self.can_enter else ""
            return bool(name)

        await self.until(tried, "an entry that leaves")
        return name

    async def open(self, side: Side = Side.BUY) -> str:
        """A position with its stop at the exchange; the entry's client id."""
        name = await self.entered(side)
        await self.until(lambda: self.protected, "a protected position")
        return name

    @property
    def protected(self) -> bool:
        """The venue holds what we hold, and a stop that we know of covers it."""
        return bool(
            self.lots
            and self.lots == self.held
            and not self.engine.account.on_the_way()
            and self.trader.stop_id in self.stops
            and any(one.venue_id for one in self.own(Purpose.STOP))
        )

    @property
    def clean(self) -> bool:
        """Flat on both sides, and nothing of ours is left."""
        return not (self.lots or self.held or self.stops or self.account.live or self.engine.account.unfinished())

    def said(self) -> str:
        """What both sides look like, for whoever reads a failure."""
        orders = [(one.approved.client_id, one.state.value) for one in self.engine.orders.all_alive()]
        return (
            f"bot {self.lots} lots, venue {self.held}; state {self.trader.state}, {dict(self.causes)}; market "
            f"{self.trader.machine.now.reason.value}; alive {orders}; stops {self.stops}; "
            f"signal {[one.get('reject_reason') for one in self.records('signals')][-1:]}; "
            f"stats {self.venue.stats()}; failures {self.bot.failures}"
        )

    # -- what must hold whatever happened ------------------------------------------------------------------------

    def check(self, *before: Scene) -> None:
        """Every order of ours at the exchange has an earlier intent in the journal, of this run or one of those
        ``before``; no task failed unheard.
        """
        assert not self.bot.failures, self.bot.failures
        wished = {one.order.client_id for run in (self, *before) for one in run.journaled("Submit")}
        own = {name for purpose in Purpose for name in self.placed(purpose)}
        assert own <= wished, own - wished
        assert self.exchange.failed is None, self.exchange.failed

    def journaled(self, kind: str) -> list[Any]:
        """Facts or wishes of a kind in the run's journal so far."""
        return [content for _, content in kept(self._path()) if type(content).__name__ == kind]

    def _path(self) -> Path:
        return self.parts.folder.parent.parent / "journal" / f"{self.parts.run_id}.journal"


def running(
    script: Script, data: Path, *, speed: float = SPEED, orderly: bool = True, bot: dict[str, Any] | None = None,
    **terms: Any,
) -> Any:  # fmt: skip
    """Play ``script`` beside a bot on an exchange; ``bot`` are options of ``Bot``, ``terms`` those of ``exchange``."""

    async def run() -> Any:
        async with (
            exchange(speed=speed, orderly=orderly, **terms) as venue,
            Bot(venue, data, speed=speed, **bot or {}) as one,
        ):
            scene = Scene(venue, one)
            result = await script(scene)
            scene.check()
            return result

    return uvloop.run(run())
