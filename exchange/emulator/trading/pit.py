"""What all parts of the desk share: clock, ids, accounts, contracts, and where events and audit records go."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import msgspec

from exchange.emulator.draws import draws
from exchange.emulator.market import Market
from exchange.emulator.trading.account import USDT, Account
from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.algos import event as algo_event
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.orders import Fill, Order, lite
from exchange.emulator.trading.orders import event as order_event
from exchange.emulator.trading.positions import Position
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.texts import at_least, divided, money, money_or_zero, short
from models.instrument import E8

FIRST_ORDER = 823_456_789_000
FIRST_TRADE = 9_079_000_000  # above the market's own trades, so that a trade id names one trade
FIRST_ALGO = 1_000_000_033_225_000
FIRST_TRANSFER = 9_689_322_000
ID_STEPS = 7  # ids grow by 1 to 7: gaps are normal
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

Emit = Callable[[Account, dict[str, object]], None]
Audit = Callable[[dict[str, object]], None]
Key = tuple[str, str]
"""Symbol and position side"""


class _Changed(msgspec.Struct):
    """What an ACCOUNT_UPDATE that is due has to tell."""

    account: Account
    keys: dict[Key, None]
    assets: dict[str, None]


class Ids:
    """Numbers that only grow."""

    def __init__(self, seed: int) -> None:
        self._draw = draws(seed, "trading ids").__next__
        self._order, self._trade, self._algo = FIRST_ORDER, FIRST_TRADE, FIRST_ALGO
        self._transfer, self._amendment = FIRST_TRANSFER, 5_000

    def order(self) -> int:
        self._order += 1 + self._draw() % ID_STEPS
        return self._order

    def trade(self) -> int:
        self._trade += 1 + self._draw() % ID_STEPS
        return self._trade

    def algo(self) -> int:
        self._algo += 1 + self._draw() % ID_STEPS
        return self._algo

    def transfer(self) -> int:
        self._transfer += 1
        return self._transfer

    def amendment(self) -> int:
        self._amendment += 1
        return self._amendment

    def client(self) -> str:
        """The name the venue gives to an order that came without one."""
        return "".join(_LETTERS[self._draw() % len(_LETTERS)] for _ in range(22))


class Pit:
    """The shared state. ``word`` sends an event, ``note`` an audit record."""

    def __init__(self, market: Market, now_ms: Callable[[], int], emit: Emit, seed: int, audit: Audit | None) -> None:
        self.market, self.now_ms = market, now_ms
        self.accounts: dict[str, Account] = {}
        self.contracts: dict[str, Contract] = {one.symbol: Contract(market, one) for one in market.instruments}
        self.ids = Ids(seed)
        self.bnb_e8 = 600 * E8  # what a BNB is worth when it pays commission
        self._emit, self._audit = emit, audit
        self._changed: dict[str, _Changed] = {}
        self._records = 0
        self._now_us = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._due_count = 0

    def contract(self, symbol: str) -> Contract:
        """The contract of that name. Raises VenueError (-1121)."""
        found = self.contracts.get(symbol)
        if found is None:
            raise refusal(-1121)
        return found

    # -- time --------------------------------------------------------------------------------------------------------

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        """Do something when the venue's clock shows ``at_ms``."""
        self._due_count += 1
        heapq.heappush(self._due, (at_ms, self._due_count, act))

    def run_due(self) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= self.now_ms():
            heapq.heappop(self._due)[2]()

    # -- audit -------------------------------------------------------------------------------------------------------

    def note(self, kind: str, account: Account, **fields: object) -> None:
        """One audit record: its kind, its running number, the venue's time in µs (which never runs back), then the
        fields; numbers with a unit are decimal texts.
        """
        if self._audit is None:
            return
        self._records += 1
        self._now_us = max(self._now_us, self.now_ms() * 1000)
        head = {"number": self._records, "kind": kind, "time_us": self._now_us, "account": account.name}
        self._audit(head | fields)

    def note_position(self, account: Account, position: Position) -> None:
        self.note(
            "position",
            account,
            symbol=position.symbol,
            position_side=position.side,
            quantity=short(position.quantity_e8),
            cost=short(position.cost_e8),
            isolated=short(position.isolated_e8),
        )

    # -- events ------------------------------------------------------------------------------------------------------

    def word(self, account: Account, kind: str, body: dict[str, object], at_ms: int | None = None) -> None:
        """One event with its times: T what it is about, E when it leaves."""
        now_ms = self.now_ms()
        times = {"e": kind, "T": now_ms if at_ms is None else at_ms, "E": now_ms}
        self.send(account, times | body)

    def send(self, account: Account, event: dict[str, object]) -> None:
        """An event as it is."""
        self._emit(account, event)

    def tell_order(self, order: Order, execution: str, fill: Fill | None = None) -> None:
        """An ORDER_TRADE_UPDATE, before it a TRADE_LITE when something was traded."""
        instrument = self.contracts[order.symbol].instrument
        if fill is not None and execution == "TRADE":
            self.word(order.account, "TRADE_LITE", lite(fill, instrument), order.updated_ms)
        body: dict[str, object] = {"o": order_event(order, instrument, execution, fill)}
        self.word(order.account, "ORDER_TRADE_UPDATE", body, order.updated_ms)

    def tell_algo(self, algo: Algo) -> None:
        body: dict[str, object] = {"o": algo_event(algo, self.contracts[algo.symbol].instrument)}
        self.word(algo.account, "ALGO_UPDATE", body, algo.updated_ms)

    def touch(self, account: Account, key: Key | None = None, asset: str = USDT) -> None:
        """Something of the account has changed; ``flush`` tells it."""
        due = self._changed.setdefault(account.name, _Changed(account, {}, {}))
        due.assets[asset] = None
        if key is not None:
            due.keys[key] = None

    def flush(self) -> None:
        """The ACCOUNT_UPDATE of everything that trades have changed since the last one."""
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        for due in changed.values():
            self.tell_account(due.account, "ORDER", list(due.keys), assets=list(due.assets))

    def tell_account(
        self,
        account: Account,
        reason: str,
        keys: list[Key],
        *,
        change_e8: int = 0,
        assets: list[str] | None = None,
        symbol: str = "",
        at_ms: int | None = None,
    ) -> None:
        """One ACCOUNT_UPDATE; ``change_e8`` is what came in or went out other than by profit and commission."""
        balances = [
            {
                "a": asset,
                "wb": money(account.wallets[asset]),
                "cw": money(account.cross_wallet_e8 if asset == USDT else account.wallets[asset]),
                "bc": money_or_zero(change_e8),
            }
            for asset in (assets or [USDT])
        ]
        body: dict[str, object] = {"B": balances, "P": [self._position(account, key) for key in keys], "m": reason}
        if symbol:
            body["S"] = symbol
        account.updated_ms = self.now_ms()
        self.word(account, "ACCOUNT_UPDATE", {"a": body}, at_ms)

    def _position(self, account: Account, key: Key) -> dict[str, object]:
        position, contract = account.position(*key), self.contracts[key[0]]
        instrument = contract.instrument
        return {
            "s": key[0],
            "pa": signed_quantity(position, contract),
            "ep": short(position.entry_e8),
            "bep": break_even(account, position, contract),
            "cr": money_or_zero(position.realised_e8),
            "up": money_or_zero(position.unrealised_e8(contract.mark_e8)),
            "mt": "isolated" if account.isolated(key[0]) else "cross",
            "iw": money_or_zero(position.isolated_e8),
            "ps": key[1],
            "ma": instrument.quote,
        }

    def fees_of(self, account: Account, contract: Contract) -> tuple[int, int]:
        """The account's maker and taker rates at 1e-8."""
        fees = contract.instrument.fees
        maker = fees.maker_e8 if account.maker_e8 is None else account.maker_e8
        return maker, fees.taker_e8 if account.taker_e8 is None else account.taker_e8


def signed_quantity(position: Position, contract: Contract) -> str:
    """The position's amount with the venue's places."""
    return at_least(position.quantity_e8, contract.instrument.quantity_places)


def break_even(account: Account, position: Position, contract: Contract) -> str:
    """The price at which a position bought with the taker fee has earned it (venue reference §9.2), five places."""
    rate = contract.instrument.fees.taker_e8 if account.taker_e8 is None else account.taker_e8
    price = divided(position.cost_e8 * (E8 + position.sign * rate), position.size_e8 * E8)
    return short(price // 1_000 * 1_000)
