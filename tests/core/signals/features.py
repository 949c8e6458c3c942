"""Features for the signal tests: every condition met upwards, unless told otherwise."""

from __future__ import annotations

from typing import Any

from core.signals.signal import Features

UPWARDS: dict[str, Any] = {
    "bar_volume": 600,
    "baseline_volume": 2_000,
    "baseline_bars": 20,
    "bid_sum": 90,
    "ask_sum": 10,
    "return_e8": 300,
    "sigma_e8": 100.0,
    "momentum_s": 1_800,
}


def features(**changes: Any) -> Features:
    """The record with ``changes``."""
    return Features(**{**UPWARDS, **changes})
