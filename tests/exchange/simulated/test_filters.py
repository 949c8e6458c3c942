"""Filters: each refusal by its code."""

from __future__ import annotations

import msgspec
import pytest

from exchange.simulated.filters import View, band, refusal
from models.instrument import E8
from models.order import ApprovedOrder, Side
from tests.exchange.simulated.scene import INSTRUMENT, MID, limit, order, stop

MARK = MID * INSTRUMENT.tick_e8
VIEW = View(
    mark_e8=MARK,
    touch=MID,
    trigger_e8=MARK,
    orders=0,
    stops=0,
    reducible=0,
    opens=10,
    available_e8=10**6 * E8,
    leverage=10,
    taker_e8=50_000,
)
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("wish", "view", "code"),
    [
        (order("a", BUY, 10), {}, ""),
        (order("a", BUY, 0), {}, "-4003"),
        (msgspec.structs.replace(order("a", BUY, 1), quantity=-3), {}, "-4003"),
        (order("a", BUY, 120_001), {}, "-4005"),
        (limit("a", BUY, 120_001, MID), {}, ""),
        (limit("a", BUY, 1_000_001, MID), {}, "-4005"),
        (limit("a", BUY, 10, 0), {"mark_e8": 0}, "-4013"),
        (limit("a", BUY, 10, 10_000_001), {}, "-4002"),
        (limit("a", BUY, 10, MID * 105 // 100), {}, ""),
        (limit("a", BUY, 10, MID * 105 // 100 + 1), {}, "-4016"),
        (limit("a", SELL, 10, MID * 95 // 100), {}, ""),
        (limit("a", SELL, 10, MID * 95 // 100 - 1), {}, "-4024"),
        (order("a", BUY, 10), {"touch": MID * 106 // 100}, "PRICE_BAND: -4131"),
        (order("a", SELL, 10), {"touch": MID * 94 // 100}, "PRICE_BAND: -4131"),
        (order("a", BUY, 1), {"mark_e8": 49_000 * E8}, "-4164"),
        (order("a", BUY, 1), {"mark_e8": 50_000 * E8, "touch": 0}, ""),
        (order("a", BUY, 1, reduce_only=True), {"mark_e8": 49_000 * E8, "touch": 0, "reducible": 1}, ""),
        (order("a", BUY, 1, reduce_only=True), {}, "REDUCE_ONLY: -2022"),
        (order("a", BUY, 10), {"available_e8": 77 * E8}, "MARGIN: -2019"),
        (order("a", BUY, 10), {"available_e8": 77_385_000_00}, ""),
        (order("a", BUY, 10), {"available_e8": 0, "opens": 0}, ""),
        (limit("a", BUY, 10, MID), {"orders": 200}, "-2025"),
        (stop("a", SELL, 10, MID - 1), {}, ""),
        (stop("a", SELL, 10, MID), {}, "WOULD_TRIGGER: -2021"),
        (stop("a", BUY, 10, MID), {}, "WOULD_TRIGGER: -2021"),
        (stop("a", SELL, 10, MID), {"trigger_e8": 0}, ""),
        (stop("a", SELL, 10, MID - 1), {"stops": 200}, "-4045"),
    ],
)
def test_each_rule_has_its_code(wish: ApprovedOrder, view: dict[str, int], code: str) -> None:
    """An order on the rule's boundary passes, one beyond it is refused with the venue's code."""
    assert f"{refusal(INSTRUMENT, wish, VIEW._replace(**view))} ".startswith(f"{code} ")


def test_a_small_quantity_is_refused() -> None:
    """Below the step filter's minimum: −4004."""
    filters = msgspec.structs.replace(INSTRUMENT.filters, quantity_min=5, market_quantity_min=5)
    instrument = msgspec.structs.replace(INSTRUMENT, filters=filters)
    assert refusal(instrument, order("a", BUY, 4), VIEW).startswith("-4004")


def test_a_symbol_that_does_not_trade_is_refused() -> None:
    """Only TRADING symbols take orders."""
    assert refusal(msgspec.structs.replace(INSTRUMENT, status="SETTLING"), order("a", BUY, 9), VIEW).startswith("-1122")


def test_the_minimum_is_named_in_the_refusal() -> None:
    """The text says what would be enough."""
    text = refusal(INSTRUMENT, order("a", BUY, 1), VIEW._replace(mark_e8=E8))
    assert text == "-4164 Order's notional must be no smaller than 50 (unless you choose reduce only)"


def test_the_band_rounds_inwards() -> None:
    """Ends that fall between two ticks are the tick inside."""
    assert band(1_010 * E8, 7 * E8, 105_000_000, 95_000_000) == (138, 151)
