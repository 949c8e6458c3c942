"""F06: pings, pongs and a busy loop."""

from __future__ import annotations

import time

import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import Listener, wanted
from tests.fakes.venue_socket import PING, FakeVenue, frame, until

QUICK_PINGS = {"keepalive_interval_s": 0.05, "keepalive_timeout_s": 0.05}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_missing_pong_always_leads_to_a_new_connection(transport: str) -> None:
    """A venue that sends data and no pong is left, and the new connection delivers."""

    async def run() -> None:
        streams = wanted(("depth@100ms",))
        async with FakeVenue() as venue, Listener(venue, streams, transport=transport, change=QUICK_PINGS) as ear:
            await ear.hears()
            venue.ponging = False
            await until(lambda: "keepalive" in ear.reasons())
            venue.ponging = True
            await ear.hears_again(2)
            assert not any(state.alive is False and state.reason != "keepalive" for state in ear.told)

    uvloop.run(run())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_ping_is_answered_although_the_sink_fails(transport: str) -> None:
    """The pong leaves whatever the handling of the frames before it does."""

    def broken(connection: int, payload: bytes, received_ns: int) -> None:
        raise ValueError

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, sink=broken, transport=transport) as ear:
            await ear.hears()
            client = venue.client("public")
            client.send(frame(PING, b"are you there"))
            await until(lambda: client.pongs == [b"are you there"])

    uvloop.run(run())


def test_a_blocked_loop_is_measured() -> None:
    """A callback that holds the loop beyond the alarm is counted with its length."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue) as ear:
            await ear.hears()
            before = ear.feed.stats()
            end_s = time.monotonic() + 0.06
            while time.monotonic() < end_s:  # holding the loop is the fault
                pass
            await until(lambda: ear.feed.stats().lags > before.lags)
            assert ear.feed.stats().lag_max_ns > 50_000_000

    uvloop.run(run())
