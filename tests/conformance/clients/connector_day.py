"""A day of trading with the official connector, against the embedded exchange named on standard input."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from binance_common.errors import Error
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
    DerivativesTradingUsdsFutures,
)
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    PlaceMultipleOrdersBatchOrdersParameterInner as Placed,
)
from pydantic import BaseModel
from reporting import (
    BTC,
    ETH,
    FAR,
    MARKET_S,
    Complaints,
    Event,
    Events,
    algo_update,
    day,
    near,
    order_update,
)


def strange(model: Any) -> set[str]:
    """Fields of an answer that the connector's models do not know; of events it keeps only those they know."""
    if isinstance(model, list):
        return set().union(*map(strange, model))
    if not isinstance(model, BaseModel):
        return set()
    names = set(type(model).model_fields) - {"additional_properties"}
    found = {f"{type(model).__name__}.{name}" for name in getattr(model, "additional_properties", None) or ()}
    return found.union(*(strange(getattr(model, name)) for name in names))


class Day:
    """The connector's three faces and what the steps leave for each other."""

    def __init__(self, ready: dict[str, Any]) -> None:
        keys = ready["accounts"]["main"]
        pair = {"api_key": keys["key"], "api_secret": keys["secret"]}
        whole = DerivativesTradingUsdsFutures(
            config_rest_api=ConfigurationRestAPI(base_path=ready["rest"], **pair),
            config_ws_api=ConfigurationWebSocketAPI(stream_url=ready["ws_api"], **pair),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=ready["streams"]),
        )
        self.rest, self.streams, self.api = whole.rest_api, whole.websocket_streams, whole.websocket_api
        self.user = Events()
        self.complaints = Complaints()
        self.strange: set[str] = set()
        self.connection: Any = None
        self.listen_key = ""
        self.resting = 0
        self.trailing: list[object] = []

    # -- helpers -----------------------------------------------------------------------------------------------------

    def wire(self, model: Any) -> Event:
        """A parsed answer or event as the venue wrote it, its numbers and texts as the connector's model holds them."""
        self.strange |= strange(model)
        document: Event = json.loads(model.to_json())
        return document

    def best(self, symbol: str = BTC) -> tuple[float, float]:
        book = self.rest.order_book(symbol=symbol, limit=5).data()
        return float(book.bids[0][0]), float(book.asks[0][0])

    def order(self, side: str, kind: str, quantity: float, **more: Any) -> Event:
        answer = self.rest.new_order(
            symbol=BTC, side=side, type=kind, quantity=quantity, new_order_resp_type="RESULT", **more
        )
        return self.wire(answer.data())

    def limit(self, side: str, price: float, quantity: float = 0.002, force: str = "GTC", **more: Any) -> Event:
        return self.order(side, "LIMIT", quantity, price=near(price, 0.1), time_in_force=force, **more)

    def algo(self, symbol: str, side: str, kind: str, **more: Any) -> object:
        answer = self.rest.new_algo_order(algo_type="CONDITIONAL", symbol=symbol, side=side, type=kind, **more).data()
        assert answer.algo_status == "NEW", answer
        return answer.algo_id

    def refused(self, code: int, call: Any, **arguments: Any) -> None:
        try:
            answer = call(**arguments)
        except Error as error:
            assert str(code) in str(error), error
            return
        raise AssertionError(f"{code} was expected, got {answer}")

    def held(self) -> float:
        return sum(float(one.position_amt) for one in self.rest.position_information_v3(symbol=BTC).data())

    # -- the market --------------------------------------------------------------------------------------------------

    async def exchange_info(self) -> str:
        info = self.rest.exchange_information().data()
        one = next(one for one in info.symbols if one.symbol == BTC)
        filters = {one.filter_type for one in one.filters}
        assert {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL"} <= filters and one.status == "TRADING", filters
        return str(sorted(filters))

    async def book(self) -> str:
        bid, ask = self.best()
        assert 0 < bid < ask
        return f"{bid} {ask}"

    async def listen(self, opened: Any) -> Events:
        events = Events()
        stream = await opened
        stream.on("message", lambda model: events.add(self.wire(model)))
        return events

    async def book_stream(self) -> str:
        self.connection = await self.streams.create_connection()
        tops = await self.listen(self.connection.individual_symbol_book_ticker_streams(symbol=BTC.lower()))
        diffs = await self.listen(self.connection.diff_book_depth_streams(symbol=BTC.lower()))
        top = await tops.find(lambda event: event["e"] == "bookTicker")
        first = await diffs.find(lambda event: event["e"] == "depthUpdate")
        then = await diffs.find(lambda event: event["e"] == "depthUpdate" and event["pu"] == first["u"])
        assert float(top["b"]) < float(top["a"]) and then["u"] > first["u"]
        return str(top)

    async def trade_stream(self) -> str:
        trades = await self.listen(self.connection.aggregate_trade_streams(symbol=BTC.lower()))
        return str(await trades.find(lambda event: event["e"] == "aggTrade" and float(event["q"]) > 0))

    async def user_stream(self) -> str:
        self.listen_key = self.rest.start_user_data_stream().data().listen_key
        stream = await self.connection.user_data(self.listen_key)
        stream.on("message", lambda model: self.user.add(self.wire(model.actual_instance) | {"e": tag(model)}))
        return str(self.rest.keepalive_user_data_stream().data())

    # -- the account -------------------------------------------------------------------------------------------------

    async def leverage(self) -> str:
        answer = self.rest.change_initial_leverage(symbol=BTC, leverage=10).data()
        assert answer.leverage == 10, answer
        event = await self.user.find(lambda event: event["e"] == "ACCOUNT_CONFIG_UPDATE")
        assert event["ac"] == {"s": BTC, "l": 10}, event
        return str(event)

    async def margin_type(self) -> str:
        self.rest.change_margin_type(symbol=BTC, margin_type="ISOLATED")
        self.refused(-4046, self.rest.change_margin_type, symbol=BTC, margin_type="ISOLATED")
        (row,) = self.rest.symbol_configuration(symbol=BTC).data()
        assert (row.margin_type, row.leverage) == ("ISOLATED", 10), row
        return str(row)

    async def balances(self) -> str:
        (row,) = [one for one in self.rest.futures_account_balance_v3().data() if one.asset == "USDT"]
        account = self.rest.account_information_v3().data()
        assert float(row.balance) == float(account.total_wallet_balance) == 10_000, row
        return str(row)

    async def trailing_stops(self) -> str:
        self.trailing = [
            self.algo(ETH, side, "TRAILING_STOP_MARKET", quantity=0.05, callback_rate=0.1) for side in ("BUY", "SELL")
        ]
        known = {one.algo_id for one in self.rest.current_all_algo_open_orders(symbol=ETH).data()}
        assert known == set(self.trailing), known
        return str(known)

    # -- orders ------------------------------------------------------------------------------------------------------

    async def market_order(self) -> str:
        order = self.order("BUY", "MARKET", 0.02)
        assert (order["status"], float(order["executedQty"])) == ("FILLED", 0.02), order
        fill = await self.user.find(order_update(order["orderId"], x="TRADE", X="FILLED"))
        await self.user.find(lambda event: event["e"] == "ACCOUNT_UPDATE" and event["a"]["m"] == "ORDER")
        await self.user.find(lambda event: event["e"] == "TRADE_LITE" and event["i"] == order["orderId"])
        query = self.rest.query_order(symbol=BTC, order_id=order["orderId"]).data()
        assert (query.status, float(query.avg_price)) == ("FILLED", float(fill["o"]["ap"])), query
        return str(fill)

    async def limit_order(self) -> str:
        order = self.limit("BUY", self.best()[0] * FAR)
        self.resting = order["orderId"]
        assert order["status"] == "NEW", order
        await self.user.find(order_update(self.resting, x="NEW"))
        assert self.resting in {one.order_id for one in self.rest.current_all_open_orders(symbol=BTC).data()}
        return str(order)

    async def amendment(self) -> str:
        price = near(self.best()[0] * FAR * FAR, 0.1)
        answer = self.rest.modify_order(
            symbol=BTC, side="BUY", quantity=0.003, price=price, order_id=self.resting
        ).data()
        assert (float(answer.price), float(answer.orig_qty)) == (price, 0.003), answer
        return str(await self.user.find(order_update(self.resting, x="AMENDMENT")))

    async def cancellation(self) -> str:
        answer = self.rest.cancel_order(symbol=BTC, order_id=self.resting).data()
        assert answer.status == "CANCELED", answer
        self.refused(-2011, self.rest.cancel_order, symbol=BTC, order_id=self.resting)
        return str(await self.user.find(order_update(self.resting, x="CANCELED", X="CANCELED")))

    async def post_only(self) -> str:
        bid, ask = self.best()
        order = self.limit("BUY", bid * FAR, force="GTX")
        assert (order["status"], order["timeInForce"]) == ("NEW", "GTX"), order
        self.rest.cancel_order(symbol=BTC, order_id=order["orderId"])
        self.refused(-5022, self.limit, side="BUY", price=ask * 1.001, force="GTX")
        return str(order)

    async def immediate(self) -> str:
        bid, ask = self.best()
        passed, taken = (self.limit("BUY", price, force="IOC") for price in (bid * FAR, ask * 1.001))
        assert (passed["status"], taken["status"]) == ("EXPIRED", "FILLED"), (passed, taken)
        return str(await self.user.find(order_update(passed["orderId"], X="EXPIRED")))

    async def whole_or_none(self) -> str:
        bid, ask = self.best()
        taken = self.limit("BUY", ask * 1.001, force="FOK")
        assert taken["status"] == "FILLED", taken
        self.refused(-5021, self.limit, side="BUY", price=bid * FAR, force="FOK")
        return str(taken)

    async def reduce_only(self) -> str:
        before = self.held()
        order = self.order("SELL", "MARKET", 0.004, reduce_only="true")
        assert order["reduceOnly"] and order["status"] == "FILLED", order
        self.refused(-2022, self.order, side="BUY", kind="MARKET", quantity=0.004, reduce_only="true")
        assert round(before - self.held(), 8) == 0.004
        return str(order)

    async def batch(self) -> str:
        price = near(self.best()[0] * FAR, 0.1)
        rows = [
            Placed(symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity=quantity, price=price)
            for quantity in (0.002, 0.003, 0.0001)
        ]
        answers = [self.wire(one) for one in self.rest.place_multiple_orders(batch_orders=rows).data()]
        numbers = [one["orderId"] for one in answers if one.get("orderId")]
        assert len(answers) == 3 and len(numbers) == 2 and answers[2]["code"] < 0, answers
        gone = self.rest.cancel_multiple_orders(symbol=BTC, order_id_list=numbers).data()
        assert [one.status for one in gone] == ["CANCELED"] * 2, gone
        return str(answers)

    async def positions(self) -> str:
        (row,) = self.rest.position_information_v3(symbol=BTC).data()
        assert float(row.position_amt) == 0.02 and float(row.isolated_wallet) > 0, row
        return str(row)

    # -- conditional orders ------------------------------------------------------------------------------------------

    async def conditional_cancellation(self) -> str:
        number = self.algo(
            BTC, "SELL", "STOP_MARKET", close_position="true", trigger_price=near(self.best()[0] * FAR, 0.1)
        )
        assert self.rest.query_algo_order(algo_id=number).data().algo_status == "NEW"
        answer = self.rest.cancel_algo_order(algo_id=number).data()
        assert answer.code == "200", answer
        return str(await self.user.find(algo_update([number], "CANCELED")))

    async def stop(self) -> str:
        bid, ask = self.best()
        common = {"quantity": 0.002, "working_type": "CONTRACT_PRICE"}
        pair = [
            self.algo(BTC, "SELL", "STOP_MARKET", trigger_price=near(bid * 0.9999, 0.1), reduce_only="true", **common),
            self.algo(BTC, "BUY", "STOP_MARKET", trigger_price=near(ask * 1.0001, 0.1), **common),
        ]
        return await self.triggered(pair, "STOP_MARKET")

    async def trailing_stop(self) -> str:
        return await self.triggered(self.trailing, "TRAILING_STOP_MARKET")

    async def triggered(self, numbers: list[object], kind: str) -> str:
        """The first of them that the market triggers is filled; the others are cancelled."""
        assert numbers
        event = await self.user.find(algo_update(numbers, "FINISHED"), MARKET_S)
        told = event["o"]
        query = self.rest.query_algo_order(algo_id=told["aid"]).data()
        assert (query.algo_status, query.order_type, query.actual_order_id) == ("FINISHED", kind, told["ai"]), query
        assert self.rest.query_order(symbol=told["s"], order_id=int(told["ai"])).data().status == "FILLED"
        await self.user.find(order_update(told["ai"], X="FILLED", ot=kind))
        self.rest.cancel_all_algo_open_orders(symbol=told["s"])
        return str(event)

    # -- the end of the day ------------------------------------------------------------------------------------------

    async def websocket_api(self) -> str:
        connection = await self.api.create_connection()
        book = (await connection.order_book(symbol=BTC, limit=5)).data().result
        assert book.last_update_id > 0, book
        price = near(self.best()[0] * FAR, 0.1)
        order = dict(symbol=BTC, side="BUY", type="LIMIT", quantity=0.002, price=price, time_in_force="GTC")
        placed = (await connection.new_order(**order)).data().result
        seen = (await connection.query_order(symbol=BTC, order_id=placed.order_id)).data().result
        gone = (await connection.cancel_order(symbol=BTC, order_id=placed.order_id)).data().result
        assert (seen.status, gone.status) == ("NEW", "CANCELED"), (seen, gone)
        account = (await connection.account_information_v2()).data().result
        assert float(account.total_wallet_balance) > 0, account
        await connection.close_connection(close_session=True)
        return str(gone)

    async def income(self) -> str:
        rows = self.rest.get_income_history(income_type="COMMISSION", symbol=BTC).data()
        trades = self.rest.account_trade_list(symbol=BTC).data()
        paid, charged = (
            sum(float(one.income) for one in rows),
            sum(float(one.commission) for one in trades),
        )
        assert rows and round(paid + charged, 8) == 0, (paid, charged)
        return f"{len(rows)} {paid}"

    async def close(self) -> str:
        order = self.order("SELL", "MARKET", self.held(), reduce_only="true")
        assert order["status"] == "FILLED" and not self.held(), order
        self.rest.close_user_data_stream()
        await self.connection.close_connection(close_session=True)
        return str(order)

    async def understood(self) -> str:
        assert not self.complaints.texts and not self.strange, (self.complaints.texts, self.strange)
        return f"{len(self.user.seen)} private events"


def tag(model: Any) -> str:
    """The kind of a private event, which the connector's models keep as their class."""
    name = type(model.actual_instance).__name__
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name)[1:].upper()


if __name__ == "__main__":
    asyncio.run(day(Day))
