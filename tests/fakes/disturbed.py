"""The seeded market in virtual time with levers on what arrives: frames and snapshots pass through a disturber."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from config.settings import Settings
from data_collector.handover import order_of
from exchange.emulator.generator import Generator
from exchange.emulator.source import GeneratedSource
from interface.drivers import virtual
from models.rows import ASK, BID
from tests.fakes.bot import Bot
from wiring import VIRTUAL_START_NS, stream_names, with_terms

Frame = tuple[int, str, bytes]
Disturb = Callable[[Iterable[Frame]], Iterator[Frame]]
TRUE_LEVELS = 100
TRUTHS = 16


class Disturbed:
    """A source for ``interface.drivers.virtual``. ``snapshot_lag_ns``: answers are from so long ago.

    ``truths`` holds the market's own book, by (side, tick), for the update ids of the newest diffs it made.
    """

    def __init__(self, market: Generator, source: GeneratedSource, disturb: Disturb, snapshot_lag_ns: int) -> None:
        self._market = market
        self._source = source
        self._disturb = disturb
        self._lag_ns = snapshot_lag_ns
        self._bodies: list[tuple[int, bytes | None]] = []
        self.snapshots = 0
        self.truths: dict[int, dict[tuple[int, int], int]] = {}

    def frames(self) -> Iterator[Frame]:
        return self._disturb(self._kept())

    def _kept(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            if "@depth" in frame[1]:
                if self._lag_ns:
                    self._bodies.append((frame[0], self._source.snapshot(0)))
                book = self._market.depth("BTCUSDT", TRUE_LEVELS)
                assert book is not None
                sides = ((BID, book[3]), (ASK, book[4]))
                self.truths[order_of(frame[2], b'"u":')] = {
                    (side, tick): lots for side, levels in sides for tick, lots in levels
                }
                if len(self.truths) > TRUTHS:
                    del self.truths[next(iter(self.truths))]
            yield frame

    def snapshot(self, instrument: int) -> bytes | None:
        self.snapshots += 1
        if not self._lag_ns:
            return self._source.snapshot(instrument)
        until_ns = self._bodies[-1][0] - self._lag_ns
        return next((body for at_ns, body in reversed(self._bodies) if at_ns <= until_ns), self._bodies[0][1])

    def trades(self, instrument: int) -> list[bytes]:
        return self._source.trades(instrument)


def run(seconds: float, disturb: Disturb = iter, *, seed: int = 7, snapshot_lag_ns: int = 0) -> tuple[Bot, Disturbed]:
    """A bot that has heard ``seconds`` of the market with this seed, and the source it heard."""
    market = Generator(seed, VIRTUAL_START_NS, ("BTCUSDT",))
    bot = Bot(with_terms(market.instruments, Settings()))
    heard = GeneratedSource(market, bot.instruments, stream_names(Settings()))
    source = Disturbed(market, heard, disturb, snapshot_lag_ns)
    virtual.drive(bot, source, round(seconds * 1e9))
    return bot, source


def check_true(bot: Bot, source: Disturbed) -> None:
    """The bot's book is the market's of the same update id, as far as both reach."""
    book = bot.engine.memory.book(0)
    truth = source.truths[int(book["update_id"])]
    low, high = min(tick for _, tick in truth), max(tick for _, tick in truth)
    assert book["known_low"] <= low and high <= book["known_high"]
    assert {key: lots for key, lots in bot.levels().items() if low <= key[1] <= high} == truth
