"""The trading desk: accounts that trade against a market. Pure: time comes in, events go out, no socket, no task.

``handlers`` answers the venue's calls, ``market_event`` takes every raw market frame after it was published, ``timer``
what time does by itself. The other methods are levers for tests and faults: what a person, or the venue, could do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from exchange.emulator.market import Frame, Market
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.account_calls import AccountCalls
from exchange.emulator.trading.algo_calls import AlgoCalls
from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.clearing import Clearing
from exchange.emulator.trading.conditional import LAST, MARK, Conditional
from exchange.emulator.trading.contract import FUNDING_MS, Contract
from exchange.emulator.trading.engine import Engine
from exchange.emulator.trading.order_calls import Handler, OrderCalls
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.pit import Audit, Emit, Pit
from exchange.emulator.trading.positions import Position
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.risk import Risk
from exchange.emulator.trading.texts import BUY, SELL, SIDES, short
from models.error import DataError, UsageError
from models.instrument import Instrument

Take = Callable[[Contract, bytes], None]


class TradingDesk:
    """See the module. ``emit`` gets every user event in wire form, ``audit`` one record of whatever happens."""

    def __init__(
        self,
        market: Market,
        now_ms: Callable[[], int],
        emit: Emit,
        *,
        seed: int = 0,
        audit: Audit | None = None,
    ) -> None:
        self._pit = pit = Pit(market, now_ms, emit, seed, audit)
        self._clearing = Clearing(pit)
        self._engine = Engine(pit, self._clearing)
        self._conditional = Conditional(pit, self._engine)
        self._risk = Risk(pit, self._clearing, self._engine)
        self._engine.ended = self._conditional.order_ended
        self._engine.moved = self._moved
        self.accounts: dict[str, Account] = pit.accounts
        self.contracts: dict[str, Contract] = pit.contracts
        self._orders = OrderCalls(pit, self._engine)
        calls = self._orders.handlers | AlgoCalls(pit, self._conditional).handlers
        calls |= AccountCalls(pit, self._clearing).handlers
        self.handlers: dict[str, Handler] = {call: self._whole(handler) for call, handler in calls.items()}
        self._streams: dict[str, tuple[Contract, Take] | None] = {}

    def open_account(self, name: str, usdt_e8: int, **options: Any) -> Account:
        """A new account with that money; ``options`` are those of ``account.Account``. Raises UsageError."""
        if name in self.accounts:
            raise UsageError(f"there is an account {name!r} already")
        account = self.accounts[name] = Account(name, usdt_e8, **options)
        account.updated_ms = self._pit.now_ms()
        for asset, held in account.wallets.items():
            self._pit.note("opening", account, asset=asset, amount=short(held), wallet=short(held))
        return account

    def _whole(self, handler: Handler) -> Handler:
        """A handler after which the account's changes are told, whatever comes of it."""

        def handle(account: Account, params: dict[str, str]) -> object:
            try:
                return handler(account, params)
            finally:
                self._pit.flush()

        return handle

    def _moved(self, account: Account, contract: Contract, position_side: str) -> None:
        self._conditional.position_gone(account, contract, position_side)
        if not account.position(contract.symbol, position_side).quantity_e8:
            account.called.discard((contract.symbol, position_side))

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The contracts with the rules of the moment, for exchangeInfo."""
        return tuple(one.instrument for one in self._pit.contracts.values())

    @property
    def trigger_ms(self) -> int:
        """How long a conditional order stays TRIGGERING, 0 by default: then cancels of it are refused with -4117."""
        return self._conditional.trigger_ms

    @trigger_ms.setter
    def trigger_ms(self, wait_ms: int) -> None:
        self._conditional.trigger_ms = wait_ms

    # -- the market --------------------------------------------------------------------------------------------------

    def market_event(self, frame: Frame) -> None:
        """One raw frame of the market."""
        name = frame[1]
        try:
            stream = self._streams[name]
        except KeyError:
            stream = self._streams[name] = self._stream(name)
        if stream is not None:
            stream[1](stream[0], frame[2])
            self._pit.flush()

    def _stream(self, name: str) -> tuple[Contract, Take] | None:
        """Whose frames these are and what they are good for."""
        symbol, _, kind = name.partition("@")
        contract = self._pit.contracts.get(symbol.upper())
        if contract is None:
            return None
        if kind == "trade" and f"{symbol}@aggTrade" in self._pit.market.streams:
            return None  # the same trades joined come as well
        takes = {
            "markPrice": self._take_mark,
            "bookTicker": self._take_quote,
            "aggTrade": self._take_trade,
            "trade": self._take_trade,
            "depth": self._take_depth,
        }
        take = takes.get(kind.partition("@")[0])
        return None if take is None else (contract, take)

    def _take_mark(self, contract: Contract, payload: bytes) -> None:
        event = orjson.loads(payload)
        if event["E"] >= contract.next_funding_ms > contract.settled_ms:
            self._settle_funding(contract)
        contract.take_mark(event)
        if contract.algos:
            self._conditional.watch(contract, MARK)
        self._risk.marked(contract)

    def _take_quote(self, contract: Contract, payload: bytes) -> None:
        if contract.busy:
            event = orjson.loads(payload)
            touches = {BUY: contract.number(event["b"]), SELL: contract.number(event["a"])}
            self._engine.market_book(contract, touches)

    def _take_trade(self, contract: Contract, payload: bytes) -> None:
        contract.take_trade(payload)
        if contract.busy:
            event = orjson.loads(payload)
            price, quantity = contract.number(event["p"]), contract.number(event["q"])
            self._engine.market_trade(contract, price, quantity, event["m"])
        if contract.algos:
            self._conditional.watch(contract, LAST)

    def _take_depth(self, contract: Contract, payload: bytes) -> None:
        if contract.busy or contract.disturbed:
            event = orjson.loads(payload)
            contract.take_depth(event)
            if contract.busy:
                self._engine.market_book(contract, contract.touches(event))

    def timer(self) -> None:
        """What is due: ends of orders, countdowns, triggers under way, funding when the marks are silent."""
        pit = self._pit
        now_ms = pit.now_ms()
        for contract in pit.contracts.values():
            if contract.next_funding_ms and now_ms >= contract.next_funding_ms > contract.settled_ms:
                self._settle_funding(contract)
        pit.run_due()
        self._orders.run_countdowns()
        pit.flush()

    def _settle_funding(self, contract: Contract) -> None:
        """Funding of the time that has come, at the last mark and rate, once."""
        at_ms = contract.settled_ms = contract.next_funding_ms
        for account in self.accounts.values():
            self._clearing.fund(account, contract, contract.rate_e8, at_ms)
        contract.next_funding_ms = at_ms + FUNDING_MS
        self._risk.marked(contract)

    # -- levers ------------------------------------------------------------------------------------------------------

    def deposit(self, account: Account, amount_e8: int, asset: str = "USDT") -> None:
        """Money comes (negative: goes). Raises VenueError (-2018) when there is not that much."""
        self._clearing.transfer(account, amount_e8, asset)

    def hand_trade(self, account: Account, symbol: str, side: str, lots: int, position_side: str = "BOTH") -> Order:
        """A market order from the venue's own pages: no filters, the rest as ever. Raises VenueError."""
        contract = self._pit.contract(symbol)
        order = Order(
            account=account,
            symbol=symbol,
            client_id=f"web_{self._pit.ids.client()[:20]}",
            side=SIDES[side],
            type="MARKET",
            quantity_e8=lots * contract.instrument.lot_e8,
            position_side=position_side,
        )
        try:
            return self._engine.place(order)
        finally:
            self._pit.flush()

    def fill(self, account: Account, client_id: str = "", lots: int = 0) -> Order:
        """Fill a resting order at its price, whole (``lots`` 0) or in part; without an id the oldest one. Raises
        VenueError (-2013).
        """
        named = account.by_client.get(client_id) if client_id else next(iter(account.live.values()), None)
        if named is None or not named.live:
            raise refusal(-2013)
        asked = lots * self._pit.contracts[named.symbol].instrument.lot_e8 or named.left_e8
        self._engine.fill(named, named.price_e8, min(asked, named.left_e8), maker=True, trade_id=self._pit.ids.trade())
        self._pit.flush()
        return named

    def _held(self, account: Account, symbol: str) -> list[Position]:
        held = list(account.open_positions(self._pit.contract(symbol).symbol))
        if not held:
            raise refusal(-2022)
        return held

    def liquidate(self, account: Account, symbol: str, lots: int = 0) -> None:
        """Liquidate what is held, or ``lots`` of it. Raises VenueError (-2022) when nothing is."""
        quantity = lots * self._pit.contract(symbol).instrument.lot_e8
        for position in self._held(account, symbol):
            self._risk.liquidate(account, position, quantity)
        self._pit.flush()

    def adl(self, account: Account, symbol: str, lots: int = 0) -> None:
        """Deleverage what is held, or ``lots`` of it. Raises VenueError (-2022) when nothing is."""
        quantity = lots * self._pit.contract(symbol).instrument.lot_e8
        for position in self._held(account, symbol):
            self._risk.close(account, position, min(quantity or position.size_e8, position.size_e8), "adl")
        self._pit.flush()

    def settle(self, account: Account, symbol: str) -> None:
        """Settle a contract as a delisting does: its orders expire, its positions close at the mark."""
        self._risk.settle(account, self._pit.contract(symbol).symbol)
        self._pit.flush()

    def fund(self, symbol: str, rate_e8: int | None = None) -> None:
        """Settle funding now, at ``rate_e8`` or at the rate of the moment."""
        contract = self._pit.contract(symbol)
        contract.know_mark()
        rate = contract.rate_e8 if rate_e8 is None else rate_e8
        for account in self.accounts.values():
            self._clearing.fund(account, contract, rate, self._pit.now_ms())
        self._risk.marked(contract)
        self._pit.flush()

    def cancel_stop(self, account: Account, client_id: str = "", *, silent: bool = True) -> list[Algo]:
        """Take a waiting conditional order away (without an id: all of them), with or without an event."""
        chosen = [one for one in account.watched_algos() if one.waiting and client_id in ("", one.client_id)]
        for algo in chosen:
            self._conditional.cancel(algo, silent=silent)
        return chosen

    def change_filters(self, symbol: str, **changes: Any) -> Instrument:
        """New rules of a contract: fields of ``models.instrument`` by their names. Raises UsageError."""
        contract = self._pit.contract(symbol)
        try:
            contract.change(changes)
        except (ValueError, TypeError, ArithmeticError, DataError) as error:
            raise UsageError(f"{symbol}: {error}") from None
        return contract.instrument

    def change_status(self, symbol: str, status: str) -> None:
        """TRADING, or anything else for a contract that takes no orders."""
        self._pit.contract(symbol).change({"status": status})
