"""Momentum: the log return of the window in units of its own recent standard deviation (quantitative reference A.6)."""

from __future__ import annotations

from core.signals.signal import E8, Features, Signal, Thresholds, not_known, sign

NAME = "momentum"


def momentum(features: Features, thresholds: Thresholds) -> Signal:
    """return / σ, met at the threshold in either direction: |return| ≥ z · σ."""
    threshold = thresholds.momentum_z_e8 / E8
    if features.momentum_s < thresholds.momentum_known_s:
        why = f"warming up: {features.momentum_s} of {thresholds.momentum_known_s} s"
        return not_known(NAME, threshold, why)
    if features.return_e8 is None:
        return not_known(NAME, threshold, "no price at the start of the window")
    if features.sigma_e8 is None or not features.sigma_e8 > 0:
        return not_known(NAME, threshold, "the price has not moved: no standard deviation")
    size = abs(features.return_e8)
    if features.return_threshold_e8 is not None:
        met = size >= features.return_threshold_e8
    else:
        met = size > 0 and size * E8 >= thresholds.momentum_z_e8 * features.sigma_e8
    return Signal(NAME, features.return_e8 / features.sigma_e8, threshold, sign(features.return_e8), True, met)
