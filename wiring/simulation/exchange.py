"""The embedded exchange in virtual time: the generated market behind its venue, no socket and no real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from exchange.emulator.generator import Generator
from exchange.emulator.sockets import Limits
from exchange.emulator.venue import AccountPlan, Venue, VenueTerms
from wiring.simulation.loop import VirtualLoop
from wiring.simulation.network import Ordered

PUMP_S = 0.4
STRIDE = 40  # of 10 ms
ACCOUNT = "main"


class Exchange:
    """A venue with one account. ``audit`` gets its own log, the truth of a run."""

    def __init__(
        self, loop: VirtualLoop, seed: int, start_ns: int, usdt_e8: int, audit: Callable[[dict[str, object]], None]
    ) -> None:
        self.loop = loop
        self._start_ns = start_ns
        self.market = Generator(seed, start_ns, ("BTCUSDT",), STRIDE)
        plan = AccountPlan(ACCOUNT, usdt_e8)
        self.venue = Venue(self.market, self.now_ms, VenueTerms(accounts=(plan,), seed=seed, audit=audit))
        self.connections = Ordered()
        held: Any = self.connections
        self.venue.connections = lambda: held
        self.venue.http_connections = Ordered()  # type: ignore[assignment]
        self.limits = Limits()
        self.frames = 0

    def now_ms(self) -> int:
        return (self._start_ns + self.loop.now_ns) // 1_000_000

    @property
    def account(self) -> Any:
        return self.venue.accounts[ACCOUNT]

    async def run(self) -> None:
        """Carry the market's events to their readers, for ever."""
        venue, market, hub = self.venue, self.market, self.venue.hub
        venue.start()
        market.awake()
        while True:
            venue.tick()
            for frame in market.advance(self._start_ns + self.loop.now_ns):
                self.frames += 1
                hub.publish(frame)
                venue.market_event(frame)
            await asyncio.sleep(PUMP_S)
