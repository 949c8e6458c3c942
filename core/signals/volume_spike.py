"""Volume explosion: the running bar's volume against the mean of the bars before it (quantitative reference A.6)."""

from __future__ import annotations

from core.signals.signal import E8, Features, Signal, Thresholds, not_known

NAME = "volume_spike"


def volume_spike(features: Features, thresholds: Thresholds) -> Signal:
    """volume · bars / baseline volume, met at the multiple or above it. It has no direction."""
    multiple = thresholds.volume_multiple_e8 / E8
    bars = features.baseline_bars
    if bars < thresholds.baseline_bars or bars <= 0:
        return not_known(NAME, multiple, f"warming up: {bars} of {thresholds.baseline_bars} bars")
    if features.baseline_volume <= 0:
        return not_known(NAME, multiple, f"nothing traded in the last {bars} bars")
    scaled = features.bar_volume * bars
    met = scaled * E8 >= thresholds.volume_multiple_e8 * features.baseline_volume
    return Signal(NAME, scaled / features.baseline_volume, multiple, 0, True, met)
