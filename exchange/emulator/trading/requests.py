"""Orders, changes and conditional orders as requests ask for them, checked as far as the request goes (§4.4, §4.5)."""

from __future__ import annotations

from exchange.emulator.errors import invalid, missing
from exchange.emulator.parameters import Params, needed
from exchange.emulator.trading import rules
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.algos import CLOSING, LIMITS, TRAILING, TYPES, Algo
from exchange.emulator.trading.conditional import GTE
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import not_required, refusal
from models.instrument import Instrument

WORKING = ("MARK_PRICE", "CONTRACT_PRICE")
ANSWERS = ("ACK", "RESULT")
CALLBACK_MIN_E8, CALLBACK_MAX_E8, CALLBACK_STEP_E8 = 100_000, 20_000_000, 100_000  # 0.1 % to 20 % in tenths
AGAINST = (("LONG", -1), ("SHORT", 1))  # position side and side of what can only close in hedge mode


def read_order(params: Params, account: Account, pit: Pit) -> Order:
    """The order of a request. Raises VenueError."""
    contract = pit.contract(needed(params, "symbol"))
    instrument = contract.instrument
    side, kind = rules.side_of(params), needed(params, "type")
    if kind in TYPES:
        raise refusal(-4120)
    if kind not in ("LIMIT", "MARKET"):
        raise refusal(-1116)
    if not contract.trading:
        raise refusal(-1122)
    limit = kind == "LIMIT"
    order = Order(
        account=account,
        symbol=contract.symbol,
        client_id=rules.client_id(params, "newClientOrderId", pit),
        side=side,
        type=kind,
        quantity_e8=rules.needed_quantity(params, instrument),
        position_side=rules.position_side(params, account),
        time_in_force=_time_in_force(params, limit),
        reduce_only=rules.reduce_only(params, account),
        stp=rules.chosen(params, "selfTradePreventionMode", rules.STP, "EXPIRE_MAKER", refusal(-5039)),
        price_match=rules.price_match(params, limit),
        wants_result=rules.chosen(params, "newOrderRespType", ANSWERS, "ACK", refusal(-1136)) == "RESULT",
    )
    order.good_till_ms = rules.good_till_ms(params, order.time_in_force, pit)
    order.price_e8 = _order_price(params, order, contract)
    rules.check_quantity(instrument, order.quantity_e8, market=not limit)
    if limit:
        rules.check_price(instrument, order.price_e8)
        rules.check_band(contract, side, order.price_e8)
    if not order.reducing:  # in hedge mode an order against its own side can only close, which is exempt, too
        rules.check_value(instrument, order.price_e8 if limit else contract.mark_e8, order.quantity_e8)
    return order


def _time_in_force(params: Params, limit: bool) -> str:
    text = params.get("timeInForce")
    if not limit:
        if text:
            raise not_required("timeInForce")
        return "GTC"
    if not text:
        raise missing("timeInForce")
    if text not in rules.TIMES:
        raise refusal(-1115)
    return text


def _order_price(params: Params, order: Order, contract: Contract) -> int:
    if order.type == "MARKET":
        if params.get("price"):
            raise not_required("price")
        return 0
    if order.price_match != "NONE":
        return rules.matched_price(contract, order.side, order.price_match)
    return rules.needed_price(params, contract.instrument)


def read_change(params: Params, order: Order, contract: Contract) -> tuple[int, int]:
    """Price and quantity that a modification asks for. Raises VenueError."""
    instrument = contract.instrument
    if rules.side_of(params) != order.side:
        raise invalid("side")
    if not contract.trading:
        raise refusal(-5024)
    if order.type != "LIMIT":
        raise refusal(-5025)
    if rules.flag(params, "reduceOnly") and not order.reducing:
        raise refusal(-5047)
    mode = rules.price_match(params, True)
    if mode == "NONE":
        price = rules.needed_price(params, instrument)
    else:
        price = rules.matched_price(contract, order.side, mode)
    quantity = rules.needed_quantity(params, instrument)
    rules.check_quantity(instrument, quantity, market=False)
    rules.check_price(instrument, price)
    rules.check_band(contract, order.side, price)
    if not order.reducing:
        rules.check_value(instrument, price, quantity, -5029)
    return price, quantity


def read_algo(params: Params, account: Account, pit: Pit) -> Algo:
    """The conditional order of a request. Raises VenueError."""
    if needed(params, "algoType") != "CONDITIONAL":
        raise invalid("algoType")
    contract = pit.contract(needed(params, "symbol"))
    side, kind = rules.side_of(params), needed(params, "type")
    if kind not in TYPES:
        raise refusal(-1116)
    if not contract.trading:
        raise refusal(-1122)
    rules.chosen(params, "newOrderRespType", ANSWERS, "ACK", refusal(-1136))
    algo = Algo(
        account=account,
        symbol=contract.symbol,
        client_id=rules.client_id(params, "clientAlgoId", pit),
        side=side,
        type=kind,
        position_side=rules.position_side(params, account),
        close_position=bool(rules.flag(params, "closePosition")),
        time_in_force=rules.chosen(params, "timeInForce", (*rules.TIMES, GTE), "GTC", refusal(-1115)),
        working_type=rules.chosen(params, "workingType", WORKING, "CONTRACT_PRICE", invalid("workingType")),
        price_protect=bool(rules.flag(params, "priceProtect")),
        stp=rules.chosen(params, "selfTradePreventionMode", rules.STP, "EXPIRE_MAKER", refusal(-5039)),
        price_match=rules.price_match(params, kind in LIMITS),
    )
    algo.good_till_ms = rules.good_till_ms(params, algo.time_in_force, pit)
    if algo.close_position:
        _read_closing(params, algo)
    else:
        algo.reduce_only = rules.reduce_only(params, account)
        algo.quantity_e8 = rules.needed_quantity(params, contract.instrument)
        rules.check_quantity(contract.instrument, algo.quantity_e8, market=kind not in LIMITS)
    _read_trigger(params, algo, contract.instrument)
    _check_algo_value(algo, contract)
    return algo


def _read_closing(params: Params, algo: Algo) -> None:
    """``closePosition`` closes everything: no quantity, no reduceOnly, only against its own side."""
    if algo.type not in CLOSING:
        raise refusal(-4136, algo.type)
    if params.get("quantity"):
        raise refusal(-4137)
    if "reduceOnly" in params:
        raise not_required("reduceOnly")
    if algo.position_side != "BOTH" and (algo.position_side, algo.side) not in AGAINST:
        raise refusal(-2022)


def _read_trigger(params: Params, algo: Algo, instrument: Instrument) -> None:
    if algo.type == TRAILING:
        if params.get("triggerPrice"):
            raise not_required("triggerPrice")
        _read_trailing(params, algo, instrument)
        return
    for name in ("activatePrice", "callbackRate"):
        if params.get(name):
            raise not_required(name)
    algo.trigger_e8 = _stop_price(params, "triggerPrice", instrument)
    if algo.type in LIMITS:
        if algo.price_match == "NONE":
            algo.price_e8 = rules.needed_price(params, instrument)
            rules.check_price(instrument, algo.price_e8)
    elif params.get("price"):
        raise not_required("price")


def _read_trailing(params: Params, algo: Algo, instrument: Instrument) -> None:
    rate = rules.decimal_e8(params, "callbackRate", 6)
    if rate is None:
        raise missing("callbackRate")
    algo.callback_e8, algo.callback = rate // 100, params["callbackRate"]
    if not CALLBACK_MIN_E8 <= algo.callback_e8 <= CALLBACK_MAX_E8 or algo.callback_e8 % CALLBACK_STEP_E8:
        raise invalid("callbackRate")
    if params.get("activatePrice"):
        algo.activate_e8 = _stop_price(params, "activatePrice", instrument)


def _stop_price(params: Params, name: str, instrument: Instrument) -> int:
    price = rules.needed_price(params, instrument, name)
    if price <= 0:
        raise refusal(-4006)
    rules.check_price(instrument, price)
    return price


def _check_algo_value(algo: Algo, contract: Contract) -> None:
    """MIN_NOTIONAL, for what may open something."""
    if not (algo.close_position or algo.reduce_only or (algo.position_side, algo.side) in AGAINST):
        price = algo.price_e8 or algo.trigger_e8 or contract.mark_e8
        rules.check_value(contract.instrument, price, algo.quantity_e8)
