"""Orders as values."""

from __future__ import annotations

import msgspec
import pytest

from models.order import ApprovedOrder, Intent, OrderState, OrderType, Purpose, Side, TimeInForce
from models.rows import ASK, BID

ORDER = ApprovedOrder("id", 0, Side.BUY, OrderType.LIMIT, TimeInForce.GTX, 5, 2, 0, False, Purpose.ENTRY, 9)


def test_a_side_is_the_side_of_a_row() -> None:
    """BUY stands for the bid side and the buying aggressor, SELL for the other: one number everywhere."""
    assert (int(Side.BUY), int(Side.SELL)) == (BID, ASK)


@pytest.mark.parametrize(("side", "other", "sign"), [(Side.BUY, Side.SELL, 1), (Side.SELL, Side.BUY, -1)])
def test_a_side_knows_its_opposite_and_its_sign(side: Side, other: Side, sign: int) -> None:
    """Buying adds lots, selling takes them away."""
    assert (side.other, side.sign) == (other, sign)


def test_terminal_states() -> None:
    """Four states end an order; UNKNOWN is not one of them."""
    terminal = {state.value for state in OrderState if state.terminal}
    assert terminal == {"FILLED", "CANCELED", "EXPIRED", "REJECTED"}


def test_purposes_are_one_letter_each() -> None:
    """A client id tells by one letter what its order is for, so the letters differ."""
    letters = [purpose.value for purpose in Purpose]
    assert len(set(letters)) == len(letters) and all(len(letter) == 1 for letter in letters)


@pytest.mark.parametrize("value", [ORDER, Intent(0, Side.SELL, Purpose.EXIT, "book_reversal")])
def test_orders_and_intents_cannot_be_changed(value: msgspec.Struct) -> None:
    """What the gate approved stays as it was approved."""
    with pytest.raises(AttributeError):
        value.side = Side.BUY  # type: ignore[attr-defined]


def test_an_order_survives_the_journal() -> None:
    """An approved order written as JSON and read back is equal, enumerations included."""
    assert msgspec.json.decode(msgspec.json.encode(ORDER), type=ApprovedOrder) == ORDER
