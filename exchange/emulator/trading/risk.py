"""What the venue does to an account by itself: margin calls, liquidation, auto-deleveraging, settlement (§9.2).

A liquidation closes at the mark: open orders first (reason 5), then the position under an ``autoclose-`` id, then the
liquidation fee to the insurance fund, never more than is left; a shortfall is made good by the fund.
"""

from __future__ import annotations

from exchange.emulator.trading.account import Account
from exchange.emulator.trading.clearing import Clearing, liquidation_fee_e8
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.engine import Engine
from exchange.emulator.trading.margins import position_maintenance_e8, standing
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.pit import Pit, signed_quantity
from exchange.emulator.trading.positions import Position
from exchange.emulator.trading.texts import money, money_or_zero, short
from models.instrument import E8

CALL_AT, CALM_AT = 80, 70  # per cent of maintenance in the margin balance: a call is sent, and may be sent again
LIQUIDATED, DELISTED = "5", "7"
_NAMES = {"liquidation": "autoclose-{}", "adl": "adl_autoclose", "settlement": "settlement_autoclose-{}"}


class Risk:
    """Watches the margin of every account."""

    def __init__(self, pit: Pit, clearing: Clearing, engine: Engine) -> None:
        self._pit, self._clearing, self._engine = pit, clearing, engine

    # -- watching ----------------------------------------------------------------------------------------------------

    def marked(self, contract: Contract) -> None:
        """A new mark of a contract."""
        for account in self._pit.accounts.values():
            held = list(account.open_positions(contract.symbol))
            if not held:
                continue
            if account.isolated(contract.symbol):
                for position in held:
                    self._watch_isolated(account, contract, position)
            else:
                self.watch_cross(account)

    def _watch_isolated(self, account: Account, contract: Contract, position: Position) -> None:
        balance = position.isolated_e8 + position.unrealised_e8(contract.mark_e8)
        needed = position_maintenance_e8(position, contract)
        if balance <= needed:
            self.liquidate(account, position)
        else:
            self._call(account, [position], balance, needed, isolated=True)

    def watch_cross(self, account: Account) -> None:
        """Close cross positions, the most demanding first, until the account is in order."""
        while True:
            held = [one for one in account.open_positions() if not account.isolated(one.symbol)]
            if not held:
                return
            now = standing(account, self._pit.contracts)
            if now.cross_balance_e8 > now.cross_maintenance_e8:
                self._call(account, held, now.cross_balance_e8, now.cross_maintenance_e8, isolated=False)
                return
            self.liquidate(account, max(held, key=self._maintenance))

    def _maintenance(self, position: Position) -> int:
        return position_maintenance_e8(position, self._pit.contracts[position.symbol])

    def _call(self, account: Account, held: list[Position], balance: int, needed: int, *, isolated: bool) -> None:
        """A margin call when the ratio comes near, once until it has calmed down."""
        keys = {(one.symbol, one.side) for one in held}
        if needed * 100 < balance * CALM_AT:
            account.called -= keys
            return
        if needed * 100 < balance * CALL_AT or keys <= account.called:
            return
        account.called |= keys
        body: dict[str, object] = {"e": "MARGIN_CALL", "E": self._pit.now_ms()}
        if not isolated:
            body["cw"] = money(account.cross_wallet_e8)
        body["p"] = [self._called(account, one) for one in held]
        self._pit.send(account, body)

    def _called(self, account: Account, position: Position) -> dict[str, object]:
        contract = self._pit.contracts[position.symbol]
        return {
            "s": position.symbol,
            "ps": position.side,
            "pa": signed_quantity(position, contract),
            "mt": "ISOLATED" if account.isolated(position.symbol) else "CROSSED",
            "iw": money_or_zero(position.isolated_e8),
            "mp": short(contract.mark_e8),
            "up": money_or_zero(position.unrealised_e8(contract.mark_e8)),
            "mm": short(self._maintenance(position)),
        }

    # -- acting ------------------------------------------------------------------------------------------------------

    def liquidate(self, account: Account, position: Position, quantity_e8: int = 0) -> Order:
        """Close a position, or ``quantity_e8`` of it, at the mark."""
        contract = self._pit.contracts[position.symbol]
        isolated = account.isolated(position.symbol)
        for order in account.live_orders(position.symbol if isolated else None):
            if isolated or not account.isolated(order.symbol):
                self._engine.expire(order, LIQUIDATED)
        size = position.size_e8
        quantity = min(quantity_e8 or size, size)
        backing, wallet = position.isolated_e8, account.wallet_e8
        order = self.close(account, position, quantity, "liquidation")
        if isolated:
            left = backing - position.isolated_e8 + account.wallet_e8 - wallet
        else:
            left = standing(account, self._pit.contracts).cross_balance_e8
        fee = liquidation_fee_e8(contract, order.quote_e8 * E8 // quantity, quantity)
        if left < 0 and (isolated or not self._cross_open(account)):
            self._clearing.insure(account, position.symbol, -left)
        elif left > 0:
            self._clearing.insure(account, position.symbol, -min(fee, left))
        self._pit.note(
            "liquidation",
            account,
            symbol=position.symbol,
            position_side=position.side,
            order_id=order.id,
            quantity=short(quantity),
            mark=short(contract.mark_e8),
            wallet=short(account.wallet_e8),
        )
        return order

    def _cross_open(self, account: Account) -> bool:
        return any(not account.isolated(one.symbol) for one in account.open_positions())

    def close(self, account: Account, position: Position, quantity: int, forced: str) -> Order:
        """The venue's own order: closes at the mark, on the tick against the account."""
        contract = self._pit.contracts[position.symbol]
        side, tick, mark = -position.sign, contract.instrument.tick_e8, contract.mark_e8
        price = -(-mark // tick) * tick if side > 0 else mark // tick * tick
        order = Order(
            account=account,
            symbol=position.symbol,
            client_id=_NAMES[forced].format(f"{self._pit.now_ms()}{self._pit.ids.amendment():06d}"),
            side=side,
            type="LIMIT",
            quantity_e8=quantity,
            price_e8=self._worst(contract, price, side),
            time_in_force="IOC",
            position_side=position.side,
            forced=forced,
        )
        self._engine.register(order)
        self._pit.tell_order(order, "NEW")
        self._engine.fill(order, price, quantity, maker=False, trade_id=self._pit.ids.trade())
        account.forced.append(order)
        self._pit.flush()
        return order

    @staticmethod
    def _worst(contract: Contract, price: int, side: int) -> int:
        """The limit a forced order is written with: the mark moved by the first maintenance rate."""
        tick = contract.instrument.tick_e8
        moved = price + side * price * contract.brackets[0].maintenance_e8 // E8
        return max(tick, moved // tick * tick)

    def settle(self, account: Account, symbol: str) -> None:
        """A delisting: orders expire with reason 7, positions are settled at the mark."""
        for order in account.live_orders(symbol):
            self._engine.expire(order, DELISTED)
        for position in account.open_positions(symbol):
            self.close(account, position, position.size_e8, "settlement")
