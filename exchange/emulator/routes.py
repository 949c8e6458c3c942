"""Every call that needs a key: its security, weight and order-count cost (venue reference §4.2, §4.4 to §4.6)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exchange.emulator.parameters import Params

MARKET_DATA, USER_STREAM = "MARKET_DATA", "USER_STREAM"  # an API key, no signature
USER_DATA, TRADE = "USER_DATA", "TRADE"  # an API key, a timestamp and a signature
SIGNED = (USER_DATA, TRADE)


class Route(msgspec.Struct, frozen=True):
    """One call. ``orders`` are its costs in the order counts of 10 s and of a minute."""

    call: str
    security: str
    weigh: Callable[[Params], int]
    orders: tuple[int, int] = (0, 0)

    @property
    def counts(self) -> bool:
        return self.orders != (0, 0)


def _fixed(weight: int) -> Callable[[Params], int]:
    return lambda params: weight


def _by_symbol(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if params.get("symbol") else every


_TABLE: tuple[tuple[str, str, int | tuple[int, int], tuple[int, int]], ...] = (
    # call, security, weight (or with and without a symbol), order counts
    ("POST /fapi/v1/order", TRADE, 0, (1, 1)),
    ("POST /fapi/v1/order/test", TRADE, 1, (0, 0)),
    ("PUT /fapi/v1/order", TRADE, 0, (1, 1)),
    ("DELETE /fapi/v1/order", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/order", USER_DATA, 1, (0, 0)),
    ("GET /fapi/v1/openOrder", USER_DATA, 1, (0, 0)),
    ("GET /fapi/v1/openOrders", USER_DATA, (1, 40), (0, 0)),
    ("GET /fapi/v1/allOrders", USER_DATA, 5, (0, 0)),
    ("DELETE /fapi/v1/allOpenOrders", TRADE, 1, (0, 0)),
    ("POST /fapi/v1/batchOrders", TRADE, 5, (5, 1)),
    ("PUT /fapi/v1/batchOrders", TRADE, 5, (5, 1)),
    ("DELETE /fapi/v1/batchOrders", TRADE, 1, (0, 0)),
    ("POST /fapi/v1/countdownCancelAll", TRADE, 10, (0, 0)),
    ("GET /fapi/v1/orderAmendment", USER_DATA, 1, (0, 0)),
    ("GET /fapi/v1/rateLimit/order", USER_DATA, 1, (0, 0)),
    ("POST /fapi/v1/algoOrder", TRADE, 0, (1, 1)),
    ("DELETE /fapi/v1/algoOrder", TRADE, 1, (0, 0)),
    ("DELETE /fapi/v1/algoOpenOrders", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/algoOrder", USER_DATA, 1, (0, 0)),
    ("GET /fapi/v1/openAlgoOrders", USER_DATA, (1, 40), (0, 0)),
    ("GET /fapi/v1/allAlgoOrders", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v3/account", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v2/account", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v3/balance", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v2/balance", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v3/positionRisk", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v2/positionRisk", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v1/accountConfig", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v1/symbolConfig", USER_DATA, 5, (0, 0)),
    ("POST /fapi/v1/leverage", TRADE, 1, (0, 0)),
    ("POST /fapi/v1/marginType", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/positionSide/dual", USER_DATA, 30, (0, 0)),
    ("POST /fapi/v1/positionSide/dual", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/multiAssetsMargin", USER_DATA, 30, (0, 0)),
    ("POST /fapi/v1/multiAssetsMargin", TRADE, 1, (0, 0)),
    ("POST /fapi/v1/positionMargin", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/positionMargin/history", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/leverageBracket", USER_DATA, 1, (0, 0)),
    ("GET /fapi/v1/commissionRate", USER_DATA, 20, (0, 0)),
    ("GET /fapi/v1/userTrades", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v1/income", USER_DATA, 30, (0, 0)),
    ("GET /fapi/v1/forceOrders", USER_DATA, (20, 50), (0, 0)),
    ("GET /fapi/v1/adlQuantile", USER_DATA, 5, (0, 0)),
    ("GET /fapi/v1/feeBurn", USER_DATA, 30, (0, 0)),
    ("POST /fapi/v1/feeBurn", TRADE, 1, (0, 0)),
    ("GET /fapi/v1/apiTradingStatus", USER_DATA, (1, 10), (0, 0)),
    ("POST /fapi/v1/listenKey", USER_STREAM, 1, (0, 0)),
    ("PUT /fapi/v1/listenKey", USER_STREAM, 1, (0, 0)),
    ("DELETE /fapi/v1/listenKey", USER_STREAM, 1, (0, 0)),
)

ROUTES: dict[str, Route] = {
    call: Route(call, security, _by_symbol(*weight) if isinstance(weight, tuple) else _fixed(weight), orders)
    for call, security, weight, orders in _TABLE
}
KEYED_PUBLIC = frozenset({"GET /fapi/v1/historicalTrades"})
"""Public calls that need an API key all the same (MARKET_DATA)"""
PLACING = frozenset(f"{method} /fapi/v1/{path}" for method in ("POST", "PUT") for path in ("order", "batchOrders"))
"""Calls whose timestamp is checked again at the matching engine (-5028)"""
