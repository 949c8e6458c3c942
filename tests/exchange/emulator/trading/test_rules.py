"""Filters and parameters: every limit refused with its code, everything on the grid read exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.errors import VenueError
from exchange.emulator.trading import rules
from exchange.emulator.trading.texts import at_least
from tests.exchange.emulator.trading.scene import BTC, Scene


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("0", -4003),
        ("-0.010", -4003),
        ("0.0005", -1111),
        ("1000.001", -4005),
        ("1e-3", -1100),
        ("", -1102),
        ("abc", -1100),
    ],
)
def test_a_quantity_off_the_limits_is_refused(quantity: str, code: int) -> None:
    """LOT_SIZE and the number's form, each with its code."""
    Scene().expect_refused_order(code, type="LIMIT", quantity=quantity)


def test_market_orders_have_their_own_largest_quantity() -> None:
    """120 BTC at most at the market, 1,000 as a limit."""
    scene = Scene()
    scene.expect_refused_order(-4005, quantity="120.001")
    scene.expect_refused_order(-2019, quantity="120.001", type="LIMIT")


def test_a_quantity_between_steps_is_refused() -> None:
    """After the step grows, a quantity between two steps is refused with -4023, one below the least with -4004."""
    scene = Scene()
    scene.desk.change_filters(BTC, lot_e8=500_000, quantity_min=2)
    scene.expect_refused_order(-4023, quantity="0.012", type="LIMIT")
    scene.expect_refused_order(-4004, quantity="0.005", type="LIMIT")


@pytest.mark.parametrize(
    ("side", "price", "code"),
    [
        ("BUY", "0", -4001),
        ("BUY", "76900.05", -4014),
        ("BUY", "76900.001", -1111),
        ("BUY", "500.00", -4013),
        ("BUY", "4529764.10", -4002),
        ("BUY", "80800.00", -4016),
        ("SELL", "73000.00", -4024),
    ],
)
def test_a_price_off_the_limits_is_refused(side: str, price: str, code: int) -> None:
    """PRICE_FILTER and PERCENT_PRICE, each with its code."""
    Scene().expect_refused_order(code, type="LIMIT", side=side, price=price)


def test_the_band_is_told() -> None:
    """The refusal of a price outside PERCENT_PRICE names the bound, on the tick grid."""
    error = Scene().expect_refused_order(-4016, type="LIMIT", price="80800.00")
    assert str(error) == "Limit price can't be higher than 80762.7."


@pytest.mark.parametrize("kind", ["MARKET", "LIMIT"])
def test_small_orders_are_refused_unless_they_close(kind: str) -> None:
    """MIN_NOTIONAL: -4164 below it (at the mark for market orders), and never for an order that only closes."""
    scene = Scene()
    scene.desk.change_filters(BTC, notional_min_e8=100 * 10**8)
    error = scene.expect_refused_order(-4164, type=kind, quantity="0.001")
    assert "100 " in str(error)
    scene.order()
    price = {"price": "77000.00"} if kind == "LIMIT" else {}
    assert scene.order(type=kind, side="SELL", quantity="0.001", reduceOnly="true", **price)["status"] == "NEW"


def test_a_dust_position_can_be_closed() -> None:
    """What is left after a step change is still closable by closePosition, which takes the exact rest."""
    scene = Scene()
    scene.order(quantity="0.013")
    scene.desk.change_filters(BTC, lot_e8=1_000_000)
    scene.algo(closePosition="true")
    scene.move("75990.0")
    assert scene.held() == "0.000"


@pytest.mark.parametrize(
    ("name", "code"), [("x" * 37, -4015), ("with blank", -1100), ("schön", -1100), ("a:b/c.d_E-9", None)]
)
def test_client_ids_have_a_form(name: str, code: int | None) -> None:
    """Longer than 36 characters: -4015; other characters than the venue's: -1100."""
    scene = Scene()
    if code is None:
        assert scene.order(newClientOrderId=name)["clientOrderId"] == name
    else:
        scene.expect_refused_order(code, newClientOrderId=name)


def test_an_order_without_an_id_gets_one() -> None:
    """The venue makes a valid id, a new one each time."""
    scene = Scene()
    names = {scene.order(quantity="0.001")["clientOrderId"] for _ in range(5)}
    assert len(names) == 5 and all(len(name) == 22 for name in names)


@given(st.integers(0, 10**15))
def test_decimals_are_read_exactly(value: int) -> None:
    """Whatever is written with eight places is read back as the same integer."""
    assert rules.decimal_e8({"amount": at_least(value, 8)}, "amount", 8) == value


@given(st.integers(1, 10**9), st.integers(0, 8))
def test_trailing_zeros_are_no_precision(value: int, zeros: int) -> None:
    """0.0100000 is as good as 0.01, but a digit too many is -1111."""
    text = at_least(value * 100_000, 3)
    assert rules.decimal_e8({"quantity": text + "0" * zeros}, "quantity", 3) == value * 100_000
    with pytest.raises(VenueError):
        rules.decimal_e8({"quantity": text + "1"}, "quantity", 3)


@pytest.mark.parametrize(
    ("mode", "price"),
    [("OPPONENT", "76915.00"), ("OPPONENT_5", None), ("QUEUE", "76914.90"), ("QUEUE_20", None)],
)
def test_price_match_takes_a_level(mode: str, price: str | None) -> None:
    """OPPONENT is the other side's best price, QUEUE the own side's; a level that is not there is -5041."""
    scene = Scene()
    if price is None:
        scene.expect_refused_order(-5041, type="LIMIT", price=None, priceMatch=mode)
    else:
        answer = scene.order(type="LIMIT", priceMatch=mode, timeInForce="GTC")
        assert (answer["price"], answer["priceMatch"]) == (price, mode)
