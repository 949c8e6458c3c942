"""Volume explosion as a signal."""

from __future__ import annotations

import pytest

from core.signals.signal import Signal, Thresholds
from core.signals.volume_spike import volume_spike
from tests.core.signals.features import features


@pytest.mark.parametrize(("volume", "met"), [(299, False), (300, True), (301, True)])
def test_threshold_is_inclusive(volume: int, met: bool) -> None:
    """Exactly three times the mean of the twenty bars before it is a volume explosion, one lot less is not."""
    signal = volume_spike(features(bar_volume=volume, baseline_volume=2_000), Thresholds())
    assert signal == Signal("volume_spike", volume / 100, 3.0, 0, True, met)


def test_warming_up_says_how_far() -> None:
    """Until the baseline is full there is no value, and the reason counts the bars."""
    signal = volume_spike(features(baseline_bars=12), Thresholds())
    assert signal == Signal("volume_spike", None, 3.0, 0, False, False, "warming up: 12 of 20 bars")


def test_silent_baseline_has_no_ratio() -> None:
    """Twenty bars without a trade are no baseline: the ratio is undefined, not infinite."""
    signal = volume_spike(features(baseline_volume=0), Thresholds())
    assert (signal.value, signal.met, signal.why) == (None, False, "nothing traded in the last 20 bars")
