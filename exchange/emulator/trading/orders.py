"""An order of the matching engine and its wire forms (venue reference §3.2, §3.3, §4.4). Numbers at 1e-8."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange.emulator.trading.texts import SELL, SIDE_TEXTS, at_least, money, money_or_zero, ratio, value_e8
from models.instrument import Instrument

LIVE = ("NEW", "PARTIALLY_FILLED")
AVERAGE_PLACES = 5


class Order(msgspec.Struct, eq=False):
    """One order. ``side`` is +1 or -1; ``ahead_e8`` what rests before it at its price; ``algo`` the conditional order
    it came from; ``forced`` the reason of an order of the venue's own (``liquidation``, ``adl``, ``settlement``).
    """

    account: Any
    symbol: str
    client_id: str
    side: int
    type: str
    quantity_e8: int
    price_e8: int = 0
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False
    stp: str = "EXPIRE_MAKER"
    price_match: str = "NONE"
    good_till_ms: int = 0
    wants_result: bool = False
    original_type: str = ""
    stop_e8: int = 0
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    close_position: bool = False
    activate_e8: int = 0
    callback: str = ""
    algo: Any = None
    forced: str = ""
    id: int = 0
    status: str = "NEW"
    expiry_reason: str = "0"
    filled_e8: int = 0
    quote_e8: int = 0
    ahead_e8: int = 0
    amendments: int = 0
    modify_id: int | None = None
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def left_e8(self) -> int:
        return self.quantity_e8 - self.filled_e8

    @property
    def reducing(self) -> bool:
        """Whether it can only close: reduce-only, or against its own side in hedge mode."""
        return self.reduce_only or (self.position_side, self.side) in (("LONG", -1), ("SHORT", 1))

    @property
    def key(self) -> tuple[str, str]:
        """The position it trades."""
        return self.symbol, self.position_side


class Fill(msgspec.Struct, frozen=True):
    """One execution of one order."""

    order: Order
    id: int
    price_e8: int
    quantity_e8: int
    maker: bool
    realised_e8: int
    fee: int
    fee_asset: str
    at_ms: int


def average(order: Order, instrument: Instrument) -> str:
    """The average fill price."""
    return ratio(order.quote_e8, order.filled_e8, max(AVERAGE_PLACES, instrument.price_places))


def _common(order: Order, instrument: Instrument) -> dict[str, object]:
    price, quantity = instrument.price_places, instrument.quantity_places
    return {
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": at_least(order.price_e8, price),
        "origQty": at_least(order.quantity_e8, quantity),
        "executedQty": at_least(order.filled_e8, quantity),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": SIDE_TEXTS[order.side],
        "positionSide": order.position_side,
        "stopPrice": at_least(order.stop_e8, price),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.original_type or order.type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp,
        "goodTillDate": order.good_till_ms,
    }


def answer(order: Order, instrument: Instrument) -> dict[str, object]:
    """The answer to placing, modifying or cancelling: no average price since 2026-06-30."""
    body = _common(order, instrument)
    return body | {"cumQty": body["executedQty"], "updateTime": order.updated_ms}


def acknowledgement(order: Order, instrument: Instrument) -> dict[str, object]:
    """The answer of type ACK: the order as it was accepted, whatever has happened since."""
    nothing = at_least(0, instrument.quantity_places)
    accepted = {"status": "NEW", "executedQty": nothing, "cumQty": nothing, "updateTime": order.created_ms}
    return answer(order, instrument) | accepted


def query(order: Order, instrument: Instrument) -> dict[str, object]:
    """The answer to a question about an order."""
    return _common(order, instrument) | {
        "avgPrice": average(order, instrument),
        "cumQuote": at_least(order.quote_e8, AVERAGE_PLACES),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def listed(order: Order, instrument: Instrument) -> dict[str, object]:
    """A row of ``allOrders``."""
    return query(order, instrument) | {"cumBase": "0", "pair": order.symbol}


def forced_row(order: Order, instrument: Instrument) -> dict[str, object]:
    """A row of ``forceOrders``."""
    body = listed(order, instrument) | {"stopPrice": "0"}
    for name in ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"):
        del body[name]
    return body


def event(order: Order, instrument: Instrument, execution: str, fill: Fill | None = None) -> dict[str, object]:
    """The ``o`` of an ORDER_TRADE_UPDATE; ``fill`` for executions."""
    places = instrument.quantity_places
    open_value = money_open(order) if order.live and execution != "TRADE" else "0"
    liquidated = execution == "CALCULATED"
    body: dict[str, object] = {
        "s": order.symbol,
        "c": order.client_id,
        "S": SIDE_TEXTS[order.side],
        "o": "LIQUIDATION" if liquidated else order.type,
        "f": order.time_in_force,
        "q": at_least(order.quantity_e8, places),
        "p": at_least(order.price_e8, instrument.price_places) if order.price_e8 else "0",
        "ap": average(order, instrument) if order.filled_e8 else "0",
        "sp": at_least(order.stop_e8, instrument.price_places) if order.stop_e8 else "0",
        "x": execution,
        "X": order.status,
        "i": order.id,
        "l": "0" if fill is None else at_least(fill.quantity_e8, places),
        "z": at_least(order.filled_e8, places) if order.filled_e8 else "0",
        "L": "0" if fill is None else at_least(fill.price_e8, instrument.price_places),
        "n": "0" if fill is None else money(fill.fee),
        "N": instrument.quote if fill is None else fill.fee_asset,
        "T": order.updated_ms,
        "t": 0 if fill is None else fill.id,
        "b": open_value if order.side > 0 else "0",
        "a": open_value if order.side < 0 else "0",
        "m": fill is not None and fill.maker,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.original_type or order.type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": "0" if fill is None else money_or_zero(fill.realised_e8),
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": order.price_match,
        "gtd": order.good_till_ms,
        "er": order.expiry_reason,
    }
    if order.callback:
        body |= {"AP": at_least(order.activate_e8, instrument.price_places), "cr": order.callback}
    if execution == "AMENDMENT" and order.modify_id is not None:
        body["M"] = str(order.modify_id)
    return body


def money_open(order: Order) -> str:
    """The value that still rests in the book."""
    value = value_e8(order.price_e8, order.left_e8)
    return at_least(value, AVERAGE_PLACES) if value else "0"


def lite(fill: Fill, instrument: Instrument) -> dict[str, object]:
    """The fields of a TRADE_LITE after its times."""
    order = fill.order
    return {
        "s": order.symbol,
        "q": at_least(order.quantity_e8, instrument.quantity_places),
        "p": at_least(order.price_e8, instrument.price_places) if order.price_e8 else "0",
        "m": fill.maker,
        "c": order.client_id,
        "S": SIDE_TEXTS[order.side],
        "L": at_least(fill.price_e8, instrument.price_places),
        "l": at_least(fill.quantity_e8, instrument.quantity_places),
        "t": fill.id,
        "i": order.id,
    }


def trade_row(fill: Fill, instrument: Instrument) -> dict[str, object]:
    """A row of ``userTrades``."""
    order = fill.order
    return {
        "symbol": order.symbol,
        "pair": order.symbol,
        "id": fill.id,
        "orderId": order.id,
        "side": SIDE_TEXTS[order.side],
        "price": at_least(fill.price_e8, instrument.price_places),
        "qty": at_least(fill.quantity_e8, instrument.quantity_places),
        "realizedPnl": money_or_zero(fill.realised_e8),
        "marginAsset": instrument.quote,
        "quoteQty": at_least(value_e8(fill.price_e8, fill.quantity_e8), AVERAGE_PLACES),
        "baseQty": "0",
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "positionSide": order.position_side,
        "buyer": order.side != SELL,
        "maker": fill.maker,
    }


def amendment_row(order: Order, number: int, was: tuple[int, int], instrument: Instrument) -> dict[str, Any]:
    """A row of ``orderAmendment``; ``was`` are price and quantity before."""
    price, quantity = instrument.price_places, instrument.quantity_places
    row: dict[str, Any] = {
        "amendmentId": number,
        "symbol": order.symbol,
        "pair": order.symbol,
        "orderId": order.id,
        "clientOrderId": order.client_id,
        "time": order.updated_ms,
        "amendment": {
            "price": {"before": at_least(was[0], price), "after": at_least(order.price_e8, price)},
            "origQty": {"before": at_least(was[1], quantity), "after": at_least(order.quantity_e8, quantity)},
            "count": order.amendments,
        },
        "priceMatch": order.price_match,
    }
    return row if order.modify_id is None else row | {"modifyId": order.modify_id}
