"""The three signals together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.signals.panel import build_panel
from core.signals.signal import Thresholds
from tests.core.signals.features import features

RULES = Thresholds()


def test_all_three_in_one_direction() -> None:
    """Met upwards gives long; the score is the weakest signal's share of its threshold."""
    panel = build_panel(features(), RULES)
    assert (panel.side, panel.valid, panel.why) == (1, True, "")
    assert panel.score == pytest.approx(0.8 / 0.6)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 99), st.integers(-400, 400))
@settings(max_examples=100, deadline=None)
def test_long_and_short_are_mirror_images(volume: int, bid: int, ask: int, return_e8: int) -> None:
    """Swapping the book's sides and the return's sign turns the verdict and the score round, and nothing else."""
    up = build_panel(features(bar_volume=volume, bid_sum=bid, ask_sum=ask, return_e8=return_e8), RULES)
    down = build_panel(features(bar_volume=volume, bid_sum=ask, ask_sum=bid, return_e8=-return_e8), RULES)
    assert (down.side, down.score) == (-up.side, None if up.score is None else -up.score)


def test_disagreement_is_no_side() -> None:
    """Imbalance up and momentum down: all met, no direction, score zero."""
    panel = build_panel(features(return_e8=-300), RULES)
    assert (panel.side, panel.score, all(signal.met for signal in panel.signals)) == (0, 0.0, True)


def test_one_missing_condition_is_no_side() -> None:
    """Two of three is no entry, and the score stays below one."""
    panel = build_panel(features(bar_volume=200), RULES)
    assert (panel.side, panel.score) == (0, pytest.approx(2 / 3))


def test_undefined_signals_are_named() -> None:
    """A panel that is warming up has no score, and lists each reason once."""
    panel = build_panel(features(baseline_bars=12, momentum_s=63), RULES)
    assert (panel.side, panel.score) == (0, None)
    assert panel.why == "volume_spike: warming up: 12 of 20 bars; momentum: warming up: 63 of 120 s"


def test_signals_are_shown_in_one_order() -> None:
    """Every screen and record lists volume, imbalance, momentum."""
    names = [signal.name for signal in build_panel(features(), RULES).signals]
    assert names == ["volume_spike", "imbalance", "momentum"]
