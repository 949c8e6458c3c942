"""Matching: price and time, what is taken stays taken, flags, self-trade prevention, closing orders, changes."""

from __future__ import annotations

from typing import Any

import pytest

from models.instrument import E8
from tests.exchange.emulator.trading.scene import ASKS, BIDS, BTC, Scene

BUY_LOW = {"side": "BUY", "price": "76914.90"}


def _prices(scene: Scene) -> list[tuple[str, str]]:
    return [(one["L"], one["l"]) for one in scene.heard("TRADE_LITE")]


def _hedge() -> Scene:
    """Long 0.010 in hedge mode."""
    scene = Scene(hedge=True)
    scene.order(positionSide="LONG")
    scene.forget()
    return scene


# -- taking ------------------------------------------------------------------------------------------------------------


def test_a_market_order_walks_the_book() -> None:
    """It takes the best level first and as much of the next ones as it needs."""
    scene = Scene()
    scene.order(quantity="0.010")
    assert _prices(scene) == [("76915.00", "0.006"), ("76915.10", "0.004")]


def test_what_was_taken_stays_taken() -> None:
    """A second order finds what the first one left, although the market's book has not changed."""
    scene = Scene()
    scene.order(quantity="0.010")
    scene.forget()
    scene.order(quantity="0.010")
    assert _prices(scene) == [("76915.10", "0.010")]


def test_a_depth_frame_refreshes_its_levels() -> None:
    """Once the market tells a level again, what it tells can be taken; levels it does not tell stay as they are."""
    scene = Scene()
    scene.order(quantity="0.010")
    scene.frame(BTC, "depth@100ms", {"b": [], "a": [["76915.00", "0.006"]]})
    scene.forget()
    scene.order(quantity="0.010")
    assert _prices(scene) == [("76915.00", "0.006"), ("76915.10", "0.004")]
    assert scene.desk.contracts[BTC].taken[-1] == {7_691_500_000_000: 600_000, 7_691_510_000_000: 800_000}


def test_a_quote_does_not_refresh_a_level() -> None:
    """A bookTicker tells the same old level again: it is no proof of new orders."""
    scene = Scene()
    scene.order(quantity="0.006")
    scene.quote("76914.90", "76915.00")
    scene.forget()
    scene.order(quantity="0.001")
    assert _prices(scene) == [("76915.10", "0.001")]


def test_a_market_order_goes_no_further_than_its_bound() -> None:
    """Beyond 5 % from the mark nothing is executed: the remainder expires with reason 9."""
    scene = Scene()
    scene.book(BIDS, (("76915.00", "0.006"), ("80762.80", "1.000")))
    scene.order()
    last = scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]
    assert (last["X"], last["z"], last["er"]) == ("EXPIRED", "0.006", "9")


def test_a_market_order_far_from_the_mark_is_refused() -> None:
    """When even the best price lies outside PERCENT_PRICE the order is refused with -4131, and nothing is placed."""
    scene = Scene()
    scene.book(BIDS, (("80800.00", "1.000"),))
    scene.expect_refused_order(-4131)
    assert not scene.events and not scene.account.orders


def test_an_empty_book_fills_nothing() -> None:
    """Without a counterparty a market order is refused with -2020."""
    scene = Scene()
    scene.book(BIDS, ())
    scene.expect_refused_order(-2020)


@pytest.mark.parametrize(
    ("time_in_force", "words", "reason"),
    [
        ("GTC", [("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED")], "0"),
        ("IOC", [("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("EXPIRED", "EXPIRED")], "2"),
    ],
)
def test_the_rest_of_a_limit_order_rests_or_expires(
    time_in_force: str, words: list[tuple[str, str]], reason: str
) -> None:
    """What a limit order cannot take at once rests with GTC and expires with reason 2 with IOC."""
    scene = Scene()
    scene.limit("BUY", "76915.00", timeInForce=time_in_force)
    assert scene.words() == words
    assert scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]["er"] == reason
    assert len(scene.account.live) == (time_in_force == "GTC")


def test_fill_or_kill_is_all_or_nothing() -> None:
    """FOK fills whole when the book holds enough at its limit, else it is refused with -5021 and leaves no trace."""
    scene = Scene()
    scene.expect_refused_order(-5021, type="LIMIT", timeInForce="FOK", price="76915.00")
    assert not scene.events
    assert scene.limit("BUY", "76915.10", timeInForce="FOK", newOrderRespType="RESULT")["status"] == "FILLED"


@pytest.mark.parametrize("time_in_force", ["GTX", "RPI"])
def test_a_post_only_order_never_takes(time_in_force: str) -> None:
    """A maker-only order that would trade at once is refused with -5022; one that would not rests."""
    scene = Scene()
    scene.expect_refused_order(-5022, type="LIMIT", timeInForce=time_in_force, price="76915.00")
    assert scene.limit(**BUY_LOW, timeInForce=time_in_force)["status"] == "NEW"
    assert len(scene.account.live) == 1


# -- resting -----------------------------------------------------------------------------------------------------------


def test_an_order_waits_behind_what_rested_before() -> None:
    """At its own price a resting order is served only after the quantity that stood there when it came."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)  # 6.000 stand before it
    scene.trade("76914.90", "5.999", sell=True)
    assert scene.found(placed).filled_e8 == 0
    scene.trade("76914.90", "0.005", sell=True)
    assert scene.found(placed).filled_e8 == 400_000  # 0.001 went to those before, 0.004 came to us
    assert scene.heard("TRADE_LITE")[0]["m"] is True


def test_a_trade_through_the_price_serves_it() -> None:
    """A trade at a worse price would have met the order first, up to the trade's quantity, at the order's price."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    scene.trade("76914.80", "0.004", sell=True)
    assert scene.found(placed).filled_e8 == 400_000
    assert _prices(scene) == [("76914.90", "0.004")]


def test_a_trade_of_the_other_side_serves_nobody() -> None:
    """A taker who buys never meets a resting buy order."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    scene.trade("76914.00", "9.000")
    assert scene.found(placed).filled_e8 == 0


def test_a_trade_is_given_away_once() -> None:
    """Two resting orders share a trade's quantity: the better price first, then the earlier."""
    scene = Scene()
    behind = scene.limit("BUY", "76914.80")
    first = scene.limit(**BUY_LOW)
    later = scene.limit(**BUY_LOW)
    scene.trade("76914.00", "0.015", sell=True)
    assert [scene.found(one).filled_e8 for one in (first, later, behind)] == [1_000_000, 500_000, 0]


def test_the_queue_shrinks_with_the_level() -> None:
    """When the market tells less at the price than stood before the order, the order has moved up."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    scene.frame(BTC, "depth@100ms", {"b": [["76914.90", "0.002"]], "a": []})
    scene.trade("76914.90", "0.005", sell=True)
    assert scene.found(placed).filled_e8 == 300_000


@pytest.mark.parametrize("how", ["quote", "depth"])
def test_a_crossing_book_fills_a_resting_order(how: str) -> None:
    """When the other side reaches its price, the order is filled at that price with what stands there."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    asks = (("76914.80", "0.004"), ("76914.90", "0.003"), ("76915.00", "9.000"))
    scene.book((), asks, told=how == "depth")
    if how == "quote":
        scene.quote("76914.00", "76914.80")
    assert _prices(scene) == [("76914.90", "0.004"), ("76914.90", "0.003")]
    scene.quote("76914.00", "76914.80")  # the same again serves nobody
    assert scene.found(placed).filled_e8 == 700_000


def test_an_order_is_not_filled_by_what_itself_has_taken() -> None:
    """The rest of an order that swept a level does not trade with the level's old quantity when a quote repeats it."""
    scene = Scene()
    placed = scene.limit("BUY", "76915.00")
    scene.quote("76914.90", "76915.00")
    assert scene.found(placed).filled_e8 == 600_000


# -- accounts among each other -----------------------------------------------------------------------------------------


def test_accounts_trade_with_each_other_by_price_and_time() -> None:
    """A better resting order of another account is met before the market, at its price, with one trade id for both."""
    scene = Scene()
    other = scene.desk.open_account("other", 1000 * E8)
    scene.book(BIDS[1:], ASKS)
    scene.call(
        "POST /fapi/v1/order", other, symbol=BTC, side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.004",
        price="76914.90",
    )  # fmt: skip
    scene.order(quantity="0.010")
    assert _prices(scene) == [("76914.90", "0.004"), ("76915.00", "0.006")]
    mine, theirs = scene.account.trades[0], other.trades[0]
    assert mine.id == theirs.id and (mine.maker, theirs.maker) == (False, True)


@pytest.mark.parametrize(
    ("mode", "maker", "taker", "reason"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED", "0"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", "1"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", "1"),
        ("NONE", "FILLED", "FILLED", "0"),
    ],
)
def test_self_trade_prevention_follows_the_taker(mode: str, maker: str, taker: str, reason: str) -> None:
    """The taker's mode decides who expires when it meets an order of its own account; with NONE they trade."""
    scene = Scene()
    scene.book(BIDS[1:], ASKS[1:])
    resting = scene.limit("SELL", "76914.90")
    taking = scene.limit("BUY", "76915.10", selfTradePreventionMode=mode)
    assert (scene.found(resting).status, scene.found(taking).status) == (maker, taker)
    assert scene.found(taking).expiry_reason == reason


def test_an_immediate_order_stopped_by_its_own_account_says_so() -> None:
    """The remainder of an IOC order that self-trade prevention ends expires with reason 3."""
    scene = Scene()
    scene.book(BIDS[1:], ASKS[1:])
    scene.limit("SELL", "76914.90")
    taking = scene.limit("BUY", "76915.10", timeInForce="IOC", selfTradePreventionMode="EXPIRE_TAKER")
    assert scene.found(taking).expiry_reason == "3"


# -- closing orders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_closing_order_needs_something_to_close(side: str) -> None:
    """Flat, or on the side that would open: -2022."""
    scene = Scene()
    if side == "BUY":
        scene.order()
    scene.expect_refused_order(-2022, side=side, reduceOnly="true")


def test_a_closing_order_is_trimmed_to_the_position() -> None:
    """More than is held is cut to what is held, in the answer and in the events."""
    scene = Scene()
    scene.order()
    scene.forget()
    answer = scene.order(side="SELL", quantity="0.500", reduceOnly="true")
    assert answer["origQty"] == "0.010"
    assert {one["o"]["q"] for one in scene.heard("ORDER_TRADE_UPDATE")} == {"0.010"}
    assert scene.held() == "0.000"


@pytest.mark.parametrize("kind", ["MARKET", "LIMIT"])
def test_a_full_size_target_leaves_nothing_to_close(kind: str) -> None:
    """While a resting closing order reserves the whole position, another one is refused with -4118 and the first
    stays as it is.
    """
    scene = Scene()
    scene.order()
    target = scene.limit("SELL", "77000.00", reduceOnly="true")
    price = {"price": "77100.00"} if kind == "LIMIT" else {}
    scene.expect_refused_order(-4118, type=kind, side="SELL", reduceOnly="true", **price)
    assert scene.found(target).live


def test_closing_orders_share_the_position() -> None:
    """A second closing order is trimmed to what the first one leaves."""
    scene = Scene()
    scene.order()
    scene.limit("SELL", "77000.00", "0.006", reduceOnly="true")
    assert scene.limit("SELL", "77100.00", "0.010", reduceOnly="true")["origQty"] == "0.004"


def test_a_shrinking_position_trims_and_expires_closing_orders() -> None:
    """When something else closes, closing orders give way from the worst price: trimmed, then expired with reason 4."""
    scene = Scene()
    scene.order()
    near = scene.limit("SELL", "77000.00", "0.006", reduceOnly="true")
    far = scene.limit("SELL", "77100.00", "0.004", reduceOnly="true")
    scene.desk.hand_trade(scene.account, BTC, "SELL", 5)
    assert (scene.found(near).quantity_e8, scene.found(near).status) == (500_000, "NEW")
    assert (scene.found(far).status, scene.found(far).expiry_reason) == ("EXPIRED", "4")
    amended = [one["o"] for one in scene.heard("ORDER_TRADE_UPDATE") if one["o"]["x"] == "AMENDMENT"]
    assert [(one["i"], one["q"]) for one in amended] == [(near["orderId"], "0.005")]


def test_a_closed_position_leaves_no_closing_order() -> None:
    """Flat by hand: every closing order expires with reason 4, others stay."""
    scene = Scene()
    scene.order()
    target = scene.limit("SELL", "77000.00", reduceOnly="true")
    entry = scene.limit("BUY", "76000.00")
    scene.desk.hand_trade(scene.account, BTC, "SELL", 10)
    assert scene.found(target).expiry_reason == "4" and scene.found(entry).live


def test_a_flip_by_hand_never_grows_through_a_closing_order() -> None:
    """After a flip the old closing orders are gone: a trade through their price changes nothing."""
    scene = Scene()
    scene.order()
    scene.limit("SELL", "77000.00", reduceOnly="true")
    scene.desk.hand_trade(scene.account, BTC, "SELL", 30)
    scene.trade("77500.00", "9.000")
    assert scene.held() == "-0.020"


def test_hedge_sides_are_apart() -> None:
    """In hedge mode a short opens beside a long, and selling on LONG closes it and can do no more than that."""
    scene = _hedge()
    scene.order(side="SELL", positionSide="SHORT", quantity="0.020")
    assert (scene.held(side="LONG"), scene.held(side="SHORT")) == ("0.010", "-0.020")
    assert scene.order(side="SELL", positionSide="LONG", quantity="0.500")["origQty"] == "0.010"
    assert (scene.held(side="LONG"), scene.held(side="SHORT")) == ("0.000", "-0.020")
    scene.expect_refused_order(-2022, side="SELL", positionSide="LONG")


# -- admission ---------------------------------------------------------------------------------------------------------


def test_a_client_id_is_taken_only_while_its_order_is_open() -> None:
    """-4116 as long as an order of that id rests; afterwards the id may be used again."""
    scene = Scene()
    scene.limit(**BUY_LOW, newClientOrderId="again")
    scene.expect_refused_order(-4116, newClientOrderId="again")
    scene.call("DELETE /fapi/v1/order", symbol=BTC, origClientOrderId="again")
    assert scene.order(newClientOrderId="again")["status"] == "NEW"


def test_margin_must_be_there() -> None:
    """An order whose initial margin is more than what is available is refused with -2019, resting ones counted."""
    scene = Scene(usdt="40")
    scene.limit("BUY", "76900.00")  # 38.45 of 40
    scene.expect_refused_order(-2019, type="LIMIT", price="76900.00", quantity="0.001")


def test_a_closing_order_needs_no_margin() -> None:
    """With nothing available a position can still be closed."""
    scene = Scene(usdt="40")
    scene.order()
    scene.desk.deposit(scene.account, -scene.wallet_e8 + E8)
    assert scene.call("GET /fapi/v3/account")["availableBalance"] == "0.00000000"
    scene.order(side="SELL")
    assert scene.held() == "0.000"


def test_the_bracket_bounds_the_position() -> None:
    """At 125-fold leverage a position beyond the bracket's cap is refused with -2027."""
    scene = Scene(usdt="1000000", leverage=125)
    scene.expect_refused_order(-2027, quantity="4.000", type="LIMIT")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda account: setattr(account, "active", False), -4109),
        (lambda account: setattr(account, "can_trade", False), -4088),
        (lambda account: setattr(account, "only_reduce", True), -4087),
        (lambda account: account.wallets.update(USDT=0), -2018),
    ],
)
def test_a_restricted_account_cannot_open(change: Any, code: int) -> None:
    """An account that is inactive, barred, restricted to closing or empty is refused with its code."""
    scene = Scene()
    change(scene.account)
    scene.expect_refused_order(code)


def test_open_orders_are_counted() -> None:
    """More open orders than MAX_NUM_ORDERS on a contract: -2025."""
    scene = Scene(usdt="100000")
    scene.desk.change_filters(BTC, orders_max=2)
    scene.limit(**BUY_LOW)
    scene.limit(**BUY_LOW)
    scene.expect_refused_order(-2025, type="LIMIT")


# -- changes -----------------------------------------------------------------------------------------------------------


def _change(scene: Scene, placed: dict[str, Any], **params: Any) -> Any:
    usual = {"symbol": BTC, "orderId": placed["orderId"], "side": "BUY", "quantity": "0.010", "price": "76900.00"}
    return scene.call("PUT /fapi/v1/order", **(usual | params))


def test_a_change_loses_the_place() -> None:
    """A changed order goes to the back of its new price and stops preventing self-trades."""
    scene = Scene()
    placed = scene.limit("BUY", "76914.80")
    _change(scene, placed, price="76914.90", quantity="0.020")
    order = scene.found(placed)
    assert (order.ahead_e8, order.quantity_e8, order.stp) == (600_000_000, 2_000_000, "NONE")


def test_a_change_can_trade_at_once() -> None:
    """An order moved across the book takes."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    answer = _change(scene, placed, price="76915.10")
    assert (answer["status"], answer["executedQty"]) == ("FILLED", "0.010")


def test_a_change_below_what_is_filled_cancels() -> None:
    """A new quantity not above the executed one ends the order as cancelled."""
    scene = Scene()
    placed = scene.limit("BUY", "76915.00")
    assert _change(scene, placed, quantity="0.006")["status"] == "CANCELED"
    assert not scene.account.live


def test_a_post_only_change_that_would_take_cancels() -> None:
    """A post-only order moved onto the other side is cancelled, not filled."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW, timeInForce="GTX")
    assert _change(scene, placed, price="76915.00")["status"] == "CANCELED"
    assert not scene.heard("TRADE_LITE")


def test_a_refused_change_leaves_everything() -> None:
    """When the margin does not suffice the order keeps price, quantity and its place."""
    scene = Scene(usdt="40")
    placed = scene.limit(**BUY_LOW)
    before = scene.found(placed).ahead_e8
    scene.trade("76914.90", "1.000", sell=True)
    scene.expect_refused(
        -2019, "PUT /fapi/v1/order", symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.500",
        price="76900.00",
    )  # fmt: skip
    order = scene.found(placed)
    assert (order.price_e8, order.quantity_e8, order.ahead_e8) == (7_691_490_000_000, 1_000_000, before - E8)
    assert order.live and scene.desk.contracts[BTC].resting[1] == [order]


def test_a_closing_order_cannot_be_changed_beyond_the_position() -> None:
    """A larger quantity is trimmed to what there is to close."""
    scene = Scene()
    scene.order()
    placed = scene.limit("SELL", "77000.00", "0.004", reduceOnly="true")
    answer = _change(scene, placed, side="SELL", price="77100.00", quantity="0.900")
    assert answer["origQty"] == "0.010"


def test_an_order_can_be_changed_ten_thousand_times() -> None:
    """Then -5026."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW)
    scene.found(placed).amendments = 10_000
    scene.expect_refused(
        -5026, "PUT /fapi/v1/order", symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.011",
        price="76900.00",
    )  # fmt: skip


def test_good_till_date_ends_by_itself() -> None:
    """A GTD order expires at its time, in whole seconds, and not before."""
    scene = Scene()
    placed = scene.limit(**BUY_LOW, timeInForce="GTD", goodTillDate=scene.ms + 700_000)
    until_ms = scene.found(placed).good_till_ms
    assert until_ms % 1000 == 0
    scene.wait(until_ms - scene.ms - 1)
    assert scene.found(placed).live
    scene.wait(1)
    assert scene.found(placed).status == "EXPIRED"
