"""The account keeps what it owns apart from what it wishes; the engine's tests tell the whole stories."""

from __future__ import annotations

from models.instrument import E8
from models.order import OrderState, Purpose
from tests.core.desk import MID, UNIT_E8, Desk, cancels


def test_an_account_at_rest_has_nothing_at_risk() -> None:
    """Without orders and positions the exposure is the wallet alone, and the same object until money moves."""
    desk = Desk()
    desk.book()
    account, trader = desk.engine.account, desk.engine.traders[0]
    desk.command("allow_entries")
    resting = account.exposure(trader)
    assert (resting.equity_e8, resting.value_e8, resting.margin_e8, resting.alive) == (70 * E8, 0, 0, 0)
    desk.command("allow_entries")
    assert account.exposure(trader) is resting


def test_an_entry_on_its_way_counts_as_filled() -> None:
    """P03: what was sent is at risk at once, before any answer."""
    desk = Desk()
    desk.book()
    order = desk.sent(desk.signal())
    exposure = desk.engine.account.exposure(desk.engine.traders[0])
    assert exposure.value_e8 == MID * order.quantity * UNIT_E8
    assert (exposure.alive, exposure.alive_entries) == (1, 1)


def test_a_run_is_unfinished_until_the_last_order_is_over() -> None:
    """A refused entry leaves nothing behind."""
    desk = Desk()
    desk.book()
    order = desk.sent(desk.signal())
    assert desk.engine.account.on_the_way() and desk.engine.account.unfinished()
    desk.report(order, OrderState.REJECTED, reason="test")
    assert not desk.engine.account.on_the_way() and not desk.engine.account.unfinished()


def test_a_cancel_names_instrument_and_kind() -> None:
    """The stop of a closed position is taken back as a stop, which the venue keeps apart from other orders."""
    desk = Desk()
    desk.open()
    stop = desk.engine.orders.alive(0, Purpose.STOP)[0].approved
    desk.close()
    sent = [action for action in desk.log if getattr(action, "client_id", "") == stop.client_id]
    assert cancels(sent) == [stop.client_id]
    assert [(action.instrument, action.stop) for action in sent] == [(0, True)]  # type: ignore[union-attr]
