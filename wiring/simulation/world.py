"""One seed: exchange, bot, faults and the person at the controls, in one virtual time, and what was found."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from config.settings import Settings
from core.risk.mode import BY_HAND
from models.control import Operating
from models.error import ScalperError
from models.event import Command, Inherited
from models.instrument import E8
from storage.cold.inheritance import left_behind
from wiring.simulation import faults
from wiring.simulation.bot import OWNER, Bot
from wiring.simulation.exchange import Exchange
from wiring.simulation.invariants import Invariants, Violation
from wiring.simulation.loop import START_S, VirtualLoop
from wiring.simulation.network import Network
from wiring.simulation.truth import Truth
from wiring.terms import PREFIX, VIRTUAL_START_NS

EQUITY_USDT = 1_000.0
FAULTS_PER_HOUR = 40.0
OPERATOR_S = 5.0  # how often the person looks
PATIENCE_S = 20.0  # how long something stands before the person acts
SKEW_NS = 300_000_000  # how far the bot's clock is from the venue's, at most


class Outcome(msgspec.Struct):
    """What one seed came to."""

    seed: int
    hours: float
    frames: int
    intents: int
    entries: int
    trips: int
    faults: int
    kills: int
    lives: int
    violations: list[Violation]
    tuples: list[tuple[str, ...]]
    bare_worst_s: float
    restarts_s: list[float]
    state: str
    journal: str
    audit: str
    elapsed_s: float
    by_kind: dict[str, int]


def eager(settings: Settings, dice: Random) -> Settings:
    """Settings that trade often: low thresholds, short holds, near stops; order type and transport are drawn."""
    replace = msgspec.structs.replace
    params = replace(
        settings.strategy.params, bar_s=1, baseline_bars=5, volume_multiple=1.2, imbalance_entry=0.2, momentum_s=2,
        momentum_z=0.4, momentum_history_min=2, momentum_ready_min=1, hold_min_s=dice.choice((1, 5, 20)), fade_bars=2,
        stop_pct=dice.choice((0.05, 0.15, 0.5)), cooldown_s=dice.choice((5, 15, 30)),
    )  # fmt: skip
    risk = replace(
        settings.risk, equity_usdt=EQUITY_USDT, order_value_max_equity=1.0, position_value_max_equity=1.0,
        repeat_entries_max=1_000, entries_per_hour=1_000, entries_per_day=10_000, daily_loss_soft_pct=100.0,
        daily_loss_hard_pct=100.0, drawdown_max_pct=100.0, fee_budget_pct=100.0, streak_pause=100_000,
        streak_halt=100_000, depth_multiple_min=0.0, messages_per_min=600, stop_loss_pct=5.0,
    )  # fmt: skip
    execution = replace(
        settings.execution, entry_type=dice.choice(("market", "market", "ioc", "maker")),
        transport=dice.choice(("rest", "rest", "ws")), keep_warm=False,
    )  # fmt: skip
    feed = replace(settings.feed, prime=dice.randrange(4) == 0)  # thousands of past trades a start, all alike
    strategy = replace(settings.strategy, params=params)
    return replace(settings, strategy=strategy, risk=risk, execution=execution, feed=feed)


class World:
    """See the module. ``run`` may be called once."""

    def __init__(self, seed: int, hours: float, settings: Settings, faults_per_hour: float = FAULTS_PER_HOUR) -> None:
        self.seed, self.duration_s = seed, hours * 3600.0
        self.dice = Random(f"{seed}/world")
        self.settings = eager(settings, Random(f"{seed}/settings"))
        self.loop = VirtualLoop()
        self.trouble = faults.Trouble()
        self.truth = Truth(PREFIX)
        self.checks = Invariants(self.truth, self.trouble, self.loop)
        self.audit, self.journals = hashlib.sha256(), hashlib.sha256()
        self.plan = faults.plan(Random(f"{seed}/plan"), self.duration_s, faults_per_hour)
        self.bot: Bot | None = None
        self.lives = self.kills = self.trips = 0
        self.struck: dict[str, int] = {}
        self.observe: Callable[[World], None] = lambda world: None
        self._fresh = False  # the next life begins without what the one before left
        self._kill_at: tuple[int, bool] | None = None
        self._errors: list[str] = []

    # -- one run -----------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        began_s = time.process_time()
        loop = self.loop
        loop.set_task_factory(self._task)  # type: ignore[arg-type]
        loop.set_exception_handler(self._failed)
        loop.settled = self.checks.settled
        near, self.checks.near = self.checks.near, self._near  # type: ignore[method-assign]
        with (
            tempfile.TemporaryDirectory(prefix="scalper-simulation-", dir=_memory()) as folder,
            asyncio.Runner(loop_factory=lambda: loop) as runner,
        ):
            self._folder = Path(folder)
            runner.run(self._run())
        del near
        checks, bot = self.checks, self.bot
        engine = None if bot is None else bot.engine
        return Outcome(
            self.seed, self.duration_s / 3600.0, self.exchange.frames, checks.intents, checks.entries, self.trips,
            sum(self.struck.values()), self.kills, self.lives, checks.violations, sorted(checks.tuples),
            round(checks.bare_worst_s, 3), [round(one, 3) for one in checks.restarts_s],
            "" if engine is None else engine.memory.hash(), self.journals.hexdigest(), self.audit.hexdigest(),
            time.process_time() - began_s, self.struck,
        )  # fmt: skip

    async def _run(self) -> None:
        loop = self.loop
        self.exchange = Exchange(loop, self.seed, VIRTUAL_START_NS, round(EQUITY_USDT * E8), self._audited)
        self._watch_faults()
        tasks = [
            loop.create_task(one) for one in (self.exchange.run(), self._supervise(), self._operate(), self._strike())
        ]
        end_s = START_S + self.duration_s
        ends = loop.create_task(asyncio.sleep(end_s - loop.now_s))
        await asyncio.wait([ends, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()  # none of them ends by itself
        self.checks.ended(self.bot, self.exchange.venue.key().secret)
        for text in self._errors[:5]:
            self.checks.broken(16, text)
        if self.bot is not None:
            self._close_books(self.bot)
            self.bot.kill()
            self.bot.bury()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(1.0)

    def _audited(self, record: dict[str, object]) -> None:
        self.audit.update(msgspec.json.encode(record))
        self.checks.audit(record)

    # -- processes ---------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start the bot, and start it again whenever it has ended."""
        left: Inherited | None = None
        early = 0
        while True:
            bot = self._made(left)
            life = self.loop.create_task(bot.live())
            death = self.loop.create_task(bot.dead.wait())
            await asyncio.wait((life, death), return_when=asyncio.FIRST_COMPLETED)
            killed = bot.dead.is_set()
            if not killed:
                failed = life.exception()
                if failed is not None and not isinstance(failed, ScalperError | TimeoutError | OSError):
                    raise failed
                bot.kill()
            death.cancel()
            bot.bury()
            self._close_books(bot)
            left = self._left_by(bot, left)
            early = early + 1 if bot.ready_s < 0 and not killed else 0  # a supervisor waits longer each time
            await asyncio.sleep(min(self.dice.uniform(0.1, 0.6) * 2**early, 30.0))

    def _made(self, left: Inherited | None) -> Bot:
        self.lives += 1
        dice = Random(f"{self.seed}/life {self.lives}")
        anchor_ns = VIRTUAL_START_NS + self.loop.now_ns + round((2 * dice.random() - 1) * SKEW_NS)
        network = Network(self.loop, self.exchange.venue, self.exchange.connections, self.exchange.limits, dice)
        bot = Bot(
            self.exchange, network, self.settings, dice, self.checks, name=f"{self.seed}|{self.lives}",
            anchor_ns=anchor_ns, left=left,
        )  # fmt: skip
        self.bot = self.checks.bot = bot
        return bot

    def _close_books(self, bot: Bot) -> None:
        self.journals.update(bot.journal.data)
        if bot.engine is not None:
            self.trips += bot.engine.account.trips

    def _left_by(self, bot: Bot, before: Inherited | None) -> Inherited | None:
        """What the next life inherits: from the journal as a killed process leaves it, read by the product."""
        if self._fresh:
            self._fresh = False
            return None
        if bot.parts is None:  # it ended before it had a journal
            return before
        path = self._folder / f"{self.lives}.journal"
        bot.journal.spill(path, self.dice.choice((0, 0, 7, 31)))
        found = left_behind(path, bot.clock.now_ns()) if self.checks.restarted(bot, path) else None
        path.unlink()
        return found

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        owner = OWNER.get()
        if owner is not None:
            owner.tasks[task] = None
            task.add_done_callback(lambda done: owner.tasks.pop(done, None))
        return task

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something raised where nobody listens: in a process that lives this is a mistake."""
        error = context.get("exception")
        if self.bot is not None and not self.bot.dead.is_set() and not isinstance(error, asyncio.CancelledError):
            self._errors.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # -- faults ------------------------------------------------------------------------------------------------------

    def _watch_faults(self) -> None:
        """Know when a lever acts: limits in seconds count from there."""
        armed_faults, trouble, loop = self.exchange.venue.faults, self.trouble, self.loop
        hit, note = armed_faults.hit, armed_faults.note
        lasting = {"cancel_stop": 12.0, "clock_skew": 3.0, "ban": 9.0, "expire_listen_key": 3.0, "leverage": 0.0}

        def watched_hit(armed: Any) -> bool:
            if not hit(armed):
                return False
            fault = armed.fault
            if faults.excuses(fault.lever, fault.when):
                trouble.at(loop.now_s, float(fault.args.get("s", 0.0)) + float(fault.args.get("retry_after", 0.0)))
            return True

        def watched_note(lever: str) -> None:
            note(lever)
            trouble.at(loop.now_s, lasting.get(lever, 0.0)) if lever in lasting else None

        armed_faults.hit, armed_faults.note = watched_hit, watched_note  # type: ignore[method-assign]

    async def _strike(self) -> None:
        stage = faults.Stage(
            self.exchange, self.trouble, lambda: None if self.bot is None else self.bot.network, self._kill,
            self._plan_kill, self._fill_disk,
        )  # fmt: skip
        for fault in self.plan:
            await asyncio.sleep(max(0.0, START_S + fault.at_s - self.loop.now_s))
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
            faults.strike(stage, fault)
        await asyncio.Event().wait()

    def _kill(self) -> None:
        bot = self.bot
        if bot is not None and not bot.dead.is_set() and bot.parts is not None:
            self.kills += 1
            bot.kill()

    def _plan_kill(self, records: int, written: bool) -> None:
        if self.bot is not None:
            self._kill_at = self.bot.journal.records + records, written

    def _near(self, bot: Bot, record: int, written: bool) -> None:
        if self._kill_at is not None and bot is self.bot and self._kill_at[0] <= record and self._kill_at[1] is written:
            self._kill_at = None
            self._kill()

    def _fill_disk(self) -> None:
        if self.bot is not None:
            self.bot.journal.failed = "the journal cannot grow: no space left on device"

    # -- the person --------------------------------------------------------------------------------------------------

    async def _operate(self) -> None:
        """Allow entries again when a cause only a person lifts has stood for a while; start anew after a halt."""
        since: dict[str, float] = {}
        while True:
            await asyncio.sleep(OPERATOR_S)
            self.observe(self)
            bot = self.bot
            if bot is None or bot.dead.is_set() or bot.parts is None or bot.engine is None or bot.ready_s < 0:
                continue
            causes, now_s = bot.engine.mode.causes, self.loop.now_s
            by_hand = [cause for cause in BY_HAND if cause in causes]
            halted = bot.engine.mode.state is Operating.HALTED and bot.parts.flat
            for key, stands in (("hand", bool(by_hand)), ("halt", halted), ("disk", bool(bot.journal.failed))):
                if not stands:
                    since.pop(key, None)
                elif now_s - since.setdefault(key, now_s) >= PATIENCE_S:
                    del since[key]
                    self._act(bot, key)

    def _act(self, bot: Bot, key: str) -> None:
        assert bot.parts is not None
        if key == "hand" and not bot.journal.failed:
            bot.parts.ear.fact(Command(bot.clock.now_ns(), "allow_entries", "operator"))
        elif key in ("halt", "disk"):
            self._fresh = key == "halt"  # the person has read what happened and puts the old journal away
            bot.stop.set()


def _memory() -> str | None:
    """A folder in memory where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


__all__ = ["Outcome", "World", "eager"]
