"""F07: reconnecting leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import Listener, wanted
from tests.fakes.venue_socket import FakeVenue, open_sockets, until

RECONNECTS = 100


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hundred_reconnects_keep_the_same_tasks_and_sockets(transport: str) -> None:
    """After 100 cuts of all kinds the process holds as many tasks and sockets as after the first connect."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(("depth@100ms",)), transport=transport) as ear:
            await ear.hears()
            await until(lambda: len(venue.clients) == 1)
            tasks, sockets = len(asyncio.all_tasks()), open_sockets()
            for count in range(RECONNECTS):
                client = venue.client("public")
                (client.reset, client.hang_up, lambda client=client: client.close(1001))[count % 3]()
                await ear.hears_again(count + 2)
                await until(lambda client=client: client not in venue.clients and len(venue.clients) == 1)
            await until(lambda: len(asyncio.all_tasks()) == tasks)
            await until(lambda: open_sockets() == sockets)
            assert ear.opened == RECONNECTS + 1

    uvloop.run(run())
