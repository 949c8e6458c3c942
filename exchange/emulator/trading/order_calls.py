"""The order endpoints (venue reference §4.4): placing, changing, cancelling, asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from exchange.emulator.errors import VenueError, invalid, missing
from exchange.emulator.parameters import Params, integer, limit, needed
from exchange.emulator.trading import orders as wire
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.engine import Engine
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import no_order_named, refusal
from exchange.emulator.trading.requests import read_change, read_order

Handler = Callable[[Account, dict[str, str]], object]
BATCH_MAX, CANCELS_MAX = 5, 10
ROWS_USUAL, ROWS_MAX = 500, 1_000
WEEK_MS, DAY_MS = 7 * 86_400_000, 86_400_000
EMPTY_KEPT_MS, KEPT_MS = 3 * DAY_MS, 90 * DAY_MS  # how long a query finds orders without and with fills
_LISTS = (
    ("orderIdList", "orderId"),
    ("origClientOrderIdList", "origClientOrderId"),
    ("orderidlist", "orderId"),  # as ccxt and python-binance write them, to the live venue too
    ("origclientorderidlist", "origClientOrderId"),
)
ALL_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


class OrderCalls:
    """Handlers of everything about orders of the matching engine."""

    def __init__(self, pit: Pit, engine: Engine) -> None:
        self._pit, self._engine = pit, engine
        self.handlers: dict[str, Handler] = {
            "POST /fapi/v1/order": self.place,
            "POST /fapi/v1/order/test": self.test,
            "PUT /fapi/v1/order": self.amend,
            "DELETE /fapi/v1/order": self.cancel,
            "GET /fapi/v1/order": self.ask,
            "GET /fapi/v1/openOrder": self.ask_open,
            "GET /fapi/v1/openOrders": self.open_orders,
            "GET /fapi/v1/allOrders": self.all_orders,
            "DELETE /fapi/v1/allOpenOrders": self.cancel_all,
            "POST /fapi/v1/batchOrders": self.place_batch,
            "PUT /fapi/v1/batchOrders": self.amend_batch,
            "DELETE /fapi/v1/batchOrders": self.cancel_batch,
            "POST /fapi/v1/countdownCancelAll": self.countdown,
            "GET /fapi/v1/orderAmendment": self.amendments,
            "GET /fapi/v1/forceOrders": self.forced,
        }

    # -- placing -----------------------------------------------------------------------------------------------------

    def place(self, account: Account, params: dict[str, str]) -> object:
        order = self._engine.place(read_order(params, account, self._pit))
        write = wire.answer if order.wants_result else wire.acknowledgement
        return write(order, self._pit.contracts[order.symbol].instrument)

    def test(self, account: Account, params: dict[str, str]) -> object:
        """Filters are checked, nothing is sent to the engine."""
        order = read_order(params, account, self._pit)
        order.updated_ms = self._pit.now_ms()
        return wire.answer(order, self._pit.contracts[order.symbol].instrument)

    def place_batch(self, account: Account, params: dict[str, str]) -> object:
        return self._each(params, lambda one: self.place(account, one))

    def _each(self, params: Params, act: Callable[[dict[str, str]], object]) -> list[object]:
        """Every element of ``batchOrders`` by itself; a refusal is its element's answer."""
        found = _array(params, "batchOrders")
        if not 0 < len(found) <= BATCH_MAX:
            raise refusal(-4082)
        return [_tried(act, _texts(one)) for one in found]

    # -- changing ----------------------------------------------------------------------------------------------------

    def amend(self, account: Account, params: dict[str, str]) -> object:
        order = self._named(account, params)
        if order is None or not order.live:
            raise refusal(-2013)
        contract = self._pit.contracts[order.symbol]
        price, quantity = read_change(params, order, contract)
        before = order.modify_id
        order.modify_id = integer(params, "modifyId")
        try:
            self._engine.amend(order, price, quantity, params.get("priceMatch", "NONE"))
        except VenueError:
            order.modify_id = before
            raise
        body = wire.answer(order, contract.instrument) | {"pair": order.symbol}
        return body if order.modify_id is None else body | {"modifyId": order.modify_id}

    def amend_batch(self, account: Account, params: dict[str, str]) -> object:
        return self._each(params, lambda one: self.amend(account, one))

    # -- cancelling --------------------------------------------------------------------------------------------------

    def cancel(self, account: Account, params: dict[str, str]) -> object:
        order = self._named(account, params)
        if order is None or not order.live:
            raise refusal(-2011)
        self._engine.cancel(order)
        return wire.answer(order, self._pit.contracts[order.symbol].instrument)

    def cancel_all(self, account: Account, params: dict[str, str]) -> object:
        """Every order of a contract; conditional orders stay (reference §4.4)."""
        self._cancel_contract(account, self._pit.contract(needed(params, "symbol")).symbol)
        return dict(ALL_DONE)

    def _cancel_contract(self, account: Account, symbol: str) -> None:
        for order in account.live_orders(symbol):
            if order.live:
                self._engine.cancel(order)

    def cancel_batch(self, account: Account, params: dict[str, str]) -> object:
        symbol = needed(params, "symbol")
        self._pit.contract(symbol)
        for name, own in _LISTS:
            if params.get(name):
                found = _array(params, name)
                if not 0 < len(found) <= CANCELS_MAX:
                    raise invalid(name)
                asked = [{"symbol": symbol, own: str(one)} for one in found]
                return [_tried(lambda one: self.cancel(account, one), one) for one in asked]
        raise no_order_named()

    def countdown(self, account: Account, params: dict[str, str]) -> object:
        """Cancel a contract's orders unless the call comes again in time; 0 ends it."""
        symbol = self._pit.contract(needed(params, "symbol")).symbol
        wait_ms = integer(params, "countdownTime")
        if wait_ms is None or wait_ms < 0:
            raise missing("countdownTime")
        if wait_ms:
            account.countdowns[symbol] = self._pit.now_ms() + wait_ms
        else:
            account.countdowns.pop(symbol, None)
        return {"symbol": symbol, "countdownTime": str(wait_ms)}

    def run_countdowns(self) -> None:
        """Cancel where nobody has called in time."""
        now_ms = self._pit.now_ms()
        for account in self._pit.accounts.values():
            for symbol in [one for one, due_ms in account.countdowns.items() if due_ms <= now_ms]:
                del account.countdowns[symbol]
                self._cancel_contract(account, symbol)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _named(self, account: Account, params: Params) -> Order | None:
        """The order a request names, by id before client id. Raises VenueError (-1102, -1121)."""
        symbol = self._pit.contract(needed(params, "symbol")).symbol
        number, name = integer(params, "orderId"), params.get("origClientOrderId")
        if number is None and not name:
            raise no_order_named()
        found = account.orders.get(number) if number is not None else account.by_client.get(name or "")
        return found if found is not None and found.symbol == symbol else None

    def _findable(self, order: Order) -> bool:
        age_ms = self._pit.now_ms() - order.updated_ms
        return order.live or age_ms <= (KEPT_MS if order.filled_e8 else EMPTY_KEPT_MS)

    def ask(self, account: Account, params: dict[str, str]) -> object:
        order = self._named(account, params)
        if order is None or not self._findable(order):
            raise refusal(-2013)
        return wire.query(order, self._pit.contracts[order.symbol].instrument)

    def ask_open(self, account: Account, params: dict[str, str]) -> object:
        order = self._named(account, params)
        if order is None or not order.live:
            raise refusal(-2013)
        return wire.query(order, self._pit.contracts[order.symbol].instrument)

    def _optional_symbol(self, params: Params) -> str | None:
        return self._pit.contract(params["symbol"]).symbol if params.get("symbol") else None

    def open_orders(self, account: Account, params: dict[str, str]) -> object:
        found = sorted(account.live_orders(self._optional_symbol(params)), key=lambda one: one.id)
        return [wire.query(one, self._pit.contracts[one.symbol].instrument) for one in found]

    def all_orders(self, account: Account, params: dict[str, str]) -> object:
        symbol, first = self._optional_symbol(params), integer(params, "orderId")
        start_ms, end_ms = times(params)
        found = [
            one
            for one in account.orders.values()
            if symbol in (None, one.symbol)
            and self._findable(one)
            and (first is None or one.id >= first)
            and within(one.created_ms, start_ms, end_ms)
        ]
        found.sort(key=lambda one: one.id)
        kept = page(found, params, from_start=first is not None or start_ms is not None)
        return [wire.listed(one, self._pit.contracts[one.symbol].instrument) for one in kept]

    def amendments(self, account: Account, params: dict[str, str]) -> object:
        order = None
        if params.get("orderId") or params.get("origClientOrderId"):
            order = self._named(account, params)
        symbol = self._pit.contract(needed(params, "symbol")).symbol
        start_ms, end_ms = times(params)
        found: list[dict[str, Any]] = [
            row
            for row in account.amendments
            if row["symbol"] == symbol
            and (order is None or row["orderId"] == order.id)
            and within(row["time"], start_ms, end_ms)
        ]
        return page(found, params, from_start=start_ms is not None, usual=50, largest=100)

    def forced(self, account: Account, params: dict[str, str]) -> object:
        """Orders of liquidations and auto-deleveraging."""
        symbol = self._optional_symbol(params)
        kinds = {"LIQUIDATION": ("liquidation",), "ADL": ("adl",), "": ("liquidation", "adl")}
        wanted = kinds.get(params.get("autoCloseType", ""))
        if wanted is None:
            raise invalid("autoCloseType")
        start_ms, end_ms = times(params)
        found = [
            one
            for one in account.forced
            if symbol in (None, one.symbol) and one.forced in wanted and within(one.created_ms, start_ms, end_ms)
        ]
        kept = page(found, params, from_start=start_ms is not None, usual=50, largest=100)
        return [wire.forced_row(one, self._pit.contracts[one.symbol].instrument) for one in kept]


# -- reading lists -----------------------------------------------------------------------------------------------------


def times(params: Params) -> tuple[int | None, int | None]:
    """``startTime`` and ``endTime``, a week apart at most. Raises VenueError (-1127)."""
    start_ms, end_ms = integer(params, "startTime"), integer(params, "endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > WEEK_MS:
        raise VenueError(400, -1127, "More than 168 hours between startTime and endTime.")
    return start_ms, end_ms


def within(at_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    return (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms <= end_ms)


def page(
    rows: list[Any], params: Params, *, from_start: bool, usual: int = ROWS_USUAL, largest: int = ROWS_MAX
) -> list[Any]:
    """As many rows as ``limit`` allows: the first ones after a given start, else the newest; ascending either way."""
    count = limit(params, usual, largest)
    return rows[:count] if from_start else rows[-count:]


def _array(params: Params, name: str) -> list[Any]:
    """A JSON array in a parameter. Raises VenueError (-1102, -1130)."""
    try:
        found = orjson.loads(needed(params, name))
    except orjson.JSONDecodeError:
        raise invalid(name) from None
    if not isinstance(found, list):
        raise invalid(name)
    return found


def _texts(element: Any) -> dict[str, str]:
    """An element of a batch as request parameters. Raises VenueError (-1130)."""
    if not isinstance(element, dict):
        raise invalid("batchOrders")
    kinds = {True: "true", False: "false"}
    return {str(name): kinds[one] if isinstance(one, bool) else str(one) for name, one in element.items()}


def _tried(act: Callable[[dict[str, str]], object], params: dict[str, str]) -> object:
    try:
        return act(params)
    except VenueError as error:
        return error.body
