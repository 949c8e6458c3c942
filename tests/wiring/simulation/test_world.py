"""Seeds of the simulation: the same run again, nothing broken, and each invariant shown to fire by a seeded bug.

A bug is put into the product by a test alone. The scenes are short and dense with faults, so that each bug meets its
fault within minutes of the market.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.load import load
from core.account import Account
from core.custody import Custody
from core.execution.verdicts import Verdicts
from core.risk.brakes import Brakes
from core.risk.gate import Gate
from core.risk.ledger import RiskLedger
from core.risk.mode import Cause
from exchange.binance.venue import BinanceVenue
from models.action import Submit
from models.order import OrderState, Purpose, Refused
from wiring.simulation import faults
from wiring.simulation.faults import Planned
from wiring.simulation.world import Outcome, World

SETTINGS = load(environment={}, folder=Path(__file__).parent).settings
SEED, HOURS = 2, 0.06
Bug = Callable[[pytest.MonkeyPatch], None]


def world(seed: int = SEED, hours: float = HOURS, plan: list[Planned] | None = None) -> World:
    made = World(seed, hours, SETTINGS, 200.0)
    if plan is not None:
        made.plan = plan
    return made


def broken(outcome: Outcome) -> set[int]:
    return {one.invariant for one in outcome.violations}


def test_a_seed_is_one_run() -> None:
    """The same seed gives the same state, journals and log of the exchange; another seed gives others."""
    first, second, other = (world(seed, 0.02, [Planned(40.0, "killed at a record", 3)]).run() for seed in (3, 3, 4))
    assert msgspec.structs.replace(first, elapsed_s=0.0) == msgspec.structs.replace(second, elapsed_s=0.0)
    assert first.state and first.journal != other.journal and first.audit != other.audit


def test_no_clock_of_the_machine_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine gives the same run: whatever asks for real time while one goes on is an error."""
    made = world(3, 0.01, [Planned(20.0, "killed", 3)])

    def real() -> float:
        raise AssertionError("the simulation asked the machine for its time")

    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime"):
        monkeypatch.setattr(time, name, lambda *_: real())
    assert made.run().violations == []


def test_nothing_is_broken_and_the_market_is_busy() -> None:
    """Minutes of market with faults and kills: no invariant broken, and enough of everything."""
    outcome = world(11, 0.12).run()
    assert outcome.violations == []
    assert outcome.frames / outcome.hours / 3600 >= 10
    assert outcome.intents / outcome.hours >= 20 and outcome.faults / outcome.hours >= 10
    assert outcome.trips > 0 and len(outcome.tuples) > 10


def test_a_plan_has_ten_faults_an_hour_at_least() -> None:
    """Whatever is drawn, a full hour has them, all before the last minutes, in which a run must recover."""
    for seed in range(50):
        plan = faults.plan(faults.Random(seed), 3600.0, 12.0)
        assert len(plan) >= 10
        assert plan == sorted(plan, key=lambda one: one.at_s) and plan[-1].at_s <= 3600.0 - faults.LAST_S


def _twice(patch: pytest.MonkeyPatch) -> None:
    """Every entry is sent under a second name as well."""
    execute = BinanceVenue.execute

    def doubled(self: BinanceVenue, action: Any) -> None:
        execute(self, action)
        if isinstance(action, Submit) and action.order.purpose is Purpose.ENTRY:
            name = f"{action.order.client_id[:-1]}z"
            execute(self, Submit(action.at_ns, msgspec.structs.replace(action.order, client_id=name)))

    patch.setattr(BinanceVenue, "execute", doubled)


def _no_stop(patch: pytest.MonkeyPatch) -> None:
    """No stop is ever placed, and nobody misses one."""
    patch.setattr(Account, "_protect", lambda self, trader, order, fresh: None)
    patch.setattr(Custody, "_guard", lambda self, trader, now: None)


def _no_cleaning(patch: pytest.MonkeyPatch) -> None:
    """Stops are never taken back."""
    patch.setattr(BinanceVenue, "_cancel", lambda self, wish: None)


def _flips(patch: pytest.MonkeyPatch) -> None:
    """Exits are twice as large as the position and may open another."""
    reduce = Gate.reduce

    def larger(self: Gate, *words: Any) -> Any:
        order = reduce(self, *words)
        return msgspec.structs.replace(order, quantity=2 * order.quantity, reduce_only=False)

    patch.setattr(Gate, "reduce", larger)


def _false_fees(patch: pytest.MonkeyPatch) -> None:
    """Fees are not booked, and the money is not compared."""
    fill = RiskLedger.fill
    patch.setattr(RiskLedger, "fill", lambda self, realised, fee: fill(self, realised, 0))
    patch.setattr(Custody, "_money", lambda self, event: None)


def _unjournaled(patch: pytest.MonkeyPatch) -> None:
    """Wishes reach the venue, not the journal."""
    from wiring.simulation.bot import WatchedKeeper

    patch.setattr(WatchedKeeper, "action", lambda self, action, frame: None)


def _blind(patch: pytest.MonkeyPatch) -> None:
    """Nothing holds an entry back."""
    patch.setattr("core.risk.mode.Mode.first", lambda self: None)
    patch.setattr(Brakes, "lift", lambda self, cause: None)


def _unreadable(patch: pytest.MonkeyPatch) -> None:
    """The journal keeps contents that nobody can read."""
    patch.setattr("storage.cold.keeper.encode", lambda content: b"\x93no")


def _oversized(patch: pytest.MonkeyPatch) -> None:
    """Entries are four times as large as the gate allowed."""
    entered = BinanceVenue._submit

    def larger(self: BinanceVenue, order: Any) -> None:
        many = 4 if order.purpose is Purpose.ENTRY else 1
        entered(self, msgspec.structs.replace(order, quantity=many * order.quantity))

    patch.setattr(BinanceVenue, "_submit", larger)


def _forgetful(patch: pytest.MonkeyPatch) -> None:
    """A restart lifts what only a person may lift."""
    start, begun = Custody.start, []

    def barred(self: Custody) -> None:
        start(self)
        if not begun:
            self._brakes.block(Cause.REPEATED, "a person must look")
        begun.append(self)

    patch.setattr(Custody, "start", barred)
    patch.setattr(Brakes, "inherit", lambda self, left: None)


def _hoarding(patch: pytest.MonkeyPatch) -> None:
    """Each reading of the account leaves a task behind."""
    inspect = BinanceVenue._inspect

    def leaking(self: BinanceVenue) -> None:
        inspect(self)
        for _ in range(50):
            self._spawn(asyncio.sleep(1e6))

    patch.setattr(BinanceVenue, "_inspect", leaking)


def _deaf(patch: pytest.MonkeyPatch) -> None:
    """Exits are wanted and never sent."""
    submit = BinanceVenue._submit
    patch.setattr(
        BinanceVenue, "_submit", lambda self, order: None if order.purpose is Purpose.EXIT else submit(self, order)
    )


def _absent(patch: pytest.MonkeyPatch) -> None:
    """What has no answer is taken for never placed, without proof."""
    report = BinanceVenue._report

    def hasty(self: BinanceVenue, client_id: str, state: OrderState, reason: str) -> None:
        if state is OrderState.UNKNOWN:
            state, reason = OrderState.REJECTED, f"{Refused.NOT_PLACED.value}: {reason}"
        report(self, client_id, state, reason)

    patch.setattr(BinanceVenue, "_report", hasty)


def _undecided(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks what became of an order."""
    patch.setattr(Verdicts, "due", lambda self, now_ns: [])
    patch.setattr(Custody, "_strays", lambda self, event: None)


def _stuck(patch: pytest.MonkeyPatch) -> None:
    """What begins a run never ends."""
    truth = Custody.truth

    def stuck(self: Custody, event: Any) -> None:
        truth(self, event)
        self._brakes.block(Cause.STREAM, "for ever")

    patch.setattr(Custody, "truth", stuck)


def _all(kind: str, count: int = 40, first_s: float = 46.0, every_s: float = 3.0) -> list[Planned]:
    return [Planned(first_s + every_s * number, kind, number) for number in range(count)]


CALM: list[Planned] = []
BUGS: dict[str, tuple[int, Bug, list[Planned]]] = {
    "entries twice": (2, _twice, CALM),
    "no stop": (5, _no_stop, CALM),
    "no cleaning": (6, _no_cleaning, CALM),
    "flips": (7, _flips, CALM),
    "fees forgotten": (11, _false_fees, CALM),
    "not in the journal": (3, _unjournaled, CALM),
    "nothing held back": (14, _blind, _all("private cut")),
    "unreadable journal": (8, _unreadable, _all("killed", 1, 60.0)),
    "oversized": (12, _oversized, CALM),
    "restart forgets": (13, _forgetful, [Planned(20.0, "killed", 1)]),
    "hoarding": (16, _hoarding, CALM),
    "exits unsent": (18, _deaf, CALM),
    "absence guessed": (4, _absent, _all("late answer")),
    "stuck": (17, _stuck, CALM),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariant that a bug breaks is reported, with the bug in the product and a run of minutes."""
    invariant, bug, plan = BUGS[name]
    bug(monkeypatch)
    assert invariant in broken(world(plan=plan).run())
