"""Text to ticks and lots and back, and the contract's own arithmetic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.error import DataError
from models.instrument import E8, Bracket, Filters, Instrument, e8_text, fixed_text, to_e8

FILTERS = Filters(
    price_min=1,
    price_max=10_000_000,
    quantity_min=1,
    quantity_max=1_000,
    market_quantity_min=1,
    market_quantity_max=120,
    notional_min_e8=50 * E8,
)


def instrument(**changes: Any) -> Instrument:
    """BTCUSDT: ticks of 0.1, lots of 0.001."""
    given = {"tick_e8": 10_000_000, "lot_e8": 100_000, "price_places": 1, "quantity_places": 3} | changes
    return Instrument(symbol="BTCUSDT", index=3, epoch=2, filters=FILTERS, **given)


BTC = instrument()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", E8),
        ("0.00000001", 1),
        ("-12.50", -1_250_000_000),
        ("1e2", 100 * E8),
        ("77000.10", 7_700_010 * 10**6),
    ],
)
def test_decimal_text_becomes_an_integer(text: str, value: int) -> None:
    """Trailing zeros, signs and exponents are the same number at 1e-8."""
    assert to_e8(text) == value


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "0.000000001", "1,5", "0x1"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    """Text that is no finite decimal of at most 8 places raises DataError that shows the text."""
    with pytest.raises(DataError, match="decimal") as caught:
        to_e8(text)
    assert (repr(text) in caught.value.message, caught.value.code) == (True, "NOT_DECIMAL")


@given(st.integers(-(2**62), 2**62))
def test_text_of_an_amount_reads_back(value: int) -> None:
    """Every amount survives the way through its shortest text, which is plain and has no zeros to spare."""
    text = e8_text(value)
    assert to_e8(text) == value
    assert "E" not in text.upper() and not (("." in text) and text.endswith("0"))


@pytest.mark.parametrize(("value", "text"), [(1_250_000_000, "12.5"), (-1, "-0.00000001"), (0, "0"), (300 * E8, "300")])
def test_amounts_are_written_plainly(value: int, text: str) -> None:
    """The shortest decimal, never an exponent."""
    assert e8_text(value) == text


@given(st.integers(-(10**17), 10**17), st.integers(0, 8))
def test_fixed_text_has_exactly_its_places(units: int, places: int) -> None:
    """A value on the grid of its places is written with exactly so many decimals, and is the same number."""
    value = units * 10 ** (8 - places)
    text = fixed_text(value, places)
    assert Decimal(text).scaleb(8) == value
    assert len(text.partition(".")[2]) == places


def test_fixed_text_never_rounds() -> None:
    """What is finer than the places allow is an error, not a rounded number."""
    with pytest.raises(DataError, match=r"0\.123 has more than 2 decimals"):
        fixed_text(12_300_000, 2)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_prices_and_quantities_survive_their_text(ticks: int, lots: int) -> None:
    """Ticks and lots written as the venue writes them read back unchanged."""
    assert (BTC.ticks(BTC.price_text(ticks)), BTC.lots(BTC.quantity_text(lots))) == (ticks, lots)


@pytest.mark.parametrize(("text", "ticks"), [("77000.1", 770_001), ("77000.10", 770_001), ("0.1", 1)])
def test_a_price_text_becomes_ticks(text: str, ticks: int) -> None:
    """The venue's zeros do not matter."""
    assert BTC.ticks(text) == ticks


def test_off_the_grid_is_refused() -> None:
    """A price between two ticks or a quantity between two steps names the contract, the text and the step."""
    with pytest.raises(DataError, match=r"BTCUSDT: price 77000\.15 is not a multiple of the tick size 0\.1"):
        BTC.ticks("77000.15")
    with pytest.raises(DataError, match=r"BTCUSDT: quantity 0\.0005 is not a multiple of the step size 0\.001"):
        BTC.lots("0.0005")


def test_one_tick_of_one_lot_is_the_unit_of_money() -> None:
    """0.1 USDT times 0.001 BTC is 0.0001 USDT; notional is ticks · lots · unit."""
    assert (BTC.unit_e8, BTC.notional_e8(770_000, 8)) == (10_000, 616 * E8)


@given(st.integers(0, 10**13), st.integers(1, 10**7))
def test_lots_for_a_value_are_the_most_that_fit(value_e8: int, ticks: int) -> None:
    """The value of that many lots is not above the amount, of one more it is."""
    lots = BTC.lots_for(value_e8, ticks)
    assert BTC.notional_e8(ticks, lots) <= value_e8 < BTC.notional_e8(ticks, lots + 1)


@pytest.mark.parametrize(("value_e8", "ticks"), [(-1, 770_000), (10**12, 0), (10**12, -5)])
def test_no_price_or_no_money_buys_nothing(value_e8: int, ticks: int) -> None:
    """A negative amount or a price that is none gives no lots."""
    assert BTC.lots_for(value_e8, ticks) == 0


@pytest.mark.parametrize(("tick_e8", "lot_e8"), [(0, 100_000), (10_000_000, -1), (1, 1), (15_000, 10_000)])
def test_sizes_that_break_the_arithmetic_are_refused(tick_e8: int, lot_e8: int) -> None:
    """Sizes must be positive, and a tick of a lot a whole number of 1e-8: money stays an integer."""
    with pytest.raises(DataError, match="BTCUSDT") as caught:
        instrument(tick_e8=tick_e8, lot_e8=lot_e8)
    assert caught.value.code == "FILTERS"


def test_the_key_holds_index_and_epoch() -> None:
    """Rows carry index and epoch in one integer; a changed tick size is another key."""
    assert (BTC.key & 0xFFFF, BTC.key >> 16) == (3, 2)


BRACKETS = tuple(
    Bracket(floor_e8=low * E8, cap_e8=high * E8, maintenance_e8=1, leverage_max=lever, cum_e8=0)
    for low, high, lever in ((0, 100, 150), (100, 800, 100), (800, 3_000, 75))
)


@pytest.mark.parametrize(("value", "leverage"), [(0, 150), (100, 150), (100.00000001, 100), (800, 100), (9_999, 75)])
def test_a_value_has_one_bracket(value: float, leverage: int) -> None:
    """A bracket holds its cap; what lies above the last one is in the last one."""
    found = msgspec.structs.replace(BTC, brackets=BRACKETS).bracket_for(round(value * E8))
    assert found.leverage_max == leverage


def test_without_brackets_nothing_is_known() -> None:
    """A contract whose brackets are not known says so instead of assuming some."""
    with pytest.raises(DataError, match="no leverage brackets are known"):
        BTC.bracket_for(1)


def test_the_shipped_rates_are_the_venues_regular_tier() -> None:
    """0.02 % maker and 0.05 % taker, as integers at 1e-8."""
    assert (BTC.fees.maker_e8, BTC.fees.taker_e8) == (20_000, 50_000)
