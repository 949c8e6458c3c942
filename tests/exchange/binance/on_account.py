"""A connected account of the embedded exchange, for tests of signed calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from config.secret import Secret
from exchange.binance.account_rest import AccountRest
from exchange.binance.assembly import Addresses, binance_venue
from exchange.binance.instruments import instruments_of
from exchange.binance.rest import MarketRest
from exchange.binance.signing import HmacSigner
from exchange.emulator.generator import Generator
from exchange.emulator.server import Emulator
from exchange.emulator.venue import AccountPlan, VenueTerms
from models.instrument import Instrument
from tests.exchange.binance.desk import on_uvloop, owns
from utils.clock import RunClock, wall_ns

START_NS = 1_795_262_400_000_000_000
Doing = Callable[[AccountRest, tuple[Instrument, ...]], Awaitable[Any]]


def on_an_account(doing: Doing) -> Any:
    """Run ``doing`` with the signed calls of a fresh account and the venue's instruments."""

    async def run() -> Any:
        clock = RunClock(wall_ns(), 1.0)
        terms = VenueTerms(accounts=(AccountPlan(),), seed=1)
        async with Emulator(Generator(7, START_NS), terms=terms, anchor_ns=clock.now_ns()) as exchange:
            key = exchange.venue.key()
            market = MarketRest(exchange.rest_url, clock.now_ns)
            try:
                instruments = tuple(instruments_of(await market.exchange_info(), ("BTCUSDT",)))
            finally:
                await market.close()
            venue = binance_venue(
                instruments,
                HmacSigner(Secret(key.key, "a test"), Secret(key.secret, "a test")),
                Addresses(rest=exchange.rest_url, private=f"{exchange.stream_url}/private"),
                lambda event: None,
                clock.now_ns,
                lambda *given: None,  # type: ignore[arg-type, return-value]
                owns,
            )
            await venue.connect()
            try:
                return await doing(venue.account, instruments)
            finally:
                await venue.close()

    return on_uvloop(run())
