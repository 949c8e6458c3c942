"""The matching engine: orders are admitted, traded against the book, rest, are filled, changed, cancelled and expired.

The model. A taking order walks the market's book as it stands; what it takes stays taken until a depth frame tells the
level again. A resting order waits at the back of its price: a market trade at its price first serves what rested
before it, a trade through its price serves it at once, each up to the trade's quantity; when the opposite side of the
book reaches its price it is filled with what stands there. Orders of different accounts trade with each other; of one
account the taker's self-trade prevention decides.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.emulator.errors import VenueError
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.brackets import notional_max_e8
from exchange.emulator.trading.clearing import Clearing
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.margins import exposure_e8, required_e8, standing
from exchange.emulator.trading.orders import Order, amendment_row
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.texts import BUY, SIDE_TEXTS, short, value_e8

AMENDMENTS_MAX = 10_000
ASSUMED_PPM = 500  # a market buy is margined 0.05 % above the best price
POST_ONLY = ("GTX", "RPI")


class Engine:
    """Owns every order's life. ``ended`` hears of orders that are over, ``moved`` of positions that have changed."""

    def __init__(self, pit: Pit, clearing: Clearing) -> None:
        self._pit, self._clearing = pit, clearing
        self.ended: Callable[[Order], None] = lambda order: None
        self.moved: Callable[[Account, Contract, str], None] = lambda account, contract, side: None

    # -- coming in ---------------------------------------------------------------------------------------------------

    def place(self, order: Order) -> Order:
        """Admit an order and let it trade. Raises VenueError."""
        self.admit(order)
        self.register(order)
        self.start(order)
        return order

    def admit(self, order: Order, *, triggered: bool = False) -> None:
        """Everything that depends on the moment. Raises VenueError. ``triggered``: a conditional order's, which takes
        the place of resting closing orders (they expire with reason 4) and may carry any client id.
        """
        account, contract = order.account, self._pit.contracts[order.symbol]
        self._admit_account(order)
        if not triggered:
            named = account.by_client.get(order.client_id)
            if named is not None and named.live:
                raise refusal(-4116)
        if len(account.live_orders(order.symbol)) >= contract.instrument.filters.orders_max:
            raise refusal(-2025)
        if order.reducing:
            self._admit_reducing(order, triggered)
        price = self._admit_price(order, contract)
        if not order.reducing:
            self._admit_margin(order, contract, price)

    def _admit_account(self, order: Order) -> None:
        account = order.account
        if not account.active:
            raise refusal(-4109)
        if not account.can_trade:
            raise refusal(-4088)
        if account.only_reduce and not order.reducing:
            raise refusal(-4087)

    def _admit_reducing(self, order: Order, triggered: bool) -> None:
        """Trim to what is left to close; refuse when nothing is (venue reference §8: -2022, -4118)."""
        account = order.account
        held = account.reducible_e8(order.symbol, order.position_side, order.side)
        if not held:
            raise refusal(-2022)
        reserved = 0 if triggered else account.reserved_e8(order.symbol, order.position_side, order.side)
        if reserved >= held:
            raise refusal(-4118)
        order.quantity_e8 = min(order.quantity_e8, held - reserved)

    def _admit_price(self, order: Order, contract: Contract) -> int:
        """The price an order counts with for its margin. Raises VenueError for what cannot be executed as asked."""
        touch = next((price for price, _, _ in contract.offers(-order.side)), 0)
        if order.type == "MARKET":
            if not touch:
                raise refusal(-2020)
            low, high = contract.band_e8()
            if touch > high if order.side == BUY else touch < low:
                raise refusal(-4131)
            return touch + touch * ASSUMED_PPM // 1_000_000 if order.side == BUY else touch
        crosses = bool(touch) and (order.price_e8 - touch) * order.side >= 0
        if order.time_in_force in POST_ONLY and crosses:
            raise refusal(-5022)
        if order.time_in_force == "FOK" and self._offered_e8(order, contract) < order.quantity_e8:
            raise refusal(-5021)
        return order.price_e8 if order.side == BUY else max(order.price_e8, touch)

    def _offered_e8(self, order: Order, contract: Contract) -> int:
        """What an order could trade at its limit, its account's own orders left out."""
        total = 0
        for price, market, own in contract.offers(-order.side):
            if (order.price_e8 - price) * order.side < 0 or total >= order.quantity_e8:
                break
            total += market + sum(one.left_e8 for one in own if one.account is not order.account)
        return total

    def _admit_margin(self, order: Order, contract: Contract, price_e8: int) -> None:
        """Bracket and margin. Raises VenueError (-2027, -2018, -2019)."""
        account = order.account
        extra = (order.position_side, order.side, value_e8(price_e8, order.left_e8))
        before, after = required_e8(account, contract), required_e8(account, contract, extra)
        if after <= before:
            return
        largest = notional_max_e8(contract.brackets, account.leverage(order.symbol))
        if exposure_e8(account, contract, order.position_side, extra) > largest:
            raise refusal(-2027)
        if account.wallet_e8 <= 0:
            raise refusal(-2018)
        open_loss = max(0, order.side * (price_e8 - contract.mark_e8))
        needed = after - before + value_e8(open_loss, order.left_e8)
        if standing(account, self._pit.contracts).available_e8 < needed:
            raise refusal(-2019)

    def register(self, order: Order) -> None:
        """Give an admitted order its id and its place in the account."""
        order.id = self._pit.ids.order()
        order.created_ms = order.updated_ms = self._pit.now_ms()
        order.account.keep(order)
        if order.good_till_ms:
            self._pit.at(order.good_till_ms, lambda: self._good_until(order))
        self._pit.note(
            "order",
            order.account,
            symbol=order.symbol,
            position_side=order.position_side,
            order_id=order.id,
            client_id=order.client_id,
            algo_id=order.algo.id if order.algo is not None else 0,
            side=SIDE_TEXTS[order.side],
            type=order.type,
            time_in_force=order.time_in_force,
            price=short(order.price_e8),
            quantity=short(order.quantity_e8),
            reduce_only=order.reducing,
            cause=order.forced or "order",
        )

    def _good_until(self, order: Order) -> None:
        if order.live:
            self.expire(order, "0")

    def start(self, order: Order) -> None:
        """Tell of a registered order and let it trade, rest or expire."""
        self._pit.tell_order(order, "NEW")
        if order.reducing:
            self.recheck(order.account, self._pit.contracts[order.symbol], order.position_side, first=order)
        self._run(order)

    def _run(self, order: Order) -> None:
        contract = self._pit.contracts[order.symbol]
        prevented = self._take(order, contract)
        if not order.live:
            return
        if order.type == "MARKET":
            self.expire(order, "1" if prevented else "9", matching=prevented)
        elif prevented:
            self.expire(order, "3" if order.time_in_force == "IOC" else "1", matching=True)
        elif order.time_in_force in ("IOC", "FOK"):
            self.expire(order, "2")
        else:
            contract.rest(order)

    # -- trading -----------------------------------------------------------------------------------------------------

    def _take(self, order: Order, contract: Contract) -> bool:
        """Walk the other side of the book; whether self-trade prevention ended it."""
        bound = contract.take_bound_e8(order.side) if order.type == "MARKET" else order.price_e8
        other = -order.side
        for price, market, own in contract.offers(other):
            if (bound - price) * order.side < 0:
                break
            passed = 0  # of the market's quantity at this price
            for maker in own:
                if not maker.live:
                    continue
                part = min(max(0, maker.ahead_e8 - passed), market - passed)
                passed += self._take_market(order, contract, price, part)
                if not order.live:
                    break
                if maker.account is order.account and order.stp != "NONE":
                    if self._prevent(order, maker):
                        self._pass(own, passed)
                        return True
                    continue
                self._meet(order, maker, price)
                if not order.live:
                    break
            if order.live:
                passed += self._take_market(order, contract, price, market - passed)
            self._pass(own, passed)
            if not order.live:
                break
        return False

    def _take_market(self, order: Order, contract: Contract, price: int, most_e8: int) -> int:
        """Trade with the market's orders at a price; how much."""
        amount = min(self._fillable_e8(order), most_e8)
        if amount <= 0:
            return 0
        contract.take(-order.side, price, amount)
        self.fill(order, price, amount, maker=False, trade_id=self._pit.ids.trade())
        return amount

    def _meet(self, order: Order, maker: Order, price: int) -> None:
        """Two accounts of the desk trade with each other."""
        amount = min(self._fillable_e8(order), self._fillable_e8(maker))
        if amount > 0:
            number = self._pit.ids.trade()
            self._execute(order, price, amount, maker=False, trade_id=number)
            self._execute(maker, price, amount, maker=True, trade_id=number)
            self._settle(order)
            self._settle(maker)

    def _prevent(self, taker: Order, maker: Order) -> bool:
        """Self-trade prevention; whether it ends the taker."""
        if taker.stp in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            self.expire(maker, "1", matching=True)
        return taker.stp in ("EXPIRE_TAKER", "EXPIRE_BOTH")

    @staticmethod
    def _pass(own: list[Order], passed_e8: int) -> None:
        """What rested before our orders has become less."""
        for maker in own:
            maker.ahead_e8 = max(0, maker.ahead_e8 - passed_e8)

    def _fillable_e8(self, order: Order) -> int:
        """What is left of an order, but never more than a closing one can close."""
        if not order.reducing:
            return order.left_e8
        account: Account = order.account
        return min(order.left_e8, account.reducible_e8(order.symbol, order.position_side, order.side))

    def fill(self, order: Order, price: int, amount: int, *, maker: bool, trade_id: int) -> None:
        """One execution with everything that follows from it."""
        self._execute(order, price, amount, maker=maker, trade_id=trade_id)
        self._settle(order)

    def _execute(self, order: Order, price: int, amount: int, *, maker: bool, trade_id: int) -> None:
        fill = self._clearing.book(order, price, amount, maker=maker, trade_id=trade_id)
        self._pit.tell_order(order, "CALCULATED" if order.forced == "liquidation" else "TRADE", fill)
        if not order.live:
            self._end(order)

    def _settle(self, order: Order) -> None:
        """What follows from a position that has changed."""
        contract = self._pit.contracts[order.symbol]
        self.recheck(order.account, contract, order.position_side, first=order)
        self.moved(order.account, contract, order.position_side)

    # -- what the market does to resting orders ----------------------------------------------------------------------

    def market_trade(self, contract: Contract, price: int, quantity: int, taker_sells: bool) -> None:
        """A trade of the market meets the resting orders it would have met first."""
        side = BUY if taker_sells else -BUY
        level = [one for one in contract.resting[side] if one.price_e8 == price]
        left = quantity
        for order in [one for one in contract.resting[side] if (one.price_e8 - price) * side > 0]:
            if left <= 0:
                return
            left -= self._serve(order, order.price_e8, left)
        passed = 0
        for order in level:
            before = min(max(0, order.ahead_e8 - passed), left)
            passed, left = passed + before, left - before
            if left <= 0:
                break
            left -= self._serve(order, price, left)
        self._pass(level, passed + max(0, left))

    def _serve(self, order: Order, price: int, most_e8: int) -> int:
        """Fill a resting order as the maker with up to ``most_e8``; how much."""
        amount = min(self._fillable_e8(order), most_e8) if order.live else 0
        if amount > 0:
            self.fill(order, price, amount, maker=True, trade_id=self._pit.ids.trade())
        return amount

    def market_book(self, contract: Contract, touches: dict[int, int]) -> None:
        """The best prices of the market by side of the book (0: unknown): resting orders that they reach are filled
        with what stands there, at their own price.
        """
        for side, resting in contract.resting.items():
            touch = touches.get(-side, 0)
            if not resting or not touch or (resting[0].price_e8 - touch) * side < 0:
                continue
            for order in list(resting):
                for price, market in contract.levels(-side):
                    if not order.live or (order.price_e8 - price) * side < 0:
                        break
                    served = self._serve(order, order.price_e8, market)
                    if not served:
                        break
                    contract.take(-side, price, served)

    # -- ends --------------------------------------------------------------------------------------------------------

    def _end(self, order: Order) -> None:
        """An order is over: out of the book and of the account's live ones."""
        self._pit.contracts[order.symbol].leave(order)
        order.account.retire(order)
        if order.status != "FILLED":
            self._pit.note(
                "end",
                order.account,
                symbol=order.symbol,
                order_id=order.id,
                client_id=order.client_id,
                status=order.status,
                reason=order.expiry_reason,
                filled=short(order.filled_e8),
                quantity=short(order.quantity_e8),
            )
        self.ended(order)

    def cancel(self, order: Order) -> None:
        """Cancel a live order."""
        order.status, order.updated_ms = "CANCELED", self._pit.now_ms()
        self._pit.tell_order(order, "CANCELED")
        self._end(order)

    def expire(self, order: Order, reason: str, *, matching: bool = False) -> None:
        """The venue ends an order; ``reason`` is the ``er`` of its event."""
        order.status = "EXPIRED_IN_MATCH" if matching else "EXPIRED"
        order.expiry_reason, order.updated_ms = reason, self._pit.now_ms()
        self._pit.tell_order(order, "EXPIRED")
        self._end(order)

    # -- changes -----------------------------------------------------------------------------------------------------

    def amend(self, order: Order, price: int, quantity: int, price_match: str = "NONE") -> Order:
        """Change a resting limit order; it loses its place. Raises VenueError."""
        contract = self._pit.contracts[order.symbol]
        if order.amendments >= AMENDMENTS_MAX:
            raise refusal(-5026)
        if (price, quantity) == (order.price_e8, order.quantity_e8):
            raise refusal(-5027)
        if quantity <= order.filled_e8 or self._would_take(order, contract, price):
            self.cancel(order)
            return order
        was = (order.price_e8, order.quantity_e8)
        order.account.live.pop(order.id)  # it does not count beside itself
        try:
            order.price_e8, order.quantity_e8 = price, quantity
            if order.reducing:
                held = order.account.reducible_e8(order.symbol, order.position_side, order.side)
                free = held - order.account.reserved_e8(order.symbol, order.position_side, order.side)
                order.quantity_e8 = min(quantity, order.filled_e8 + max(0, free))
            else:
                self._admit_margin(order, contract, price)
        except VenueError:
            order.price_e8, order.quantity_e8 = was
            raise
        finally:
            order.account.live[order.id] = order
        contract.leave(order)
        order.amendments += 1
        order.stp, order.price_match, order.updated_ms = "NONE", price_match, self._pit.now_ms()
        instrument = contract.instrument
        order.account.amendments.append(amendment_row(order, self._pit.ids.amendment(), was, instrument))
        self._tell_amended(order)
        self._run(order)
        return order

    def _would_take(self, order: Order, contract: Contract, price: int) -> bool:
        touch = next((one for one, _, _ in contract.offers(-order.side)), 0)
        return order.time_in_force in POST_ONLY and bool(touch) and (price - touch) * order.side >= 0

    def _tell_amended(self, order: Order) -> None:
        self._pit.note(
            "amend",
            order.account,
            symbol=order.symbol,
            order_id=order.id,
            client_id=order.client_id,
            price=short(order.price_e8),
            quantity=short(order.quantity_e8),
        )
        self._pit.tell_order(order, "AMENDMENT")

    def recheck(self, account: Account, contract: Contract, position_side: str, first: Order | None = None) -> None:
        """Closing orders may never add up to more than there is to close: those behind are trimmed, then expire with
        reason 4. ``first`` goes before all others, which are ranked by price, then time.
        """
        key = (contract.symbol, position_side)
        closing = [one for one in account.live.values() if one.reducing and one.key == key]
        if not closing:
            return
        closing.sort(key=lambda one: (one is not first, -one.price_e8 * one.side, one.id))
        left = {side: account.reducible_e8(*key, side) for side in (BUY, -BUY)}
        for order in closing:
            room = left[order.side]
            if room <= 0:
                self.expire(order, "4")
                continue
            if order.left_e8 > room:
                order.quantity_e8, order.updated_ms = order.filled_e8 + room, self._pit.now_ms()
                self._tell_amended(order)
            left[order.side] -= order.left_e8
