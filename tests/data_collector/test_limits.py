"""The bounds of the feed."""

from __future__ import annotations

import pytest

from data_collector.limits import FeedLimits
from models.error import ConfigurationError


def test_the_defaults_stay_inside_the_venues_own_limits() -> None:
    """The shipped numbers keep every limit the venue and the fault catalogue state."""
    limits = FeedLimits()
    assert limits.messages_per_s < 10 and limits.streams_max <= 1024
    assert limits.attempts_max <= 20 and limits.attempts_window_s >= 300 and limits.backoff_cap_s <= 60
    assert limits.rotate_after_s + limits.connect_timeout_s + limits.answer_timeout_s < 23.5 * 3600


@pytest.mark.parametrize("name", ["connect_timeout_s", "messages_per_s", "attempts_max", "pulse_ms"])
def test_a_bound_of_zero_is_refused(name: str) -> None:
    """A bound that would never end, or never let anything through, is a configuration mistake."""
    with pytest.raises(ConfigurationError, match=f"{name} must be above zero"):
        FeedLimits(**{name: 0})


def test_a_pong_must_be_due_before_the_next_ping() -> None:
    """A keepalive timeout above its interval is refused."""
    with pytest.raises(ConfigurationError, match="keepalive_timeout_s"):
        FeedLimits(keepalive_interval_s=1, keepalive_timeout_s=2)
