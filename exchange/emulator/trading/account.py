"""An account: wallets, positions, settings, orders and its memory of what was traded and paid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.orders import Fill, Order
from exchange.emulator.trading.positions import Position

USDT, BNB = "USDT", "BNB"
BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"
DONE_KEPT = 20_000  # finished orders a query can still find
ROWS_KEPT = 50_000  # trades and incomes
LEVERAGE_USUAL = 20


class Account:
    """One trader's account. Readable by everybody, changed by the desk only.

    ``orders`` and ``algos`` hold everything a query can find, ``live`` and ``watched`` what still works; orders rest
    as long as they are live. Money is at 1e-8 of its asset.
    """

    def __init__(
        self,
        name: str,
        usdt_e8: int,
        *,
        bnb_e8: int = 0,
        hedge: bool = False,
        multi_assets: bool = False,
        leverage: int = LEVERAGE_USUAL,
        isolated: bool = False,
        fee_burn: bool = True,
        maker_e8: int | None = None,
        taker_e8: int | None = None,
    ) -> None:
        self.name = name
        self.alias = "".join(chr(ord("A") + byte % 26) for byte in name.encode()[:8]) or "A"
        self.wallets: dict[str, int] = {USDT: usdt_e8} | ({BNB: bnb_e8} if bnb_e8 else {})
        self.hedge, self.multi_assets, self.fee_burn = hedge, multi_assets, fee_burn
        self.maker_e8, self.taker_e8 = maker_e8, taker_e8  # None: the contract's own rates
        self.can_trade = True
        self.only_reduce = False
        self.active = bool(usdt_e8)
        self._leverage_usual, self._isolated_usual = leverage, isolated
        self._leverage: dict[str, int] = {}
        self._isolated: dict[str, bool] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.orders: dict[int, Order] = {}
        self.live: dict[int, Order] = {}
        self.by_client: dict[str, Order] = {}
        self.algos: dict[int, Algo] = {}
        self.watched: dict[int, Algo] = {}
        self.algo_by_client: dict[str, Algo] = {}
        self.trades: deque[Fill] = deque(maxlen=ROWS_KEPT)
        self.incomes: deque[dict[str, Any]] = deque(maxlen=ROWS_KEPT)
        self.amendments: deque[dict[str, Any]] = deque(maxlen=DONE_KEPT)
        self.margin_changes: deque[dict[str, Any]] = deque(maxlen=DONE_KEPT)
        self.forced: deque[Order] = deque(maxlen=DONE_KEPT)
        self.countdowns: dict[str, int] = {}
        self.called: set[tuple[str, str]] = set()  # positions warned of by a margin call
        self.updated_ms = 0
        self._done: deque[Order] = deque()
        self._done_algos: deque[Algo] = deque()

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    # -- settings ----------------------------------------------------------------------------------------------------

    def leverage(self, symbol: str) -> int:
        return self._leverage.get(symbol, self._leverage_usual)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        self._leverage[symbol] = leverage

    def isolated(self, symbol: str) -> bool:
        return self._isolated.get(symbol, self._isolated_usual)

    def set_isolated(self, symbol: str, isolated: bool) -> None:
        self._isolated[symbol] = isolated

    # -- positions ---------------------------------------------------------------------------------------------------

    def position(self, symbol: str, side: str = BOTH) -> Position:
        """The position, flat when there was none."""
        found = self.positions.get((symbol, side))
        if found is None:
            found = self.positions[symbol, side] = Position(symbol, side)
        return found

    def open_positions(self, symbol: str | None = None) -> Iterator[Position]:
        """Those that hold something."""
        for one in list(self.positions.values()):
            if one.quantity_e8 and symbol in (None, one.symbol):
                yield one

    def reducible_e8(self, symbol: str, position_side: str, side: int) -> int:
        """How much an order of ``side`` could close; 0 when it would open."""
        held = self.positions.get((symbol, position_side))
        return held.size_e8 if held is not None and held.sign == -side else 0

    # -- orders ------------------------------------------------------------------------------------------------------

    def live_orders(self, symbol: str | None = None) -> list[Order]:
        return [one for one in self.live.values() if symbol in (None, one.symbol)]

    def watched_algos(self, symbol: str | None = None) -> list[Algo]:
        return [one for one in self.watched.values() if symbol in (None, one.symbol)]

    def reserved_e8(self, symbol: str, position_side: str, side: int) -> int:
        """What live closing orders of that side have still to close."""
        return sum(
            one.left_e8
            for one in self.live.values()
            if one.reducing and one.side == side and one.key == (symbol, position_side)
        )

    def keep(self, order: Order) -> None:
        """Enter an accepted order."""
        self.orders[order.id] = self.live[order.id] = self.by_client[order.client_id] = order

    def retire(self, order: Order) -> None:
        """An order has come to its end; the oldest finished ones are forgotten."""
        self.live.pop(order.id, None)
        self._done.append(order)
        if len(self._done) > DONE_KEPT:
            old = self._done.popleft()
            self.orders.pop(old.id, None)
            if self.by_client.get(old.client_id) is old:
                del self.by_client[old.client_id]

    def keep_algo(self, algo: Algo) -> None:
        self.algos[algo.id] = self.watched[algo.id] = self.algo_by_client[algo.client_id] = algo

    def retire_algo(self, algo: Algo) -> None:
        self.watched.pop(algo.id, None)
        self._done_algos.append(algo)
        if len(self._done_algos) > DONE_KEPT:
            old = self._done_algos.popleft()
            self.algos.pop(old.id, None)
            if self.algo_by_client.get(old.client_id) is old:
                del self.algo_by_client[old.client_id]

    # -- money -------------------------------------------------------------------------------------------------------

    @property
    def wallet_e8(self) -> int:
        return self.wallets[USDT]

    @property
    def cross_wallet_e8(self) -> int:
        """The wallet without what isolated positions hold."""
        return self.wallets[USDT] - sum(one.isolated_e8 for one in self.positions.values())
