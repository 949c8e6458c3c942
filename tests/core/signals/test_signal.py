"""What all signals share."""

from __future__ import annotations

import pytest

from core.signals.signal import Thresholds, not_known, sign
from tests.core.signals.features import features


def test_records_cannot_be_changed() -> None:
    """Features, thresholds and signals are read-only."""
    for record, field in ((features(), "bid_sum"), (Thresholds(), "baseline_bars"), (not_known("x", 1.0, "y"), "met")):
        with pytest.raises(AttributeError):
            setattr(record, field, 1)


def test_sign() -> None:
    """The direction of a number."""
    assert [sign(number) for number in (-7, 0, 7)] == [-1, 0, 1]
