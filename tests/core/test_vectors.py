"""Every vector of section A of the quantitative reference, through the compiled kernels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.kernels import micro, robust, shocks, watermark, windows

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "quant-vectors.json").read_text(encoding="utf-8"))["vectors"]
SECTION_A = [vector for vector in VECTORS if vector["area"] == "A"]
MS = 1_000_000  # ns
TENTH, HUNDREDTH, THOUSANDTH = 10, 100, 1_000  # ticks or lots in one unit
FAR = np.array([0, 2**40])


def units(number: float, scale: int) -> int:
    """A price or quantity of a vector as ticks or lots; it must lie on the grid."""
    whole = round(number * scale)
    assert math.isclose(whole, number * scale, rel_tol=1e-12)
    return whole


def levels(side: list[list[float]]) -> np.ndarray:
    """Levels at a tick of 0.01 and a lot of 0.1."""
    return np.array([[units(price, HUNDREDTH), units(lots, TENTH)] for price, lots in side])


def value(answer: tuple[Any, ...]) -> Any:
    """The number of a (number, valid) answer; None when it is undefined."""
    return answer[0] if answer[-1] else None


def mid_spread(bid: float, ask: float) -> dict[str, Any]:
    mid2, spread_bps, valid = micro.mid_spread(units(bid, TENTH), units(ask, TENTH))
    assert valid
    return {"mid": mid2 / 2 / TENTH, "spread_bps": spread_bps}


def depth_within_bps(bids: Any, asks: Any, delta_bps: int) -> dict[str, Any]:
    out = np.zeros(6, np.int64)
    assert micro.depth_within_bps(levels(bids), levels(asks), FAR, delta_bps * 10_000, out)
    bid, ask = out[0] / TENTH, out[1] / TENTH
    return {"bid_depth": bid, "ask_depth": ask, "depth": bid + ask}


def imbalance_topn(bids: Any, asks: Any, n: int) -> dict[str, Any]:
    return {"imbalance": value(micro.imbalance_topn(levels(bids), levels(asks), n))}


def imbalance_weighted(bids: Any, asks: Any, n: int, decay_bps: float) -> dict[str, Any]:
    return {"imbalance": value(micro.imbalance_weighted(levels(bids), levels(asks), n, decay_bps))}


def ofi(quotes: Any) -> dict[str, Any]:
    table = np.array([[units(b, TENTH), bq, units(a, TENTH), aq] for b, bq, a, aq in quotes])
    out = np.zeros(len(table) - 1, np.int64)
    total = micro.ofi(table, out)
    return {"e": out.tolist(), "ofi": total}


def weighted_mid(bid: float, bid_qty: float, ask: float, ask_qty: float) -> dict[str, Any]:
    answer = micro.weighted_mid(units(bid, TENTH), units(bid_qty, TENTH), units(ask, TENTH), units(ask_qty, TENTH))
    return {"weighted_mid": value(answer) / TENTH}


def volume_spike_ratio(volumes: list[int], n: int) -> dict[str, Any]:
    return {"ratio": value(micro.volume_spike_ratio(np.array(volumes), n))}


def trade_flow_imbalance(trades_qty_buyer_is_maker: Any) -> dict[str, Any]:
    lots = np.array([units(quantity, HUNDREDTH) for quantity, _ in trades_qty_buyer_is_maker])
    sides = np.array([1 if maker else 0 for _, maker in trades_qty_buyer_is_maker])
    buy, sell, flow, valid = micro.trade_flow_imbalance(lots, sides)
    return {"buy": buy / HUNDREDTH, "sell": sell / HUNDREDTH, "tfi": flow if valid else None}


def momentum_bps(price_now: float, price_then: float) -> dict[str, Any]:
    log_bps, simple_bps, valid = micro.momentum_bps(units(price_now, TENTH), units(price_then, TENTH))
    assert valid
    return {"log_bps": log_bps, "simple_bps": simple_bps}


def t_rec(
    shock_ts_ms: int, ts_ms: list[int], spread_bps: list[float], baseline_bps: float, tau: float, hold_ms: int
) -> dict[str, Any]:
    out = np.zeros(5, np.int64)
    rule = np.array([shock_ts_ms * MS, hold_ms * MS, 120_000 * MS])
    assert shocks.t_rec(np.array(ts_ms) * MS, np.array(spread_bps), tau * baseline_bps, rule, out)
    first, sustained, first_seen, sustained_seen, _ = out.tolist()
    return {"first_ms": first // MS, "sustained_ms": sustained // MS, "censored": not (first_seen and sustained_seen)}


def liquidation_clusters(events_ts_ms_notional: Any, max_gap_ms: int) -> dict[str, Any]:
    times = np.array([at * MS for at, _ in events_ts_ms_notional])
    notional = np.array([units(amount, 1) for _, amount in events_ts_ms_notional])
    out = np.zeros((len(times), 5), np.int64)
    found = shocks.liquidation_clusters(times, notional, np.zeros(len(times), np.int64), max_gap_ms * MS, out)
    names = ("start", "end", "count", "notional")
    rows = [(start // MS, end // MS, count, float(total)) for start, end, count, total, _ in out[:found].tolist()]
    return {"clusters": [dict(zip(names, row, strict=True)) for row in rows]}


def hawkes_intensity(mu: float, alpha: float, beta: float, times: list[float], t: float) -> dict[str, Any]:
    moments = np.array([units(at, 1_000_000_000) for at in times])
    intensity, branching, valid = shocks.hawkes_intensity(moments, units(t, 1_000_000_000), mu, alpha, beta)
    assert valid
    return {"intensity": intensity, "branching_ratio": branching}


def kaplan_meier(durations_s: list[float], observed: list[int]) -> dict[str, Any]:
    out = np.zeros((len(durations_s), 2))
    rows = shocks.kaplan_meier(np.array(durations_s, float), np.array(observed), out)
    return {"survival": out[:rows].tolist(), "median_s": value(shocks.kaplan_quantile(out[:rows], 0.5))}


def robust_z(window: list[float], value: float) -> dict[str, Any]:
    inside = np.array([units(price, HUNDREDTH) for price in window])
    median2, mad4, z, valid = robust.robust_z(inside, units(value, HUNDREDTH), 1)
    return {"median": median2 / 2 / HUNDREDTH, "mad": mad4 / 4 / HUNDREDTH, "z": z if valid else None}


def watermark_trace(
    events_stream_eventts_arrivalts: Any, streams: list[str], out_of_order_bound_ms: int, allowed_lateness_ms: int
) -> dict[str, Any]:
    table, mark = watermark.watermark_state([out_of_order_bound_ms] * len(streams), allowed_lateness_ms, 5_000)
    trace = []
    for stream, occurred, received in events_stream_eventts_arrivalts:
        verdict = watermark.watermark_event(table, mark, streams.index(stream), occurred, received)
        reached = int(mark[watermark.MARK_NS])
        trace.append([watermark.CLASS_NAMES[verdict], None if reached == watermark.UNKNOWN_NS else reached])
    return {"class_and_watermark_after": trace}


def welford(x: list[float]) -> dict[str, Any]:
    count, mean, squares = windows.welford(np.array(x))
    return {"mean": mean, "var_sample": squares / (count - 1), "var_population": squares / count}


def compensated_sum(x: list[float]) -> dict[str, Any]:
    return {"sum": windows.compensated_sum(np.array(x))}


def sliding_extrema(x: list[int], k: int) -> dict[str, Any]:
    out = np.zeros((len(x), 2), np.int64)
    rows = windows.sliding_extrema(np.array(x), k, out)
    return {"max": out[:rows, 0].tolist(), "min": out[:rows, 1].tolist()}


def rolling_var(x: list[float], window: int, ddof: int) -> dict[str, Any]:
    out = np.zeros((len(x), 2))
    rows = windows.rolling_var(np.array(x), window, ddof, out)
    return {"mean": out[:rows, 0].tolist(), "var": out[:rows, 1].tolist()}


def ewma_time(ts_ms: list[int], x: list[float], half_life_ms: int) -> dict[str, Any]:
    return {"ewma": value(windows.ewma_time(np.array(ts_ms) * MS, np.array(x), half_life_ms * MS))}


KERNEL_OF: dict[str, Callable[..., dict[str, Any]]] = {
    "micro.mid_spread": mid_spread,
    "micro.depth_within_bps": depth_within_bps,
    "micro.imbalance_topn": imbalance_topn,
    "micro.imbalance_weighted": imbalance_weighted,
    "micro.ofi": ofi,
    "micro.weighted_mid": weighted_mid,
    "micro.volume_spike_ratio": volume_spike_ratio,
    "micro.trade_flow_imbalance": trade_flow_imbalance,
    "micro.momentum_bps": momentum_bps,
    "micro.t_rec": t_rec,
    "micro.liquidation_clusters": liquidation_clusters,
    "micro.hawkes_intensity": hawkes_intensity,
    "micro.kaplan_meier": kaplan_meier,
    "micro.robust_z": robust_z,
    "time.watermark": watermark_trace,
    "num.welford": welford,
    "num.compensated_sum": compensated_sum,
    "num.sliding_extrema": sliding_extrema,
    "num.rolling_var": rolling_var,
    "num.ewma_time": ewma_time,
}


def assert_agrees(got: Any, want: Any, tolerance: dict[str, float]) -> None:
    """|got − want| ≤ abs + rel · |want| for floats; everything else, and the shape, exactly."""
    if isinstance(want, dict):
        assert set(got) == set(want)
        for name in want:
            assert_agrees(got[name], want[name], tolerance)
    elif isinstance(want, list):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            assert_agrees(one, other, tolerance)
    elif isinstance(want, float):
        assert abs(got - want) <= tolerance["abs"] + tolerance["rel"] * abs(want)
    else:
        assert got == want


def rounding(vector: dict[str, Any]) -> dict[str, float]:
    """The vector's tolerance, and twelve digits at least: that is how many the file prints."""
    return {"rel": max(vector["tolerance"]["rel"], 1e-12), "abs": vector["tolerance"]["abs"]}


@pytest.mark.parametrize("vector", SECTION_A, ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    """The kernel gives the reference's number within its tolerance."""
    got = KERNEL_OF[vector["fn"]](**vector["inputs"])
    assert_agrees(got, vector["expected"], rounding(vector))


def test_every_vector_of_the_section_is_known() -> None:
    """The twenty vectors A01 to A20 are all there, each with its kernel."""
    assert [vector["id"] for vector in SECTION_A] == [f"A{number:02}" for number in range(1, 21)]
    assert {vector["fn"] for vector in SECTION_A} == set(KERNEL_OF)
