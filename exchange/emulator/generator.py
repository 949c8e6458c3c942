"""A market made from a seed: several symbols, one clock, the same bytes on every machine.

Each symbol draws from its own streams, so what it does never depends on which others are present. Until somebody
listens the market stands still, so that what it does then never depends on how long nobody did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exchange.emulator.contracts import character
from exchange.emulator.flow import NS_PER_MS, Flow
from exchange.emulator.history import History
from exchange.emulator.market import Frame, Levels
from exchange.emulator.mood import FIRST_PAUSE, STEP_MS
from models.error import DataError
from models.instrument import Instrument

STEP_NS = STEP_MS * NS_PER_MS
BEGIN_MS = 500  # a market begins on a half second of the clock, so that slower depth made from its own falls alike
STALE_MS = 60_000  # a past that ended longer ago is made anew for whoever sees it first
SETTLED_NS = NS_PER_MS  # frames of a step leave within 1 ms of its end


class Generator:
    """A seeded market over ``symbols`` with a past up to ``start_ns`` (rounded down to 0.5 s). See ``market.Market``.

    Before ``awake`` only time goes on: no frame, no draw, and the REST answers tell of a market in which nobody
    trades. From its beginning on the same seed and symbols give the same frames, whenever that is and whatever was
    asked before; they differ by their times alone. Only candles and the next funding time follow the clock.

    Raises DataError for an unknown contract, a repeated one or an empty list. Memory is constant.
    """

    def __init__(self, seed: int, start_ns: int, symbols: tuple[str, ...] = ("BTCUSDT",), stride: int = 1) -> None:
        if not symbols or len(set(symbols)) != len(symbols):
            raise DataError(f"the generator needs one or more different symbols, got {symbols}", code="NO_CONTRACT")
        self.seed = seed
        self._stride, self._step_ms = stride, STEP_MS * stride
        self._characters = tuple(character(symbol, place) for place, symbol in enumerate(symbols))
        self._now_ms = start_ns // NS_PER_MS // BEGIN_MS * BEGIN_MS
        self._flows = self._made()
        self._seen = False
        self._begin_ms: int | None = None  # when the market begins; None while nobody listens
        self.instruments: tuple[Instrument, ...] = tuple(one.instrument for one in self._characters)
        self.streams = frozenset(name for flow in self._flows.values() for name in flow.streams)
        self.recorded = False
        self.ended = False

    def _made(self) -> dict[str, Flow]:
        """Each symbol's market with a past that ends now."""
        self._made_ms = self._now_ms
        return {one.instrument.symbol: Flow(one, self.seed, self._now_ms, self._stride) for one in self._characters}

    def _look(self) -> dict[str, Flow]:
        """The flows as somebody sees them: at the first look the past is a recent one, afterwards it stays."""
        if not self._seen:
            self._seen = True
            if self._now_ms - self._made_ms >= STALE_MS:
                self._flows = self._made()
        return self._flows

    @property
    def begun(self) -> bool:
        """Whether somebody has woken it."""
        return self._begin_ms is not None

    @property
    def now_ns(self) -> int:
        """Venue time up to which events have been given out."""
        return self._now_ms * NS_PER_MS

    def awake(self, first_pause_ms: int = FIRST_PAUSE * STEP_MS) -> None:
        """Somebody listens: the market begins at the next half second, its first burst ``first_pause_ms`` later. Later
        calls change nothing.
        """
        if self._begin_ms is None:
            self._begin_ms = -(-self._now_ms // BEGIN_MS) * BEGIN_MS
            for flow in self._look().values():
                flow.mood.wake(first_pause_ms // STEP_MS)

    def _stand(self, until_ns: int) -> None:
        """Time goes on without a market, until it begins."""
        now_ms = (until_ns - SETTLED_NS) // STEP_NS * STEP_MS
        if self._begin_ms is not None:
            now_ms = min(now_ms, self._begin_ms)
        if now_ms > self._now_ms:
            self._now_ms = now_ms
            for flow in self._flows.values():
                flow.stand(now_ms)

    def advance(self, until_ns: int) -> Iterator[Frame]:
        """The raw events of every step that ends, with its frames, by ``until_ns``, in venue time order."""
        if self._begin_ms is None or self._now_ms < self._begin_ms:
            self._stand(until_ns)
            if self._now_ms != self._begin_ms:
                return
        flows = list(self._flows.values())
        step_ms = self._step_ms
        while (self._now_ms + step_ms) * NS_PER_MS + SETTLED_NS <= until_ns:
            self._now_ms += step_ms
            if len(flows) == 1:
                flow = flows[0]
                flow.step()
                frames = flow.out
                flow.out = []
            else:
                frames = []
                for flow in flows:
                    flow.step()
                    frames += flow.out
                    flow.out = []
                frames.sort(key=_time)
            yield from frames

    def frames(self, duration_ns: int | None = None, *, streams: Iterable[str] | None = None) -> Iterator[Frame]:
        """The market without sockets: combined frames exactly as a socket would carry them, from now on.

        ``streams`` limits the streams (default: all the market gives by itself); ``duration_ns`` bounds the venue
        time, None runs for ever. ``depth`` answers for the moment of the frame last yielded. Wakes the market.
        """
        self.awake()
        wanted = self.streams if streams is None else frozenset(streams)
        until_ns = None if duration_ns is None else self.now_ns + duration_ns
        heads = {name: b'{"stream":"' + name.encode() + b'","data":' for name in self.streams}
        while until_ns is None or self.now_ns + STEP_NS <= until_ns:
            for venue_ns, stream, payload in self.advance(self.now_ns + STEP_NS + SETTLED_NS):
                if stream in wanted:
                    yield venue_ns, stream, heads[stream] + payload + b"}"

    def depth(self, symbol: str, limit: int) -> tuple[int, int, int, Levels, Levels] | None:
        """Last update id, E, T, bids, asks of ``symbol``, for the last whole step."""
        return self._look()[symbol].depth(limit)

    def history(self, symbol: str) -> History:
        """Candles and trades of ``symbol`` so far, those before the start included."""
        return self._look()[symbol].history

    def premium(self, symbol: str) -> dict[str, object]:
        """The ``premiumIndex`` body of ``symbol``."""
        return self._look()[symbol].premium()


def _time(frame: Frame) -> int:
    return frame[0]
