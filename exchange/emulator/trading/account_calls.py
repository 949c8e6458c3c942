"""The account endpoints (venue reference §4.6): balances, positions, settings, history."""

from __future__ import annotations

from typing import Any

from exchange.emulator.errors import invalid, missing
from exchange.emulator.parameters import Params, integer, needed
from exchange.emulator.trading import orders as wire
from exchange.emulator.trading import reports, rules
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.brackets import ladder_body, leverage_max, notional_max_e8
from exchange.emulator.trading.clearing import Clearing
from exchange.emulator.trading.margins import exposure_e8, required_e8, sides_of, standing
from exchange.emulator.trading.order_calls import Handler, page, times, within
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.texts import short
from models.instrument import E8

SUCCESS = {"code": 200, "msg": "success"}
RPI_E8 = 5_000  # the documentation's rate of retail price improvement orders
INDICATORS = (("UFR", 0.05, 0.995), ("IFER", 0.1, 0.99), ("GCR", 0.1, 0.99), ("DR", 0.1, 0.99))
ADD, REDUCE = 1, 2


class AccountCalls:
    """Handlers of everything about an account but its orders."""

    def __init__(self, pit: Pit, clearing: Clearing) -> None:
        self._pit, self._clearing = pit, clearing
        self.handlers: dict[str, Handler] = {
            "GET /fapi/v3/account": lambda account, params: reports.account_body(pit, account),
            "GET /fapi/v2/account": lambda account, params: reports.account_body_v2(pit, account),
            "GET /fapi/v3/balance": lambda account, params: reports.balance_body(pit, account),
            "GET /fapi/v2/balance": lambda account, params: reports.balance_body(pit, account),
            "GET /fapi/v3/positionRisk": lambda account, params: reports.position_rows(
                pit, account, self._optional(params)
            ),
            "GET /fapi/v2/positionRisk": lambda account, params: reports.position_rows_v2(
                pit, account, self._optional(params)
            ),
            "GET /fapi/v1/accountConfig": self.account_config,
            "GET /fapi/v1/symbolConfig": self.symbol_config,
            "POST /fapi/v1/leverage": self.set_leverage,
            "POST /fapi/v1/marginType": self.set_margin_type,
            "GET /fapi/v1/positionSide/dual": lambda account, params: {"dualSidePosition": account.hedge},
            "POST /fapi/v1/positionSide/dual": self.set_hedge,
            "GET /fapi/v1/multiAssetsMargin": lambda account, params: {"multiAssetsMargin": account.multi_assets},
            "POST /fapi/v1/multiAssetsMargin": self.set_multi_assets,
            "POST /fapi/v1/positionMargin": self.move_margin,
            "GET /fapi/v1/positionMargin/history": self.margin_history,
            "GET /fapi/v1/leverageBracket": self.brackets,
            "GET /fapi/v1/commissionRate": self.commission,
            "GET /fapi/v1/userTrades": self.trades,
            "GET /fapi/v1/income": self.income,
            "GET /fapi/v1/adlQuantile": self.adl,
            "GET /fapi/v1/feeBurn": lambda account, params: {"feeBurn": account.fee_burn},
            "POST /fapi/v1/feeBurn": self.set_fee_burn,
            "GET /fapi/v1/apiTradingStatus": self.trading_status,
        }

    def _optional(self, params: Params) -> str | None:
        return self._symbol(params) if params.get("symbol") else None

    def _symbol(self, params: Params) -> str:
        return self._pit.contract(needed(params, "symbol")).symbol

    def _chosen(self, params: Params) -> list[str]:
        """The contract that was asked for, or all."""
        symbol = self._optional(params)
        return [symbol] if symbol else list(self._pit.contracts)

    # -- settings ----------------------------------------------------------------------------------------------------

    def account_config(self, account: Account, params: dict[str, str]) -> object:
        return {
            "feeTier": 0,
            "canTrade": account.can_trade,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": account.hedge,
            "updateTime": 0,
            "multiAssetsMargin": account.multi_assets,
            "tradeGroupId": -1,
        }

    def symbol_config(self, account: Account, params: dict[str, str]) -> object:
        return [
            {
                "symbol": symbol,
                "marginType": "ISOLATED" if account.isolated(symbol) else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": account.leverage(symbol),
                "maxNotionalValue": self._largest(symbol, account.leverage(symbol)),
            }
            for symbol in self._chosen(params)
        ]

    def _largest(self, symbol: str, leverage: int) -> str:
        return str(notional_max_e8(self._pit.contracts[symbol].brackets, leverage) // E8)

    def set_leverage(self, account: Account, params: dict[str, str]) -> object:
        contract = self._pit.contract(needed(params, "symbol"))
        leverage, symbol = integer(params, "leverage"), contract.symbol
        if leverage is None:
            raise missing("leverage")
        if not 1 <= leverage <= leverage_max(contract.brackets):
            raise refusal(-4028, leverage)
        before = account.leverage(symbol)
        if leverage < before and account.isolated(symbol) and any(account.open_positions(symbol)):
            raise refusal(-4161)
        held = required_e8(account, contract)
        account.set_leverage(symbol, leverage)
        code = 0
        if any(exposure_e8(account, contract, side) > notional_max_e8(contract.brackets, leverage)
               for side in sides_of(account)):  # fmt: skip
            code = -2027
        elif required_e8(account, contract) > held and standing(account, self._pit.contracts).available_e8 < 0:
            code = -2028
        if code:
            account.set_leverage(symbol, before)
            raise refusal(code)
        if leverage != before:
            self._pit.word(account, "ACCOUNT_CONFIG_UPDATE", {"ac": {"s": symbol, "l": leverage}})
            self._note(account, symbol, "leverage", str(leverage))
        return {"leverage": leverage, "maxNotionalValue": self._largest(symbol, leverage), "symbol": symbol}

    def _note(self, account: Account, symbol: str, name: str, value: str) -> None:
        self._pit.note("setting", account, symbol=symbol, name=name, value=value)

    def set_margin_type(self, account: Account, params: dict[str, str]) -> object:
        symbol, kind = self._symbol(params), needed(params, "marginType")
        if kind not in ("ISOLATED", "CROSSED"):
            raise invalid("marginType")
        if (kind == "ISOLATED") == account.isolated(symbol):
            raise refusal(-4046)
        if account.multi_assets and kind == "ISOLATED":
            raise refusal(-4168)
        if account.live_orders(symbol) or account.watched_algos(symbol):
            raise refusal(-4047)
        if any(account.open_positions(symbol)):
            raise refusal(-4048)
        account.set_isolated(symbol, kind == "ISOLATED")
        self._note(account, symbol, "margin_type", kind)
        self._pit.tell_account(account, "MARGIN_TYPE_CHANGE", [(symbol, side) for side in sides_of(account)])
        return dict(SUCCESS)

    def set_hedge(self, account: Account, params: dict[str, str]) -> object:
        wanted = self._flag(params, "dualSidePosition")
        if wanted == account.hedge:
            raise refusal(-4059)
        if account.live or account.watched:
            raise refusal(-4067)
        if any(account.open_positions()):
            raise refusal(-4068)
        account.hedge = wanted
        self._note(account, "", "hedge", str(wanted).lower())
        return dict(SUCCESS)

    @staticmethod
    def _flag(params: Params, name: str) -> bool:
        found = rules.flag(params, name)
        if found is None:
            raise missing(name)
        return found

    def set_multi_assets(self, account: Account, params: dict[str, str]) -> object:
        wanted = self._flag(params, "multiAssetsMargin")
        if wanted == account.multi_assets:
            raise refusal(-4171)
        if wanted and any(account.isolated(symbol) for symbol in self._pit.contracts):
            raise refusal(-4168)
        account.multi_assets = wanted
        self._note(account, "", "multi_assets", str(wanted).lower())
        self._pit.word(account, "ACCOUNT_CONFIG_UPDATE", {"ai": {"j": wanted}})
        return dict(SUCCESS)

    def set_fee_burn(self, account: Account, params: dict[str, str]) -> object:
        account.fee_burn = self._flag(params, "feeBurn")
        return dict(SUCCESS)

    # -- isolated margin ---------------------------------------------------------------------------------------------

    def move_margin(self, account: Account, params: dict[str, str]) -> object:
        symbol, side = self._symbol(params), rules.position_side(params, account)
        amount, kind = rules.decimal_e8(params, "amount", 8), integer(params, "type")
        if amount is None or kind not in (ADD, REDUCE):
            raise missing("amount" if amount is None else "type")
        if amount <= 0:
            raise refusal(-4055)
        if not account.isolated(symbol):
            raise refusal(-4053)
        position = account.position(symbol, side)
        if not position.quantity_e8:
            raise refusal(-4054)
        if kind == ADD and amount > standing(account, self._pit.contracts).available_e8:
            raise refusal(-4050)
        if kind == REDUCE and amount > self._spare(account, symbol, side):
            raise refusal(-4051)
        self._clearing.move_isolated(account, position, amount if kind == ADD else -amount)
        account.margin_changes.append(
            {
                "symbol": symbol,
                "type": kind,
                "deltaType": "USER_ADJUST",
                "amount": short(amount),
                "asset": self._pit.contracts[symbol].instrument.quote,
                "time": self._pit.now_ms(),
                "positionSide": side,
            }
        )
        told = amount // E8 if amount % E8 == 0 else amount / E8
        return {"amount": told, "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    def _spare(self, account: Account, symbol: str, side: str) -> int:
        """What an isolated position has beyond its initial margin, losses counted."""
        contract, position = self._pit.contracts[symbol], account.position(symbol, side)
        loss = min(0, position.unrealised_e8(contract.mark_e8))
        needed = -(-position.value_at(contract.mark_e8) // account.leverage(symbol))
        return position.isolated_e8 + loss - needed

    def margin_history(self, account: Account, params: dict[str, str]) -> object:
        symbol, kind = self._symbol(params), integer(params, "type")
        start_ms, end_ms = times(params)
        rows: list[dict[str, Any]] = [
            row
            for row in account.margin_changes
            if row["symbol"] == symbol and kind in (None, row["type"]) and within(row["time"], start_ms, end_ms)
        ]
        return page(rows, params, from_start=start_ms is not None)

    # -- facts -------------------------------------------------------------------------------------------------------

    def brackets(self, account: Account, params: dict[str, str]) -> object:
        return [ladder_body(symbol, self._pit.contracts[symbol].brackets) for symbol in self._chosen(params)]

    def commission(self, account: Account, params: dict[str, str]) -> object:
        contract = self._pit.contract(needed(params, "symbol"))
        maker, taker = self._pit.fees_of(account, contract)
        return {
            "symbol": contract.symbol,
            "makerCommissionRate": short(maker),
            "takerCommissionRate": short(taker),
            "rpiCommissionRate": short(RPI_E8),
        }

    def trades(self, account: Account, params: dict[str, str]) -> object:
        symbol, number, first = self._symbol(params), integer(params, "orderId"), integer(params, "fromId")
        start_ms, end_ms = times(params)
        if first is not None and (start_ms is not None or end_ms is not None):
            raise refusal(-1128)
        found = [
            one
            for one in account.trades
            if one.order.symbol == symbol
            and number in (None, one.order.id)
            and (first is None or one.id >= first)
            and within(one.at_ms, start_ms, end_ms)
        ]
        kept = page(found, params, from_start=first is not None or start_ms is not None)
        instrument = self._pit.contracts[symbol].instrument
        return [wire.trade_row(one, instrument) for one in kept]

    def income(self, account: Account, params: dict[str, str]) -> object:
        symbol, kind = self._optional(params), params.get("incomeType")
        start_ms, end_ms = integer(params, "startTime"), integer(params, "endTime")
        rows: list[dict[str, Any]] = [
            row
            for row in account.incomes
            if symbol in (None, row["symbol"])
            and kind in (None, row["incomeType"])
            and within(row["time"], start_ms, end_ms)
        ]
        return page(rows, params, from_start=start_ms is not None, usual=100)

    def adl(self, account: Account, params: dict[str, str]) -> object:
        rows = []
        for symbol in self._chosen(params):
            held = list(account.open_positions(symbol))
            if held:
                told = {one.side: reports.adl_quantile(self._pit, account, one) for one in held}
                usual = {"LONG": 0, "SHORT": 0, "HEDGE" if account.hedge else "BOTH": 0}
                rows.append({"symbol": symbol, "adlQuantile": usual | told})
        return rows

    def trading_status(self, account: Account, params: dict[str, str]) -> object:
        told = [
            {"isLocked": False, "plannedRecoverTime": 0, "indicator": name, "value": value, "triggerValue": bound}
            for name, value, bound in INDICATORS
        ]
        return {
            "indicators": {symbol: [dict(one) for one in told] for symbol in self._chosen(params)},
            "updateTime": self._pit.now_ms(),
        }
