"""Money: booking of fills, funding, transfers and insurance, each with its income row, event and audit record.

A wallet changes here only, and only by realised profit, commission, funding, transfers and insurance; every change has
an income row of the same amount, so that the rows of an account add up to its wallet.
"""

from __future__ import annotations

from exchange.emulator.trading.account import BNB, USDT, Account
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.orders import Fill, Order
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.positions import Position, Traded
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.texts import SIDE_TEXTS, money, short, value_e8
from exchange.simulated.fees import ceil_div, fee_e8, funding_e8
from exchange.simulated.margin import initial_e8

BURN_E8 = 90_000_000  # commission paid in BNB is a tenth cheaper


class Clearing:
    """Keeps the money of all accounts."""

    def __init__(self, pit: Pit) -> None:
        self._pit = pit

    # -- trades ------------------------------------------------------------------------------------------------------

    def book(self, order: Order, price_e8: int, quantity_e8: int, *, maker: bool, trade_id: int) -> Fill:
        """Book one execution: position, commission, wallet and the order's own sums. The order's end and the events
        are the engine's.
        """
        account, contract = order.account, self._pit.contracts[order.symbol]
        position = account.position(*order.key)
        traded = position.trade(order.side * quantity_e8, price_e8)
        if account.isolated(order.symbol):
            self._move_margin(account, position, traded)
        rate = self._pit.fees_of(account, contract)[0 if maker else 1]
        value = value_e8(price_e8, quantity_e8)
        fee, asset = self._commission(account, fee_e8(value, rate))
        now_ms = self._pit.now_ms()
        order.filled_e8 += quantity_e8
        order.quote_e8 += value
        order.status = "PARTIALLY_FILLED" if order.left_e8 else "FILLED"
        order.updated_ms = position.updated_ms = now_ms
        fill = Fill(order, trade_id, price_e8, quantity_e8, maker, traded.realised_e8, fee, asset, now_ms)
        account.trades.append(fill)
        if traded.realised_e8:
            self._pay(account, order.symbol, "REALIZED_PNL", traded.realised_e8, str(trade_id), trade_id)
        if fee:
            self._pay(account, order.symbol, "COMMISSION", -fee, str(trade_id), trade_id, asset)
        self._pit.touch(account, order.key, asset)
        self._pit.touch(account, order.key)
        self._note_fill(fill, position)
        return fill

    def _move_margin(self, account: Account, position: Position, traded: Traded) -> None:
        """An isolated position gives back the margin of what it closed and takes the margin of what it opened."""
        if traded.closed_e8:
            position.isolated_e8 -= position.isolated_e8 * traded.closed_e8 // traded.of_e8
        if traded.opened_value_e8:
            position.isolated_e8 += initial_e8(traded.opened_value_e8, account.leverage(position.symbol))

    def _commission(self, account: Account, fee: int) -> tuple[int, str]:
        """Amount and asset of a commission: BNB when the account has enough of it and wants that."""
        if account.fee_burn and fee > 0 and account.wallets.get(BNB):
            burnt = ceil_div(fee * BURN_E8, self._pit.bnb_e8)
            if burnt <= account.wallets[BNB]:
                return burnt, BNB
        return fee, USDT

    def _note_fill(self, fill: Fill, position: Position) -> None:
        order = fill.order
        self._pit.note(
            "fill",
            order.account,
            symbol=order.symbol,
            position_side=order.position_side,
            order_id=order.id,
            client_id=order.client_id,
            trade_id=fill.id,
            side=SIDE_TEXTS[order.side],
            price=short(fill.price_e8),
            quantity=short(fill.quantity_e8),
            maker=fill.maker,
            reduce_only=order.reduce_only,
            cause=order.forced or "order",
            realised=short(fill.realised_e8),
            fee=short(fill.fee),
            fee_asset=fill.fee_asset,
            wallet=short(order.account.wallet_e8),
        )
        self._pit.note_position(order.account, position)

    def _pay(
        self,
        account: Account,
        symbol: str,
        kind: str,
        amount: int,
        info: str,
        number: int,
        asset: str = USDT,
    ) -> None:
        """Change a wallet and write the income row of it."""
        account.wallets[asset] = account.wallets.get(asset, 0) + amount
        account.incomes.append(
            {
                "symbol": symbol,
                "incomeType": kind,
                "income": money(amount),
                "asset": asset,
                "info": info,
                "time": self._pit.now_ms(),
                "tranId": number,
                "tradeId": info if kind in ("COMMISSION", "REALIZED_PNL") else "",
            }
        )

    # -- other money -------------------------------------------------------------------------------------------------

    def fund(self, account: Account, contract: Contract, rate_e8: int, at_ms: int) -> None:
        """Settle funding of an account's positions in a contract."""
        mark = contract.mark_e8
        for position in account.open_positions(contract.symbol):
            amount = funding_e8(mark, position.quantity_e8, 1, rate_e8)
            isolated = account.isolated(contract.symbol)
            if isolated:
                position.isolated_e8 += amount
            self._pay(account, contract.symbol, "FUNDING_FEE", amount, "FUNDING_FEE", self._pit.ids.transfer())
            self._pit.note(
                "funding",
                account,
                symbol=contract.symbol,
                position_side=position.side,
                quantity=short(position.quantity_e8),
                mark=short(mark),
                rate=short(rate_e8),
                amount=short(amount),
                wallet=short(account.wallet_e8),
            )
            keys = [(contract.symbol, position.side)] if isolated else []
            self._pit.tell_account(account, "FUNDING_FEE", keys, change_e8=amount, symbol=contract.symbol, at_ms=at_ms)

    def transfer(self, account: Account, amount: int, asset: str = USDT) -> None:
        """Money comes from, or goes to, another wallet. Raises VenueError (-2018) when there is not enough."""
        free = account.cross_wallet_e8 if asset == USDT else account.wallets.get(asset, 0)
        if free + amount < 0:
            raise refusal(-2018)
        self._pay(account, "", "TRANSFER", amount, "TRANSFER", self._pit.ids.transfer(), asset)
        account.active = account.active or amount > 0
        self._note_money("transfer", account, amount, asset)
        reason = "DEPOSIT" if amount >= 0 else "WITHDRAW"
        self._pit.tell_account(account, reason, [], change_e8=amount, assets=[asset])

    def insure(self, account: Account, symbol: str, amount: int) -> None:
        """The insurance fund takes its fee (negative) or makes a shortfall good (positive)."""
        if amount:
            self._pay(account, symbol, "INSURANCE_CLEAR", amount, "INSURANCE_CLEAR", self._pit.ids.transfer())
            self._note_money("insurance", account, amount, USDT)
            self._pit.tell_account(account, "INSURANCE_CLEAR", [], change_e8=amount)

    def _note_money(self, kind: str, account: Account, amount: int, asset: str) -> None:
        self._pit.note(kind, account, asset=asset, amount=short(amount), wallet=short(account.wallets[asset]))

    def move_isolated(self, account: Account, position: Position, amount: int) -> None:
        """Margin added to an isolated position (negative: taken away); the wallet stays as it is."""
        position.isolated_e8 += amount
        position.updated_ms = self._pit.now_ms()
        self._pit.note_position(account, position)
        self._pit.tell_account(account, "MARGIN_TRANSFER", [(position.symbol, position.side)])


def liquidation_fee_e8(contract: Contract, price_e8: int, quantity_e8: int) -> int:
    """What a liquidation costs on top."""
    return fee_e8(value_e8(price_e8, quantity_e8), contract.instrument.fees.liquidation_e8)
