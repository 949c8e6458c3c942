"""A day of trading with ccxt and ccxt pro, against the embedded exchange named on standard input."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro as ccxt
from reporting import FAR, MARKET_S, PATIENCE_S, Complaints, Event, Events, day

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def pointed_at(ready: dict[str, Any]) -> ccxt.binanceusdm:
    """ccxt's exchange with the addresses of ours in its table of addresses: all of them, so that a call to another
    part of the venue fails here and never gets out.
    """
    keys = ready["accounts"]["main"]
    client = ccxt.binanceusdm({"apiKey": keys["key"], "secret": keys["secret"], "options": {"fetchCurrencies": False}})
    client.urls["api"] = moved(client.urls["api"], ready)
    client.urls["api"]["ws"]["ws-api"]["linear"] = ready["ws_api"]
    return client


def moved(table: dict[str, Any], ready: dict[str, Any]) -> dict[str, Any]:
    """The addresses with our hosts in place of the venue's."""
    hosts = {"https": ready["rest"], "wss": ready["streams"]}
    return {
        name: moved(address, ready)
        if isinstance(address, dict)
        else re.sub(r"^(https|wss)://[^/]+", lambda found: hosts[found[1]], address)
        for name, address in table.items()
    }


class Day:
    """The client and what the steps leave for each other."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.client = pointed_at(ready)
        self.complaints = Complaints()
        self.orders, self.trades, self.positions_seen, self.balances_seen = Events(), Events(), Events(), Events()
        self.watchers: list[asyncio.Task[None]] = []
        self.resting = ""
        self.trailing: list[str] = []

    # -- helpers -----------------------------------------------------------------------------------------------------

    async def best(self) -> tuple[float, float]:
        book = await self.client.fetch_order_book(BTC, 5)
        return book["bids"][0][0], book["asks"][0][0]

    async def order(self, side: str, kind: str, amount: float, price: float | None = None, **params: Any) -> Event:
        if price is not None:
            price = float(self.client.price_to_precision(BTC, price))
        order: Event = await self.client.create_order(BTC, kind, side, amount, price, params)
        return order

    async def refused(self, kind: type[Exception], code: int, call: Awaitable[object]) -> None:
        try:
            answer = await call
        except kind as error:
            assert str(code) in str(error), error
            return
        raise AssertionError(f"{kind.__name__} was expected, got {answer}")

    async def held(self) -> float:
        found = await self.client.fetch_positions([BTC])
        return sum(one["contracts"] * (1 if one["side"] == "long" else -1) for one in found)

    def watch(self, call: Callable[[], Awaitable[Any]], events: Events) -> None:
        """Hand on whatever a ``watch_…`` gives, again and again."""

        async def run() -> None:
            while True:
                news = await call()
                for one in news if isinstance(news, list) else [news]:
                    events.add(dict(one))

        self.watchers.append(asyncio.create_task(run()))

    # -- the market --------------------------------------------------------------------------------------------------

    async def exchange_info(self) -> str:
        markets = await self.client.load_markets()
        one = markets[BTC]
        assert one["active"] and one["precision"]["price"] == 0.1 and one["limits"]["cost"]["min"] > 0, one
        return str(sorted(markets))

    async def book(self) -> str:
        bid, ask = await self.best()
        assert 0 < bid < ask
        return f"{bid} {ask}"

    async def book_stream(self) -> str:
        first = await self.client.watch_order_book(BTC)
        seen = first["nonce"]
        while (book := await self.client.watch_order_book(BTC))["nonce"] == seen:
            pass
        assert book["bids"][0][0] < book["asks"][0][0]
        return str(await self.client.watch_bids_asks([BTC]))

    async def trade_stream(self) -> str:
        trades = await self.client.watch_trades(BTC)
        assert trades[-1]["amount"] > 0
        return str(trades[-1])

    async def user_stream(self) -> str:
        self.watch(self.client.watch_orders, self.orders)
        self.watch(self.client.watch_my_trades, self.trades)
        self.watch(self.client.watch_positions, self.positions_seen)
        self.watch(self.client.watch_balance, self.balances_seen)
        price = (await self.best())[0] * FAR
        async with asyncio.timeout(PATIENCE_S):
            while True:  # nothing says when the sockets stand: try until an order is heard of
                number = (await self.order("buy", "limit", 0.002, price))["id"]
                try:
                    heard = await self.orders.find(lambda event, sent=number: event["id"] == sent, 2)
                    return str(heard)
                except TimeoutError:
                    continue
                finally:
                    await self.client.cancel_order(number, BTC)

    # -- the account -------------------------------------------------------------------------------------------------

    async def leverage(self) -> str:
        answer = await self.client.set_leverage(10, BTC)
        assert int(answer["leverage"]) == 10, answer
        told = await self.client.fetch_leverage(BTC)
        assert told["longLeverage"] == told["shortLeverage"] == 10, told
        return str(answer)

    async def margin_type(self) -> str:
        await self.client.set_margin_mode("isolated", BTC)
        await self.refused(ccxt.MarginModeAlreadySet, -4046, self.client.set_margin_mode("isolated", BTC))
        told = await self.client.fetch_margin_mode(BTC)
        assert told["marginMode"] == "isolated", told
        return str(told)

    async def balances(self) -> str:
        balance = await self.client.fetch_balance()
        assert balance["USDT"]["total"] == 10_000, balance
        return str(balance["USDT"])

    async def trailing_stops(self) -> str:
        for side in ("buy", "sell"):
            order = await self.client.create_order(ETH, "market", side, 0.05, None, {"trailingPercent": "0.1"})
            self.trailing.append(order["id"])
        known = {one["id"] for one in await self.client.fetch_open_orders(ETH, params={"trigger": True})}
        assert known == set(self.trailing), known
        return str(known)

    # -- orders ------------------------------------------------------------------------------------------------------

    async def market_order(self) -> str:
        order = await self.order("buy", "market", 0.02)
        assert (order["status"], order["filled"]) == ("closed", 0.02), order
        await self.orders.find(lambda event: event["id"] == order["id"] and event["status"] == "closed")
        fill = await self.trades.find(lambda event: event["order"] == order["id"])
        await self.positions_seen.find(lambda event: event["symbol"] == BTC and event["contracts"] == 0.02)
        await self.balances_seen.find(lambda event: 0 < event["USDT"]["total"] < 10_000)
        query = await self.client.fetch_order(order["id"], BTC)
        assert query["status"] == "closed" and query["average"] > 0, query
        return str(fill)

    async def limit_order(self) -> str:
        order = await self.order("buy", "limit", 0.002, (await self.best())[0] * FAR)
        self.resting = order["id"]
        assert order["status"] == "open", order
        assert self.resting in {one["id"] for one in await self.client.fetch_open_orders(BTC)}
        return str(await self.orders.find(lambda event: event["id"] == self.resting and event["status"] == "open"))

    async def amendment(self) -> str:
        price = float(self.client.price_to_precision(BTC, (await self.best())[0] * FAR * FAR))
        order = await self.client.edit_order(self.resting, BTC, "limit", "buy", 0.003, price)
        assert (order["id"], order["price"], order["amount"]) == (self.resting, price, 0.003), order
        return str(await self.orders.find(lambda event: event["id"] == self.resting and event["amount"] == 0.003))

    async def cancellation(self) -> str:
        order = await self.client.cancel_order(self.resting, BTC)
        assert order["status"] == "canceled", order
        await self.refused(ccxt.OrderNotFound, -2011, self.client.cancel_order(self.resting, BTC))
        return str(await self.orders.find(lambda event: event["id"] == self.resting and event["status"] == "canceled"))

    async def post_only(self) -> str:
        bid, ask = await self.best()
        order = await self.order("buy", "limit", 0.002, bid * FAR, postOnly=True)
        assert order["status"] == "open" and order["postOnly"], order
        await self.client.cancel_order(order["id"], BTC)
        crossing = self.order("buy", "limit", 0.002, ask * 1.001, postOnly=True)
        await self.refused(ccxt.InvalidOrder, -5022, crossing)
        return str(order)

    async def immediate(self) -> str:
        bid, ask = await self.best()
        passed = await self.order("buy", "limit", 0.002, bid * FAR, timeInForce="IOC")
        taken = await self.order("buy", "limit", 0.002, ask * 1.001, timeInForce="IOC")
        assert (passed["status"], taken["status"]) == ("expired", "closed"), (passed, taken)
        return str(taken)

    async def whole_or_none(self) -> str:
        bid, ask = await self.best()
        taken = await self.order("buy", "limit", 0.002, ask * 1.001, timeInForce="FOK")
        assert taken["status"] == "closed", taken
        passed = self.order("buy", "limit", 0.002, bid * FAR, timeInForce="FOK")
        await self.refused(ccxt.InvalidOrder, -5021, passed)
        return str(taken)

    async def reduce_only(self) -> str:
        before = await self.held()
        order = await self.order("sell", "market", 0.004, reduceOnly=True)
        assert order["reduceOnly"] and order["status"] == "closed", order
        await self.refused(ccxt.ExchangeError, -2022, self.order("buy", "market", 0.004, reduceOnly=True))
        assert round(before - await self.held(), 8) == 0.004
        return str(order)

    async def batch(self) -> str:
        price = float(self.client.price_to_precision(BTC, (await self.best())[0] * FAR))
        rows = [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": amount, "price": price}
            for amount in (0.002, 0.003)
        ]
        placed = await self.client.create_orders(rows)
        numbers = [one["id"] for one in placed]
        assert all(numbers) and len(numbers) == 2, placed
        await self.client.cancel_orders(numbers, BTC)
        for number in numbers:
            assert (await self.client.fetch_order(number, BTC))["status"] == "canceled"
        return str(numbers)

    async def positions(self) -> str:
        (row,) = await self.client.fetch_positions([BTC])
        assert (row["contracts"], row["side"], row["marginMode"]) == (0.02, "long", "isolated"), row
        return str(row)

    # -- conditional orders ------------------------------------------------------------------------------------------

    async def conditional_cancellation(self) -> str:
        price = self.client.price_to_precision(BTC, (await self.best())[0] * FAR)
        order = await self.client.create_order(
            BTC, "market", "sell", 0.002, None, {"stopLossPrice": price, "reduceOnly": True}
        )
        query = await self.client.fetch_order(order["id"], BTC, {"trigger": True})
        assert query["status"] == "open" and query["triggerPrice"] == float(price), query
        await self.client.cancel_order(order["id"], BTC, {"trigger": True})
        query = await self.client.fetch_order(order["id"], BTC, {"trigger": True})
        assert query["status"] == "canceled", query
        return str(query)

    async def stop(self) -> str:
        bid, ask = await self.best()
        numbers = []
        for side, price in (("sell", bid * 0.9999), ("buy", ask * 1.0001)):
            told = {"triggerPrice": self.client.price_to_precision(BTC, price)}
            numbers.append((await self.client.create_order(BTC, "market", side, 0.002, None, told))["id"])
        return await self.triggered(BTC, numbers)

    async def trailing_stop(self) -> str:
        return await self.triggered(ETH, self.trailing)

    async def triggered(self, symbol: str, numbers: list[str]) -> str:
        """The first of them that the market triggers is filled; the others are cancelled."""
        assert numbers
        fill = await self.trades.find(
            lambda event: (
                event["symbol"] == symbol and event["info"].get("ot") in ("STOP_MARKET", "TRAILING_STOP_MARKET")
            ),
            MARKET_S,
        )
        done = [
            query
            for query in [await self.client.fetch_order(one, symbol, {"trigger": True}) for one in numbers]
            if query["info"]["actualOrderId"] == fill["order"]
        ]
        assert len(done) == 1 and done[0]["info"]["algoStatus"] in ("TRIGGERED", "FINISHED"), done
        assert (await self.client.fetch_order(fill["order"], symbol))["status"] == "closed"
        await self.client.cancel_all_orders(symbol, {"trigger": True})
        assert not await self.client.fetch_open_orders(symbol, params={"trigger": True})
        return str(done)

    # -- the end of the day ------------------------------------------------------------------------------------------

    async def websocket_api(self) -> str:
        price = float(self.client.price_to_precision(BTC, (await self.best())[0] * FAR))
        order = await self.client.create_order_ws(BTC, "limit", "buy", 0.002, price)
        edited = await self.client.edit_order_ws(order["id"], BTC, "limit", "buy", 0.003, price)
        seen = await self.client.fetch_order_ws(order["id"], BTC)
        gone = await self.client.cancel_order_ws(order["id"], BTC)
        assert (seen["status"], edited["amount"], gone["status"]) == ("open", 0.003, "canceled"), (seen, edited, gone)
        balance = await self.client.fetch_balance_ws()
        assert balance["USDT"]["total"] > 0, balance
        return str(await self.client.fetch_positions_ws([BTC]))

    async def income(self) -> str:
        rows = await self.client.fetch_ledger("USDT", params={"type": "swap"})
        trades = await self.client.fetch_my_trades(BTC) + await self.client.fetch_my_trades(ETH)
        paid = sum(one["amount"] for one in rows if one["info"]["incomeType"] == "COMMISSION")
        charged = sum(one["fee"]["cost"] for one in trades)
        assert rows and abs(abs(paid) - charged) < 1e-9, (paid, charged)
        return f"{len(rows)} {paid}"

    async def close(self) -> str:
        order = await self.order("sell", "market", await self.held(), reduceOnly=True)
        assert order["status"] == "closed" and not await self.held(), order
        return str(order)

    async def understood(self) -> str:
        ended = [task.exception() for task in self.watchers if task.done()]
        assert not ended and not self.complaints.texts, (ended, self.complaints.texts)
        for task in self.watchers:
            task.cancel()
        await self.client.close()
        return f"{len(self.orders.seen)} orders, {len(self.trades.seen)} fills"


if __name__ == "__main__":
    asyncio.run(day(Day))
