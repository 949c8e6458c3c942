"""Causes hold the bot back, say so once, and end by themselves where they may."""

from __future__ import annotations

import msgspec

from config.settings import Risk
from core.outbox import Outbox
from core.risk.brakes import EQUITY_CHECK_NS, Brakes
from core.risk.ledger import DAY_NS, RiskLedger
from core.risk.mode import Cause
from models.control import Operating
from models.instrument import E8
from models.rows import FAR_NS

START_NS = 20_000 * DAY_NS


class Scene:
    """Brakes on an account of 100 USDT, and what they asked for."""

    def __init__(self, **risk: object) -> None:
        self.out = Outbox()
        self.out.now_ns = START_NS
        self.ledger = RiskLedger(100 * E8)
        self.ledger.roll(START_NS, 100 * E8)
        self.left: list[str] = []
        self.told: list[str] = []
        wanted = msgspec.structs.replace(Risk(), **risk)
        self.brakes = Brakes(self.out, wanted, self.ledger, self.left.append, self.told.append)


def test_a_cause_is_told_once_and_a_second_of_the_same_state_is_not() -> None:
    """Only a change of the operating state is told."""
    scene = Scene()
    scene.brakes.block(Cause.STREAM, "depth: silent")
    scene.brakes.block(Cause.STREAM, "depth: silent")
    scene.brakes.block(Cause.CLOCK, "clock known to 900 ms > 800 ms")
    scene.brakes.lift(Cause.STREAM)
    scene.brakes.lift(Cause.CLOCK)
    assert scene.told == ["STREAM: depth: silent", "RECOVERED: P11 lifted"]
    assert scene.brakes.mode.state is Operating.NORMAL


def test_a_cause_that_halts_leaves_the_market() -> None:
    """What demands to be flat asks for it, with the reason that the trades will carry."""
    scene = Scene()
    scene.brakes.block(Cause.SHUTDOWN, "run: end of run")
    scene.brakes.block(Cause.KILL, "test: kill switch")
    assert scene.left == ["force_exit", "emergency_exit"]
    assert scene.brakes.wants_flat


def test_losses_are_looked_at_each_second_while_something_is_held() -> None:
    """With a position the next look is a second away, without one there is none."""
    scene = Scene()
    scene.brakes.check_losses(99 * E8, True)
    assert scene.brakes.timer_ns == START_NS + EQUITY_CHECK_NS
    scene.brakes.check_losses(99 * E8, False)
    assert scene.brakes.timer_ns == FAR_NS


def test_midnight_lifts_what_the_day_had_used_up() -> None:
    """A fee budget that is spent ends with its UTC day, and the look at midnight is planned."""
    scene = Scene(fee_budget_pct=1.0)
    scene.ledger.fill(0, 2 * E8)
    scene.brakes.check_losses(98 * E8, False)
    assert list(scene.brakes.mode.causes) == [Cause.FEE_BUDGET]
    assert scene.brakes.timer_ns == START_NS + DAY_NS
    scene.out.now_ns = START_NS + DAY_NS
    assert scene.brakes.timer()
    scene.brakes.check_losses(98 * E8, False)
    assert scene.brakes.mode.state is Operating.NORMAL


def test_a_pause_ends_by_itself() -> None:
    """After a row of losses entries are blocked for the minutes of the setting."""
    scene = Scene(streak_pause=2, streak_pause_min=15)
    for _ in range(2):
        scene.ledger.trip(-1)
    scene.brakes.judge_streak()
    assert list(scene.brakes.mode.causes) == [Cause.STREAK_PAUSE]
    scene.out.now_ns = scene.brakes.timer_ns
    scene.brakes.timer()
    assert scene.out.now_ns == START_NS + 15 * 60 * 10**9
    assert scene.brakes.mode.state is Operating.NORMAL


def test_a_person_lifts_what_only_a_person_may() -> None:
    """Allowing entries lifts the operator's own block and repeats, not a kill."""
    scene = Scene()
    scene.brakes.block(Cause.OPERATOR, "test: entries stopped")
    scene.brakes.block(Cause.KILL, "test: kill switch")
    scene.brakes.lift_by_hand()
    assert list(scene.brakes.mode.causes) == [Cause.KILL]


def test_rearm_is_refused_while_a_hard_limit_is_broken() -> None:
    """A halt by loss is lifted when the loss is no longer there; until then the kill beside it stays as well."""
    scene = Scene(daily_loss_hard_pct=10.0)
    scene.brakes.check_losses(80 * E8, False)
    scene.brakes.block(Cause.KILL, "test: kill switch")
    scene.brakes.rearm(80 * E8)
    assert {Cause.KILL, Cause.DAILY_LOSS_HARD} <= set(scene.brakes.mode.causes)
    scene.brakes.rearm(100 * E8)
    assert scene.brakes.mode.state is Operating.NORMAL
