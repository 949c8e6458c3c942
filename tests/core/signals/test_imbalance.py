"""Book imbalance as a signal."""

from __future__ import annotations

import pytest

from core.signals.imbalance import imbalance
from core.signals.signal import Signal, Thresholds
from tests.core.signals.features import features


@pytest.mark.parametrize(
    ("bid", "ask", "side", "met"),
    [(80, 20, 1, True), (20, 80, -1, True), (79, 21, 1, False), (21, 79, -1, False), (50, 50, 0, False)],
)
def test_threshold_is_inclusive_on_both_sides(bid: int, ask: int, side: int, met: bool) -> None:
    """Four to one is exactly 0.60 and met in either direction; a lot less is not, and the side is told all the same."""
    signal = imbalance(features(bid_sum=bid, ask_sum=ask), Thresholds())
    assert signal == Signal("imbalance", (bid - ask) / 100, 0.6, side, True, met)


def test_no_depth_is_no_imbalance() -> None:
    """An empty window has no value and says so."""
    signal = imbalance(features(bid_sum=0, ask_sum=0), Thresholds())
    assert signal == Signal("imbalance", None, 0.6, 0, False, False, "no depth in the window")
