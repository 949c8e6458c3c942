"""The seeded market in virtual time with levers on what arrives: frames and snapshots pass through a disturber."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from config.settings import Settings
from exchange.emulator.generator import Generator
from interface.drivers import virtual
from tests.fakes.bot import Bot
from wiring import VIRTUAL_START_NS, GeneratedSource, stream_names, with_terms

Frame = tuple[int, str, bytes]
Disturb = Callable[[Iterable[Frame]], Iterator[Frame]]


class Disturbed:
    """A source for ``interface.drivers.virtual``. ``snapshot_lag_ns``: answers are from so long ago."""

    def __init__(self, source: GeneratedSource, disturb: Disturb, snapshot_lag_ns: int) -> None:
        self._source = source
        self._disturb = disturb
        self._lag_ns = snapshot_lag_ns
        self._bodies: list[tuple[int, bytes | None]] = []
        self.snapshots = 0

    def frames(self) -> Iterator[Frame]:
        for frame in self._disturb(self._source.frames()):
            if self._lag_ns and "@depth" in frame[1]:
                self._bodies.append((frame[0], self._source.snapshot(0)))
            yield frame

    def snapshot(self, instrument: int) -> bytes | None:
        self.snapshots += 1
        if not self._lag_ns:
            return self._source.snapshot(instrument)
        now_ns = self._bodies[-1][0]
        return next(
            (body for at_ns, body in reversed(self._bodies) if at_ns <= now_ns - self._lag_ns), self._bodies[0][1]
        )

    def trades(self, instrument: int) -> list[bytes]:
        return self._source.trades(instrument)


def undisturbed(frames: Iterable[Frame]) -> Iterator[Frame]:
    yield from frames


def run(
    seconds: float, disturb: Disturb = undisturbed, *, seed: int = 7, snapshot_lag_ns: int = 0
) -> tuple[Bot, Disturbed]:
    """A bot that has heard ``seconds`` of the market with this seed, and the source it heard."""
    market = Generator(seed, VIRTUAL_START_NS, ("BTCUSDT",))
    bot = Bot(with_terms(market.instruments, Settings()))
    source = Disturbed(GeneratedSource(market, bot.instruments, stream_names(Settings())), disturb, snapshot_lag_ns)
    virtual.drive(bot, source, round(seconds * 1e9))
    return bot, source
