"""A conditional order of the algo service and its wire forms (venue reference §3.6, §4.5). Numbers at 1e-8."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange.emulator.trading.orders import AVERAGE_PLACES, Order, average
from exchange.emulator.trading.texts import SIDE_TEXTS, at_least, ratio
from models.instrument import E8, Instrument

STOPS = ("STOP", "STOP_MARKET")
PROFITS = ("TAKE_PROFIT", "TAKE_PROFIT_MARKET")
TRAILING = "TRAILING_STOP_MARKET"
TYPES = (*STOPS, *PROFITS, TRAILING)
LIMITS = ("STOP", "TAKE_PROFIT")
CLOSING = ("STOP_MARKET", "TAKE_PROFIT_MARKET")


class Algo(msgspec.Struct, eq=False):
    """One conditional order. ``order`` is the one it became; ``extreme_e8`` the best price a trailing stop has seen
    since it is ``active``; ``callback_e8`` its rate at 1e-8 and ``callback`` the same as it was sent.
    """

    account: Any
    symbol: str
    client_id: str
    side: int
    type: str
    quantity_e8: int = 0
    trigger_e8: int = 0
    price_e8: int = 0
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    stp: str = "EXPIRE_MAKER"
    price_match: str = "NONE"
    good_till_ms: int = 0
    activate_e8: int = 0
    callback_e8: int = 0
    callback: str = ""
    id: int = 0
    status: str = "NEW"
    active: bool = False
    extreme_e8: int = 0
    order: Order | None = None
    reason: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    triggered_ms: int = 0

    @property
    def trailing(self) -> bool:
        return self.type == TRAILING

    @property
    def waiting(self) -> bool:
        """Whether its condition is still watched."""
        return self.status == "NEW"

    def met_by(self, price_e8: int) -> bool:
        """Whether ``price_e8`` triggers it (venue reference §4.5)."""
        if self.trailing:
            return self.active and self._turned(price_e8)
        rising = (self.side > 0) == (self.type in STOPS)
        return price_e8 >= self.trigger_e8 if rising else price_e8 <= self.trigger_e8

    def follow(self, price_e8: int) -> bool:
        """A trailing stop takes note of a price; whether that has just made it active."""
        if not self.active:
            if (price_e8 - self.activate_e8) * self.side > 0:
                return False
            self.active, self.extreme_e8 = True, price_e8
            return True
        if (price_e8 - self.extreme_e8) * self.side < 0:
            self.extreme_e8 = price_e8
        return False

    def _turned(self, price_e8: int) -> bool:
        bound = self.extreme_e8 * (E8 + self.side * self.callback_e8)
        return (price_e8 * E8 - bound) * self.side >= 0


def answer(algo: Algo, instrument: Instrument) -> dict[str, object]:
    """The answer to placing one."""
    return _common(algo, instrument) | _trailing(algo, instrument)


def _trailing(algo: Algo, instrument: Instrument) -> dict[str, object]:
    if not algo.trailing:
        return {"activatePrice": "", "callbackRate": ""}
    return {"activatePrice": at_least(algo.activate_e8, instrument.price_places), "callbackRate": algo.callback}


def _common(algo: Algo, instrument: Instrument) -> dict[str, object]:
    price = instrument.price_places
    return {
        "algoId": algo.id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": algo.symbol,
        "side": SIDE_TEXTS[algo.side],
        "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force,
        "quantity": at_least(algo.quantity_e8, instrument.quantity_places),
        "algoStatus": algo.status,
        "triggerPrice": at_least(algo.trigger_e8, price),
        "price": at_least(algo.price_e8, price),
        "icebergQuantity": None,
        "selfTradePreventionMode": algo.stp,
        "workingType": algo.working_type,
        "priceMatch": algo.price_match,
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only or algo.close_position,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": algo.good_till_ms,
    }


def query(algo: Algo, instrument: Instrument) -> dict[str, object]:
    """The answer to a question about one; what the order it became has done is there once it exists."""
    order = algo.order
    body = _common(algo, instrument) | {
        "actualOrderId": "" if order is None else str(order.id),
        "actualPrice": ratio(0, 0, AVERAGE_PLACES) if order is None else average(order, instrument),
        "tpOrderType": "",
    }
    if algo.trailing:
        body |= _trailing(algo, instrument)
    if order is None:
        return body
    return body | {
        "actualType": order.type,
        "actualQty": at_least(order.filled_e8, instrument.quantity_places),
    }


def listed(algo: Algo, instrument: Instrument) -> dict[str, object]:
    """A row of ``openAlgoOrders``."""
    nothing = "0.000"
    legs = {"tpTriggerPrice": nothing, "tpPrice": nothing, "slTriggerPrice": nothing, "slPrice": nothing}
    return query(algo, instrument) | legs


def event(algo: Algo, instrument: Instrument) -> dict[str, object]:
    """The ``o`` of an ALGO_UPDATE."""
    price, order = instrument.price_places, algo.order
    nothing = ratio(0, 0, AVERAGE_PLACES)
    return {
        "caid": algo.client_id,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": algo.symbol,
        "S": SIDE_TEXTS[algo.side],
        "ps": algo.position_side,
        "f": algo.time_in_force,
        "q": at_least(algo.quantity_e8, instrument.quantity_places),
        "X": algo.status,
        "ai": "" if order is None else str(order.id),
        "ap": nothing if order is None else average(order, instrument),
        "aq": nothing if order is None else at_least(order.filled_e8, AVERAGE_PLACES),
        "act": "0" if order is None else order.type,
        "tp": at_least(algo.trigger_e8, price) if algo.trigger_e8 else "0",
        "p": at_least(algo.price_e8, price) if algo.price_e8 else "0",
        "V": algo.stp,
        "wt": algo.working_type,
        "pm": algo.price_match,
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only or algo.close_position,
        "tt": algo.triggered_ms,
        "gtd": algo.good_till_ms,
        "rm": algo.reason,
        "ia": algo.active,
    }
