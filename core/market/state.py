"""The engine's memory: allocation, parameters, a one-copy view for decisions, and the state hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from config.settings import Hypothesis, ScalperParams, Trust
from core.kernels.kernel import address_of
from core.kernels.state import (
    BAR_RING,
    BAR_SLOTS,
    ENGINE,
    MARKET,
    MID_GRID_NS,
    MID_RING,
    RETURN_RING,
    SECOND_COLUMNS,
    SECOND_NS,
    TAPE_COLUMNS,
    VIEW,
    VIEW_WORDS,
    Condition,
)
from models.error import ConfigurationError
from models.instrument import E8, Instrument
from models.rows import FAR_NS
from storage.hot.ring import Ring

PPM = 1_000_000
_MILLISECOND_NS = 1_000_000
SIGNAL_QUIET_NS = 1_000_000_000  # one signal a second at most: an edge that flickers is one opportunity, not ten


class MarketView:
    """Scalars of one instrument, read by name, as they stand now: no copy, so it is good until the next row or write.

    A read costs 60 ns; copying all of them out would cost 1 µs, and three times that after an idle moment.
    """

    __slots__ = ("_words",)

    def __init__(self, words: Any) -> None:
        self._words = words

    def get(self, name: str) -> int:
        return self._words[VIEW[name]]  # type: ignore[no-any-return]

    def kept(self) -> MarketView:
        """A copy that stays as it is."""
        return MarketView(self._words.tolist())


class Memory:
    """All state of the compiled pass. ``address`` is what kernels take; the arrays never move while it lives."""

    def __init__(
        self, instruments: Sequence[Instrument], params: ScalperParams, hypothesis: Hypothesis, trust: Trust
    ) -> None:
        self.instruments = tuple(instruments)
        self.engine = np.zeros(1, dtype=ENGINE)
        self.markets = np.zeros(len(self.instruments), dtype=MARKET)
        head = self.engine[0]
        head["deadline_ns"] = FAR_NS
        head["instruments"] = len(self.instruments)
        head["markets_at"] = address_of(self.markets)
        self.address = address_of(self.engine)
        # One word through a memoryview costs 35 ns, through numpy 150.
        self._head: Any = memoryview(self.engine.view(np.int64))  # type: ignore[arg-type]
        self._views = [
            self.markets[number : number + 1].view(np.uint8).view(np.int64)[:VIEW_WORDS]
            for number in range(len(self.instruments))
        ]
        self._market_views = [MarketView(memoryview(view)) for view in self._views]  # type: ignore[arg-type]
        self._books = [self.markets[number]["book"] for number in range(len(self.instruments))]
        self._rings = [
            (
                self._ring(number, "tape", "tape_count", TAPE_COLUMNS),
                self._ring(number, "seconds", "second_count", SECOND_COLUMNS),
            )
            for number in range(len(self.instruments))
        ]
        for number, instrument in enumerate(self.instruments):
            _set_parameters(self.markets[number], instrument, params, hypothesis, trust)

    def _ring(self, instrument: int, block: str, count: str, columns: Sequence[str]) -> Ring:
        total = self._views[instrument][VIEW[count] : VIEW[count] + 1]
        return Ring.over(dict.fromkeys(columns, int), self.markets[instrument][block], total)

    def view(self, instrument: int) -> MarketView:
        """The scalars of ``instrument``, in place."""
        return self._market_views[instrument]

    def set(self, instrument: int, **values: int) -> None:
        """Write scalars of ``instrument`` (parameters, arming of exit conditions)."""
        view = self._views[instrument]
        for name, value in values.items():
            view[VIEW[name]] = value

    def book(self, instrument: int) -> np.void:
        """The book record of ``instrument`` (``core.kernels.book.BOOK``), not a copy."""
        book: np.void = self._books[instrument]
        return book

    def tape(self, instrument: int) -> Ring:
        """The hot store's newest trades (``core.kernels.state.TAPE_COLUMNS``), a view."""
        return self._rings[instrument][0]

    def seconds(self, instrument: int) -> Ring:
        """The hot store's newest seconds (``SECOND_COLUMNS``), a view."""
        return self._rings[instrument][1]

    def bars(self, instrument: int, slot: int, count: int) -> np.ndarray:
        """The newest ``count`` closed bars of a slot, oldest first, as a copy of ``BAR`` records."""
        record = self.markets[instrument]["bars"][slot]
        closed = int(record["closed"])
        count = min(count, closed, BAR_RING)
        return np.array(
            [record["ring"][number % BAR_RING] for number in range(closed - count, closed)], record["ring"].dtype
        )

    @property
    def deadline_ns(self) -> int:
        return self._head[0]  # type: ignore[no-any-return]

    @deadline_ns.setter
    def deadline_ns(self, value: int) -> None:
        self._head[0] = value

    @property
    def now_ns(self) -> int:
        return self._head[1]  # type: ignore[no-any-return]

    @property
    def frame(self) -> int:
        return self._head[2]  # type: ignore[no-any-return]

    @property
    def clock_offset_ns(self) -> int:
        return self._head[3]  # type: ignore[no-any-return]

    @clock_offset_ns.setter
    def clock_offset_ns(self, value: int) -> None:
        self._head[3] = value

    @property
    def wake_instrument(self) -> int:
        return self._head[5]  # type: ignore[no-any-return]

    def hash(self) -> str:
        """sha256 over every word of state except the deadline and the address of the records."""
        head = self.engine.copy()
        head["markets_at"] = 0
        head["deadline_ns"] = 0
        digest = hashlib.sha256(head.tobytes())
        digest.update(self.markets.tobytes())
        return digest.hexdigest()


def ratio(value: float, limit: int = 1_000_000) -> tuple[int, int]:
    """A setting such as 3.0 or 0.8 as an exact small fraction, for conditions that multiply instead of dividing."""
    fraction = Fraction(str(value)).limit_denominator(limit)
    return fraction.numerator, fraction.denominator


def _set_parameters(
    market: np.void, instrument: Instrument, params: ScalperParams, hypothesis: Hypothesis, trust: Trust
) -> None:
    _check_windows(params)
    market["volume_num"], market["volume_den"] = ratio(params.volume_multiple)
    market["baseline_bars"] = params.baseline_bars
    market["fade_num"], market["fade_den"] = ratio(params.fade_multiple)
    market["fade_bars"] = params.fade_bars
    market["hold_min_ns"] = params.hold_min_s * SECOND_NS
    market["imbalance_levels"] = params.imbalance_levels
    market["imbalance_window_ns"] = params.imbalance_window_ms * _MILLISECOND_NS
    market["imbalance_entry_ppm"] = round(params.imbalance_entry * PPM)
    market["reversal_ppm"] = round(params.reversal * PPM)
    market["reversal_hold_ns"] = params.reversal_hold_ms * _MILLISECOND_NS
    market["reversal_since_ns"] = -1
    market["momentum_window_ns"] = params.momentum_s * SECOND_NS
    market["momentum_samples_min"] = params.momentum_ready_min * 60
    market["momentum_history"] = params.momentum_history_min * 60
    market["momentum_threshold_num"], market["momentum_threshold_den"] = ratio(params.momentum_z)
    market["signal_quiet_ns"] = SIGNAL_QUIET_NS
    market["stale_ns"] = trust.stale_ms * _MILLISECOND_NS
    market["spread_limit_num"], market["spread_limit_den"] = ratio(hypothesis.spread_max_bps)
    market["depth_bps"] = round(hypothesis.depth_bps)
    # USDT near the touch → lots at the price of the day is not known yet; the engine sets it at the first valid book
    market["depth_limit_lots"] = 0
    market["cascade_count"] = hypothesis.liquidations_max
    market["cascade_window_ns"] = hypothesis.liquidation_window_s * SECOND_NS
    market["imbalance_limit_ppm"] = round(hypothesis.imbalance_max * PPM)
    market["violated"] = Condition.BOOK
    for slot in range(BAR_SLOTS):
        market["bars"][slot]["running"]["start_ns"] = -1
    market["bars"][0]["interval_ns"] = params.bar_s * SECOND_NS
    market["return_slot"] = -1


def _check_windows(params: ScalperParams) -> None:
    """Windows larger than the rings would silently be shorter: refuse them instead."""
    bounds = (
        ("strategy.params.baseline_bars", params.baseline_bars, BAR_RING - 1),
        ("strategy.params.fade_bars", params.fade_bars, BAR_RING - 1),
        ("strategy.params.momentum_s", params.momentum_s, MID_RING * MID_GRID_NS // SECOND_NS - 2),
        ("strategy.params.momentum_history_min", params.momentum_history_min, RETURN_RING // 60),
        ("strategy.params.momentum_ready_min", params.momentum_ready_min, params.momentum_history_min),
    )
    wrong = [
        f"{name} = {value} is larger than the window kept, {limit}" for name, value, limit in bounds if value > limit
    ]
    if wrong:
        raise ConfigurationError("; ".join(wrong))


def depth_limit_lots(instrument: Instrument, mid2: int, depth_min_usdt: float) -> int:
    """Depth in USDT of one side as lots at the mid ``mid2``/2."""
    value = mid2 * instrument.unit_e8
    return int(depth_min_usdt * E8) * 2 // value if value > 0 else 0
