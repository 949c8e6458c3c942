"""Venue answers as instruments, brackets and fees."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from exchange.binance.instruments import brackets_of, fees_of, instruments_of
from models.error import DataError, PreflightError
from models.instrument import E8, Bracket, Fees


@pytest.fixture
def info(wire: Path) -> dict[str, Any]:
    """The golden exchangeInfo of BTCUSDT, to be changed by the test."""
    loaded: dict[str, Any] = json.loads((wire / "rest-exchangeInfo-BTCUSDT.json").read_bytes())
    return loaded


def body(info: dict[str, Any]) -> bytes:
    return json.dumps(info).encode()


def test_the_golden_answer_becomes_the_instrument(info: dict[str, Any]) -> None:
    """Tick, lot, places, filters and the liquidation fee come from the venue's own fields."""
    (btc,) = instruments_of(body(info), ["BTCUSDT"])
    assert (btc.tick_e8, btc.lot_e8, btc.price_places, btc.quantity_places) == (10_000_000, 100_000, 2, 3)
    assert (btc.filters.price_min, btc.filters.quantity_max, btc.filters.market_quantity_max) == (5568, 10**6, 120_000)
    assert (btc.filters.notional_min_e8, btc.filters.orders_max) == (50 * E8, 200)
    assert (btc.fees.liquidation_e8, btc.base, btc.status, btc.dated) == (1_250_000, "BTC", "TRADING", "")


def test_instruments_are_numbered_as_asked(info: dict[str, Any]) -> None:
    """The index is the place in the caller's list, whatever order the venue uses."""
    info["symbols"].append({**info["symbols"][0], "symbol": "ETHUSDT"})
    found = instruments_of(body(info), ["ETHUSDT", "BTCUSDT"])
    assert [(one.symbol, one.index) for one in found] == [("ETHUSDT", 0), ("BTCUSDT", 1)]


def test_an_unknown_symbol_is_told_with_its_neighbours(info: dict[str, Any]) -> None:
    """A mistyped symbol gets one sentence with the nearest name."""
    with pytest.raises(DataError, match="no contract BTCUSD; did you mean BTCUSDT") as caught:
        instruments_of(body(info), ["BTCUSD"])
    assert caught.value.code == "UNKNOWN_SYMBOL"


def test_only_open_contracts_can_be_traded(info: dict[str, Any]) -> None:
    """A contract that is not TRADING is refused, unless the caller only wants to look."""
    info["symbols"][0]["status"] = "SETTLING"
    with pytest.raises(PreflightError, match="BTCUSDT is SETTLING"):
        instruments_of(body(info), ["BTCUSDT"])
    assert instruments_of(body(info), ["BTCUSDT"], halted=True)[0].status == "SETTLING"


@pytest.mark.parametrize("missing", ["PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE"])
def test_a_missing_filter_is_named(info: dict[str, Any], missing: str) -> None:
    """An instrument without a filter is never guessed: the filter is named."""
    info["symbols"][0]["filters"] = [one for one in info["symbols"][0]["filters"] if one["filterType"] != missing]
    with pytest.raises(DataError, match=f"BTCUSDT: the venue's filter {missing} has no"):
        instruments_of(body(info), ["BTCUSDT"])


@pytest.mark.parametrize("broken", [b"", b"[]", b"<html>", b'{"symbols":[{}]}'])
def test_an_unusable_answer_is_one_clear_error(broken: bytes) -> None:
    """A body that is no exchangeInfo raises a DataError and nothing else."""
    with pytest.raises(DataError, match="exchangeInfo cannot be used"):
        instruments_of(broken, ["BTCUSDT"])


def test_a_zero_tick_is_refused(info: dict[str, Any]) -> None:
    """A tick size of zero is the venue's mistake and is told, not divided by."""
    info["symbols"][0]["filters"][0]["tickSize"] = "0"
    with pytest.raises(DataError, match="above zero"):
        instruments_of(body(info), ["BTCUSDT"])


def test_bounds_off_the_grid_are_rounded_inwards(info: dict[str, Any]) -> None:
    """The smallest allowed price is never below the venue's, the largest never above."""
    info["symbols"][0]["filters"][0] |= {"minPrice": "556.85", "maxPrice": "1000.05"}
    (btc,) = instruments_of(body(info), ["BTCUSDT"])
    assert (btc.filters.price_min, btc.filters.price_max) == (5569, 10_000)


def test_brackets_are_exact(wire: Path) -> None:
    """Ratios written as JSON numbers become exact integers."""
    ladder = brackets_of((wire / "rest-leverageBracket-BTCUSDT.json").read_bytes())["BTCUSDT"]
    assert len(ladder) == 12
    assert ladder[2] == Bracket(800_000 * E8, 3_000_000 * E8, 650_000, 75, 1500 * E8)


def test_each_brackets_cum_continues_the_one_before(wire: Path) -> None:
    """The venue's ``cum`` satisfies its own recurrence (reference §9.1) in every golden ladder."""
    for symbol in ("BTCUSDT", "ETHUSDT"):
        ladder = brackets_of((wire / f"rest-leverageBracket-{symbol}.json").read_bytes())[symbol]
        for low, high in itertools.pairwise(ladder):
            step_e8 = high.floor_e8 * (high.maintenance_e8 - low.maintenance_e8) // E8
            assert high.cum_e8 == low.cum_e8 + step_e8


@pytest.mark.parametrize(
    "broken",
    [
        b"<html>",
        b"[{}]",
        b'[{"symbol":"X","brackets":[]}]',
        b'[{"symbol":"X","brackets":[{"notionalFloor":0,"notionalCap":1,"maintMarginRatio":0.1,"initialLeverage":"x","cum":0}]}]',
    ],
)
def test_unusable_brackets_are_one_clear_error(broken: bytes) -> None:
    """A bracket answer that is incomplete raises a DataError and nothing else."""
    with pytest.raises(DataError, match=r"[bB]racket"):
        brackets_of(broken)


def test_commission_rates_replace_the_defaults(wire: Path) -> None:
    """The account's own rates count; the liquidation fee, which the answer lacks, stays."""
    fees = fees_of((wire / "rest-commissionRate-BTCUSDT.json").read_bytes(), Fees(1, 2, 3))
    assert fees == Fees(20_000, 50_000, 3)


def test_an_unusable_commission_is_one_clear_error() -> None:
    """A commission answer without its rates raises a DataError."""
    with pytest.raises(DataError, match="commissionRate cannot be used"):
        fees_of(b'{"symbol":"BTCUSDT"}')
