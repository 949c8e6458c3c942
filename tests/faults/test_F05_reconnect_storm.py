"""F05: the venue closes every connection at once; attempts stay within one budget for the host."""

from __future__ import annotations

import time

import uvloop

from tests.fakes.listener import Listener
from tests.fakes.venue_socket import FakeVenue, until


def test_attempts_stay_within_the_budget_of_the_host() -> None:
    """Both connections together make exactly the budgeted attempts per window, however fast the venue closes."""
    jump = [0.0]

    async def run() -> None:
        change = {"attempts_max": 6, "attempts_window_s": 300.0, "silence_ms": 2.0}
        async with FakeVenue() as venue:
            venue.on_open = lambda client: client.close(1013, "try again later")
            async with Listener(venue, change=change, monotonic_s=lambda: time.monotonic() + jump[0]) as ear:
                for window in (1, 2, 3):
                    await until(lambda: venue.connects == 6 * window)  # noqa: B023 - awaited within the turn
                    looked = len(ear.ticks)
                    await until(lambda: len(ear.ticks) > looked + 20)  # noqa: B023
                    assert venue.connects == 6 * window
                    jump[0] += 301.0
                    ear.feed.connectors[0]._wake.set()
                    ear.feed.connectors[1]._wake.set()

    uvloop.run(run())


def test_only_settled_data_resets_the_backoff() -> None:
    """A connection cut too early makes the next wait longer; one that delivered for the settling time resets it."""
    jump = [0.0]

    async def run() -> None:
        async with (
            FakeVenue() as venue,
            Listener(venue, monotonic_s=lambda: time.monotonic() + jump[0]) as ear,
        ):
            backoff = ear.feed.connectors[0]._backoff
            for cuts in (1, 2, 3):
                await ear.hears_again(1 + cuts)
                venue.client("public").reset()
                await until(lambda: ear.feed.connectors[0].stats().reconnects.get("reset") == cuts)  # noqa: B023
                assert backoff.failures == cuts
            await ear.hears_again(5)
            await until(lambda: ear.feed.connectors[0]._delivering_since_s is not None)
            jump[0] = 61.0
            venue.client("public").reset()
            await until(lambda: ear.feed.connectors[0].stats().reconnects.get("reset") == 4)
            assert backoff.failures == 1

    uvloop.run(run())
