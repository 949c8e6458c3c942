"""A day of trading with python-binance, against the embedded exchange named on standard input."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException
from reporting import (
    BTC,
    ETH,
    FAR,
    MARKET_S,
    PATIENCE_S,
    Complaints,
    Event,
    Events,
    algo_update,
    day,
    near,
    order_update,
)


def pointed_at(ready: dict[str, Any]) -> tuple[AsyncClient, BinanceSocketManager]:
    """Client and sockets with the addresses of ours in their attributes."""

    class Client(AsyncClient):
        FUTURES_URL = ready["rest"] + "/fapi"
        WS_FUTURES_URL = ready["ws_api"]

    class Sockets(BinanceSocketManager):
        FSTREAM_URL = ready["streams"] + "/"

    keys = ready["accounts"]["main"]
    client = Client(keys["key"], keys["secret"])
    return client, Sockets(client)


class Day:
    """Client, sockets and what the steps leave for each other."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.client, self.sockets = pointed_at(ready)
        self.complaints = Complaints()
        self.open = contextlib.AsyncExitStack()
        self.user = Events()
        self.reader: asyncio.Task[None] | None = None
        self.resting = 0
        self.trailing: list[object] = []

    # -- helpers -----------------------------------------------------------------------------------------------------

    async def best(self) -> tuple[float, float]:
        book = await self.client.futures_order_book(symbol=BTC, limit=5)
        return float(book["bids"][0][0]), float(book["asks"][0][0])

    async def order(self, side: str, kind: str, quantity: float, **more: Any) -> Event:
        order: Event = await self.client.futures_create_order(
            symbol=BTC, side=side, type=kind, quantity=quantity, newOrderRespType="RESULT", **more
        )
        return order

    async def limit(self, side: str, price: float, quantity: float = 0.002, force: str = "GTC", **more: Any) -> Event:
        return await self.order(side, "LIMIT", quantity, price=near(price, 0.1), timeInForce=force, **more)

    async def algo(self, symbol: str, side: str, kind: str, **more: Any) -> object:
        answer = await self.client.futures_create_order(symbol=symbol, side=side, type=kind, **more)
        assert answer["algoStatus"] == "NEW", answer
        return answer["algoId"]

    async def refused(self, code: int, call: Awaitable[object]) -> None:
        try:
            answer = await call
        except BinanceAPIException as error:
            assert error.code == code, error
            return
        raise AssertionError(f"{code} was expected, got {answer}")

    async def held(self) -> float:
        return sum(float(one["positionAmt"]) for one in await self.client.futures_position_information(symbol=BTC))

    # -- the market --------------------------------------------------------------------------------------------------

    async def exchange_info(self) -> str:
        info = await self.client.futures_exchange_info()
        one = next(one for one in info["symbols"] if one["symbol"] == BTC)
        filters = {one["filterType"] for one in one["filters"]}
        assert {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL"} <= filters and one["status"] == "TRADING", filters
        return str(sorted(filters))

    async def book(self) -> str:
        bid, ask = await self.best()
        assert 0 < bid < ask
        return f"{bid} {ask}"

    async def first(self, socket: Any, kind: str) -> Event:
        """The first event of a kind on a socket of its own."""
        async with asyncio.timeout(PATIENCE_S), socket as opened:
            while True:
                message = await opened.recv()
                event: Event = message.get("data", message)
                if event.get("e") == kind:
                    return event

    async def book_stream(self) -> str:
        book = await self.first(self.sockets.futures_depth_socket(BTC, "5"), "depthUpdate")
        assert float(book["b"][0][0]) < float(book["a"][0][0]), book
        streams = [f"{BTC.lower()}@bookTicker"]
        top = await self.first(self.sockets.futures_multiplex_socket(streams, category="public"), "bookTicker")
        return str(top)

    async def trade_stream(self) -> str:
        return str(await self.first(self.sockets.aggtrade_futures_socket(BTC), "aggTrade"))

    async def user_stream(self) -> str:
        socket = await self.open.enter_async_context(self.sockets.futures_user_socket())

        async def read() -> None:
            while True:
                message = await socket.recv()
                if message is not None:
                    self.user.add(message)

        self.reader = asyncio.create_task(read())
        key = await self.client.futures_stream_get_listen_key()
        return str(await self.client.futures_stream_keepalive(key))

    # -- the account -------------------------------------------------------------------------------------------------

    async def leverage(self) -> str:
        answer = await self.client.futures_change_leverage(symbol=BTC, leverage=10)
        assert answer["leverage"] == 10, answer
        event = await self.user.find(lambda event: event["e"] == "ACCOUNT_CONFIG_UPDATE")
        assert event["ac"] == {"s": BTC, "l": 10}, event
        return str(event)

    async def margin_type(self) -> str:
        await self.client.futures_change_margin_type(symbol=BTC, marginType="ISOLATED")
        await self.refused(-4046, self.client.futures_change_margin_type(symbol=BTC, marginType="ISOLATED"))
        (row,) = await self.client.futures_symbol_config(symbol=BTC)
        assert (row["marginType"], row["leverage"]) == ("ISOLATED", 10), row
        return str(row)

    async def balances(self) -> str:
        (row,) = [one for one in await self.client.futures_account_balance() if one["asset"] == "USDT"]
        account = await self.client.futures_account()
        assert float(row["balance"]) == float(account["totalWalletBalance"]) == 10_000, row
        return str(row)

    async def trailing_stops(self) -> str:
        self.trailing = [
            await self.algo(ETH, side, "TRAILING_STOP_MARKET", quantity=0.05, callbackRate=0.1)
            for side in ("BUY", "SELL")
        ]
        known = {one["algoId"] for one in await self.client.futures_get_open_orders(symbol=ETH, conditional=True)}
        assert known == set(self.trailing), known
        return str(known)

    # -- orders ------------------------------------------------------------------------------------------------------

    async def market_order(self) -> str:
        order = await self.order("BUY", "MARKET", 0.02)
        assert (order["status"], float(order["executedQty"])) == ("FILLED", 0.02), order
        fill = await self.user.find(order_update(order["orderId"], x="TRADE", X="FILLED"))
        await self.user.find(lambda event: event["e"] == "ACCOUNT_UPDATE" and event["a"]["m"] == "ORDER")
        await self.user.find(lambda event: event["e"] == "TRADE_LITE" and event["i"] == order["orderId"])
        query = await self.client.futures_get_order(symbol=BTC, orderId=order["orderId"])
        assert (query["status"], float(query["avgPrice"])) == ("FILLED", float(fill["o"]["ap"])), query
        return str(fill)

    async def limit_order(self) -> str:
        order = await self.limit("BUY", (await self.best())[0] * FAR)
        self.resting = order["orderId"]
        assert order["status"] == "NEW", order
        await self.user.find(order_update(self.resting, x="NEW"))
        assert self.resting in {one["orderId"] for one in await self.client.futures_get_open_orders(symbol=BTC)}
        return str(order)

    async def amendment(self) -> str:
        price = near((await self.best())[0] * FAR * FAR, 0.1)
        answer = await self.client.futures_modify_order(
            symbol=BTC, side="BUY", quantity=0.003, price=price, orderId=self.resting
        )
        assert (float(answer["price"]), float(answer["origQty"])) == (price, 0.003), answer
        return str(await self.user.find(order_update(self.resting, x="AMENDMENT")))

    async def cancellation(self) -> str:
        answer = await self.client.futures_cancel_order(symbol=BTC, orderId=self.resting)
        assert answer["status"] == "CANCELED", answer
        await self.refused(-2011, self.client.futures_cancel_order(symbol=BTC, orderId=self.resting))
        return str(await self.user.find(order_update(self.resting, x="CANCELED", X="CANCELED")))

    async def post_only(self) -> str:
        bid, ask = await self.best()
        order = await self.limit("BUY", bid * FAR, force="GTX")
        assert (order["status"], order["timeInForce"]) == ("NEW", "GTX"), order
        await self.client.futures_cancel_order(symbol=BTC, orderId=order["orderId"])
        await self.refused(-5022, self.limit("BUY", ask * 1.001, force="GTX"))
        return str(order)

    async def immediate(self) -> str:
        bid, ask = await self.best()
        passed = await self.limit("BUY", bid * FAR, force="IOC")
        taken = await self.limit("BUY", ask * 1.001, force="IOC")
        assert (passed["status"], taken["status"]) == ("EXPIRED", "FILLED"), (passed, taken)
        return str(await self.user.find(order_update(passed["orderId"], X="EXPIRED")))

    async def whole_or_none(self) -> str:
        bid, ask = await self.best()
        taken = await self.limit("BUY", ask * 1.001, force="FOK")
        assert taken["status"] == "FILLED", taken
        await self.refused(-5021, self.limit("BUY", bid * FAR, force="FOK"))
        return str(taken)

    async def reduce_only(self) -> str:
        before = await self.held()
        order = await self.order("SELL", "MARKET", 0.004, reduceOnly="true")
        assert order["reduceOnly"] and order["status"] == "FILLED", order
        await self.refused(-2022, self.order("BUY", "MARKET", 0.004, reduceOnly="true"))
        assert round(before - await self.held(), 8) == 0.004
        return str(order)

    async def batch(self) -> str:
        price = near((await self.best())[0] * FAR, 0.1)
        common = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": str(price)}
        rows = [common | {"quantity": quantity} for quantity in ("0.002", "0.003", "0.0001")]
        answers = await self.client.futures_place_batch_order(batchOrders=rows)
        numbers = [one["orderId"] for one in answers if "orderId" in one]
        assert len(answers) == 3 and len(numbers) == 2 and answers[2]["code"] < 0, answers
        gone = await self.client.futures_cancel_orders(symbol=BTC, orderidlist=numbers)
        assert [one["status"] for one in gone] == ["CANCELED"] * 2, gone
        return str(answers)

    async def positions(self) -> str:
        (row,) = await self.client.futures_position_information(symbol=BTC)
        assert float(row["positionAmt"]) == 0.02 and float(row["isolatedWallet"]) > 0, row
        return str(row)

    # -- conditional orders ------------------------------------------------------------------------------------------

    async def conditional_cancellation(self) -> str:
        price = near((await self.best())[0] * FAR, 0.1)
        number = await self.algo(BTC, "SELL", "STOP_MARKET", closePosition="true", stopPrice=price)
        assert (await self.client.futures_get_algo_order(algoId=number))["algoStatus"] == "NEW"
        answer = await self.client.futures_cancel_algo_order(algoId=number)
        assert answer["code"] == "200", answer
        return str(await self.user.find(algo_update([number], "CANCELED")))

    async def stop(self) -> str:
        bid, ask = await self.best()
        low, high = near(bid * 0.9999, 0.1), near(ask * 1.0001, 0.1)
        pair = [
            await self.algo(BTC, "SELL", "STOP_MARKET", quantity=0.002, triggerPrice=low, reduceOnly="true"),
            await self.algo(BTC, "BUY", "STOP_MARKET", quantity=0.002, triggerPrice=high),
        ]
        return await self.triggered(pair, "STOP_MARKET")

    async def trailing_stop(self) -> str:
        return await self.triggered(self.trailing, "TRAILING_STOP_MARKET")

    async def triggered(self, numbers: list[object], kind: str) -> str:
        """The first of them that the market triggers is filled; the others are cancelled."""
        assert numbers
        event = await self.user.find(algo_update(numbers, "FINISHED"), MARKET_S)
        told = event["o"]
        query = await self.client.futures_get_algo_order(algoId=told["aid"])
        assert query["algoStatus"] == "FINISHED" and query["actualOrderId"] == told["ai"], query
        order = await self.client.futures_get_order(symbol=told["s"], orderId=told["ai"])
        assert (order["status"], order["origType"]) == ("FILLED", kind), order
        await self.user.find(order_update(told["ai"], X="FILLED", ot=kind))
        await self.client.futures_cancel_all_algo_open_orders(symbol=told["s"])
        return str(event)

    # -- the end of the day ------------------------------------------------------------------------------------------

    async def websocket_api(self) -> str:
        book = await self.client.ws_futures_get_order_book(symbol=BTC, limit=5)
        price = near(float(book["bids"][0][0]) * FAR, 0.1)
        order = await self.client.ws_futures_create_order(
            symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.002, price=price
        )
        seen = await self.client.ws_futures_get_order(symbol=BTC, orderId=order["orderId"])
        gone = await self.client.ws_futures_cancel_order(symbol=BTC, orderId=order["orderId"])
        assert (seen["status"], gone["status"]) == ("NEW", "CANCELED"), (seen, gone)
        account = await self.client.ws_futures_v2_account_status()
        assert float(account["totalWalletBalance"]) > 0, account
        return str(gone)

    async def income(self) -> str:
        rows = await self.client.futures_income_history(symbol=BTC, incomeType="COMMISSION")
        trades = await self.client.futures_account_trades(symbol=BTC)
        paid = sum(float(one["income"]) for one in rows)
        charged = sum(float(one["commission"]) for one in trades)
        assert rows and round(paid + charged, 8) == 0, (paid, charged)
        return f"{len(rows)} {paid}"

    async def close(self) -> str:
        order = await self.order("SELL", "MARKET", await self.held(), reduceOnly="true")
        assert order["status"] == "FILLED" and not await self.held(), order
        return str(order)

    async def understood(self) -> str:
        if self.reader is not None:
            assert not self.reader.done(), self.reader.exception()
            self.reader.cancel()
        assert not self.complaints.texts, self.complaints.texts
        await self.open.aclose()
        await self.client.close_connection()
        return f"{len(self.user.seen)} private events"


if __name__ == "__main__":
    asyncio.run(day(Day))
