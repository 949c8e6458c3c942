"""The seeded market in virtual time with levers on what arrives: frames and snapshots pass through a disturber."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from config.settings import Settings
from exchange.emulator.generator import Generator
from interface.drivers import virtual
from models.rows import ASK, BID
from tests.fakes.bot import Bot
from wiring import VIRTUAL_START_NS, GeneratedSource, stream_names, with_terms

Frame = tuple[int, str, bytes]
Disturb = Callable[[Iterable[Frame]], Iterator[Frame]]
TRUE_LEVELS = 100


class Disturbed:
    """A source for ``interface.drivers.virtual``. ``snapshot_lag_ns``: answers are from so long ago.

    ``truth`` is the market's own book, by (side, tick), as of the newest depth frame that was surely heard.
    """

    def __init__(self, market: Generator, source: GeneratedSource, disturb: Disturb, snapshot_lag_ns: int) -> None:
        self._market = market
        self._source = source
        self._disturb = disturb
        self._lag_ns = snapshot_lag_ns
        self._bodies: list[tuple[int, bytes | None]] = []
        self.snapshots = 0
        self.truth: dict[tuple[int, int], int] = {}

    def frames(self) -> Iterator[Frame]:
        for frame in self._disturb(self._kept()):
            book = self._market.depth("BTCUSDT", TRUE_LEVELS) if "@depth" in frame[1] else None
            yield frame
            if book is not None:  # whoever asks for the next frame has heard this one
                sides = ((BID, book[3]), (ASK, book[4]))
                self.truth = {(side, tick): lots for side, levels in sides for tick, lots in levels}

    def _kept(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            if self._lag_ns and "@depth" in frame[1]:
                self._bodies.append((frame[0], self._source.snapshot(0)))
            yield frame

    def snapshot(self, instrument: int) -> bytes | None:
        self.snapshots += 1
        if not self._lag_ns:
            return self._source.snapshot(instrument)
        until_ns = self._bodies[-1][0] - self._lag_ns
        return next((body for at_ns, body in reversed(self._bodies) if at_ns <= until_ns), self._bodies[0][1])

    def trades(self, instrument: int) -> list[bytes]:
        return self._source.trades(instrument)


def run(
    seconds: float, disturb: Disturb = iter, *, seed: int = 7, snapshot_lag_ns: int = 0, depth: str = "depth@100ms"
) -> tuple[Bot, Disturbed]:
    """A bot that has heard ``seconds`` of the market with this seed, and the source it heard."""
    market = Generator(seed, VIRTUAL_START_NS, ("BTCUSDT",))
    bot = Bot(with_terms(market.instruments, Settings()))
    heard = GeneratedSource(market, bot.instruments, (depth, *stream_names(Settings())[1:]))
    source = Disturbed(market, heard, disturb, snapshot_lag_ns)
    virtual.drive(bot, source, round(seconds * 1e9))
    return bot, source


def check_true(bot: Bot, source: Disturbed) -> None:
    """The bot's book is the market's, as far as both reach."""
    low = min(tick for _, tick in source.truth)
    high = max(tick for _, tick in source.truth)
    assert low >= bot.engine.memory.book(0)["known_low"] and high <= bot.engine.memory.book(0)["known_high"]
    assert {key: lots for key, lots in bot.levels().items() if low <= key[1] <= high} == source.truth
