"""Watches the rules of the traded contracts: tick, step, minimum, state (fault F29).

A run counts in ticks and lots of the rules it began with. When the venue's are others, or a contract does not trade,
that is told as the loss of the stream ``rules``: entries wait until they are the same again, or a restart takes them;
what reduces goes on, and the stop rests at the venue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from exchange.binance.instruments import TRADABLE, instruments_of
from models.error import ScalperError
from models.event import Event, StreamState
from models.instrument import Instrument

RULES = "rules"
EVERY_S = 900.0  # F29: every quarter of an hour, and at once when an order is refused for them


class RuleWatch:
    """``ask`` gives exchangeInfo; ``tell`` takes facts. A look that fails changes nothing and is made again."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[bytes]],
        instruments: Sequence[Instrument],
        now_ns: Callable[[], int],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self.tell: Callable[[Event], None] = lambda event: None
        self._ask, self._now_ns, self._every_s = ask, now_ns, every_s
        self._instruments = tuple(instruments)
        self._lost: set[int] = set()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="rules")

    async def close(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def refresh(self, instrument: int) -> None:
        """An order was refused for its rules: look now."""
        self._wanted.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._wanted.wait()
            self._wanted.clear()
            with contextlib.suppress(ScalperError):
                self.judge(await self._ask())

    def judge(self, body: bytes) -> None:
        """Tell what an exchangeInfo answer changes. Raises DataError for one that cannot be used."""
        found = instruments_of(body, [one.symbol for one in self._instruments], halted=True)
        for known, one in zip(self._instruments, found, strict=True):
            changed = _changed(known, one)
            if changed and known.index not in self._lost:
                self._lost.add(known.index)
                self.tell(StreamState(self._now_ns(), known.index, RULES, False, changed))
            elif not changed and known.index in self._lost:
                self._lost.discard(known.index)
                self.tell(StreamState(self._now_ns(), known.index, RULES, True))


def _changed(known: Instrument, found: Instrument) -> str:
    """What makes orders by the known rules wrong; empty when nothing does."""
    if found.status != TRADABLE:
        return f"{known.symbol} is {found.status} at the venue"
    if (known.tick_e8, known.lot_e8, known.filters) != (found.tick_e8, found.lot_e8, found.filters):
        return f"{known.symbol} has other filters at the venue; restart to take them"
    return ""
