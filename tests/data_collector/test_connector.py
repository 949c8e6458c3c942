"""One logical connection: what the faults' own tests do not say."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
import uvloop

from data_collector.backoff import AttemptBudget
from data_collector.connector import Connector, Surroundings
from data_collector.routes import streams_for
from data_collector.transport import transport_named
from models.error import ConfigurationError
from tests.fakes.listener import QUICK, Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until


def around(**changes: Any) -> Surroundings:
    """Surroundings for a connector that is never started."""
    limits = msgspec.structs.replace(QUICK, **changes)

    def ignore(*_: object) -> None:
        """Nobody listens."""

    return Surroundings(
        sink=ignore, now_ns=time.monotonic_ns, open_transport=transport_named("picows"), limits=limits,
        budget=AttemptBudget(1, 1.0), random=lambda: 0.5, on_stream=ignore, on_connection=ignore,
    )  # fmt: skip


def test_more_streams_than_a_connection_may_carry_are_refused() -> None:
    """Beyond the venue's bound the start is refused with both numbers."""
    with pytest.raises(ConfigurationError, match="3 streams on the connection public; the venue allows 2"):
        Connector("public", 0, "ws://x", streams_for([(0, "A"), (1, "B"), (2, "C")], ["depth"]), around(streams_max=2))


def test_running_legs_never_share_a_number() -> None:
    """Successive connections of one connector carry different numbers, and those of another never."""

    async def run() -> list[int]:
        async with FakeVenue() as venue, Listener(venue) as ear:
            await ear.hears()
            for count in range(3):
                venue.client("public").reset()
                await ear.hears_again(3 + count)
            return [number for number, opened, detail in ear.legs if opened and detail["name"] == "public"]

    assert uvloop.run(run()) == [0, 1, 0, 1]


def test_streams_are_told_lost_before_they_are_told_back() -> None:
    """Each stream's states alternate, and the loss names its reason."""

    async def run() -> list[tuple[bool, str]]:
        async with FakeVenue() as venue, Listener(venue, wanted(("depth@100ms",))) as ear:
            await ear.hears()
            venue.client("public").close(1012)
            await ear.hears_again(2)
            await until(lambda: len(ear.told) == 3)
            return [(state.alive, state.reason) for state in ear.told]

    assert uvloop.run(run()) == [(True, ""), (False, "closed"), (True, "")]


def test_a_symbol_beyond_ascii_is_known_in_both_writings() -> None:
    """A stream name counts whether the venue writes it as UTF-8 or with JSON escapes."""
    connector = Connector("public", 0, "ws://x", streams_for([(0, "币安USDT")], ["depth"]), around())
    assert set(connector._index) == {"币安usdt@depth".encode(), b"\\u5e01\\u5b89usdt@depth"}
