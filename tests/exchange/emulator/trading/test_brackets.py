"""Leverage brackets: ladders without gaps, and what a leverage allows."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from exchange.emulator.contracts import character
from exchange.emulator.trading.brackets import PLAIN, brackets_for, ladder_body, leverage_max, notional_max_e8
from models.instrument import E8, Bracket


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "UNKNOWNUSDT"])
def test_a_ladder_has_no_gaps_and_no_jumps(symbol: str) -> None:
    """Each row begins where the last one ends, with a ``cum`` that keeps the maintenance continuous."""
    instrument = msgspec.structs.replace(character("BTCUSDT").instrument, symbol=symbol)
    rows = brackets_for(instrument)
    assert rows[0].floor_e8 == rows[0].cum_e8 == 0
    for low, high in pairwise(rows):
        assert low.cap_e8 == high.floor_e8 and low.leverage_max > high.leverage_max
        rise = high.floor_e8 * (high.maintenance_e8 - low.maintenance_e8) // E8
        assert high.cum_e8 == low.cum_e8 + rise


def test_a_contract_may_bring_its_own() -> None:
    """Brackets of the instrument go before the shipped ones."""
    own = (Bracket(0, 10 * E8, 1_000_000, 5, 0),)
    assert brackets_for(msgspec.structs.replace(character("BTCUSDT").instrument, brackets=own)) is own


def test_what_a_leverage_allows() -> None:
    """The plain ladder: 50-fold up to 50,000, 20-fold up to 250,000, 1-fold up to its end."""
    assert leverage_max(PLAIN) == 50
    caps = [notional_max_e8(PLAIN, leverage) // E8 for leverage in (50, 21, 20, 1)]
    assert caps == [50_000, 50_000, 250_000, 10_000_000]


def test_a_ladder_can_be_told() -> None:
    """Rows are numbered from 1, money whole, rates as JSON numbers."""
    body = ladder_body("XUSDT", PLAIN)
    assert body["brackets"][1] == {  # type: ignore[index]
        "bracket": 2, "initialLeverage": 20, "notionalCap": 250_000, "notionalFloor": 50_000,
        "maintMarginRatio": 0.025, "cum": 750.0,
    }  # fmt: skip
