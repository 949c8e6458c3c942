"""The dead-man timer against the embedded exchange."""

from __future__ import annotations

import asyncio

from exchange.binance.account_rest import AccountRest
from exchange.binance.dead_man import DeadMan
from models.instrument import Instrument
from tests.exchange.binance.desk import until
from tests.exchange.binance.on_account import on_an_account


def test_the_countdown_is_told_again_and_stopped() -> None:
    """It is renewed four times within its length, and a stop tells the venue 0."""

    async def doing(account: AccountRest, instruments: tuple[Instrument, ...]) -> tuple[int, int]:
        timer = DeadMan(account, ("BTCUSDT",), 0.4)
        task = asyncio.create_task(timer.run())
        await until(lambda: timer.told >= 3)
        task.cancel()
        await timer.tell(0)
        return timer.told, timer.failed

    told, failed = on_an_account(doing)
    assert told >= 4 and failed == 0


def test_a_telling_that_fails_is_counted_and_nothing_else() -> None:
    """An unknown contract is refused by the venue; the timer goes on."""

    async def doing(account: AccountRest, instruments: tuple[Instrument, ...]) -> int:
        timer = DeadMan(account, ("NOSUCHUSDT", "BTCUSDT"), 60.0)
        await timer.tell(60_000)
        return timer.failed

    assert on_an_account(doing) == 1
