"""Signed answers: every golden body is read, and what is missing or odd is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange.binance import answers as kinds
from exchange.binance.answers import ALGO_STATUSES, algo_state, e8_cut, order_id, order_state, read
from exchange.binance.refusals import VenueAnswerError
from models.order import OrderState

ORDER, ALGO = kinds.OrderAnswer, kinds.AlgoAnswer
GOLDEN: dict[str, Any] = {
    "rest-account-v3": kinds.AccountAnswer,
    "rest-accountConfig": kinds.AccountConfig,
    "rest-adlQuantile": list[kinds.AdlRow],
    "rest-algoOpenOrders-DELETE": kinds.Done,
    "rest-algoOrder-DELETE": kinds.AlgoCancelled,
    "rest-algoOrder-GET-finished": ALGO,
    "rest-algoOrder-GET-new": ALGO,
    "rest-algoOrder-POST-closePosition": ALGO,
    "rest-algoOrder-POST-trailing": ALGO,
    "rest-algoOrder-POST": ALGO,
    "rest-allAlgoOrders-GET": list[ALGO],
    "rest-allOpenOrders-DELETE": kinds.Done,
    "rest-allOrders-GET": list[ORDER],
    "rest-apiTradingStatus": kinds.TradingStatus,
    "rest-balance-v3": list[kinds.BalanceRow],
    "rest-countdownCancelAll-POST": kinds.Countdown,
    "rest-feeBurn-GET": kinds.FeeBurn,
    "rest-forceOrders": list[ORDER],
    "rest-income": list[kinds.Income],
    "rest-leverage-POST": kinds.LeverageAnswer,
    "rest-listenKey-POST": kinds.ListenKey,
    "rest-listenKey-PUT": kinds.ListenKey,
    "rest-marginType-POST": kinds.Done,
    "rest-multiAssetsMargin-GET": kinds.MultiAssets,
    "rest-multiAssetsMargin-POST": kinds.Done,
    "rest-openAlgoOrders-GET": list[ALGO],
    "rest-openOrders-GET": list[ORDER],
    "rest-order-DELETE": ORDER,
    "rest-order-GET-filled": ORDER,
    "rest-order-GET-new": ORDER,
    "rest-order-POST-limit-ACK": ORDER,
    "rest-order-POST-limit-IOC-RESULT-expired": ORDER,
    "rest-order-POST-market-ACK": ORDER,
    "rest-order-POST-market-RESULT-expired": ORDER,
    "rest-order-POST-market-RESULT-legacy": ORDER,
    "rest-order-POST-market-RESULT": ORDER,
    "rest-order-PUT": ORDER,
    "rest-order-test-POST": ORDER,
    "rest-positionMargin-POST": kinds.PositionMargin,
    "rest-positionRisk-v3-flat": list[kinds.PositionRow],
    "rest-positionRisk-v3-hedge": list[kinds.PositionRow],
    "rest-positionRisk-v3-oneway": list[kinds.PositionRow],
    "rest-positionSide-dual-GET": kinds.DualSide,
    "rest-positionSide-dual-POST": kinds.Done,
    "rest-rateLimit-order": list[kinds.OrderLimit],
    "rest-symbolConfig": list[kinds.SymbolConfig],
    "rest-time": kinds.ServerTime,
    "rest-userTrades": list[kinds.Trade],
}
ELSEWHERE = {
    "rest-batchOrders-DELETE", "rest-batchOrders-POST",  # a bot with one entry at a time sends no batches
    "rest-commissionRate-BTCUSDT", "rest-leverageBracket-BTCUSDT", "rest-leverageBracket-ETHUSDT",  # instruments
    "rest-listenKey-DELETE", "rest-ping", "rest-response-headers",
}  # fmt: skip
PUBLIC = {
    "rest-aggTrades", "rest-depth", "rest-exchangeInfo", "rest-fundingInfo", "rest-fundingRate", "rest-globalLong",
    "rest-klines", "rest-openInterest", "rest-premiumIndex", "rest-rpiDepth", "rest-symbolAdlRisk",
    "rest-takerlongshort", "rest-ticker", "rest-trades",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_golden_body_is_read(name: str, wire: Path) -> None:
    """The venue's own bodies decode, and each field that is kept holds what stands in the body."""
    body = (wire / f"{name}.json").read_bytes()
    found, told = read(name, body, GOLDEN[name]), json.loads(body)
    pairs = zip(found, told, strict=True) if isinstance(told, list) else [(found, told)]
    for one, row in pairs:
        kept = {field: getattr(one, field) for field in one.__struct_fields__ if field in row}
        assert kept
        assert all(value == row[field] or not isinstance(row[field], (str, int)) for field, value in kept.items())


def test_no_signed_golden_body_is_left_out(wire: Path) -> None:
    """Each REST body among the golden files is read here, by another reader, or is of no use to a bot."""
    names = {path.stem for path in wire.glob("rest-*.json")}
    private = {name for name in names if not any(name.startswith(start) for start in PUBLIC)}
    assert private == set(GOLDEN) | ELSEWHERE


def test_unknown_fields_are_ignored(wire: Path) -> None:
    """A field nobody has heard of changes nothing (F16)."""
    told = json.loads((wire / "rest-order-GET-filled.json").read_bytes())
    plain = read("order", json.dumps(told).encode(), ORDER)
    assert read("order", json.dumps({**told, "news": [{"a": 1}]}).encode(), ORDER) == plain


@pytest.mark.parametrize("field", ["orderId", "status", "clientOrderId", "executedQty", "updateTime"])
def test_a_missing_field_that_matters_is_told(field: str, wire: Path) -> None:
    """An order without its number, state, id, quantity or time cannot be used, and the sentence names the field."""
    told = json.loads((wire / "rest-order-GET-filled.json").read_bytes())
    del told[field]
    with pytest.raises(VenueAnswerError, match=field) as caught:
        read("order", json.dumps(told).encode(), ORDER)
    assert caught.value.blame == "venue"


def test_a_listen_key_does_not_print_itself(wire: Path) -> None:
    """The key of the private stream is a secret like any other (F75)."""
    key = read("listenKey", (wire / "rest-listenKey-POST.json").read_bytes(), kinds.ListenKey)
    assert key.listenKey not in f"{key!r}{key}"


def test_a_listen_key_of_the_wrong_type_is_not_quoted() -> None:
    """A sentence about a body that cannot be used quotes nothing of it."""
    with pytest.raises(VenueAnswerError) as caught:
        read("listenKey", b'{"listenKey":["Canary"]}', kinds.ListenKey)
    assert "Canary" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", OrderState.ACCEPTED), ("PARTIALLY_FILLED", OrderState.PARTIALLY_FILLED), ("FILLED", OrderState.FILLED),
        ("CANCELED", OrderState.CANCELED), ("EXPIRED", OrderState.EXPIRED), ("EXPIRED_IN_MATCH", OrderState.EXPIRED),
    ],
)  # fmt: skip
def test_states_of_orders(status: str, state: OrderState) -> None:
    """Every documented status is one of our states."""
    assert order_state(status) is state


def test_a_status_nobody_knows_is_an_error() -> None:
    """A new status is told instead of guessed, for orders and conditional orders."""
    for judge in (order_state, lambda status: algo_state(status, 0, 10)):
        with pytest.raises(VenueAnswerError, match="unknown status"):
            judge("PONDERING")


@pytest.mark.parametrize(
    ("status", "filled", "quantity", "state"),
    [
        ("NEW", 0, 10, OrderState.ACCEPTED),
        ("TRIGGERING", 0, 10, OrderState.ACCEPTED),
        ("TRIGGERED", 0, 10, OrderState.ACCEPTED),
        ("TRIGGERED", 4, 10, OrderState.PARTIALLY_FILLED),
        ("FINISHED", 10, 10, OrderState.FILLED),
        ("FINISHED", 10, 0, OrderState.FILLED),
        ("FINISHED", 4, 10, OrderState.EXPIRED),
        ("FINISHED", 0, 10, OrderState.EXPIRED),
        ("CANCELED", 0, 10, OrderState.CANCELED),
        ("REJECTED", 0, 10, OrderState.EXPIRED),
        ("EXPIRED", 0, 10, OrderState.EXPIRED),
    ],
)
def test_states_of_conditional_orders(status: str, filled: int, quantity: int, state: OrderState) -> None:
    """A stop refused at its trigger was accepted before, so it expires: a state that may follow ACCEPTED (F57)."""
    assert algo_state(status, filled, quantity) is state
    assert status in ALGO_STATUSES


def test_averages_with_too_many_places_are_cut() -> None:
    """The venue writes some averages with more than eight places; they read as far as money goes."""
    assert [e8_cut(text) for text in ("27342.266666666668", "-0.123456789", "5", "", "0.00000000")] == [
        2_734_226_666_666, -12_345_678, 500_000_000, 0, 0,
    ]  # fmt: skip


def test_an_order_number_may_still_be_empty() -> None:
    """A stop that has not triggered has no order yet (F57)."""
    assert [order_id(text) for text in ("", "823456789017", 5)] == [0, 823_456_789_017, 5]
