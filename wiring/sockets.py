"""Where a market is heard from over sockets: the venue's public streams, or the embedded exchange."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from config.settings import Settings
from data_collector.feed import MarketFeed
from data_collector.routes import streams_for
from exchange.binance.instruments import instruments_of
from exchange.binance.rest import MarketRest, VenueAnswerError
from interface.drivers.embedded import Exchange, embedded
from interface.drivers.sockets import Line
from interface.summary import EMBEDDED
from models.error import VenueUnreachableError
from models.instrument import Instrument
from utils.clock import RunClock
from wiring.terms import feed_limits, stream_names
from wiring.warming import warm

EMBEDDED_TIMEOUT_S = 15.0  # a child on a busy machine


class SocketVenue:
    """Where a socket run hears and asks: feed, REST, and the line that opens when the run is ready."""

    def __init__(
        self, name: str, feed: MarketFeed, market: MarketRest, line: Line, instruments: tuple[Instrument, ...]
    ) -> None:
        self.exchange: Exchange | None = None  # ours, when it is the embedded one
        self.name = name
        self.feed = feed
        self.market = market
        self.line = line
        self.instruments = instruments

    async def listen(self, settings: Settings) -> None:
        """Open the market's streams. Raises VenueUnreachableError when they do not deliver."""
        self.feed.start()
        if not await self.feed.delivering(settings.feed.deliver_timeout_s):
            raise _silent(settings)


async def choose_venue(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    source: str,
    clock: RunClock,
    emulator: Sequence[str],
    *,
    account_first: bool = False,
) -> SocketVenue:
    """The venue's public streams when they deliver in time, else (``auto``) the embedded exchange.

    With ``account_first`` a venue that answers is enough, and nothing is compiled: a position that a run before left
    open is protected while the caller has still to ``listen``.

    Raises VenueUnreachableError when ``source`` leaves no choice and it does not deliver.
    """
    feed, listen = settings.feed, not account_first
    if source in ("auto", "binance"):
        if not account_first:
            warm(settings)
        venue = await connect(stack, settings, "binance", feed.rest_url, feed.stream_url, clock, listen=listen)
        if venue is not None:
            return venue
        if source == "binance":
            raise _silent(settings)
    exchange = await stack.enter_async_context(embedded(emulator, lambda: warm(settings)))
    venue = await connect(stack, settings, EMBEDDED, exchange.rest_url, exchange.stream_url, clock, listen=listen)
    if venue is None:
        raise VenueUnreachableError(
            f"the embedded exchange did not deliver market data within {EMBEDDED_TIMEOUT_S:g} s; is the machine out of "
            "memory or time? free some and start again"
        )
    venue.exchange = exchange
    return venue


def _silent(settings: Settings) -> VenueUnreachableError:
    feed = settings.feed
    return VenueUnreachableError(
        f"{feed.stream_url} did not deliver market data within {feed.deliver_timeout_s:g} s; check the network, or use "
        "--feed embedded"
    )


async def connect(
    stack: contextlib.AsyncExitStack, settings: Settings, name: str, rest_url: str, stream_url: str, clock: RunClock,
    *, listen: bool = True,
) -> SocketVenue | None:  # fmt: skip
    """Connect feed and REST of a venue, or REST alone without ``listen``; None when it does not deliver in time."""
    timeout_s = EMBEDDED_TIMEOUT_S if name == EMBEDDED else settings.feed.deliver_timeout_s
    line = Line()
    market = MarketRest(rest_url, clock.now_ns)
    streams = streams_for(enumerate(settings.feed.symbols), stream_names(settings))
    feed = MarketFeed(
        streams,
        stream_url,
        line.frame,
        clock.now_ns,
        limits=feed_limits(settings),
        transport=settings.feed.transport,
        tick=line.tick,
        on_stream=line.stream,
        rate=clock.rate,
    )
    if listen:
        feed.start()
    try:
        async with asyncio.timeout(timeout_s):
            instruments = instruments_of(await market.exchange_info(), settings.feed.symbols)
            delivers = not listen or await feed.delivering(timeout_s)
        if delivers:
            stack.push_async_callback(market.close)
            stack.push_async_callback(feed.stop)
            return SocketVenue(name, feed, market, line, tuple(instruments))
    except (TimeoutError, VenueUnreachableError, VenueAnswerError):
        pass
    await feed.stop()
    await market.close()
    return None
