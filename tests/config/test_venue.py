"""Dated copies of filters, brackets and fees."""

import json

import pytest

from config.venue import example_price, shipped_instruments, shipped_symbols
from models.error import DataError
from models.instrument import to_e8


def test_symbols_are_numbered_in_the_order_asked():
    """Indexes follow the order of the request."""
    found = shipped_instruments(["ETHUSDT", "BTCUSDT"])
    assert [(one.symbol, one.index, one.dated) for one in found] == [
        ("ETHUSDT", 0, "2026-09-15"),
        ("BTCUSDT", 1, "2026-09-15"),
    ]


def test_filters_are_ticks_and_lots():
    """BTCUSDT's filters in ticks of 0.10 and lots of 0.001."""
    one = shipped_instruments(["BTCUSDT"])[0]
    filters = one.filters
    assert (one.tick_e8, one.lot_e8, one.price_text(770_000)) == (10_000_000, 100_000, "77000.00")
    assert (filters.price_min, filters.market_quantity_max, filters.notional_min_e8) == (5_568, 120_000, 50 * 10**8)


@pytest.mark.parametrize("symbol", shipped_symbols())
def test_brackets_equal_the_golden_payload(symbol, wire):
    """The brackets are those of the venue's own answer, to the last digit."""
    golden = json.loads((wire / f"rest-leverageBracket-{symbol}.json").read_text(encoding="utf-8"), parse_float=str)
    expected = [
        (
            row["notionalFloor"],
            row["notionalCap"],
            to_e8(row["maintMarginRatio"]),
            row["initialLeverage"],
            to_e8(row["cum"]),
        )
        for row in golden[0]["brackets"]
    ]
    found = [
        (one.floor_e8 // 10**8, one.cap_e8 // 10**8, one.maintenance_e8, one.leverage_max, one.cum_e8)
        for one in shipped_instruments([symbol])[0].brackets
    ]
    assert found == expected


@pytest.mark.parametrize("symbol", shipped_symbols())
def test_filters_equal_the_golden_payload(symbol, wire):
    """Tick, lot and minimum notional are those of the venue's own answer."""
    golden = json.loads((wire / "rest-exchangeInfo.json").read_text(encoding="utf-8"))
    entry = next(entry for entry in golden["symbols"] if entry["symbol"] == symbol)
    rules = {rule["filterType"]: rule for rule in entry["filters"]}
    one = shipped_instruments([symbol])[0]
    assert (one.tick_e8, one.lot_e8, one.filters.notional_min_e8) == (
        to_e8(rules["PRICE_FILTER"]["tickSize"]),
        to_e8(rules["LOT_SIZE"]["stepSize"]),
        to_e8(rules["MIN_NOTIONAL"]["notional"]),
    )


def test_unknown_contract_names_the_nearest():
    """A contract without a copy is refused with the one that was probably meant."""
    with pytest.raises(DataError, match="did you mean BTCUSDT") as caught:
        shipped_instruments(["BTC-USDT"])
    assert caught.value.code == "SYMBOL"


@pytest.mark.parametrize("symbol", shipped_symbols())
def test_example_price_passes_the_filters(symbol):
    """The example price lies on the tick grid, inside the price filter."""
    filters = shipped_instruments([symbol])[0].filters
    assert filters.price_min < example_price(symbol) < filters.price_max
