"""Random walks over everything a client, a hand and the venue can do, with what must hold after every step."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from exchange.emulator.errors import VenueError
from exchange.emulator.trading.account import Account
from models.instrument import E8, to_e8
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene

TIMES = ("GTC", "GTC", "IOC", "FOK", "GTX", "GTD", "RPI")
STP = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
PRICES = {BTC: (769_150, 10), ETH: (252_000, 10)}


class Walk:
    """One walk of two accounts. ``steps`` counts what was accepted, ``codes`` what was refused and why."""

    def __init__(self, seed: int, **options: Any) -> None:
        self.draw = Random(seed)
        self.scene = Scene(usdt="2000", **options)
        self.other = self.scene.desk.open_account("other", 50_000 * E8)
        self.middle = {symbol: price for symbol, (price, _) in PRICES.items()}
        self.codes: dict[int, int] = {}
        self.accepted: dict[str, int] = {}
        self.names = 0
        self._market(BTC)
        self._market(ETH)

    def step(self) -> None:
        """One thing happens."""
        doing = self.draw.choices(
            [self._market_step, self._order, self._change, self._algo, self._hand, self._venue, self._setting],
            [40, 30, 12, 10, 4, 3, 3],
        )[0]
        try:
            doing()
        except VenueError as error:
            self.codes[error.code] = self.codes.get(error.code, 0) + 1
        else:
            self.accepted[doing.__name__] = self.accepted.get(doing.__name__, 0) + 1
        self.scene.wait(self.draw.choice((0, 1, 10, 500)))

    # -- the market --------------------------------------------------------------------------------------------------

    def _symbol(self) -> str:
        return self.draw.choice((BTC, BTC, ETH))

    def _market(self, symbol: str) -> None:
        text = self.scene.instrument(symbol).price_text
        middle = self.middle[symbol]

        def side(way: int) -> list[tuple[str, str]]:
            return [(text(middle + way * (1 + step)), f"{self.draw.randint(1, 60) / 1000:.3f}") for step in range(8)]

        self.scene.book(side(-1), side(1), symbol, told=True)

    def _market_step(self) -> None:
        symbol = self._symbol()
        wide = self.draw.random() < 0.04
        self.middle[symbol] += self.draw.randint(-9_000, 9_000) if wide else self.draw.randint(-6, 6)
        base = PRICES[symbol][0]
        self.middle[symbol] = max(base * 9 // 10, min(base * 11 // 10, self.middle[symbol]))
        text = self.scene.instrument(symbol).price_text
        what = self.draw.randrange(4)
        if what == 0:
            self._market(symbol)
        elif what == 1:
            price = self.middle[symbol] + self.draw.randint(-4, 4)
            quantity = f"{self.draw.randint(1, 80) / 1000:.3f}"
            self.scene.trade(text(price), quantity, sell=self.draw.random() < 0.5, symbol=symbol)
        elif what == 2:
            self.scene.mark(f"{text(self.middle[symbol])}{self.draw.randint(0, 999_999):06d}", symbol=symbol)
        else:
            self._market(symbol)
            bids, asks = self.scene.market.books[symbol]
            self.scene.quote(text(bids[0][0]), text(asks[0][0]), symbol)

    # -- the client --------------------------------------------------------------------------------------------------

    def _who(self) -> Account:
        return self.draw.choice((self.scene.account, self.scene.account, self.other))

    def _order(self) -> None:
        account, symbol, draw = self._who(), self._symbol(), self.draw
        self.names += 1
        asked: dict[str, Any] = {
            "symbol": symbol,
            "side": draw.choice(("BUY", "SELL")),
            "type": draw.choice(("MARKET", "LIMIT", "LIMIT")),
            "quantity": f"{draw.randint(1, 60) / 1000:.3f}",
            "newClientOrderId": f"w{draw.randint(0, self.names)}",
            "newOrderRespType": draw.choice(("ACK", "RESULT")),
            "selfTradePreventionMode": draw.choice(STP),
        }
        if asked["type"] == "LIMIT":
            asked["timeInForce"] = draw.choice(TIMES)
            asked["price"] = self._near(symbol)
            if asked["timeInForce"] == "GTD":
                asked["goodTillDate"] = self.scene.ms + draw.randint(601_000, 700_000)
        if account.hedge:
            asked["positionSide"] = draw.choice(("LONG", "SHORT"))
        elif draw.random() < 0.35:
            asked["reduceOnly"] = "true"
        self.scene.call("POST /fapi/v1/order", account, **asked)

    def _near(self, symbol: str) -> str:
        return self.scene.instrument(symbol).price_text(self.middle[symbol] + self.draw.randint(-9, 9))

    def _change(self) -> None:
        account = self._who()
        live = account.live_orders()
        if not live:
            return
        order = self.draw.choice(live)
        if self.draw.random() < 0.5:
            self.scene.call("DELETE /fapi/v1/order", account, symbol=order.symbol, orderId=order.id)
            return
        side = "BUY" if order.side > 0 else "SELL"
        self.scene.call(
            "PUT /fapi/v1/order", account, symbol=order.symbol, orderId=order.id, side=side,
            quantity=f"{self.draw.randint(1, 60) / 1000:.3f}", price=self._near(order.symbol),
        )  # fmt: skip

    def _algo(self) -> None:
        account, symbol, draw = self._who(), self._symbol(), self.draw
        if draw.random() < 0.2 and account.watched:
            self.scene.call("DELETE /fapi/v1/algoOrder", account, algoId=draw.choice(list(account.watched)))
            return
        kind = draw.choice(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"))
        asked: dict[str, Any] = {
            "algoType": "CONDITIONAL", "symbol": symbol, "side": draw.choice(("BUY", "SELL")), "type": kind,
            "workingType": draw.choice(("MARK_PRICE", "CONTRACT_PRICE")),
            "timeInForce": draw.choice(("GTC", "GTC", "GTE_GTC")),
        }  # fmt: skip
        if kind == "TRAILING_STOP_MARKET":
            asked["callbackRate"] = "0.1"
        else:
            asked["triggerPrice"] = self._near(symbol)
        if kind in ("STOP", "TAKE_PROFIT"):
            asked["price"] = self._near(symbol)
        if account.hedge:
            asked["positionSide"] = draw.choice(("LONG", "SHORT"))
        if kind in ("STOP_MARKET", "TAKE_PROFIT_MARKET") and draw.random() < 0.4:
            asked["closePosition"] = "true"
        else:
            asked["quantity"] = f"{draw.randint(1, 60) / 1000:.3f}"
            if not account.hedge and draw.random() < 0.6:
                asked["reduceOnly"] = "true"
        self.scene.call("POST /fapi/v1/algoOrder", account, **asked)

    # -- hands and the venue -----------------------------------------------------------------------------------------

    def _hand(self) -> None:
        account, draw, desk = self._who(), self.draw, self.scene.desk
        side = draw.choice(("LONG", "SHORT")) if account.hedge else "BOTH"
        if draw.random() < 0.5:
            desk.hand_trade(account, self._symbol(), draw.choice(("BUY", "SELL")), draw.randint(1, 40), side)
        elif draw.random() < 0.5:
            desk.fill(account, lots=draw.randint(0, 10))
        else:
            desk.deposit(account, draw.randint(-50, 60) * E8 + draw.randint(0, 99_999_999))

    def _venue(self) -> None:
        account, draw, desk = self._who(), self.draw, self.scene.desk
        what = draw.randrange(5)
        if what == 0:
            desk.liquidate(account, self._symbol(), draw.choice((0, 3)))
        elif what == 1:
            desk.adl(account, self._symbol(), draw.choice((0, 5)))
        elif what == 2:
            desk.settle(account, self._symbol())
        elif what == 3:
            desk.fund(self._symbol(), to_e8("0.00031") * draw.choice((1, -1)))
        else:
            desk.cancel_stop(account, silent=draw.random() < 0.5)

    def _setting(self) -> None:
        account, draw = self._who(), self.draw
        what = draw.randrange(3)
        if what == 0:
            self.scene.call("POST /fapi/v1/leverage", account, symbol=self._symbol(), leverage=draw.randint(1, 125))
        elif what == 1:
            kind = draw.choice(("ISOLATED", "CROSSED"))
            self.scene.call("POST /fapi/v1/marginType", account, symbol=self._symbol(), marginType=kind)
        else:
            self.scene.call(
                "POST /fapi/v1/positionMargin", account, symbol=self._symbol(), amount=draw.randint(1, 20),
                type=draw.choice((1, 2)), **({"positionSide": "LONG"} if account.hedge else {}),
            )  # fmt: skip

    # -- what must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything that is true of a desk at rest."""
        for account in self.scene.desk.accounts.values():
            self._check_orders(account)
            self._check_reducing(account)
            self._check_money(account)

    def _check_orders(self, account: Account) -> None:
        resting = {
            order.id: order
            for contract in self.scene.desk.contracts.values()
            for orders in contract.resting.values()
            for order in orders
            if order.account is account
        }
        assert resting.keys() == account.live.keys()
        for order in account.orders.values():
            assert order.live == (order.id in account.live)
            assert 0 <= order.filled_e8 <= order.quantity_e8
            assert (order.status == "FILLED") == (order.left_e8 == 0)
            assert order.ahead_e8 >= 0
        names = [order.client_id for order in account.live.values() if order.algo is None]
        assert len(names) == len(set(names))
        for algo in account.algos.values():
            assert (algo.status in ("NEW", "TRIGGERING")) == (algo.id in account.watched)
            if algo.order is not None:
                assert (algo.status == "TRIGGERED") == algo.order.live

    def _check_reducing(self, account: Account) -> None:
        for symbol in PRICES:
            for side in ("BOTH", "LONG", "SHORT"):
                for way in (1, -1):
                    reserved = account.reserved_e8(symbol, side, way)
                    assert reserved <= account.reducible_e8(symbol, side, way)

    def _check_money(self, account: Account) -> None:
        opening = {"main": 2000, "other": 50_000}[account.name]
        rows = [Fraction(str(row["income"])) for row in account.incomes if row["asset"] == "USDT"]
        assert opening + sum(rows) == Fraction(account.wallet_e8, E8)
        for position in account.positions.values():
            assert position.cost_e8 >= 0 and bool(position.cost_e8) == bool(position.quantity_e8)
            assert position.quantity_e8 or not position.isolated_e8
