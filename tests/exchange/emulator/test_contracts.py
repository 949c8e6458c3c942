"""The generator's contracts and the ``exchangeInfo`` made of instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.binance.instruments import instruments_of
from exchange.emulator.contracts import CHARACTERS, DATED, character, exchange_info
from models.error import DataError
from tests.exchange.emulator.shape import expect_shape, golden

KNOWN = tuple(character(symbol, place).instrument for place, symbol in enumerate(CHARACTERS))


@pytest.mark.parametrize("name", ["rest-exchangeInfo-BTCUSDT", "rest-exchangeInfo"])
def test_exchange_info_has_the_venues_shape(wire: Path, name: str) -> None:
    """Every field and JSON type of the golden body, and no other."""
    expect_shape(golden(wire, name), exchange_info(KNOWN, 1_789_478_299_100))


def test_the_rules_of_a_contract_are_the_venues(wire: Path) -> None:
    """Filters, fees and limits of both contracts equal the golden ones, text by text, but for the day of listing."""
    expected = golden(wire, "rest-exchangeInfo")
    made: Any = exchange_info(KNOWN, expected["serverTime"])
    for symbol in [*expected["symbols"], *made["symbols"]]:
        del symbol["onboardDate"]
    assert made == expected


def test_instruments_survive_the_wire() -> None:
    """Read back by the venue adapter, ``exchangeInfo`` gives the same ticks, lots, filters and places."""
    body = msgspec.json.encode(exchange_info(KNOWN, 0))
    read = instruments_of(body, [one.symbol for one in KNOWN])
    assert [_rules(one) for one in read] == [_rules(one) for one in KNOWN]


def _rules(instrument: Any) -> tuple[object, ...]:
    return (
        instrument.symbol, instrument.tick_e8, instrument.lot_e8, instrument.price_places, instrument.quantity_places,
        instrument.filters, instrument.base,
    )  # fmt: skip


def test_a_contract_stands_where_it_is_put() -> None:
    """The instrument carries the place it has in its market, and the day its rules were read."""
    assert [(one.index, one.dated) for one in KNOWN] == [(0, DATED), (1, DATED)]


def test_an_unknown_contract_is_refused_by_name() -> None:
    """The error names the contract and those there are."""
    with pytest.raises(DataError, match="'DOGEUSDT'; it knows BTCUSDT, ETHUSDT"):
        character("DOGEUSDT")
