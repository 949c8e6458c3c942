"""Contracts the generator can trade, and the ``exchangeInfo`` body made from instruments.

The figures are the venue's as of 2026-09-15 (venue reference §4.3); ``dated`` says so on each.
"""

from __future__ import annotations

import msgspec

from models.error import DataError
from models.instrument import Filters, Instrument, e8_text, fixed_text

DATED = "2026-09-15"
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)

_BTCUSDT = Instrument(
    symbol="BTCUSDT",
    index=0,
    epoch=0,
    tick_e8=10_000_000,
    lot_e8=100_000,
    price_places=2,
    quantity_places=3,
    filters=Filters(
        price_min=5_568,
        price_max=45_297_640,
        quantity_min=1,
        quantity_max=1_000_000,
        market_quantity_min=1,
        market_quantity_max=120_000,
        notional_min_e8=50 * 10**8,
    ),
    base="BTC",
    dated=DATED,
)
_ETHUSDT = Instrument(
    symbol="ETHUSDT",
    index=0,
    epoch=0,
    tick_e8=1_000_000,
    lot_e8=100_000,
    price_places=2,
    quantity_places=3,
    filters=Filters(
        price_min=3_986,
        price_max=30_617_700,
        quantity_min=1,
        quantity_max=10_000_000,
        market_quantity_min=1,
        market_quantity_max=2_000_000,
        notional_min_e8=20 * 10**8,
    ),
    base="ETH",
    dated=DATED,
)


class Character(msgspec.Struct, frozen=True):
    """How a contract of the generator behaves. Prices in ticks, quantities in lots, times ms.

    ``top`` is the mean quantity at the best price, ``deep`` the scale of the levels behind it, ``trade`` the scale of a
    trade, ``sweep`` the smallest price step of an aggressive order in ticks (the whole range of moves scales
    with it), ``first_trade_id`` and ``first_update_id`` where the ids begin.
    """

    instrument: Instrument
    opening: int
    top: int
    deep: int
    trade: int
    sweep: int
    first_trade_id: int
    first_update_id: int


CHARACTERS = {
    "BTCUSDT": Character(
        instrument=_BTCUSDT,
        opening=770_000,
        top=3_000,
        deep=60,
        trade=4,
        sweep=3,
        first_trade_id=8_079_000_000,
        first_update_id=11_563_384_769_463,
    ),
    "ETHUSDT": Character(
        instrument=_ETHUSDT,
        opening=252_000,
        top=60_000,
        deep=1_500,
        trade=90,
        sweep=2,
        first_trade_id=8_412_000_000,
        first_update_id=10_231_120_550_117,
    ),
}


def character(symbol: str, index: int = 0) -> Character:
    """The behaviour of ``symbol`` at place ``index`` of a market. Raises DataError for a contract not known here."""
    found = CHARACTERS.get(symbol)
    if found is None:
        raise DataError(
            f"the generator has no contract {symbol!r}; it knows {', '.join(CHARACTERS)}", code="NO_CONTRACT"
        )
    return msgspec.structs.replace(found, instrument=msgspec.structs.replace(found.instrument, index=index))


def exchange_info(instruments: tuple[Instrument, ...], now_ms: int) -> dict[str, object]:
    """The ``GET /fapi/v1/exchangeInfo`` body (venue reference §4.3, ``wire/rest-exchangeInfo.json``)."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"},
            {"asset": "BTC", "marginAvailable": True, "autoAssetExchange": "-0.10000000"},
            {"asset": "BNB", "marginAvailable": True, "autoAssetExchange": "-10"},
        ],
        "symbols": [_symbol(instrument) for instrument in instruments],
    }


def _symbol(instrument: Instrument) -> dict[str, object]:
    base = instrument.base or instrument.symbol.removesuffix(instrument.quote)
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": instrument.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": instrument.price_places,
        "quantityPrecision": instrument.quantity_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW" if base == "BTC" else "Layer-1", "Crypto"],
        "triggerProtect": "0.0500",
        "liquidationFee": fixed_text(instrument.fees.liquidation_e8, 6),
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(instrument),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY", "DCA", "PSB"],
    }


def _filters(instrument: Instrument) -> list[dict[str, object]]:
    limits = instrument.filters
    tick, lot = instrument.tick_e8, instrument.lot_e8
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": instrument.price_text(limits.price_min),
            "maxPrice": e8_text(limits.price_max * tick),
            "tickSize": fixed_text(tick, instrument.price_places),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": instrument.quantity_text(limits.quantity_min),
            "maxQty": e8_text(limits.quantity_max * lot),
            "stepSize": fixed_text(lot, instrument.quantity_places),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": instrument.quantity_text(limits.market_quantity_min),
            "maxQty": e8_text(limits.market_quantity_max * lot),
            "stepSize": fixed_text(lot, instrument.quantity_places),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": limits.orders_max},
        {"filterType": "MIN_NOTIONAL", "notional": e8_text(limits.notional_min_e8)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed_text(limits.price_up_e8, 4),
            "multiplierDown": fixed_text(limits.price_down_e8, 4),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]
