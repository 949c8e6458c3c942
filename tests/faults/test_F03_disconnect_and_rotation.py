"""F03: the venue cuts every 24 hours; we rotate before, with overlap, and never stop trying."""

from __future__ import annotations

import itertools

import orjson
import pytest
import uvloop

from data_collector.transport import TRANSPORTS
from tests.fakes.listener import Listener, wanted
from tests.fakes.venue_socket import Client, FakeVenue, until


def numbers(ear: Listener, stream: str, field: str) -> list[int]:
    """The numbers of a stream's events in the order the sink got them."""
    events = (orjson.loads(payload) for _, payload, _ in ear.frames)
    return [event["data"][field] for event in events if event.get("stream") == stream]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("old_s", "new_s"), [(0.0, 0.0), (0.04, 0.0), (0.0, 0.04)])
def test_a_rotation_loses_and_repeats_nothing(transport: str, old_s: float, new_s: float) -> None:
    """Whichever connection is ahead, depth and trades reach the sink as one unbroken chain across rotations."""
    delays = itertools.cycle([old_s, new_s])

    def opened(client: Client) -> None:
        if client.category == "public":
            client.delay_s = next(delays)

    async def run() -> None:
        async with FakeVenue() as venue:
            venue.on_open = opened
            async with Listener(venue, transport=transport, change={"rotate_after_s": 0.3}) as ear:
                await until(lambda: ear.reasons().count("rotated") >= 4)
                assert set(ear.reasons()) == {"rotated"}
            for stream, field in (("btcusdt@depth@100ms", "u"), ("btcusdt@aggTrade", "a")):
                heard = numbers(ear, stream, field)
                assert heard == list(range(heard[0], heard[0] + len(heard)))
            assert not [state for state in ear.told if not state.alive and state.reason != "stopped"]

    uvloop.run(run())


def test_the_old_connection_stays_until_the_new_one_delivers() -> None:
    """A new connection that stays silent is given up; the old one goes on delivering meanwhile."""

    async def run() -> None:
        deadlines = {"depth": (0.2, 5.0)}
        async with (
            FakeVenue() as venue,
            Listener(venue, wanted(("depth@100ms",), deadlines), change={"rotate_after_s": 0.1}) as ear,
        ):
            await ear.hears()
            venue.on_open = lambda client: setattr(client, "delay_s", 60.0)
            await until(lambda: "no_data" in ear.reasons() or "no_answer" in ear.reasons())
            assert ear.alive() == {"depth": True} and len(ear.told) == 1
            venue.on_open = None
            await until(lambda: "rotated" in ear.reasons())
            assert ear.alive() == {"depth": True} and len(ear.told) == 1

    uvloop.run(run())


def test_an_announced_shutdown_is_a_reason_to_rotate_now() -> None:
    """A serverShutdown event makes a new connection take over before the cut."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(("depth@100ms",))) as ear:
            await ear.hears()
            venue.client("public").text(b'{"e":"serverShutdown","E":1}')
            await until(lambda: ear.reasons() == ["shutdown"])
            await ear.hears_again(2)
            assert all(state.alive for state in ear.told)

    uvloop.run(run())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("lever", ["refuse", "hang_up_early"])
def test_refused_attempts_never_end_the_trying(transport: str, lever: str) -> None:
    """After many refused attempts in a row the next one is made all the same, and delivers."""

    async def run() -> None:
        async with FakeVenue() as venue, Listener(venue, wanted(("depth@100ms",)), transport=transport) as ear:
            await ear.hears()
            setattr(venue, lever, 30)
            venue.client("public").close(1001)
            await ear.hears_again(2)
            assert sum(ear.feed.stats().connections[0].failures.values()) == 30

    uvloop.run(run())


def test_the_connection_dying_during_a_rotation_promotes_the_new_one() -> None:
    """When the old connection dies in the overlap the new one is simply the connection."""

    async def run() -> None:
        async with (
            FakeVenue() as venue,
            Listener(venue, wanted(("depth@100ms",)), change={"rotate_after_s": 0.1}) as ear,
        ):
            await ear.hears()
            old = venue.client("public")
            venue.on_open = lambda client: old.reset()
            await until(lambda: "reset" in ear.reasons())
            venue.on_open = None
            await ear.hears_again(2)
            assert ear.feed.stats().connections[0].connected

    uvloop.run(run())
