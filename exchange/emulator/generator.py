"""A market made from a seed: several symbols, one clock, the same bytes on every machine.

Each symbol draws from its own streams, so what it does never depends on which others are present.
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
SETTLED_NS = NS_PER_MS  # frames of a step leave within 1 ms of its end


class Generator:
    """A seeded market over ``symbols`` beginning at ``start_ns`` (rounded down to 10 ms). See ``market.Market``.

    Raises DataError for an unknown contract, a repeated one or an empty list. Memory is constant.
    """

    def __init__(self, seed: int, start_ns: int, symbols: tuple[str, ...] = ("BTCUSDT",)) -> None:
        if not symbols or len(set(symbols)) != len(symbols):
            raise DataError(f"the generator needs one or more different symbols, got {symbols}", code="NO_CONTRACT")
        self.seed = seed
        start_ms = start_ns // STEP_NS * STEP_MS
        self._flows = {symbol: Flow(character(symbol, place), seed, start_ms) for place, symbol in enumerate(symbols)}
        self._now_ms = start_ms
        self._asleep = True
        self.instruments: tuple[Instrument, ...] = tuple(flow.instrument for flow in self._flows.values())
        self.streams = frozenset(name for flow in self._flows.values() for name in flow.streams)
        self.recorded = False
        self.ended = False

    @property
    def now_ns(self) -> int:
        """Venue time up to which events have been given out."""
        return self._now_ms * NS_PER_MS

    def awake(self, first_pause_ms: int = FIRST_PAUSE * STEP_MS) -> None:
        """Somebody listens: the first burst begins ``first_pause_ms`` from now. Later calls change nothing."""
        if self._asleep:
            self._asleep = False
            for flow in self._flows.values():
                flow.mood.wake(first_pause_ms // STEP_MS)

    def advance(self, until_ns: int) -> Iterator[Frame]:
        """The raw events of every step that ends, with its frames, by ``until_ns``, in venue time order."""
        flows = list(self._flows.values())
        while (self._now_ms + STEP_MS) * NS_PER_MS + SETTLED_NS <= until_ns:
            self._now_ms += STEP_MS
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
        return self._flows[symbol].depth(limit)

    def history(self, symbol: str) -> History:
        """Candles and trades of ``symbol`` so far, those before the start included."""
        return self._flows[symbol].history

    def premium(self, symbol: str) -> dict[str, object]:
        """The ``premiumIndex`` body of ``symbol``."""
        return self._flows[symbol].premium()


def _time(frame: Frame) -> int:
    return frame[0]
