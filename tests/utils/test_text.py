"""Names and durations a person types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.text import DURATION_MAX_NS, duration_ns, duration_text, nearest


@pytest.mark.parametrize(
    ("name", "expected"), [("leverge", "leverage"), ("LEVERAGE", "leverage"), ("zzz", None), ("", None)]
)
def test_nearest_name(name, expected):
    """The nearest known name is found, and nothing when none is near."""
    assert nearest(name, ["leverage", "stop_pct"]) == expected


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("60s", 60_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("0.1us", 100),
        (" 5m ", 300_000_000_000),
        ("0s", 0),
    ],
)
def test_durations_are_read_exactly(text, ns):
    """A duration is a whole number of nanoseconds, without float rounding."""
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "60", "s", "5 m", "-1s", "1s x", "nan", "1e3s", "400d"])
def test_bad_durations_are_refused(text):
    """A text without unit, with rests or beyond a year is refused with what would be right."""
    with pytest.raises(ValueError, match=r"write it like|longest duration"):
        duration_ns(text)


@given(st.integers(0, DURATION_MAX_NS))
def test_duration_text_reads_back(ns):
    """Writing a duration and reading it gives the same duration."""
    assert duration_ns(duration_text(ns)) == ns


def test_negative_durations_are_shown_with_a_minus():
    """A negative duration is the positive one behind a minus."""
    assert duration_text(-90_000_000_000) == "-1m30s"
