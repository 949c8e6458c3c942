"""F04: after a reconnect only part of the subscriptions is back, or a control message is never answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import HASTY, Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until


def half(venue: FakeVenue) -> None:
    venue.ignored.add("btcusdt@aggTrade")


def unlisted(venue: FakeVenue) -> None:
    venue.unlisted.add("btcusdt@forceOrder")


def mute(venue: FakeVenue) -> None:
    venue.answering = False


def refusing(venue: FakeVenue) -> None:
    venue.error_answer = {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("fault", "reason"), [(half, "no_data"), (unlisted, "not_listed"), (mute, "no_answer"), (refusing, "refused")]
)
def test_a_half_restored_connection_is_redone(transport: str, fault: Callable[[FakeVenue], None], reason: str) -> None:
    """A wanted stream that does not come back, is not listed or not answered makes the connection be redone."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(deadlines=HASTY), transport=transport) as ear:
            await ear.hears()
            await until(lambda: ear.alive().get("forceOrder", False))
            fault(venue)
            venue.client("market").reset()
            await until(lambda: reason in ear.reasons())
            venue.ignored.clear()
            venue.unlisted.clear()
            venue.answering, venue.error_answer = True, None
            await until(lambda: all(connector.settled for connector in ear.feed.connectors))
            await until(lambda: all(ear.alive().values()))
            assert len(ear.alive()) == 5

    uvloop.run(run())
