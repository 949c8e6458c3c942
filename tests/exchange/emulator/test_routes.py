"""The table of calls that need a key."""

from __future__ import annotations

import pytest

from exchange.emulator.routes import KEYED_PUBLIC, PLACING, ROUTES, SIGNED, TRADE, USER_STREAM


@pytest.mark.parametrize(
    ("call", "params", "weight", "orders"),
    [
        ("POST /fapi/v1/order", {}, 0, (1, 1)),
        ("PUT /fapi/v1/order", {}, 0, (1, 1)),
        ("DELETE /fapi/v1/order", {}, 1, (0, 0)),
        ("POST /fapi/v1/batchOrders", {}, 5, (5, 1)),
        ("POST /fapi/v1/algoOrder", {}, 0, (1, 1)),
        ("GET /fapi/v1/openOrders", {}, 40, (0, 0)),
        ("GET /fapi/v1/openOrders", {"symbol": "BTCUSDT"}, 1, (0, 0)),
        ("GET /fapi/v1/openAlgoOrders", {}, 40, (0, 0)),
        ("GET /fapi/v1/forceOrders", {}, 50, (0, 0)),
        ("GET /fapi/v1/income", {}, 30, (0, 0)),
        ("GET /fapi/v3/account", {}, 5, (0, 0)),
        ("POST /fapi/v1/countdownCancelAll", {}, 10, (0, 0)),
        ("PUT /fapi/v1/listenKey", {}, 1, (0, 0)),
    ],
)
def test_calls_cost_what_the_reference_says(
    call: str, params: dict[str, str], weight: int, orders: tuple[int, int]
) -> None:
    """Weight, and the costs in both order counts."""
    route = ROUTES[call]
    assert (route.weigh(params), route.orders, route.counts) == (weight, orders, orders != (0, 0))


def test_what_changes_something_needs_the_right_to_trade() -> None:
    """Every POST, PUT and DELETE is TRADE or the user stream's; both kinds of signed security are used."""
    for route in ROUTES.values():
        if not route.call.startswith("GET "):
            assert route.security in (TRADE, USER_STREAM), route.call
    assert {route.security for route in ROUTES.values()} == {*SIGNED, USER_STREAM}


def test_lists_name_calls_that_exist() -> None:
    """The calls checked at the engine are routes; public calls with a key are not."""
    assert ROUTES.keys() >= PLACING and not KEYED_PUBLIC & ROUTES.keys()
