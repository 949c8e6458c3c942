"""What every scripted day needs: where the exchange is, steps told as JSON lines, events that are awaited.

Runs in a client's own environment, so the standard library is all there is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

BTC, ETH = "BTCUSDT", "ETHUSDT"
PATIENCE_S = 20.0  # for what the exchange does at once
MARKET_S = 240.0  # for what the market has to do first
FAR = 0.97  # of the price: a limit order to buy that rests

STEPS = {
    "exchange info": "exchange_info",
    "book": "book",
    "book stream": "book_stream",
    "trade stream": "trade_stream",
    "user stream": "user_stream",
    "leverage": "leverage",
    "margin type": "margin_type",
    "balances": "balances",
    "trailing stops placed": "trailing_stops",
    "market order": "market_order",
    "limit order": "limit_order",
    "amendment": "amendment",
    "cancellation": "cancellation",
    "post-only orders": "post_only",
    "immediate-or-cancel orders": "immediate",
    "fill-or-kill orders": "whole_or_none",
    "reduce-only orders": "reduce_only",
    "batch": "batch",
    "positions": "positions",
    "conditional order cancelled": "conditional_cancellation",
    "stop that triggers": "stop",
    "trailing stop that triggers": "trailing_stop",
    "orders over the WebSocket API": "websocket_api",
    "income": "income",
    "position closed": "close",
    "everything understood": "understood",
}
"""The day in its order: a step and the method of a client's ``Day`` that takes it"""

Event = dict[str, Any]


class Events:
    """What a socket has said, awaited by what it says."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._news = asyncio.Event()

    def add(self, event: Event) -> None:
        self.seen.append(event)
        self._news.set()

    async def find(self, fits: Callable[[Event], bool], patience_s: float = PATIENCE_S) -> Event:
        """The first event that fits, of those that came and those that will. Raises TimeoutError."""
        read = 0
        async with asyncio.timeout(patience_s):
            while True:
                for event in self.seen[read:]:
                    read += 1
                    if fits(event):
                        return event
                self._news.clear()
                await self._news.wait()


class Complaints(logging.Handler):
    """What a client logs as an error: some read a message they cannot understand, log it and go on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def near(price: float, tick: float) -> float:
    """The price on the tick grid."""
    return round(round(price / tick) * tick, 8)


def order_update(number: object, **fields: object) -> Callable[[Event], bool]:
    """An ORDER_TRADE_UPDATE of an order with these fields."""

    def fits(event: Event) -> bool:
        told = event.get("o", {})
        return (
            event.get("e") == "ORDER_TRADE_UPDATE"
            and str(told.get("i")) == str(number)
            and all(told.get(name) == value for name, value in fields.items())
        )

    return fits


def algo_update(numbers: list[object], status: str) -> Callable[[Event], bool]:
    """An ALGO_UPDATE with which one of these conditional orders reaches a status."""
    known = {str(number) for number in numbers}

    def fits(event: Event) -> bool:
        told = event.get("o", {})
        return event.get("e") == "ALGO_UPDATE" and str(told.get("aid")) in known and told.get("X") == status

    return fits


def exchange() -> dict[str, Any]:
    """The ready line of the exchange, from standard input: it holds a secret, which no command line may."""
    ready: dict[str, Any] = json.loads(sys.stdin.readline())
    return ready


async def tell(name: str, step: Callable[[], Awaitable[object]]) -> None:
    """Do a step and say how it went; later steps are tried whatever became of this one."""
    try:
        detail, ok = await step(), True
    except Exception:
        detail, ok = traceback.format_exc(limit=-4), False
    print(json.dumps({"step": name, "ok": ok, "detail": str(detail)}), flush=True)


async def day(make: Callable[[dict[str, Any]], object]) -> None:
    """All steps in their order, by what ``make`` makes of the ready line: it has a method for each."""
    one = make(exchange())
    for name, method in STEPS.items():
        await tell(name, getattr(one, method))
