"""A venue of a few lines for the tests of the client side: orders fill at one price, stops wait, sockets are in memory.

It speaks over a real loopback socket in the shapes of the golden files; what it says can be replaced call by call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from exchange.binance.account_rest import CallLimits
from exchange.binance.assembly import Addresses, Bounds, binance_venue
from exchange.binance.order_lines import LineLimits
from exchange.binance.user_stream import StreamLimits
from exchange.binance.venue import BinanceVenue, VenueLimits
from models.event import Event
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import SIGNER, Facts, owns, until
from tests.fakes.order_server import Asked, OrderServer, Reply, http
from utils.clock import RunClock, wall_ns

WIRE = Path(__file__).resolve().parents[2] / "data" / "wire"
QUICK = Bounds(
    lines=LineLimits(probe_every_s=3_600.0),
    calls=CallLimits(backoff_base_s=0.001, deadline_s=2.0),
    stream=StreamLimits(silence_s=0.3, overlap_s=0.01),
    venue=VenueLimits(clock_every_s=0.0, order_s=1.0, inspect_again_s=0.05),
)
PRICE = "77000.0"


def golden(name: str) -> Any:
    return json.loads((WIRE / f"{name}.json").read_bytes())


def refused(code: int, text: str = "no", status: int = 400, **headers: str) -> bytes:
    """An error of the venue."""
    return http(status, json.dumps({"code": code, "msg": text}).encode(), **headers)


class MiniSocket:
    def __init__(self, url: str, on_frame: Any, on_closed: Any) -> None:
        self.url, self.on_frame, self.on_closed = url, on_frame, on_closed
        self.open = True

    def send(self, text: bytes) -> None:
        """Nothing is sent on a private socket."""

    def close(self) -> None:
        if self.open:
            self.open = False
            self.on_closed("closed", "")

    abort = close


class MiniVenue:
    """``server`` is the door; ``instead[call]`` answers in place of the venue, once for each that is given."""

    def __init__(self, server: OrderServer | None) -> None:
        if server is not None:
            self.server = server
            server.standing = self._answer
        self.instead: dict[str, list[Callable[[Asked], Reply | bytes]]] = {}
        self.sockets: list[MiniSocket] = []
        self.orders: dict[str, dict[str, Any]] = {}
        self.algos: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.lots = 0
        self.wallet = "1000.00000000"
        self.silent = False
        self.ahead_ms = 0
        self._number = 1_000
        self._calls: dict[str, Callable[[dict[str, str]], Any]] = {
            "GET /fapi/v1/time": lambda given: {"serverTime": self.now_ms()},
            "POST /fapi/v1/listenKey": lambda given: golden("rest-listenKey-POST"),
            "PUT /fapi/v1/listenKey": lambda given: golden("rest-listenKey-PUT"),
            "POST /fapi/v1/order": self._place,
            "DELETE /fapi/v1/order": self._cancel,
            "GET /fapi/v1/order": self._order,
            "POST /fapi/v1/algoOrder": self._place_algo,
            "DELETE /fapi/v1/algoOrder": self._cancel_algo,
            "GET /fapi/v1/algoOrder": lambda given: self._known(self.algos, given["clientAlgoId"]),
            "GET /fapi/v1/openOrders": lambda given: [one for one in self.orders.values() if one["status"] == "NEW"],
            "GET /fapi/v1/openAlgoOrders": lambda given: [
                one for one in self.algos.values() if one["algoStatus"] == "NEW"
            ],
            "GET /fapi/v3/account": self._account,
            "GET /fapi/v1/accountConfig": lambda given: golden("rest-accountConfig"),
            "GET /fapi/v1/symbolConfig": lambda given: [
                {**golden("rest-symbolConfig")[0], "marginType": "ISOLATED", "leverage": 10}
            ],
            "GET /fapi/v3/positionRisk": self._positions,
            "GET /fapi/v1/userTrades": self._user_trades,
        }

    def now_ms(self) -> int:
        return wall_ns() // 1_000_000 + self.ahead_ms

    def calls(self, call: str) -> list[Asked]:
        return [one for one in self.server.requests if f"{one.method} {one.path}" == call]

    def once(self, call: str, reply: Reply | bytes | Callable[[Asked], Reply | bytes]) -> None:
        """Answer the next such call with ``reply``, or by it."""
        self.instead.setdefault(call, []).append(reply if callable(reply) else lambda request: reply)

    def answer(self, request: Asked) -> bytes:
        """What the venue itself does and says."""
        try:
            said = self._calls[f"{request.method} {request.path}"](request.params)
        except LookupError as unknown:
            return refused(int(unknown.args[0]) if isinstance(unknown.args[0], int) else -5000)
        return http(200, json.dumps(said).encode(), X_MBX_USED_WEIGHT_1M="10")

    def _answer(self, request: Asked) -> Reply | bytes:
        given = self.instead.get(f"{request.method} {request.path}")
        return given.pop(0)(request) if given else self.answer(request)

    async def open_socket(self, url: str, on_frame: Any, on_closed: Any) -> MiniSocket:
        self.sockets.append(MiniSocket(url, on_frame, on_closed))
        return self.sockets[-1]

    def say(self, event: dict[str, Any]) -> None:
        """A private event on every open socket."""
        for socket in self.sockets:
            if socket.open and not self.silent:
                socket.on_frame(json.dumps(event).encode(), 1)

    # -- orders -----------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 1
        return self._number

    @staticmethod
    def _known(kept: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name not in kept:
            raise LookupError(-2013)
        return kept[name]

    def _order(self, given: dict[str, str]) -> dict[str, Any]:
        if "orderId" in given:
            for one in self.orders.values():
                if one["orderId"] == int(given["orderId"]):
                    return one
            raise LookupError(-2013)
        return self._known(self.orders, given["origClientOrderId"])

    def _place(self, given: dict[str, str]) -> dict[str, Any]:
        number = self._next()
        order = golden("rest-order-GET-new") | {
            "orderId": number, "clientOrderId": given["newClientOrderId"], "side": given["side"],
            "type": given["type"], "origQty": given["quantity"], "price": given.get("price", "0.00"),
            "reduceOnly": given.get("reduceOnly") == "true", "time": self.now_ms(), "updateTime": self.now_ms(),
        }  # fmt: skip
        self.orders[given["newClientOrderId"]] = order
        ack = golden("rest-order-POST-market-ACK") | {
            name: order[name] for name in ("orderId", "clientOrderId", "side", "type", "origQty", "updateTime")
        }
        self._event(order, "NEW", "NEW", "0", "0", 0)
        if given["type"] == "MARKET":
            self.fill(order)
        return ack

    def fill(self, order: dict[str, Any], *, told: bool = True) -> dict[str, Any]:
        """Fill a whole order at the one price."""
        quantity = order["origQty"]
        trade = golden("rest-userTrades")[0] | {
            "id": self._next(), "orderId": order["orderId"], "side": order["side"], "price": PRICE, "qty": quantity,
            "commission": "0.38500000", "time": self.now_ms(),
        }  # fmt: skip
        self.trades.append(trade)
        self.lots += (1 if order["side"] == "BUY" else -1) * INSTRUMENT.lots(quantity)
        order |= {"status": "FILLED", "executedQty": quantity, "updateTime": self.now_ms()}
        if told:
            self._event(order, "TRADE", "FILLED", quantity, quantity, trade["id"])
        return trade

    def _event(self, order: dict[str, Any], kind: str, status: str, last: str, total: str, trade: int) -> None:
        event = golden("user-ORDER_TRADE_UPDATE-market-filled")
        event["o"] |= {
            "c": order["clientOrderId"], "S": order["side"], "q": order["origQty"], "x": kind, "X": status,
            "i": order["orderId"], "l": last, "z": total, "L": PRICE if trade else "0", "t": trade, "n": "0.38500000",
        }  # fmt: skip
        self.say(event)

    def _cancel(self, given: dict[str, str]) -> dict[str, Any]:
        order = self.orders.get(given["origClientOrderId"])
        if order is None or order["status"] != "NEW":
            raise LookupError(-2011)
        order["status"] = "CANCELED"
        self._event(order, "CANCELED", "CANCELED", "0", "0", 0)
        return order

    def _place_algo(self, given: dict[str, str]) -> dict[str, Any]:
        algo = golden("rest-algoOrder-GET-new") | {
            "algoId": self._next(), "clientAlgoId": given["clientAlgoId"], "side": given["side"],
            "quantity": given.get("quantity", "0.000"), "triggerPrice": given["triggerPrice"],
            "closePosition": given.get("closePosition") == "true",
        }  # fmt: skip
        self.algos[given["clientAlgoId"]] = algo
        self.algo_event(algo)
        return golden("rest-algoOrder-POST") | {
            name: algo[name] for name in golden("rest-algoOrder-POST") if name in algo
        }

    def algo_event(self, algo: dict[str, Any]) -> None:
        event = golden("user-ALGO_UPDATE-new")
        event["o"] |= {
            "caid": algo["clientAlgoId"], "aid": algo["algoId"], "S": algo["side"], "q": algo["quantity"],
            "X": algo["algoStatus"], "ai": algo["actualOrderId"],
        }  # fmt: skip
        self.say(event)

    def trigger(self, name: str, *, told: bool = True) -> dict[str, Any]:
        """A stop becomes a market order under a name of its own and fills; the order."""
        algo = self.algos[name]
        number = self._next()
        order = golden("rest-order-GET-new") | {
            "orderId": number, "clientOrderId": f"x-{number}", "side": algo["side"], "type": "MARKET",
            "origQty": algo["quantity"], "reduceOnly": True,
        }  # fmt: skip
        self.orders[f"x-{number}"] = order
        self.fill(order, told=told)
        algo |= {"algoStatus": "FINISHED", "actualOrderId": str(number), "actualQty": algo["quantity"]}
        if told:
            self.algo_event(algo)
        return order

    def _cancel_algo(self, given: dict[str, str]) -> dict[str, Any]:
        algo = self.algos.get(given["clientAlgoId"])
        if algo is None or algo["algoStatus"] != "NEW":
            raise LookupError(-2011)
        algo["algoStatus"] = "CANCELED"
        self.algo_event(algo)
        return golden("rest-algoOrder-DELETE") | {"algoId": algo["algoId"], "clientAlgoId": algo["clientAlgoId"]}

    # -- account ----------------------------------------------------------------------------------------------

    def _account(self, given: dict[str, str]) -> dict[str, Any]:
        account = golden("rest-account-v3")
        account["assets"][0] |= {"walletBalance": self.wallet, "availableBalance": self.wallet}
        return dict(account)

    def _positions(self, given: dict[str, str]) -> list[dict[str, Any]]:
        if not self.lots:
            return []
        amount = INSTRUMENT.quantity_text(self.lots)
        return [golden("rest-positionRisk-v3-oneway")[0] | {"positionAmt": amount, "entryPrice": PRICE}]

    def _user_trades(self, given: dict[str, str]) -> list[dict[str, Any]]:
        rows = self.trades
        if "orderId" in given:
            rows = [one for one in rows if one["orderId"] == int(given["orderId"])]
        if "fromId" in given:
            rows = [one for one in rows if one["id"] >= int(given["fromId"])]
        if "startTime" in given:
            rows = [one for one in rows if one["time"] >= int(given["startTime"])]
        return rows[: int(given["limit"])]


class Bench:
    """A venue, our client side of it, and what it told."""

    def __init__(self, server: OrderServer, **options: Any) -> None:
        self.clock = RunClock(wall_ns())
        self.mini = MiniVenue(server)
        self.facts = Facts()
        self.on_fact: Callable[[Event], None] = lambda event: None
        self.refreshed: list[int] = []
        self.venue: BinanceVenue = binance_venue(
            (INSTRUMENT,), SIGNER, Addresses(rest=server.url, private="ws://private"), self._tell, self.clock.now_ns,
            self.mini.open_socket, owns, **{"bounds": QUICK, "refresh": self.refreshed.append} | options,
        )  # fmt: skip

    def _tell(self, event: Event) -> None:
        self.facts.append(event)
        self.on_fact(event)

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def server_requests(self) -> list[Asked]:
        return self.mini.server.requests

    async def heard(self, kind: type, count: int = 1, **fields: Any) -> Any:
        """The newest of ``count`` facts of a kind with these fields, waited for."""

        def fitting() -> list[Any]:
            return [one for one in self.facts.of(kind) if all(getattr(one, k) == v for k, v in fields.items())]

        await until(lambda: len(fitting()) >= count)
        return fitting()[-1]


@contextlib.asynccontextmanager
async def bench(**options: Any) -> AsyncIterator[Bench]:
    """A venue that is connected and whose account has been read once."""
    async with OrderServer() as server:
        made = Bench(server, **options)
        await made.venue.start(5.0)
        try:
            await until(lambda: any(getattr(one, "stream", "") == "user" and one.alive for one in made.facts))
            yield made
        finally:
            await made.venue.close()
            await asyncio.sleep(0)
