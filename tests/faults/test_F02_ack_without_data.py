"""F02: SUBSCRIBE is acknowledged and nothing comes."""

from __future__ import annotations

import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import HASTY, Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_acknowledged_stream_without_data_is_never_alive(transport: str) -> None:
    """The other streams of the connection may deliver; the silent one is told dead and the connection redone."""

    async def run() -> None:
        async with FakeVenue() as venue:
            venue.ignored.add("btcusdt@bookTicker")
            async with Listener(venue, wanted(deadlines=HASTY), transport=transport) as ear:
                await until(lambda: ear.reasons().count("no_data") >= 2)
                assert not ear.alive().get("bookTicker", False)
                venue.ignored.clear()
                await ear.hears_again(4)
                await until(lambda: ear.alive().get("bookTicker", False))

    uvloop.run(run())


def test_the_wrong_prefix_is_found_by_its_silence() -> None:
    """Streams asked for on each other's prefix are acknowledged, stay silent, and never count as delivering."""

    async def run() -> None:
        async with (
            FakeVenue() as venue,
            Listener(venue, wanted(deadlines=HASTY), prefixes={"public": "/market", "market": "/public"}) as ear,
        ):
            await until(lambda: ear.reasons().count("no_data") >= 2)
            # the liquidation stream is silent by nature: listed is all anybody can know of it
            assert {label for label, alive in ear.alive().items() if alive} <= {"forceOrder"}
            assert not await ear.feed.delivering(0.01)

    uvloop.run(run())
