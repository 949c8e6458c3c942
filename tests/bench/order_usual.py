"""The usual bot, for ``tests.bench.tick_to_order``: websockets, orjson, a dict book, aiohttp, hmac; uvloop under all.

``python -m tests.bench.order_usual PORT [--tls CERTIFICATE]``. Written as such bots are, without handicap: no
compression, one session kept open, an order at once from the frame that shows it. It keeps no journal and no recording,
checks no limit and hears no private stream.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import heapq
import hmac
import ssl
import sys
import time
from urllib.parse import urlencode

import aiohttp
import orjson
import uvloop
import websockets

from tests.bench.order_path import commands, say
from tests.exchange.binance.desk import KEY, SECRET

LEVELS = 5
IMBALANCE = 0.6


class Usual:
    """One bot. ``pending`` holds back a second order until the first has its answer."""

    def __init__(self, rest: str, session: aiohttp.ClientSession, context: ssl.SSLContext | None) -> None:
        self.url, self.session, self.context = f"{rest}/fapi/v1/order", session, context
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.quote: dict[str, str] = {}
        self.last = 0.0
        self.orders = 0
        self.pending = False

    def book(self, data: dict[str, list[list[str]]]) -> float:
        """Apply a diff; returns the imbalance of the best five levels."""
        for side, changes in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in changes:
                amount = float(size)
                if amount == 0.0:
                    side.pop(float(price), None)
                else:
                    side[float(price)] = amount
        bids = sum(self.bids[price] for price in heapq.nlargest(LEVELS, self.bids))
        asks = sum(self.asks[price] for price in heapq.nsmallest(LEVELS, self.asks))
        return (bids - asks) / (bids + asks)

    async def order(self) -> None:
        self.orders += 1
        params = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010",
            "newClientOrderId": f"usual{self.orders:06d}", "newOrderRespType": "ACK", "recvWindow": 1000,
            "timestamp": time.time_ns() // 1_000_000,
        }  # fmt: skip
        body = urlencode(params)
        signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        try:
            async with self.session.post(
                self.url, data=f"{body}&signature={signature}", ssl=self.context or False,
                headers={"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"},
            ) as answer:  # fmt: skip
                orjson.loads(await answer.read())
        finally:
            self.pending = False

    async def listen(self, url: str) -> None:
        async with websockets.connect(url, ssl=self.context, compression=None, ping_interval=None) as stream:
            async for text in stream:
                data = orjson.loads(text)["data"]
                kind = data["e"]
                if kind == "depthUpdate":
                    if self.book(data) >= IMBALANCE and not self.pending:
                        self.pending = True
                        await self.order()
                elif kind == "bookTicker":
                    self.quote = data
                elif kind == "aggTrade":
                    self.last = float(data["p"])


async def run(port: int, context: ssl.SSLContext | None) -> None:
    secure = "s" if context is not None else ""
    async with aiohttp.ClientSession() as session:
        rest = f"http{secure}://localhost:{port}"
        bot = Usual(rest, session, context)
        async with session.get(f"{rest}/fapi/v1/depth", ssl=context or False) as answer:  # warms the connection too
            body = orjson.loads(await answer.read())
        for side, name in ((bot.bids, "bids"), (bot.asks, "asks")):
            side.update((float(price), float(size)) for price, size in body[name][:100])
        listening = [
            asyncio.create_task(bot.listen(f"ws{secure}://localhost:{port}/{path}/stream"))
            for path in ("public", "market")
        ]
        await asyncio.sleep(0.3)
        say({"ready": True})
        await commands(lambda on: None)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        say({"orders": bot.orders})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", default="")
    asked_for = parser.parse_args()
    uvloop.run(run(asked_for.port, ssl.create_default_context(cafile=asked_for.tls) if asked_for.tls else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
