"""The venue's own checks on an arriving order: filters, reduce-only, margin (venue reference §4.3, §8).

Each refusal is the venue's code and text, because that is what the live path will read, too. Sizes need no grid check:
prices are ticks and quantities lots.
"""

from __future__ import annotations

from typing import NamedTuple

from exchange.simulated.fees import ceil_div
from models.instrument import E8, Instrument, e8_text
from models.order import ApprovedOrder, OrderType, Side

STOPS_MAX = 200  # open conditional orders (venue reference §4.3)

UNKNOWN_SYMBOL = "-1121 Invalid symbol."
NOT_TRADING = "-1122 Invalid symbol status."
UNKNOWN_ORDER = "-2011 Unknown order sent."
NO_SUCH_ORDER = "-2013 Order does not exist."
MARGIN = "MARGIN: -2019 Margin is insufficient."
WOULD_TRIGGER = "WOULD_TRIGGER: -2021 Order would immediately trigger."
REDUCE_ONLY = "REDUCE_ONLY: -2022 ReduceOnly Order is rejected."
ORDERS_MAX = "-2025 Reach max open order limit."
NOT_POSITIVE = "-4003 Quantity less than zero."
QUANTITY_LOW = "-4004 Quantity less than min quantity."
QUANTITY_HIGH = "-4005 Quantity greater than max quantity."
PRICE_LOW = "-4013 Price less than min price."
PRICE_HIGH = "-4002 Price greater than max price."
STOPS_FULL = "-4045 Reach max stop order limit."
DUPLICATE = "-4116 ClientOrderId is duplicated."
NO_COUNTERPARTY = "PRICE_BAND: -4131 The counterparty's best price does not meet the PERCENT_PRICE filter limit"
FOK = "-5021 Due to the order could not be filled immediately, the FOK order has been rejected."
GTX = "-5022 Due to the order could not be executed as maker, the Post Only order will be rejected."


class View(NamedTuple):
    """What the venue knows of an instrument and the account when an order arrives. ``touch`` is the price that the
    order would meet (0: none), ``mark_e8`` 0 when nothing is known, ``last`` the price that triggers stops at 1e-8."""

    mark_e8: int
    touch: int
    trigger_e8: int
    orders: int
    stops: int
    reducible: int
    opens: int  # lots that would open rather than close
    available_e8: int
    leverage: int
    taker_e8: int


def band(mark_e8: int, tick_e8: int, up_e8: int, down_e8: int) -> tuple[int, int]:
    """Lowest and highest tick inside ``mark · down … mark · up``."""
    return ceil_div(mark_e8 * down_e8, E8 * tick_e8), mark_e8 * up_e8 // (E8 * tick_e8)


def refusal(instrument: Instrument, order: ApprovedOrder, view: View) -> str:
    """Why the venue refuses ``order``, or an empty text."""
    if instrument.status != "TRADING":
        return NOT_TRADING
    if order.reduce_only and view.reducible == 0 and order.type is not OrderType.STOP_MARKET:
        return REDUCE_ONLY
    return (
        _size(instrument, order, view)
        or _price(instrument, order, view)
        or _count(instrument, order, view)
        or _margin(instrument, order, view)
    )


def _size(instrument: Instrument, order: ApprovedOrder, view: View) -> str:
    filters = instrument.filters
    limit = order.type is OrderType.LIMIT
    low = filters.quantity_min if limit else filters.market_quantity_min
    high = filters.quantity_max if limit else filters.market_quantity_max
    if order.quantity <= 0:
        return NOT_POSITIVE
    if order.quantity < low:
        return QUANTITY_LOW
    if order.quantity > high:
        return QUANTITY_HIGH
    price_e8 = order.price * instrument.tick_e8 if limit else view.mark_e8
    notional_e8 = price_e8 * order.quantity * instrument.lot_e8 // E8
    if not order.reduce_only and price_e8 > 0 and notional_e8 < filters.notional_min_e8:
        least = e8_text(filters.notional_min_e8)
        return f"-4164 Order's notional must be no smaller than {least} (unless you choose reduce only)"
    return ""


def _price(instrument: Instrument, order: ApprovedOrder, view: View) -> str:
    filters = instrument.filters
    if order.type is OrderType.STOP_MARKET:
        reached = view.trigger_e8 - order.trigger * instrument.tick_e8
        return WOULD_TRIGGER if view.trigger_e8 > 0 and reached * order.side.sign >= 0 else ""
    low, high = band(view.mark_e8, instrument.tick_e8, filters.price_up_e8, filters.price_down_e8)
    buys = order.side is Side.BUY
    if order.type is OrderType.MARKET:
        outside = view.touch > high if buys else view.touch < low
        return NO_COUNTERPARTY if view.mark_e8 and view.touch and outside else ""
    if order.price < filters.price_min or order.price <= 0:
        return PRICE_LOW
    if order.price > filters.price_max:
        return PRICE_HIGH
    if view.mark_e8 and buys and order.price > high:
        return f"-4016 Limit price can't be higher than {instrument.price_text(high)}."
    if view.mark_e8 and not buys and order.price < low:
        return f"-4024 Limit price can't be lower than {instrument.price_text(low)}."
    return ""


def _count(instrument: Instrument, order: ApprovedOrder, view: View) -> str:
    if order.type is OrderType.STOP_MARKET:
        return STOPS_FULL if view.stops >= STOPS_MAX else ""
    return ORDERS_MAX if order.type is OrderType.LIMIT and view.orders >= instrument.filters.orders_max else ""


def _margin(instrument: Instrument, order: ApprovedOrder, view: View) -> str:
    """Initial margin of what the order opens, and its fee, at the price it names or meets."""
    if order.reduce_only or order.type is OrderType.STOP_MARKET or view.opens == 0:
        return ""
    price = order.price if order.type is OrderType.LIMIT else view.touch
    worth_e8 = instrument.notional_e8(price, view.opens)
    need_e8 = ceil_div(worth_e8, view.leverage) + ceil_div(worth_e8 * view.taker_e8, E8)
    return MARGIN if need_e8 > view.available_e8 else ""
