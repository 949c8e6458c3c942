"""exchangeInfo, leverageBracket and commissionRate answers as ``models.instrument`` records.

Source: venue reference §4.3 (filters), §9.1 (brackets), §9.4 (fees). Ratios in leverageBracket are JSON numbers; they
are read as text, so that 0.0065 becomes 650,000 exactly.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from models.error import DataError, PreflightError, ScalperError
from models.instrument import Bracket, Fees, Filters, Instrument, to_e8

TRADABLE = "TRADING"
NEAR_NAMES = 3


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    pricePrecision: int
    quantityPrecision: int
    filters: list[dict[str, Any]]
    liquidationFee: str = ""


class _Info(msgspec.Struct):
    symbols: list[_Symbol]


class _Commission(msgspec.Struct):
    symbol: str
    makerCommissionRate: str
    takerCommissionRate: str


def instruments_of(body: bytes, symbols: Iterable[str], *, halted: bool = False) -> list[Instrument]:
    """The instruments ``symbols`` of an exchangeInfo body, numbered from 0 in the order asked.

    Raises DataError for a body that cannot be used or a symbol the venue does not have (UNKNOWN_SYMBOL, with the
    nearest names), PreflightError (NOT_TRADING) for one that is not open for trading unless ``halted`` allows it.
    """
    try:
        info = msgspec.json.decode(body, type=_Info)
    except msgspec.DecodeError as error:
        raise DataError(f"exchangeInfo cannot be used: {error}", code="EXCHANGE_INFO") from None
    known = {symbol.symbol: symbol for symbol in info.symbols}
    found: list[Instrument] = []
    for index, name in enumerate(symbols):
        if name not in known:
            raise DataError(_unknown(name, known), code="UNKNOWN_SYMBOL")
        if known[name].status != TRADABLE and not halted:
            raise PreflightError(
                f"{name} is {known[name].status} at the venue; only contracts that are {TRADABLE} can be traded",
                code="NOT_TRADING",
            )
        found.append(_instrument(known[name], index))
    return found


def _unknown(name: str, known: Mapping[str, _Symbol]) -> str:
    near = difflib.get_close_matches(name.upper(), known, n=NEAR_NAMES, cutoff=0.6)
    hint = f"did you mean {', '.join(near)}?" if near else f"the venue lists {len(known)} symbols, such as BTCUSDT"
    return f"the venue has no contract {name}; {hint}"


def _instrument(symbol: _Symbol, index: int) -> Instrument:
    filters = {str(entry.get("filterType")): entry for entry in symbol.filters}
    tick_e8 = _e8(symbol.symbol, filters, "PRICE_FILTER", "tickSize")
    lot_e8 = _e8(symbol.symbol, filters, "LOT_SIZE", "stepSize")
    if tick_e8 <= 0 or lot_e8 <= 0:
        raise DataError(f"{symbol.symbol}: the venue's tick and step size must be above zero", code="FILTERS")

    def sizes(filter_name: str, field: str, size_e8: int, *, up: bool) -> int:
        """A bound in ticks or lots, rounded inwards where the venue's own bound is off its grid."""
        value_e8 = _e8(symbol.symbol, filters, filter_name, field)
        return -(-value_e8 // size_e8) if up else value_e8 // size_e8

    orders = filters.get("MAX_NUM_ORDERS", {}).get("limit", 200)
    fees = Fees(liquidation_e8=to_e8(symbol.liquidationFee)) if symbol.liquidationFee else Fees()
    return Instrument(
        symbol=symbol.symbol,
        index=index,
        epoch=0,
        tick_e8=tick_e8,
        lot_e8=lot_e8,
        price_places=max(symbol.pricePrecision, _places(tick_e8)),
        quantity_places=max(symbol.quantityPrecision, _places(lot_e8)),
        filters=Filters(
            price_min=sizes("PRICE_FILTER", "minPrice", tick_e8, up=True),
            price_max=sizes("PRICE_FILTER", "maxPrice", tick_e8, up=False),
            quantity_min=sizes("LOT_SIZE", "minQty", lot_e8, up=True),
            quantity_max=sizes("LOT_SIZE", "maxQty", lot_e8, up=False),
            market_quantity_min=sizes("MARKET_LOT_SIZE", "minQty", lot_e8, up=True),
            market_quantity_max=sizes("MARKET_LOT_SIZE", "maxQty", lot_e8, up=False),
            notional_min_e8=_e8(symbol.symbol, filters, "MIN_NOTIONAL", "notional"),
            price_up_e8=_e8(symbol.symbol, filters, "PERCENT_PRICE", "multiplierUp"),
            price_down_e8=_e8(symbol.symbol, filters, "PERCENT_PRICE", "multiplierDown"),
            orders_max=int(orders),
        ),
        fees=fees,
        status=symbol.status,
        base=symbol.baseAsset,
        quote=symbol.quoteAsset,
    )


def _e8(symbol: str, filters: Mapping[str, Mapping[str, Any]], filter_name: str, field: str) -> int:
    text = filters.get(filter_name, {}).get(field)
    if not isinstance(text, str):
        raise DataError(f"{symbol}: the venue's filter {filter_name} has no {field}", code="FILTERS")
    return to_e8(text)


def _places(size_e8: int) -> int:
    """Decimals needed to write a size: 0.10 needs one."""
    places = 8
    while places and size_e8 % 10 == 0:
        size_e8 //= 10
        places -= 1
    return places


def brackets_of(body: bytes) -> dict[str, tuple[Bracket, ...]]:
    """Leverage brackets by symbol, ascending by floor. Raises DataError when a row is missing, unordered or no number.

    The venue answers with an array, or with one object when a symbol was asked for.
    """
    try:
        read = json.loads(body, parse_float=str, parse_int=str)
        answers = read if isinstance(read, list) else [read]
        return {str(answer["symbol"]): _ladder(str(answer["symbol"]), answer["brackets"]) for answer in answers}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"leverageBracket cannot be used: {type(error).__name__} {error}", code="BRACKETS") from None


def _ladder(symbol: str, rows: list[dict[str, str]]) -> tuple[Bracket, ...]:
    ladder = tuple(
        Bracket(
            floor_e8=to_e8(row["notionalFloor"]),
            cap_e8=to_e8(row["notionalCap"]),
            maintenance_e8=to_e8(row["maintMarginRatio"]),
            leverage_max=int(row["initialLeverage"]),
            cum_e8=to_e8(row["cum"]),
        )
        for row in sorted(rows, key=lambda row: to_e8(row["notionalFloor"]))
    )
    if not ladder or any(low.cap_e8 != high.floor_e8 for low, high in itertools.pairwise(ladder)):
        raise DataError(f"{symbol}: the venue's leverage brackets leave gaps", code="BRACKETS")
    return ladder


def fees_of(body: bytes, before: Fees | None = None) -> Fees:
    """The account's rates from a commissionRate body; the liquidation fee is kept from ``before``."""
    try:
        read = msgspec.json.decode(body, type=_Commission)
        maker_e8, taker_e8 = to_e8(read.makerCommissionRate), to_e8(read.takerCommissionRate)
    except (msgspec.DecodeError, ScalperError) as error:
        raise DataError(f"commissionRate cannot be used: {error}", code="FEES") from None
    return Fees(maker_e8, taker_e8, (before or Fees()).liquidation_e8)
