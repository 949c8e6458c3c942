"""F58: the bot's own gate must never refuse what reduces or protects. In the pure core: no socket changes a denial."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.decision import PositionState
from core.risk.mode import Cause
from models.event import Inherited
from models.instrument import E8
from models.order import OrderType, Purpose, Side
from models.rows import FAR_NS
from models.survivors import Survivors
from tests.core.desk import MID, orders_of
from tests.core.test_custody import Scene

CAUSES = st.sets(st.sampled_from([cause for cause in Cause if cause is not Cause.STARTING]), max_size=6)
LEAVE_BIT = 2


def left_by_a_kill() -> Survivors:
    """What a run leaves behind that somebody ended by the kill switch."""
    money = 70 * E8
    return Survivors(money, money, money, 0, money, 0, 0, 0, {Cause.KILL.value: "kill switch"}, FAR_NS, FAR_NS, False)


def hampered(scene: Scene, causes: set[Cause], messages: int, lost_usdt: int) -> None:
    """Everything that stops an entry: causes in force, a used-up message rate, a wallet that is all but gone."""
    ledger = scene.engine.ledger
    for cause in causes:
        scene.engine.brakes.block(cause, "test")
    for _ in range(messages):
        ledger.message(scene.now_ns)
    ledger.move(-lost_usdt * E8)


@settings(max_examples=60, deadline=None)
@given(CAUSES, st.integers(0, 500), st.integers(0, 69), st.sampled_from(Side), st.integers(1, 400))
def test_no_exit_is_ever_denied(causes: set[Cause], messages: int, lost: int, side: Side, lots: int) -> None:
    """Whatever holds entries back, a wanted exit leaves at once, reduce-only, for the whole position."""
    scene = Scene().begun()
    scene.open(side, lots=1)
    trader = scene.engine.traders[0]
    mark = len(scene.log)
    hampered(scene, causes, messages, lost)
    if trader.state is not PositionState.EXITING:  # else a cause that wants to be flat has sent it already
        scene.exit_fires(LEAVE_BIT)
    scene.log += scene.engine._out.take()
    (exit_order,) = orders_of(scene.log[mark:], Purpose.EXIT)
    assert (exit_order.side, exit_order.quantity, exit_order.reduce_only) == (side.other, 1, True)


@settings(max_examples=60, deadline=None)
@given(CAUSES, st.integers(0, 500), st.integers(0, 69), st.integers(-40, 40).filter(bool))
def test_no_stop_is_ever_denied(causes: set[Cause], messages: int, lost: int, lots: int) -> None:
    """A position that appears while everything is held back gets its stop, or leaves where a cause wants it flat."""
    scene = Scene().begun()
    hampered(scene, causes, messages, lost)
    scene.log += scene.engine._out.take()
    mark = len(scene.log)
    for _ in range(2):
        scene.wait(1_000)
        scene.read(lots=lots)
    sent = orders_of(scene.log[mark:])
    assert {order.purpose for order in sent} <= {Purpose.STOP, Purpose.EXIT}
    covering = [order for order in sent if order.quantity == abs(lots) and order.reduce_only]
    assert covering == sent
    assert (Purpose.STOP in {order.purpose for order in sent}) or scene.engine.brakes.wants_flat
    assert all(order.side is (Side.SELL if lots > 0 else Side.BUY) for order in sent)


def test_a_halted_bot_protects_and_leaves_what_it_finds() -> None:
    """Started under a halt of the run before with a position at the venue: a stop first, then an exit, none refused."""
    scene = Scene()
    scene.book()
    scene.step(Inherited(scene.now_ns, left_by_a_kill(), (), ()))
    scene.command("start")
    scene.read(lots=5)
    stop, leaving = orders_of(scene.log)
    assert (stop.type, stop.purpose, 0 < stop.trigger < MID) == (OrderType.STOP_MARKET, Purpose.STOP, True)
    assert (leaving.purpose, leaving.quantity, leaving.reduce_only) == (Purpose.EXIT, 5, True)
    assert scene.engine.gate.denials == {}
