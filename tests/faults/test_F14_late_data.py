"""F14: how old is what we hold? The receive age, per stream."""

from __future__ import annotations

import uvloop

from tests.fakes.listener import Listener
from tests.fakes.venue_socket import FakeVenue, until


def test_the_receive_age_is_each_streams_own() -> None:
    """While one stream stalls its age grows, and the others' ages stay those of their newest frames."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue) as ear:
            await ear.hears()
            venue.stalled.add("btcusdt@depth@100ms")

            def ages() -> dict[str, int]:
                return {stream.label: stream.age_ns or 0 for stream in ear.feed.stats().streams}

            await until(lambda: ages()["depth"] > 100_000_000)
            last_ns = max(received_ns for _, payload, received_ns in ear.frames if b"@depth" in payload)
            assert ages()["depth"] <= ear.clock.now_ns() - last_ns
            assert ages()["aggTrade"] < ages()["depth"] and ages()["bookTicker"] < ages()["depth"]

    uvloop.run(run())
