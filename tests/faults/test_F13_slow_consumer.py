"""F13: a burst far above the normal rate meets a slow handler."""

from __future__ import annotations

import time

import orjson
import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until

BURST = 5000


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_burst_into_a_slow_sink_loses_nothing(transport: str) -> None:
    """Nothing stands between socket and sink that could overflow: every frame of the burst comes, in order."""
    heard: list[int] = []

    def slow(connection: int, payload: bytes, received_ns: int) -> None:
        if b"depthUpdate" in payload:
            end_s = time.perf_counter() + 20e-6
            while time.perf_counter() < end_s:
                pass
            heard.append(orjson.loads(payload)["data"]["u"])

    async def run() -> None:
        streams = wanted(("depth@100ms",))
        async with FakeVenue() as venue, Listener(venue, streams, sink=slow, transport=transport) as ear:
            await ear.hears()
            for _ in range(BURST):
                venue.publish("btcusdt@depth@100ms")
            last = venue.numbers["btcusdt@depth@100ms"]
            await until(lambda: heard[-1] >= last)
            assert heard == list(range(heard[0], heard[0] + len(heard)))
            assert ear.opened == 1

    uvloop.run(run())
