"""Each compiled kernel beside its slow twin: one table for the correctness tests and for this benchmark.

``python -m tests.bench.kernels [--json] [--size 1000]`` prints nanoseconds a call of both, and their ratio.
Warm calls from Python, minimum of interleaved rounds; a call with arrays costs about 0.2 µs before it does anything.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import math
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from core.kernels import bars, robust, watermark
from models.rows import WORD_HEAD, WORD_OCCURRED, WORD_PRICE, WORD_QUANTITY, Flag, Kind

Arguments = Callable[[np.random.Generator, int], tuple[Any, ...]]
SECOND = 1_000_000_000


class Pair(NamedTuple):
    """A kernel, how to make its arguments from a generator and a size, and which arguments it writes (by index)."""

    module: str
    name: str
    arguments: Arguments
    writes: tuple[int, ...] = ()
    relative: float = 1e-9
    absolute: float = 1e-9

    @property
    def kernel(self) -> Callable[..., Any]:
        return getattr(importlib.import_module(f"core.kernels.{self.module}"), self.name)

    @property
    def twin(self) -> Callable[..., Any]:
        return getattr(importlib.import_module(f"tests.naive.{self.module}"), self.name)


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer of [low, high], as the plain int that kernels are called with."""
    return int(rng.integers(low, high, endpoint=True))


def ints(rng: np.random.Generator, low: int, high: int, size: int) -> np.ndarray:
    return rng.integers(low, high, size, dtype=np.int64, endpoint=True)


def times(rng: np.random.Generator, size: int, step: int = 3) -> np.ndarray:
    return np.cumsum(ints(rng, 0, step, size))


def book(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Bids and asks, best first, now and then crossed, with gaps."""
    middle = whole(rng, 2_000, 2_000_000)
    bids = np.stack([middle - np.cumsum(ints(rng, 1, 40, size)), ints(rng, 1, 9_000, size)], axis=1)
    asks = np.stack([middle + np.cumsum(ints(rng, 1, 40, size)), ints(rng, 1, 9_000, size)], axis=1)
    bids[:, 0] += whole(rng, 0, 60) * (rng.random() < 0.1)
    return bids[bids[:, 0] > 0].copy(), asks


def quotes(rng: np.random.Generator, size: int) -> np.ndarray:
    bid = 1_000 + np.cumsum(ints(rng, -1, 1, size))
    spread = ints(rng, 1, 2, size)
    return np.stack([bid, ints(rng, 1, 50, size), bid + spread, ints(rng, 1, 50, size)], axis=1)


def trade_rows(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rows of two instruments, mostly trades, some off-market, filled or late, with silent stretches."""
    rows = np.zeros((size, 8), np.int64)
    kind = np.where(rng.random(size) < 0.9, Kind.TRADE, Kind.DEPTH)
    flags = rng.choice([0, 0, 0, 0, Flag.FILLED, Flag.OFF_MARKET, Flag.FIRST | Flag.LAST], size)
    rows[:, WORD_HEAD] = kind | flags << 8 | ints(rng, 0, 1, size) << 16 | ints(rng, 0, 1, size) << 32
    gaps = ints(rng, 0, SECOND, size) * rng.choice([1, 1, 1, 5], size)
    rows[:, WORD_OCCURRED] = SECOND * 1_700_000_000 + np.cumsum(gaps) - ints(rng, 0, SECOND // 20, size)
    rows[:, WORD_PRICE] = 1_000 + np.cumsum(ints(rng, -2, 2, size))
    rows[:, WORD_QUANTITY] = ints(rng, 1, 500, size)
    return rows


def _depth(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    bids, asks = book(rng, size)
    known = np.array([bids[-1, 0] if len(bids) else 0, asks[-1, 0] if len(asks) else 0])
    return bids, asks, known, whole(rng, 0, 2_000_000), np.zeros(6, np.int64)


def _levels(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return *book(rng, size), whole(rng, 0, 12)


def _decayed(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return *book(rng, size), whole(rng, 0, 12), float(rng.choice([5.0, 0.5, 50.0]))


def _quote(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    bid = whole(rng, 0, 50)
    return bid, whole(rng, 0, 9), bid + whole(rng, -1, 4), whole(rng, 0, 9)


def _sums(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    returns = ints(rng, -1_000_000, 1_000_000, size) + whole(rng, -9_000_000, 9_000_000)
    return size, int(returns.sum()), int((returns * returns).sum())


def _ofi(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return quotes(rng, size), np.zeros(max(0, size - 1), np.int64)


def _mean(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    start = whole(rng, 0, 2 * size)
    holes = np.array([[start + 2, start + 4], [start + 7, start + 8]]) if rng.random() < 0.5 else np.zeros((0, 2), int)
    return times(rng, size), ints(rng, 0, 99, size).astype(float), start, start + whole(rng, 0, 30), holes


def _moments(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return size, float(rng.normal() if size else 0.0), float(rng.random() if size > 1 else 0.0), float(rng.normal())


def _removed(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    """A value that is among those counted: one from a real series."""
    values = rng.normal(5.0, 2.0, size + 1)
    squares = float(((values - values.mean()) ** 2).sum())
    return size + 1, float(values.mean()), squares, float(values[0])


def _rolling(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return rng.normal(100.0, 3.0, size), whole(rng, 0, 12), whole(rng, 0, 1), np.zeros((size, 2))


def _extrema(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return ints(rng, -9, 9, size), whole(rng, 0, 8), np.zeros((size, 2), np.int64)


def _windowed(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return times(rng, size), ints(rng, -9, 9, size), whole(rng, 1, 12), np.zeros(size, np.int64)


def _robust(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    """A window that has already seen ``size`` values of a walk with jumps; 64 bins, so that some are wide."""
    ring, counts, state = robust.robust_window(25, 64)
    for value in np.cumsum(ints(rng, -3, 3, size) * rng.choice([1, 1, 1, 20], size)).tolist():
        robust.robust_push(ring, counts, state, 1_000 + value)
        robust.robust_median(ring, counts, state)
    return ring, counts, state


def _pushed(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return *_robust(rng, size), 1_000 + whole(rng, -30, 30)


def _stepped(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return *_pushed(rng, size), whole(rng, 0, 2)


def _scored(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return ints(rng, 0, 40, size), whole(rng, 0, 60), whole(rng, 0, 2)


def _recovery(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    rule = np.array([whole(rng, 0, size + 4), whole(rng, 0, 6), whole(rng, 0, 40)])
    return times(rng, size), ints(rng, 0, 4, size).astype(float), float(whole(rng, 0, 4)), rule, np.zeros(5, np.int64)


def _clusters(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    sides = ints(rng, 0, 1, size)
    return times(rng, size, 9), ints(rng, 1, 99, size), sides, whole(rng, 0, 8), np.zeros((size, 5), np.int64)


def _hawkes(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    moments = times(rng, size, SECOND)
    return moments, whole(rng, 0, SECOND * (size + 2)), 0.2, float(rng.random()), float(rng.choice([0.0, 0.5, 2.0]))


def _survival(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    durations = np.sort(ints(rng, 0, 20, size)).astype(float)
    return durations, ints(rng, 0, 1, size), np.zeros((size, 2))


def _survived(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    durations = np.sort(rng.choice(100, min(size, 100), replace=False)).astype(float)
    return np.stack([durations, np.sort(rng.random(len(durations)))[::-1]], axis=1), float(rng.random())


def _streams(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    streams, mark = watermark.watermark_state([50, 50, 1_000], 200, 5_000)
    for stream, at in zip(ints(rng, 0, 2, size).tolist(), times(rng, size, 3_000).tolist(), strict=True):
        watermark.watermark_event(streams, mark, stream, at + whole(rng, -400, 0), at)
    return streams, mark


def _event(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    at = size * 1_500 + whole(rng, 0, 9_000)
    return *_streams(rng, size), whole(rng, 0, 2), at - whole(rng, 0, 600), at


def _silence(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return *_streams(rng, size), size * 1_500 + whole(rng, 0, 12_000)


def _trades(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    interval, instrument = SECOND * whole(rng, 1, 3), whole(rng, -1, 1)
    rows = trade_rows(rng, size)
    out = np.zeros((bars.count_bars(rows, interval, instrument) + 1, bars.BAR_WORDS), np.int64)
    return rows, 0, bars.bar_state(interval, instrument), out


def _closing(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    rows, start, state, out = _trades(rng, size)
    bars.advance_bars(rows, start, state, out)
    return int(state[0]) + whole(rng, 0, 9 * SECOND), state, np.zeros((whole(rng, 1, 6), bars.BAR_WORDS), np.int64)


def _counted(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return trade_rows(rng, size), SECOND * whole(rng, 1, 3), whole(rng, -1, 1)


def _looked_up(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    table = np.stack([rng.normal(size=(3, 10)), (rng.random((3, 10)) < 0.95).astype(float)])
    return *_quote(rng, size), table


def _prices(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    then = whole(rng, 0, 1_000_000)
    return max(0, then + whole(rng, -then // 2 - 1, then + 1)), then


def _ratio(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return whole(rng, 1, 10**7), whole(rng, 1, 10**7)


def _tape(rng: np.random.Generator, size: int) -> tuple[Any, ...]:
    return ints(rng, 1, 99, size), ints(rng, 0, 1, size)


PAIRS = (
    Pair("elementary", "ln", lambda rng, size: (float(np.exp(rng.uniform(-700, 700))),), relative=4e-16),
    Pair("elementary", "exp", lambda rng, size: (float(rng.uniform(-700, 709)),), relative=4e-16, absolute=0.0),
    Pair("elementary", "ln_ratio", _ratio, relative=2e-15, absolute=0.0),
    Pair("micro", "mid_spread", lambda rng, size: _quote(rng, size)[::2]),
    Pair("micro", "weighted_mid", _quote),
    Pair("micro", "depth_within_bps", _depth, (4,)),
    Pair("micro", "imbalance_topn", _levels),
    Pair("micro", "imbalance_weighted", _decayed),
    Pair("micro", "ofi", _ofi, (1,)),
    Pair("micro", "ofi_normalised", lambda rng, size: (whole(rng, -99, 99), whole(rng, 0, 999), whole(rng, 0, 9))),
    Pair("micro", "volume_spike_ratio", lambda rng, size: (ints(rng, 0, 9, size), whole(rng, 0, 20))),
    Pair("micro", "trade_flow_imbalance", _tape),
    Pair("micro", "momentum_bps", _prices),
    Pair("micro", "momentum_e8", _prices),
    Pair("micro", "sigma_from_sums", _sums),
    Pair("micro", "momentum_z", lambda rng, size: (whole(rng, -9_000_000, 9_000_000), *_sums(rng, size))),
    Pair("windows", "window_sum", _windowed, (3,)),
    Pair("windows", "time_weighted_mean", _mean),
    Pair("windows", "welford_add", _moments),
    Pair("windows", "welford_remove", _removed, absolute=1e-7),
    Pair("windows", "welford", lambda rng, size: (rng.normal(100.0, 3.0, size),)),
    Pair("windows", "rolling_var", _rolling, (3,)),
    Pair("windows", "compensated_sum", lambda rng, size: (rng.normal(size=size) * 10.0 ** ints(rng, -9, 9, size),)),
    Pair("windows", "sliding_extrema", _extrema, (2,)),
    Pair("windows", "ewma_step", lambda rng, size: (float(rng.normal()), whole(rng, 0, 9999), 1000, float(size))),
    Pair("windows", "ewma_time", lambda rng, size: (times(rng, size), rng.normal(size=size), whole(rng, 0, 20))),
    Pair("robust", "median_mad", lambda rng, size: (ints(rng, -40, 40, size),)),
    Pair("robust", "robust_z", _scored),
    Pair("robust", "robust_drop", _robust),
    Pair("robust", "robust_push", _pushed, (0,)),
    Pair("robust", "robust_median", _robust),
    Pair("robust", "robust_step", _stepped, (0,)),
    Pair("shocks", "t_rec", _recovery, (4,)),
    Pair("shocks", "liquidation_clusters", _clusters, (4,)),
    Pair("shocks", "hawkes_decay", lambda rng, size: (float(rng.random()), whole(rng, 0, SECOND), 0.5)),
    Pair("shocks", "hawkes_intensity", _hawkes),
    Pair("shocks", "kaplan_meier", _survival, (2,)),
    Pair("shocks", "kaplan_quantile", _survived),
    Pair("watermark", "watermark_tick", _silence, (0, 1)),
    Pair("watermark", "watermark_event", _event, (0, 1)),
    Pair("bars", "advance_bars", _trades, (3,)),
    Pair("bars", "close_bars", _closing, (2,)),
    Pair("bars", "count_bars", _counted),
    Pair("microprice", "microprice", _looked_up),
)


def pairs_of(twins: ModuleType, *names: str) -> list[Pair]:
    """The rows of the table for one module of twins; they must be exactly ``names``, else ValueError."""
    module = twins.__name__.rpartition(".")[2]
    found = [pair for pair in PAIRS if pair.module == module]
    if sorted(pair.name for pair in found) != sorted(names):
        raise ValueError(f"the table holds {[pair.name for pair in found]} for {module}, the test names {list(names)}")
    return found


def flat(value: Any) -> list[float | int | bool]:
    """A result as one list of Python numbers."""
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    if isinstance(value, tuple | list):
        return [number for part in value for number in flat(part)]
    return [value.item() if isinstance(value, np.generic) else value]


def outcome(pair: Pair, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[float | int | bool]:
    """What ``function`` returns and writes for a private copy of ``arguments``."""
    own = copy.deepcopy(arguments)
    returned = function(*own)
    return [*flat(returned), *(number for index in pair.writes for number in flat(own[index]))]


def differences(pair: Pair, arguments: tuple[Any, ...]) -> list[tuple[int, Any, Any]]:
    """(place, kernel's number, twin's number) where they differ: integers exactly, floats by the pair's tolerance."""
    got, want = outcome(pair, pair.kernel, arguments), outcome(pair, pair.twin, arguments)
    if len(got) != len(want):
        return [(-1, got, want)]

    def same(one: Any, other: Any) -> bool:
        if isinstance(other, float):
            return math.isclose(one, other, rel_tol=pair.relative, abs_tol=pair.absolute)
        return bool(one == other)

    return [(place, g, w) for place, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w)]


def nanoseconds(function: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Time of one call; the same arguments each time, so moving windows roll on."""
    begun = time.perf_counter_ns()
    for _ in range(calls):
        function(*arguments)
    return (time.perf_counter_ns() - begun) / calls


def measure(size: int, rounds: int = 5, calls: int = 200) -> list[dict[str, Any]]:
    """One record a kernel: name, ns a call of kernel and twin (minimum of interleaved rounds), and their ratio."""
    records = []
    for pair in PAIRS:
        arguments = pair.arguments(np.random.default_rng(7), size)
        mine, slow = copy.deepcopy(arguments), copy.deepcopy(arguments)
        kernel, twin = pair.kernel, pair.twin
        kernel(*copy.deepcopy(arguments))
        best = [math.inf, math.inf]
        for _ in range(rounds):
            best[0] = min(best[0], nanoseconds(kernel, mine, calls))
            best[1] = min(best[1], nanoseconds(twin, slow, 1))
        name = f"{pair.module}.{pair.name}"
        records.append({"kernel": name, "ns": round(best[0]), "twin_ns": round(best[1]), "ratio": best[0] / best[1]})
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description="Compiled kernels against their slow twins.")
    parser.add_argument("--size", type=int, default=200, help="length of the arrays (default 200)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = parser.parse_args()
    records = measure(options.size)
    if options.json:
        print(json.dumps({"size": options.size, "kernels": records}))
        return
    for record in records:
        print(
            f"{record['kernel']:34} {record['ns']:>10,} ns   twin {record['twin_ns']:>13,} ns   {record['ratio']:.4f}"
        )


if __name__ == "__main__":
    main()
