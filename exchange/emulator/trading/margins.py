"""An account's margin from its positions, open orders and the marks (venue reference §9.2). Everything at 1e-8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from exchange.emulator.trading.account import BOTH, LONG, SHORT, Account
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.positions import Position
from exchange.emulator.trading.texts import BUY, value_e8
from exchange.simulated.fees import ceil_div
from exchange.simulated.margin import bracket_at, initial_e8, maintenance_e8
from models.instrument import E8, Bracket

ROUNDS = 4  # of looking for the bracket at the liquidation price

Contracts = Mapping[str, Contract]
Extra = tuple[str, int, int]
"""Position side, side and value of an order that does not rest yet"""


class Standing(msgspec.Struct, frozen=True):
    """The money of an account at the marks. ``available_e8`` may be negative; texts show it as 0."""

    wallet_e8: int
    cross_wallet_e8: int
    pnl_e8: int
    cross_pnl_e8: int
    position_initial_e8: int
    order_initial_e8: int
    maintenance_e8: int
    cross_maintenance_e8: int
    available_e8: int

    @property
    def withdrawable_e8(self) -> int:
        """Profit that is not realised cannot leave."""
        return self.available_e8 - max(0, self.cross_pnl_e8)

    @property
    def cross_balance_e8(self) -> int:
        return self.cross_wallet_e8 + self.cross_pnl_e8


def position_maintenance_e8(position: Position, contract: Contract) -> int:
    return maintenance_e8(contract.brackets, position.value_at(contract.mark_e8)) if position.quantity_e8 else 0


def position_initial_e8(account: Account, position: Position, contract: Contract) -> int:
    return initial_e8(position.value_at(contract.mark_e8), account.leverage(position.symbol))


def resting_values(account: Account, symbol: str) -> dict[tuple[str, int], int]:
    """Value of the live orders that may open something, by position side and side."""
    values: dict[tuple[str, int], int] = {}
    for order in account.live.values():
        if order.symbol == symbol and not order.reducing:
            key = (order.position_side, order.side)
            values[key] = values.get(key, 0) + value_e8(order.price_e8, order.left_e8)
    return values


def exposure_e8(account: Account, contract: Contract, position_side: str, extra: Extra | None = None) -> int:
    """The largest value the position can come to if the open orders fill: the larger of all buys and all sells."""
    values = resting_values(account, contract.symbol)
    if extra is not None:
        values[extra[0], extra[1]] = values.get((extra[0], extra[1]), 0) + extra[2]
    position = account.positions.get((contract.symbol, position_side))
    held = position.sign * position.value_at(contract.mark_e8) if position is not None else 0
    bids, asks = values.get((position_side, BUY), 0), values.get((position_side, -BUY), 0)
    return max(abs(held), abs(held + bids), abs(held - asks))


def sides_of(account: Account) -> tuple[str, ...]:
    return (LONG, SHORT) if account.hedge else (BOTH,)


def required_e8(account: Account, contract: Contract, extra: Extra | None = None) -> int:
    """Initial margin of a contract: positions and open orders."""
    leverage = account.leverage(contract.symbol)
    return sum(initial_e8(exposure_e8(account, contract, side, extra), leverage) for side in sides_of(account))


def order_margin_e8(account: Account, contract: Contract) -> int:
    """What the open orders alone hold."""
    held = sum(position_initial_e8(account, one, contract) for one in account.open_positions(contract.symbol))
    return required_e8(account, contract) - held


def symbols_of(account: Account) -> Iterable[str]:
    """Contracts with a position or an open order."""
    names = dict.fromkeys(one.symbol for one in account.open_positions())
    return names | dict.fromkeys(order.symbol for order in account.live.values())


def standing(account: Account, contracts: Contracts) -> Standing:
    """The account's money now."""
    pnl = cross_pnl = initial = orders = maintenance = cross_maintenance = bound = 0
    for symbol in symbols_of(account):
        contract, isolated = contracts[symbol], account.isolated(symbol)
        waiting = order_margin_e8(account, contract)
        orders += waiting
        bound += waiting
        for position in account.open_positions(symbol):
            profit = position.unrealised_e8(contract.mark_e8)
            margin = position_initial_e8(account, position, contract)
            needed = position_maintenance_e8(position, contract)
            pnl, initial, maintenance = pnl + profit, initial + margin, maintenance + needed
            if not isolated:
                cross_pnl, bound, cross_maintenance = cross_pnl + profit, bound + margin, cross_maintenance + needed
    cross_wallet = account.cross_wallet_e8
    return Standing(
        wallet_e8=account.wallet_e8,
        cross_wallet_e8=cross_wallet,
        pnl_e8=pnl,
        cross_pnl_e8=cross_pnl,
        position_initial_e8=initial,
        order_initial_e8=orders,
        maintenance_e8=maintenance,
        cross_maintenance_e8=cross_maintenance,
        available_e8=cross_wallet + cross_pnl - bound,
    )


def liquidation_e8(account: Account, contracts: Contracts, position: Position) -> int:
    """The mark at which the position would be liquidated, all other marks as they are; 0 when there is none."""
    if not position.quantity_e8:
        return 0
    contract = contracts[position.symbol]
    if account.isolated(position.symbol):
        legs, backing = [position], position.isolated_e8
    else:
        legs = list(account.open_positions(position.symbol))
        backing = account.cross_wallet_e8
        for other in account.open_positions():
            if other.symbol != position.symbol and not account.isolated(other.symbol):
                far = contracts[other.symbol]
                backing += other.unrealised_e8(far.mark_e8) - position_maintenance_e8(other, far)
    price = contract.mark_e8
    for _ in range(ROUNDS):
        rows = [bracket_at(contract.brackets, leg.value_at(price)) for leg in legs]
        found = _solved_e8(legs, rows, backing)
        if found <= 0:
            return 0
        if [bracket_at(contract.brackets, leg.value_at(found)) for leg in legs] == rows:
            return found
        price = found
    return price


def _solved_e8(legs: list[Position], rows: list[Bracket], backing_e8: int) -> int:
    """The price at which backing and profit of the legs equal their maintenance in the given brackets."""
    top = sum(leg.sign * leg.cost_e8 - row.cum_e8 for leg, row in zip(legs, rows, strict=True)) - backing_e8
    bottom = sum(leg.quantity_e8 * E8 - leg.size_e8 * row.maintenance_e8 for leg, row in zip(legs, rows, strict=True))
    if bottom == 0 or (top > 0) != (bottom > 0):
        return 0
    return ceil_div(abs(top) * E8 * E8, abs(bottom))
