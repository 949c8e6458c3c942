"""Balances and positions as REST tells them (venue reference §4.6). Numbers at 1e-8."""

from __future__ import annotations

from exchange.emulator.trading.account import BNB, USDT, Account
from exchange.emulator.trading.brackets import notional_max_e8
from exchange.emulator.trading.margins import (
    Standing,
    liquidation_e8,
    order_margin_e8,
    position_initial_e8,
    position_maintenance_e8,
    resting_values,
    sides_of,
    standing,
)
from exchange.emulator.trading.pit import Pit, break_even, signed_quantity
from exchange.emulator.trading.positions import Position
from exchange.emulator.trading.texts import BUY, SELL, money, money_or_zero, short
from models.instrument import E8


def account_body(pit: Pit, account: Account) -> dict[str, object]:
    """``GET /fapi/v3/account``."""
    now = standing(account, pit.contracts)
    totals = _totals(now)
    return totals | {
        "assets": [_asset(account, now, asset) for asset in account.wallets],
        "positions": [_small(pit, account, one) for one in shown(pit, account)],
    }


def _totals(now: Standing) -> dict[str, object]:
    available, withdrawable = max(0, now.available_e8), max(0, now.withdrawable_e8)
    return {
        "totalInitialMargin": money(now.position_initial_e8 + now.order_initial_e8),
        "totalMaintMargin": money(now.maintenance_e8),
        "totalWalletBalance": money(now.wallet_e8),
        "totalUnrealizedProfit": money(now.pnl_e8),
        "totalMarginBalance": money(now.wallet_e8 + now.pnl_e8),
        "totalPositionInitialMargin": money(now.position_initial_e8),
        "totalOpenOrderInitialMargin": money(now.order_initial_e8),
        "totalCrossWalletBalance": money(now.cross_wallet_e8),
        "totalCrossUnPnl": money(now.cross_pnl_e8),
        "availableBalance": money(available),
        "maxWithdrawAmount": money(withdrawable),
    }


def _asset(account: Account, now: Standing, asset: str) -> dict[str, object]:
    """An asset's row; everything but the wallet belongs to the margin asset."""
    held = account.wallets[asset]
    if asset != USDT:
        now = Standing(held, held, 0, 0, 0, 0, 0, 0, held)
    return {
        "asset": asset,
        "walletBalance": money(held),
        "unrealizedProfit": money(now.pnl_e8),
        "marginBalance": money(held + now.pnl_e8),
        "maintMargin": money(now.maintenance_e8),
        "initialMargin": money(now.position_initial_e8 + now.order_initial_e8),
        "positionInitialMargin": money(now.position_initial_e8),
        "openOrderInitialMargin": money(now.order_initial_e8),
        "crossWalletBalance": money(now.cross_wallet_e8),
        "crossUnPnl": money(now.cross_pnl_e8),
        "availableBalance": money(max(0, now.available_e8)),
        "maxWithdrawAmount": money(max(0, now.withdrawable_e8)),
        "updateTime": account.updated_ms,
    }


def account_body_v2(pit: Pit, account: Account) -> dict[str, object]:
    """``GET /fapi/v2/account``: every contract, with leverage."""
    head = {
        "feeTier": 0,
        "feeBurn": account.fee_burn,
        "canTrade": account.can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": account.multi_assets,
        "tradeGroupId": -1,
    }
    now = standing(account, pit.contracts)
    assets = [_asset(account, now, asset) | {"marginAvailable": True} for asset in account.wallets]
    rows = [_old(pit, account, account.position(symbol, side)) for symbol, side in _every(pit, account)]
    return head | _totals(now) | {"assets": assets, "positions": rows}


def _every(pit: Pit, account: Account) -> list[tuple[str, str]]:
    return [(symbol, side) for symbol in pit.contracts for side in sides_of(account)]


def balance_body(pit: Pit, account: Account) -> list[dict[str, object]]:
    """``GET /fapi/v3/balance``."""
    now = standing(account, pit.contracts)
    rows = []
    for asset, held in account.wallets.items():
        one = _asset(account, now, asset)
        rows.append(
            {
                "accountAlias": account.alias,
                "asset": asset,
                "balance": money(held),
                **{name: one[name] for name in ("crossWalletBalance", "crossUnPnl")},
                **{name: one[name] for name in ("availableBalance", "maxWithdrawAmount")},
                "marginAvailable": asset in (USDT, BNB),
                "updateTime": account.updated_ms,
            }
        )
    return rows


# -- positions ---------------------------------------------------------------------------------------------------------


def shown(pit: Pit, account: Account, symbol: str | None = None) -> list[Position]:
    """Positions that v3 tells: those with an amount or an open order."""
    busy = {order.key for order in account.live.values()}
    return [
        account.position(*key)
        for key in _every(pit, account)
        if symbol in (None, key[0]) and (account.position(*key).quantity_e8 or key in busy)
    ]


def _margins(pit: Pit, account: Account, position: Position) -> tuple[int, int, int]:
    """Initial margin of the position, of its open orders, and maintenance. In hedge mode the orders' margin is told on
    the side that they open."""
    contract = pit.contracts[position.symbol]
    initial = position_initial_e8(account, position, contract)
    orders = order_margin_e8(account, contract)
    if account.hedge:
        values = resting_values(account, position.symbol)
        waiting = sum(value for (side, _), value in values.items() if side == position.side)
        orders = orders * waiting // sum(values.values()) if waiting else 0
    return initial, orders, position_maintenance_e8(position, contract)


def _isolated_margin(pit: Pit, account: Account, position: Position) -> str:
    """Wallet and profit of an isolated position."""
    if not account.isolated(position.symbol) or not position.quantity_e8:
        return "0"
    return money(position.isolated_e8 + position.unrealised_e8(pit.contracts[position.symbol].mark_e8))


def _small(pit: Pit, account: Account, position: Position) -> dict[str, object]:
    """A position of account v3."""
    contract = pit.contracts[position.symbol]
    mark = contract.mark_e8
    initial, orders, maintenance = _margins(pit, account, position)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": signed_quantity(position, contract),
        "unrealizedProfit": money(position.unrealised_e8(mark)),
        "isolatedMargin": _isolated_margin(pit, account, position),
        "notional": money_or_zero(position.sign * position.value_at(mark)),
        "isolatedWallet": money_or_zero(position.isolated_e8),
        "initialMargin": money_or_zero(initial + orders),
        "maintMargin": money_or_zero(maintenance),
        "updateTime": position.updated_ms,
    }


def position_rows(pit: Pit, account: Account, symbol: str | None) -> list[dict[str, object]]:
    """``GET /fapi/v3/positionRisk``."""
    return [_risk(pit, account, one) for one in shown(pit, account, symbol)]


def _risk(pit: Pit, account: Account, position: Position) -> dict[str, object]:
    contract = pit.contracts[position.symbol]
    initial, orders, _ = _margins(pit, account, position)
    values = resting_values(account, position.symbol)
    small = _small(pit, account, position)
    profit = small.pop("unrealizedProfit")
    return small | {
        "entryPrice": short(position.entry_e8),
        "breakEvenPrice": break_even(account, position, contract),
        "markPrice": money(contract.mark_e8),
        "unRealizedProfit": profit,
        "liquidationPrice": money_or_zero(liquidation_e8(account, pit.contracts, position)),
        "marginAsset": contract.instrument.quote,
        "positionInitialMargin": money_or_zero(initial),
        "openOrderInitialMargin": money_or_zero(orders),
        "adl": adl_quantile(pit, account, position),
        "bidNotional": money_or_zero(values.get((position.side, BUY), 0)),
        "askNotional": money_or_zero(values.get((position.side, SELL), 0)),
    }


def position_rows_v2(pit: Pit, account: Account, symbol: str | None) -> list[dict[str, object]]:
    """``GET /fapi/v2/positionRisk``: every contract."""
    rows = []
    for name, side in _every(pit, account):
        if symbol not in (None, name):
            continue
        position, contract = account.position(name, side), pit.contracts[name]
        old = _old(pit, account, position)
        rows.append(
            {
                **{key: old[key] for key in ("symbol", "positionAmt", "entryPrice", "breakEvenPrice", "leverage")},
                "markPrice": money(contract.mark_e8),
                "unRealizedProfit": old["unrealizedProfit"],
                "liquidationPrice": money_or_zero(liquidation_e8(account, pit.contracts, position)),
                "maxNotionalValue": old["maxNotional"],
                "marginType": "isolated" if old["isolated"] else "cross",
                "isolatedMargin": _isolated_margin(pit, account, position),
                "isAutoAddMargin": "false",
                "positionSide": side,
                "notional": money_or_zero(position.sign * position.value_at(contract.mark_e8)),
                "isolatedWallet": old["isolatedWallet"],
                "updateTime": position.updated_ms,
            }
        )
    return rows


def _old(pit: Pit, account: Account, position: Position) -> dict[str, object]:
    """A position of account v2."""
    contract = pit.contracts[position.symbol]
    risk = _risk(pit, account, position)
    leverage = account.leverage(position.symbol)
    kept = (
        "symbol", "initialMargin", "maintMargin", "positionInitialMargin",
        "openOrderInitialMargin", "entryPrice", "breakEvenPrice", "bidNotional", "askNotional",
        "positionSide", "positionAmt", "isolatedWallet", "notional", "updateTime",
    )  # fmt: skip
    return {name: risk[name] for name in kept} | {
        "unrealizedProfit": risk["unRealizedProfit"],
        "leverage": str(leverage),
        "isolated": account.isolated(position.symbol),
        "maxNotional": str(notional_max_e8(contract.brackets, leverage) // E8),
    }


def adl_quantile(pit: Pit, account: Account, position: Position) -> int:
    """0 to 4: the more profit on its margin, the earlier a position is deleveraged."""
    if not position.quantity_e8:
        return 0
    contract = pit.contracts[position.symbol]
    profit = position.unrealised_e8(contract.mark_e8)
    margin = position_initial_e8(account, position, contract)
    return 1 if profit <= 0 else min(4, 2 + profit * 4 // max(1, margin))
