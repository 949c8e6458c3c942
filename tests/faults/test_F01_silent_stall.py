"""F01: one stream stops while pongs and the other streams go on."""

from __future__ import annotations

import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import HASTY, Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("stalled", ["btcusdt@depth@100ms", "btcusdt@aggTrade"])
def test_a_stalled_stream_is_told_and_its_connection_replaced(transport: str, stalled: str) -> None:
    """The stall is told as stale, the connection is replaced until data comes again, and that is told too."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(deadlines=HASTY), transport=transport) as ear:
            await ear.hears()
            venue.stalled.add(stalled)
            label = stalled.split("@")[1]
            await until(lambda: any(state.stream == label and state.reason == "stale" for state in ear.told))
            venue.stalled.clear()
            await ear.hears_again(3)
            await until(lambda: ear.alive()[label])
            assert "stale" in ear.reasons()

    uvloop.run(run())


def test_pings_alone_never_count_as_freshness() -> None:
    """A venue that only exchanges pings and pongs is replaced like a dead one."""

    async def run() -> None:
        streams = wanted(("depth@100ms",), HASTY)
        change = {"keepalive_interval_s": 0.02, "keepalive_timeout_s": 0.02}
        async with FakeVenue() as venue, Listener(venue, streams, change=change) as ear:
            await ear.hears()
            first = venue.client("public")
            venue.stalled.add("btcusdt@depth@100ms")
            await until(lambda: "stale" in ear.reasons())
            assert first.pings > 1

    uvloop.run(run())


def test_a_half_open_connection_is_replaced() -> None:
    """TCP stays up, nothing comes, no pong either: the feed connects anew and delivers."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(deadlines=HASTY)) as ear:
            await ear.hears()
            venue.frozen = True
            await until(lambda: len(ear.reasons()) >= 2)
            venue.frozen = False
            await ear.hears_again(4)
            assert {"stale"} <= set(ear.reasons())

    uvloop.run(run())
