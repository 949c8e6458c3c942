"""Momentum as a signal."""

from __future__ import annotations

from typing import Any

import pytest

from core.signals.momentum import momentum
from core.signals.signal import Signal, Thresholds
from tests.core.signals.features import features


@pytest.mark.parametrize(
    ("return_e8", "side", "met"), [(200, 1, True), (-200, -1, True), (199, 1, False), (-199, -1, False), (0, 0, False)]
)
def test_threshold_is_inclusive_on_both_sides(return_e8: int, side: int, met: bool) -> None:
    """A return of exactly two standard deviations is met in either direction."""
    signal = momentum(features(return_e8=return_e8), Thresholds())
    assert signal == Signal("momentum", return_e8 / 100.0, 2.0, side, True, met)


@pytest.mark.parametrize(("compiled", "met"), [(300, True), (301, False)])
def test_compiled_threshold_decides_where_it_is_given(compiled: int, met: bool) -> None:
    """A panel cannot differ from the trigger that woke it by a rounding of σ."""
    assert momentum(features(return_threshold_e8=compiled), Thresholds()).met is met


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"momentum_s": 63}, "warming up: 63 of 120 s"),
        ({"return_e8": None}, "no price at the start of the window"),
        ({"sigma_e8": None}, "the price has not moved: no standard deviation"),
        ({"sigma_e8": 0.0}, "the price has not moved: no standard deviation"),
    ],
)
def test_undefined_says_why(changes: dict[str, Any], why: str) -> None:
    """Each way to have no value has its own reason, and none of them is met."""
    assert momentum(features(**changes), Thresholds()) == Signal("momentum", None, 2.0, 0, False, False, why)
