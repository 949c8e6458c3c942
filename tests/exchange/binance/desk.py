"""What the tests of the venue's client side share: a signer, orders, and a way to run a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import uvloop

from config.secret import Secret
from exchange.binance.signing import HmacSigner
from models.event import Event
from models.order import ApprovedOrder, OrderType, Purpose, Side, TimeInForce
from tests.contract import INSTRUMENT

T = TypeVar("T")
KEY, SECRET = "K" * 64, "S" * 64
SIGNER = HmacSigner(Secret(KEY, "a test"), Secret(SECRET, "a test"))
PREFIX = "sc"
ETHUSDT = msgspec.structs.replace(INSTRUMENT, symbol="ETHUSDT", index=1, tick_e8=1_000_000, price_places=2)


def owns(client_id: str) -> bool:
    return client_id.startswith(PREFIX)


def an_order(number: int = 1, **changes: Any) -> ApprovedOrder:
    """A market entry of 10 lots, or what ``changes`` make of it."""
    purpose = changes.get("purpose", Purpose.ENTRY)
    entry = ApprovedOrder(
        f"scabcdefgh{purpose.value}{number:06d}", 0, Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, 10, 0, False,
        purpose, 1_789_478_303_600_000_000,
    )  # fmt: skip
    return msgspec.structs.replace(entry, **changes)


def an_exit(number: int = 2, **changes: Any) -> ApprovedOrder:
    return an_order(number, **{"side": Side.SELL, "reduce_only": True, "purpose": Purpose.EXIT, **changes})


def a_stop(number: int = 3, **changes: Any) -> ApprovedOrder:
    terms = {"side": Side.SELL, "type": OrderType.STOP_MARKET, "trigger": 760_000, "reduce_only": True}
    return an_order(number, **{**terms, "purpose": Purpose.STOP, **changes})


def on_uvloop(doing: Coroutine[Any, Any, T]) -> T:
    """Run on the loop that the program uses."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(doing)


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for what another task brings about; fails when it does not."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while not condition():
        assert loop.time() < end_s, "what was waited for did not happen in time"
        await asyncio.sleep(0.002)


class Facts(list[Event]):
    """A listener that keeps what it is told."""

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self if isinstance(event, kind)]
