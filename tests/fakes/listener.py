"""A market feed with tiny deadlines and an ear on everything it tells."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from data_collector.feed import MarketFeed
from data_collector.limits import FeedLimits
from data_collector.routes import Stream, streams_for
from models.event import StreamState
from tests.fakes.venue_socket import FakeVenue, until
from utils.clock import RunClock

QUICK = FeedLimits(
    connect_timeout_s=2.0,
    answer_timeout_s=0.3,
    close_timeout_s=0.2,
    messages_per_s=500.0,
    backoff_base_s=0.001,
    backoff_cap_s=0.01,
    attempts_max=10_000,
    rotate_spread_s=0.0,
    pulse_ms=2.0,
    suspend_s=60.0,
)
PATIENT = {label: (10.0, 10.0) for label in ("depth", "bookTicker", "aggTrade", "markPrice", "kline")}
HASTY = {label: (0.3, 0.3) for label in PATIENT}
"""Sixty times the fake's publishing period: short for the test, long for a busy machine."""
BOTH = ("depth@100ms", "bookTicker", "aggTrade", "markPrice@1s", "forceOrder")


def wanted(suffixes: tuple[str, ...] = BOTH, deadlines: dict[str, Any] | None = None) -> tuple[Stream, ...]:
    """Streams of BTCUSDT."""
    return streams_for([(0, "BTCUSDT")], suffixes, PATIENT if deadlines is None else deadlines)


class Listener:
    """``async with Listener(venue) as ear``: starts the feed, stops it at the end. Extra arguments go to the feed."""

    def __init__(self, venue: FakeVenue, streams: tuple[Stream, ...] | None = None, **kwargs: Any) -> None:
        self.frames: list[tuple[int, bytes, int]] = []
        self.told: list[StreamState] = []
        self.legs: list[tuple[int, bool, dict[str, str]]] = []
        self.ticks: list[int] = []
        self.clock = RunClock(time.time_ns())
        limits = kwargs.pop("limits", QUICK)
        changes = kwargs.pop("change", None)
        kwargs.setdefault("sink", lambda *frame: self.frames.append(frame))
        self.feed = MarketFeed(
            wanted() if streams is None else streams,
            venue.url,
            kwargs.pop("sink"),
            self.clock.now_ns,
            limits=msgspec.structs.replace(limits, **changes) if changes else limits,
            on_stream=kwargs.pop("on_stream", self.told.append),
            on_connection=lambda number, opened, detail, at_ns: self.legs.append((number, opened, detail)),
            tick=kwargs.pop("tick", self.ticks.append),
            **kwargs,
        )

    async def __aenter__(self) -> Listener:
        self.feed.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feed.stop()

    async def hears(self) -> None:
        """Wait until everything delivers."""
        assert await self.feed.delivering(5.0), self.feed.stats()

    async def hears_again(self, legs: int) -> None:
        """Wait until ``legs`` connections were opened so far and everything delivers on the newest."""
        await until(lambda: self.opened >= legs)
        await until(lambda: all(connector.delivering for connector in self.feed.connectors))

    @property
    def opened(self) -> int:
        return sum(opened for _, opened, _ in self.legs)

    def reasons(self) -> list[str]:
        """Why connections ended, in order."""
        return [detail["reason"] for _, opened, detail in self.legs if not opened]

    def alive(self) -> dict[str, bool]:
        """The last word on each stream label."""
        return {state.stream: state.alive for state in self.told}
