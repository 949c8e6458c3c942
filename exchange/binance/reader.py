"""Reads the account and says it as facts: the whole of it, one order, the executions nobody told of.

An execution is told before what follows from it: before the state of its order, and before the reading of positions
that contains it (F34: from the last known trade on). The executions of an order are read by number, since the venue's
list does not name them otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exchange.binance.account_rest import NO_SUCH_ORDER, PAGE, AccountRest
from exchange.binance.answers import (
    ALGO_ALIVE,
    SIDES,
    AccountAnswer,
    AlgoAnswer,
    OrderAnswer,
    PositionRow,
    SymbolConfig,
    Trade,
    algo_state,
    e8_cut,
    order_id,
    order_state,
)
from exchange.binance.ids import Ids
from exchange.binance.refusals import VenueAnswerError
from exchange.binance.user_events import EXTERNAL, UserEvents
from models.event import AccountTruth, Event, Fill, Held, NotFound, OrderReport, Standing
from models.instrument import Instrument, to_e8

MS = 1_000_000
ALL_FROM = 9  # so many contracts are cheaper to ask for all at once (weight 40)
BACK_MS = 60_000  # an empty list of trades is asked for again from so long before


class Reader:
    """``tell`` takes facts; ``events`` shares what is known of fees, causes and debts."""

    def __init__(
        self,
        account: AccountRest,
        instruments: Sequence[Instrument],
        ids: Ids,
        events: UserEvents,
        tell: Callable[[Event], None],
    ) -> None:
        self.recovered = 0  # executions that only the account told of
        self._account, self._ids, self._events, self._tell = account, ids, events, tell
        self._instruments = tuple(instruments)
        self._indices = {one.symbol: one.index for one in instruments}
        self._now_ns = account.clock.now_ns
        self._since_ms: dict[int, int] = {}
        self._swept: dict[int, int] = {}  # newest trade up to which the account's list was read

    def begin(self) -> None:
        """Executions from now on are ours to tell."""
        start_ms = self._account.clock.ms()
        self._since_ms = {one.index: start_ms for one in self._instruments}
        self._events.since_ms = start_ms

    # -- the whole account ------------------------------------------------------------------------------------

    async def truth(self) -> AccountTruth:
        """The account as it is. Executions not told so far are told before this returns. Raises as ``AccountRest``."""
        asked_ns = self._now_ns()
        account = self._account
        symbols: list[str | None] = [one.symbol for one in self._instruments]
        if len(symbols) >= ALL_FROM:
            symbols = [None]
        try:
            async with asyncio.TaskGroup() as group:
                wallet = group.create_task(account.account())
                config = group.create_task(account.account_config())
                configs = group.create_task(account.symbol_config(symbols[0] if len(symbols) == 1 else None))
                rows = group.create_task(account.positions())
                orders = [group.create_task(account.open_orders(symbol)) for symbol in symbols]
                algos = [group.create_task(account.open_algo_orders(symbol)) for symbol in symbols]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first failure ends the reading; the others only followed
        await self.sweep()
        wallet_e8, available_e8 = self._wallet(wallet.result())
        held = self._held(rows.result(), configs.result())
        standing = [*self._orders(orders), *self._algos(algos, held)]
        self._events.wallet_e8 = wallet_e8
        hedge = config.result().dualSidePosition
        return AccountTruth(
            self._now_ns(), asked_ns, wallet_e8, available_e8, tuple(held), tuple(standing), hedge
        )  # fmt: skip

    def _wallet(self, answer: AccountAnswer) -> tuple[int, int]:
        """Wallet and free margin in the asset the contracts settle in; an account that never had any has none."""
        quote = self._instruments[0].quote
        for row in answer.assets:
            if row.asset == quote:
                return to_e8(row.walletBalance), e8_cut(row.availableBalance)
        return 0, 0

    def _held(self, rows: Sequence[PositionRow], configs: Sequence[SymbolConfig]) -> list[Held]:
        terms = {one.symbol: one for one in configs}
        held = []
        for one in self._instruments:
            term = terms.get(one.symbol)
            if term is None:
                raise VenueAnswerError(f"symbolConfig does not name {one.symbol}", blame="venue", status=200)
            mine = [row for row in rows if row.symbol == one.symbol]
            lots = sum(one.lots(row.positionAmt) for row in mine)
            largest = max(mine, key=lambda row: abs(e8_cut(row.positionAmt)), default=None)
            entry_e8 = e8_cut(largest.entryPrice) if largest is not None else 0
            self._events.leverage[one.index] = term.leverage
            held.append(Held(one.index, lots, entry_e8, term.leverage, term.isolated))
        return held

    def _orders(self, lists: Sequence[asyncio.Task[list[OrderAnswer]]]) -> list[Standing]:
        found = []
        for row in (row for part in lists for row in part.result() if row.symbol in self._indices):
            one = self._instruments[self._indices[row.symbol]]
            if self._ids.known_stop(row.clientOrderId) is not None:
                self._ids.link(row.clientOrderId, one.index, row.orderId)
            client_id = self._ids.client(one.index, row.orderId) or row.clientOrderId
            self._ids.learn(one.index, row.orderId, client_id)
            found.append(
                Standing(
                    client_id, self._ids.venue_id(client_id, row.orderId), one.index, SIDES[row.side],
                    one.lots(row.origQty), one.lots(row.executedQty), _ticks(one, row.price),
                    _ticks(one, row.stopPrice), row.reduceOnly, False,
                )
            )  # fmt: skip
        return found

    def _algos(self, lists: Sequence[asyncio.Task[list[AlgoAnswer]]], held: Sequence[Held]) -> list[Standing]:
        """Conditional orders that may still trigger. One that closes all of a position covers what is held."""
        found = []
        for row in (row for part in lists for row in part.result() if row.symbol in self._indices):
            one = self._instruments[self._indices[row.symbol]]
            if row.algoStatus not in ALGO_ALIVE:
                continue
            self._know(row, one)
            lots = abs(held[one.index].lots) if row.closePosition else one.lots(row.quantity)
            found.append(
                Standing(
                    row.clientAlgoId, row.algoId, one.index, SIDES[row.side], lots, 0, _ticks(one, row.price),
                    _ticks(one, row.triggerPrice), row.reduceOnly or row.closePosition, True,
                )
            )  # fmt: skip
        return found

    def _know(self, row: AlgoAnswer, one: Instrument) -> int:
        """Remember a conditional order; the number of the order it became, or 0."""
        stop = self._ids.stop(row.clientAlgoId, one.index, row.algoId)
        number = order_id(row.actualOrderId)
        if number:
            self._ids.link(row.clientAlgoId, one.index, number)
            self._events.release(one.index, number)
        stop.ended = stop.ended or row.algoStatus not in ALGO_ALIVE
        return number

    # -- one order --------------------------------------------------------------------------------------------

    async def order(self, index: int, client_id: str, stop: bool) -> None:
        """Tell what became of an order: its executions and state, or ``NotFound``. Raises as ``AccountRest``."""
        asked_ns = self._now_ns()
        one = self._instruments[index]
        try:
            if stop:
                report = await self._stop(one, client_id)
            else:
                report = await self._plain(one, client_id, client_id=client_id)
        except VenueAnswerError as error:
            if error.venue_code != NO_SUCH_ORDER:
                raise
            # The venue looked after we had asked, so its time was at least that of the question.
            self._tell(NotFound(self._now_ns(), client_id, self._account.clock.least_ns(asked_ns)))
            return
        self._tell(report)

    async def _plain(
        self, one: Instrument, told_as: str, *, client_id: str | None = None, number: int | None = None
    ) -> OrderReport:
        row = await self._account.order(one.symbol, client_id=client_id, order_id=number)
        self._ids.learn(one.index, row.orderId, told_as)
        filled = one.lots(row.executedQty)
        if filled:
            await self.trades_of(one.index, row.orderId)
        venue_id = self._ids.venue_id(told_as, row.orderId)
        return OrderReport(self._now_ns(), told_as, venue_id, order_state(row.status), filled, row.updateTime * MS)

    async def _stop(self, one: Instrument, client_id: str) -> OrderReport:
        row = await self._account.algo_order(client_id)
        number = self._know(row, one)
        if number:
            try:
                return await self._plain(one, client_id, number=number)
            except VenueAnswerError as error:  # too new, or too old and unfilled: the algo service must do
                if error.venue_code != NO_SUCH_ORDER:
                    raise
        filled = one.lots(row.actualQty or "0")
        state = algo_state(row.algoStatus, filled, one.lots(row.quantity))
        return OrderReport(self._now_ns(), client_id, row.algoId, state, filled, row.updateTime * MS)

    # -- executions -------------------------------------------------------------------------------------------

    async def trades_of(self, index: int, number: int) -> None:
        """Tell the executions of one order that were not told so far."""
        one = self._instruments[index]
        for trade in await self._account.trades(one.symbol, order_id=number):
            await self._execution(one, trade)

    async def sweep(self) -> None:
        """Tell every execution since the last sweep that was not told so far, of all contracts."""
        for one in self._instruments:
            await self._sweep(one)

    async def _sweep(self, one: Instrument) -> None:
        index = one.index
        if index not in self._since_ms:
            return
        while True:
            begun_ms = self._account.clock.ms()
            newest = self._swept.get(index)
            if newest is None:
                rows = await self._account.trades(one.symbol, start_ms=self._since_ms[index])
            else:
                rows = await self._account.trades(one.symbol, from_id=newest + 1)
            for trade in sorted(rows, key=lambda row: row.id):
                await self._execution(one, trade)
                self._swept[index] = max(trade.id, self._swept.get(index, trade.id))
            if not rows and newest is None:
                self._since_ms[index] = max(self._since_ms[index], begun_ms - BACK_MS)
            if len(rows) < PAGE:
                return

    async def _execution(self, one: Instrument, trade: Trade) -> None:
        if self._ids.heard(one.index, trade.id):
            self._events.settle(one.index, trade.id)
            return
        client_id = await self._client_of(one, trade.orderId)
        if self._ids.heard(one.index, trade.id):  # the stream told it while we asked
            return
        cause = self._events.cause_of(client_id) if client_id else EXTERNAL
        self._tell(
            Fill(
                self._now_ns(), client_id, trade.id, one.index, SIDES[trade.side], one.ticks(trade.price),
                one.lots(trade.qty), self._events.fee_e8(trade.commission, trade.commissionAsset), trade.maker,
                trade.time * MS, cause, e8_cut(trade.realizedPnl),
            )
        )  # fmt: skip
        self.recovered += 1
        self._ids.hear(one.index, trade.id)
        self._events.settle(one.index, trade.id)

    async def _client_of(self, one: Instrument, number: int) -> str:
        """The client id that news of an order is told under; empty for an order the venue no longer shows."""
        known = self._ids.client(one.index, number)
        if known is not None:
            return known
        await self.name_stops(one.index)
        known = self._ids.client(one.index, number)
        if known is not None:
            return known
        try:
            row = await self._account.order(one.symbol, order_id=number)
        except VenueAnswerError as error:
            if error.venue_code != NO_SUCH_ORDER:
                raise
            return ""
        if self._ids.known_stop(row.clientOrderId) is not None:
            self._ids.link(row.clientOrderId, one.index, number)
        else:
            self._ids.learn(one.index, number, row.clientOrderId)
        return row.clientOrderId

    async def name_stops(self, index: int) -> None:
        """Ask which conditional orders have become orders of the matching engine (F57)."""
        one = self._instruments[index]
        for client_id in self._ids.untriggered(index):
            try:
                self._know(await self._account.algo_order(client_id), one)
            except VenueAnswerError as error:
                if error.venue_code != NO_SUCH_ORDER:
                    raise

    async def settle(self, index: int, number: int) -> None:
        """A debt of the stream is overdue: read the order's executions, and who it is; then take what was held."""
        await self._client_of(self._instruments[index], number)
        await self.trades_of(index, number)
        self._events.release(index, number)


def _ticks(one: Instrument, text: str) -> int:
    """A resting order's price in ticks; one from before a change of the tick size is cut, as nobody trades at it."""
    return e8_cut(text) // one.tick_e8
