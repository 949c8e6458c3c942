"""Stylised facts of a market: the same figures of a generated one and of a recorded one."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from exchange.emulator.generator import Generator

CAPTURES = (("2023-04-04T2358", "2023-04-05T0000"), ("2024-08-08T2354",))
"""BTCUSDT as recorded: nine quiet minutes (two files that continue each other) and six busy ones."""


class Facts(NamedTuple):
    """``dispersion``: deviation of the gaps between trades over their mean; 1 for a Poisson process.

    ``fano``: variance over mean of the trades a second; 1 for Poisson. ``size_tail``: 99 % quantile of trade sizes over
    the median. ``largest``: share of the volume in the largest 1 % of trades. ``one_tick``: share of the time with a
    spread of one tick. ``kurtosis``: of 1 s returns; 3 for normal ones. ``clustering``: mean autocorrelation of the
    size of 1 s returns over lags of 1 to 5 s. ``signs``: autocorrelation of the taker's side at lag 1, 5 and 20.
    ``volume_moves``: correlation of volume with the size of the return in the same second. ``flow_moves``: of signed
    volume with the return. ``imbalance_leads``: of the imbalance at the touch with the return of the next second.
    """

    trades_per_s: float
    quotes_per_s: float
    deviation_bps: float
    dispersion: float
    fano: float
    size_tail: float
    largest: float
    one_tick: float
    kurtosis: float
    clustering: float
    signs: tuple[float, float, float]
    volume_moves: float
    flow_moves: float
    imbalance_leads: float


def generated(seed: int, seconds: int, symbol: str = "BTCUSDT") -> list[dict[str, Any]]:
    """Trades and quotes of a generated market."""
    streams = [f"{symbol.lower()}@{kind}" for kind in ("aggTrade", "bookTicker")]
    market = Generator(seed, 1_795_262_400_000_000_000, (symbol,))
    return [orjson.loads(frame)["data"] for _, _, frame in market.frames(seconds * 10**9, streams=streams)]


def recorded(shared: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Trades, joined as ``aggTrade`` joins them (same time, price and side), and quotes of recorded captures."""
    events: list[dict[str, Any]] = []
    joined: dict[str, Any] = {}
    for name in names:
        with gzip.open(shared / "market-data" / "raw" / f"binance-usdm-btcusdt-raw-{name}.gz") as lines:
            for line in lines:
                event = orjson.loads(line.partition(b" ")[2]).get("data", {})
                if event.get("e") == "bookTicker":
                    events.append(event)
                elif event.get("e") == "trade" and event["X"] == "MARKET":
                    if joined and all(joined[field] == event[field] for field in "Tpm"):
                        joined["q"] += float(event["q"])
                        continue
                    joined = event | {"q": float(event["q"])}
                    events.append(joined)
    return events


def facts(events: list[dict[str, Any]], tick: float) -> Facts:
    """The figures of a list of trades and quotes."""
    traded = [event for event in events if event["e"] != "bookTicker"]
    quoted = [event for event in events if event["e"] == "bookTicker"]
    at = np.array([event["T"] for event in traded])
    size = np.array([float(event["q"]) for event in traded])
    sign = np.array([-1 if event["m"] else 1 for event in traded])
    told = np.array([event["T"] for event in quoted])
    touch = np.array([[float(event[field]) for field in "bBaA"] for event in quoted])
    begin = max(at[0], told[0])
    seconds = int(min(at[-1], told[-1]) - begin) // 1000
    edges = begin + 1000 * np.arange(seconds + 1)
    last = np.searchsorted(told, edges, side="right") - 1
    middle = (touch[last, 0] + touch[last, 2]) / 2
    returns = np.diff(np.log(middle))
    imbalance = (touch[last, 1] - touch[last, 3]) / (touch[last, 1] + touch[last, 3])
    inside = (at > begin) & (at <= edges[-1])
    second = (at[inside] - begin - 1) // 1000
    count = np.bincount(second, minlength=seconds)
    volume = np.bincount(second, weights=size[inside], minlength=seconds)
    flow = np.bincount(second, weights=(size * sign)[inside], minlength=seconds)
    gaps, spread = np.diff(at), np.round((touch[:, 2] - touch[:, 0]) / tick)
    held = np.diff(np.append(told, told[-1]))
    largest = np.sort(size)[-max(1, len(size) // 100) :]
    return Facts(
        trades_per_s=float(count.mean()),
        quotes_per_s=len(told) / (told[-1] - told[0]) * 1000,
        deviation_bps=float(returns.std() * 1e4),
        dispersion=float(gaps.std() / gaps.mean()),
        fano=float(count.var() / count.mean()),
        size_tail=float(np.quantile(size, 0.99) / np.median(size)),
        largest=float(largest.sum() / size.sum()),
        one_tick=float(held[spread == 1].sum() / held.sum()),
        kurtosis=float(((returns - returns.mean()) ** 4).mean() / returns.var() ** 2),
        clustering=float(np.mean([_autocorrelation(np.abs(returns), lag) for lag in range(1, 6)])),
        signs=(_autocorrelation(sign, 1), _autocorrelation(sign, 5), _autocorrelation(sign, 20)),
        volume_moves=_correlation(volume, np.abs(returns)),
        flow_moves=_correlation(flow, returns),
        imbalance_leads=_correlation(imbalance[:-1], returns),
    )


def _autocorrelation(values: Any, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred * centred).mean())


def _correlation(one: Any, other: Any) -> float:
    return float(np.corrcoef(one, other)[0, 1])
