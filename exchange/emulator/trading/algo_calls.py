"""The endpoints of the algo service (venue reference §4.5)."""

from __future__ import annotations

from exchange.emulator.errors import VenueError
from exchange.emulator.parameters import Params, integer, needed
from exchange.emulator.trading import algos as wire
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.conditional import Conditional
from exchange.emulator.trading.order_calls import ALL_DONE, Handler, page, times, within
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import refusal
from exchange.emulator.trading.requests import read_algo

OPEN = ("NEW", "TRIGGERING")


class AlgoCalls:
    """Handlers of everything about conditional orders."""

    def __init__(self, pit: Pit, conditional: Conditional) -> None:
        self._pit, self._conditional = pit, conditional
        self.handlers: dict[str, Handler] = {
            "POST /fapi/v1/algoOrder": self.place,
            "DELETE /fapi/v1/algoOrder": self.cancel,
            "DELETE /fapi/v1/algoOpenOrders": self.cancel_all,
            "GET /fapi/v1/algoOrder": self.ask,
            "GET /fapi/v1/openAlgoOrders": self.open_algos,
            "GET /fapi/v1/allAlgoOrders": self.all_algos,
        }

    def place(self, account: Account, params: dict[str, str]) -> object:
        algo = self._conditional.place(read_algo(params, account, self._pit))
        return wire.answer(algo, self._pit.contracts[algo.symbol].instrument)

    def cancel(self, account: Account, params: dict[str, str]) -> object:
        algo = self._named(account, params)
        if algo is None:
            raise refusal(-2011)
        self._conditional.cancel(algo)
        return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}

    def cancel_all(self, account: Account, params: dict[str, str]) -> object:
        """Every waiting conditional order of a contract."""
        for algo in account.watched_algos(self._pit.contract(needed(params, "symbol")).symbol):
            if algo.waiting:
                self._conditional.cancel(algo)
        return dict(ALL_DONE)

    def _named(self, account: Account, params: Params) -> Algo | None:
        """The conditional order a request names. Raises VenueError (-1102)."""
        number, name = integer(params, "algoId"), params.get("clientAlgoId")
        if number is None and not name:
            raise VenueError(400, -1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
        return account.algos.get(number) if number is not None else account.algo_by_client.get(name or "")

    def ask(self, account: Account, params: dict[str, str]) -> object:
        algo = self._named(account, params)
        if algo is None:
            raise refusal(-2013)
        return wire.query(algo, self._pit.contracts[algo.symbol].instrument)

    def open_algos(self, account: Account, params: dict[str, str]) -> object:
        symbol = self._pit.contract(params["symbol"]).symbol if params.get("symbol") else None
        number = integer(params, "algoId")
        found = [
            one
            for one in account.watched_algos(symbol)
            if one.status in OPEN
            and number in (None, one.id)
            and params.get("algoType", "CONDITIONAL") == "CONDITIONAL"
        ]
        return [wire.listed(one, self._pit.contracts[one.symbol].instrument) for one in found]

    def all_algos(self, account: Account, params: dict[str, str]) -> object:
        symbol, first = self._pit.contract(needed(params, "symbol")).symbol, integer(params, "algoId")
        start_ms, end_ms = times(params)
        found = [
            one
            for one in account.algos.values()
            if one.symbol == symbol and (first is None or one.id >= first) and within(one.created_ms, start_ms, end_ms)
        ]
        kept = page(found, params, from_start=first is not None or start_ms is not None)
        return [wire.query(one, self._pit.contracts[one.symbol].instrument) for one in kept]
