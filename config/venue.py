"""Dated copies of the venue's filters, brackets and fees, for when no venue can be asked (embedded, history, tests).

Prices in ticks, quantities in lots, money and rates at 1e-8, as in ``models.instrument``. The copies are the dated
JSON files in ``config/venues``; a run that uses one says its date.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.error import DataError
from models.instrument import Bracket, Fees, Filters, Instrument, to_e8
from utils.text import nearest

FOLDER = Path(__file__).resolve().parent / "venues"
VENUE = "binance-usdm"


def shipped_symbols() -> tuple[str, ...]:
    """The contracts of the newest copy."""
    return tuple(_newest()["symbols"])


def shipped_instruments(symbols: Sequence[str]) -> list[Instrument]:
    """The contracts ``symbols``, numbered from 0 in that order, from the newest copy.

    Raises DataError (code SYMBOL) for a contract that no copy holds; the message names the nearest one that it holds.
    """
    return [_instrument(symbol, index) for index, symbol in enumerate(symbols)]


def example_price(symbol: str) -> int:
    """A price of the contract in ticks, for reckonings when no market can be asked; say that it is an example."""
    instrument = _instrument(symbol, 0)
    return instrument.ticks(_newest()["symbols"][symbol]["price_example"])


@functools.cache
def _newest() -> dict[str, Any]:
    path = max(FOLDER.glob(f"{VENUE}-*.json"))  # the dates are ISO, so the last name is the newest
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _instrument(symbol: str, index: int) -> Instrument:
    document = _newest()
    facts = document["symbols"].get(symbol)
    if facts is None:
        near = nearest(symbol, document["symbols"])
        held = ", ".join(document["symbols"])
        hint = f"did you mean {near}?" if near else f"it holds {held}"
        raise DataError(f"the copy of {document['dated']} has no contract {symbol}; {hint}", code="SYMBOL")
    tick_e8, lot_e8 = to_e8(facts["tick"]), to_e8(facts["lot"])
    fees = document["fees"]
    return Instrument(
        symbol=symbol,
        index=index,
        epoch=0,
        tick_e8=tick_e8,
        lot_e8=lot_e8,
        price_places=facts["price_places"],
        quantity_places=facts["quantity_places"],
        filters=_filters(facts, tick_e8, lot_e8),
        fees=Fees(to_e8(fees["maker"]), to_e8(fees["taker"]), to_e8(facts["liquidation_fee"])),
        brackets=tuple(
            Bracket(to_e8(floor), to_e8(cap), to_e8(rate), leverage, to_e8(cum))
            for floor, cap, rate, leverage, cum in facts["brackets"]
        ),
        base=facts["base"],
        quote=facts["quote"],
        dated=document["dated"],
    )


def _filters(facts: dict[str, Any], tick_e8: int, lot_e8: int) -> Filters:
    return Filters(
        price_min=to_e8(facts["price_min"]) // tick_e8,
        price_max=to_e8(facts["price_max"]) // tick_e8,
        quantity_min=to_e8(facts["quantity_min"]) // lot_e8,
        quantity_max=to_e8(facts["quantity_max"]) // lot_e8,
        market_quantity_min=to_e8(facts["market_quantity_min"]) // lot_e8,
        market_quantity_max=to_e8(facts["market_quantity_max"]) // lot_e8,
        notional_min_e8=to_e8(facts["notional_min"]),
        price_up_e8=to_e8(facts["price_up"]),
        price_down_e8=to_e8(facts["price_down"]),
        orders_max=facts["orders_max"],
    )
