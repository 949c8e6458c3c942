"""The algo service: conditional orders watch a price, trigger, and become orders of the matching engine (§3.6, §4.5).

No margin is looked at before the trigger. NEW → TRIGGERING → TRIGGERED → FINISHED; CANCELED, REJECTED (at the
trigger) and EXPIRED are the other ends.
"""

from __future__ import annotations

from exchange.emulator.errors import VenueError
from exchange.emulator.trading import rules
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.algos import LIMITS, Algo
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.engine import Engine
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.texts import SIDE_TEXTS, short

ALGOS_MAX = 200  # over all contracts
MARK, LAST = "MARK_PRICE", "CONTRACT_PRICE"
GTE = "GTE_GTC"
_REASONS = {-2022: "Reduce Only reject", -4118: "Reduce Only reject"}


class Conditional:
    """Keeps the conditional orders. ``trigger_ms``: how long one stays TRIGGERING (0: no time)."""

    def __init__(self, pit: Pit, engine: Engine) -> None:
        self._pit, self._engine = pit, engine
        self.trigger_ms = 0

    # -- coming and going --------------------------------------------------------------------------------------------

    def place(self, algo: Algo) -> Algo:
        """Take a conditional order. Raises VenueError."""
        account, contract = algo.account, self._pit.contracts[algo.symbol]
        self._admit(algo, account, contract)
        algo.id = self._pit.ids.algo()
        algo.created_ms = algo.updated_ms = self._pit.now_ms()
        account.keep_algo(algo)
        contract.algos[algo.id] = algo
        if algo.good_till_ms:
            self._pit.at(algo.good_till_ms, lambda: self._good_until(algo))
        self._say(algo)
        if algo.trailing:
            self._follow(algo, self._price(contract, algo))
        return algo

    def _admit(self, algo: Algo, account: Account, contract: Contract) -> None:
        named = account.algo_by_client.get(algo.client_id)
        if named is not None and named.id in account.watched:
            raise refusal(-4116)
        if len(account.watched) >= ALGOS_MAX:
            raise refusal(-4045)
        if algo.time_in_force == GTE:
            self._admit_gte(algo, account)
        price = self._price(contract, algo)
        if not algo.trailing:
            if algo.met_by(price):
                raise refusal(-2021)
        elif not algo.activate_e8:
            algo.activate_e8 = price
        elif (algo.activate_e8 - price) * algo.side >= 0:
            raise refusal(-2021)

    @staticmethod
    def _admit_gte(algo: Algo, account: Account) -> None:
        if not account.reducible_e8(algo.symbol, algo.position_side, algo.side):
            raise refusal(-4509)
        for other in account.watched.values():
            whole = algo.close_position and other.close_position and other.time_in_force == GTE
            if whole and _direction(other) == _direction(algo):
                raise refusal(-4130)

    def cancel(self, algo: Algo, *, silent: bool = False) -> None:
        """Cancel one that has not triggered. Raises VenueError (-4117, -2011). ``silent``: nobody is told."""
        if algo.status == "TRIGGERING":
            raise refusal(-4117)
        if not algo.waiting:
            raise refusal(-2011)
        self._end(algo, "CANCELED", silent=silent)

    def _good_until(self, algo: Algo) -> None:
        if algo.waiting:
            self._end(algo, "EXPIRED")

    def position_gone(self, account: Account, contract: Contract, position_side: str) -> None:
        """GTE orders live as long as the position they close."""
        for algo in account.watched_algos(contract.symbol):
            bound = algo.time_in_force == GTE and algo.waiting and algo.position_side == position_side
            if bound and not account.reducible_e8(algo.symbol, position_side, algo.side):
                self._end(algo, "EXPIRED")

    def _end(self, algo: Algo, status: str, *, silent: bool = False) -> None:
        algo.status, algo.updated_ms = status, self._pit.now_ms()
        self._pit.contracts[algo.symbol].algos.pop(algo.id, None)
        algo.account.retire_algo(algo)
        self._note(algo)
        if not silent:
            self._pit.tell_algo(algo)

    # -- watching ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _price(contract: Contract, algo: Algo) -> int:
        return contract.mark_e8 if algo.working_type == MARK else contract.last_e8

    def watch(self, contract: Contract, working_type: str) -> None:
        """A new mark, or a new last price."""
        for algo in list(contract.algos.values()):
            if algo.working_type != working_type or not algo.waiting:
                continue
            price = self._price(contract, algo)
            if algo.trailing:
                self._follow(algo, price)
            if algo.met_by(price) and not (algo.price_protect and contract.protected()):
                self.trigger(algo)

    def _follow(self, algo: Algo, price: int) -> None:
        if algo.follow(price):
            algo.updated_ms = self._pit.now_ms()
            self._say(algo)

    def trigger(self, algo: Algo) -> None:
        """The condition is met."""
        algo.status = "TRIGGERING"
        algo.triggered_ms = algo.updated_ms = self._pit.now_ms()
        self._say(algo)
        if self.trigger_ms:
            self._pit.at(algo.triggered_ms + self.trigger_ms, lambda: self._submit(algo))
        else:
            self._submit(algo)

    def _submit(self, algo: Algo) -> None:
        """Hand it to the matching engine."""
        order = self._order(algo)
        try:
            if not order.quantity_e8:
                raise refusal(-2022)
            if order.price_match != "NONE":
                order.price_e8 = rules.matched_price(self._pit.contracts[algo.symbol], order.side, order.price_match)
            self._engine.admit(order, triggered=True)
        except VenueError as error:
            algo.reason = _REASONS.get(error.code, str(error).rstrip("."))
            self._end(algo, "REJECTED")
            return
        self._engine.register(order)
        algo.order, algo.status, algo.updated_ms = order, "TRIGGERED", self._pit.now_ms()
        self._pit.contracts[algo.symbol].algos.pop(algo.id, None)
        algo.account.watched.pop(algo.id, None)
        self._say(algo)
        self._engine.start(order)

    def _order(self, algo: Algo) -> Order:
        """The order that a conditional one becomes: its client id, a new order id (reference §4.5)."""
        held = algo.account.reducible_e8(algo.symbol, algo.position_side, algo.side)
        limit = algo.type in LIMITS
        one_way = algo.position_side == "BOTH"
        return Order(
            account=algo.account,
            symbol=algo.symbol,
            client_id=algo.client_id,
            side=algo.side,
            type="LIMIT" if limit else "MARKET",
            quantity_e8=held if algo.close_position else algo.quantity_e8,
            price_e8=algo.price_e8,
            time_in_force=algo.time_in_force if limit and algo.time_in_force != GTE else "GTC",
            position_side=algo.position_side,
            reduce_only=algo.reduce_only or (algo.close_position and one_way),
            stp=algo.stp,
            price_match=algo.price_match,
            good_till_ms=algo.good_till_ms if limit else 0,
            original_type=algo.type,
            stop_e8=algo.trigger_e8,
            working_type=algo.working_type,
            price_protect=algo.price_protect,
            close_position=algo.close_position,
            activate_e8=algo.activate_e8,
            callback=algo.callback,
            algo=algo,
        )

    def order_ended(self, order: Order) -> None:
        """The order a conditional one became is over."""
        algo = order.algo
        if algo is not None and algo.status == "TRIGGERED":
            self._end(algo, "FINISHED")

    def _say(self, algo: Algo) -> None:
        self._note(algo)
        self._pit.tell_algo(algo)

    def _note(self, algo: Algo) -> None:
        self._pit.note(
            "algo",
            algo.account,
            symbol=algo.symbol,
            position_side=algo.position_side,
            algo_id=algo.id,
            client_id=algo.client_id,
            status=algo.status,
            type=algo.type,
            side=SIDE_TEXTS[algo.side],
            quantity=short(algo.quantity_e8),
            trigger=short(algo.trigger_e8),
            close_position=algo.close_position,
            reduce_only=algo.reduce_only,
            order_id=algo.order.id if algo.order is not None else 0,
            reason=algo.reason,
        )


def _direction(algo: Algo) -> tuple[str, str, int, str]:
    """What only one closing order with GTE may be there for."""
    return algo.symbol, algo.position_side, algo.side, algo.type.partition("_")[0]
