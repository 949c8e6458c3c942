"""Terms: what cannot be meant is refused with one sentence."""

from __future__ import annotations

import pytest

from exchange.simulated.terms import PaperTerms
from models.error import ConfigurationError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latency_out_ns", -1),
        ("latency_back_ns", 61_000_000_000),
        ("jitter_ns", -5),
        ("lag_bound_ns", -1),
        ("queue", "fair"),
        ("reports", "soon"),
        ("stop_price", "index"),
        ("take_bound_e8", 0),
        ("take_bound_e8", 100_000_000),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    """The message names the key and the value it cannot take."""
    with pytest.raises(ConfigurationError, match=f"{name} is {value!r}"):
        PaperTerms(**{name: value})  # type: ignore[arg-type]


def test_the_defaults_are_valid() -> None:
    """Without arguments the terms are those of the design: horizon reports and a lag bound of 250 ms."""
    terms = PaperTerms()
    assert (terms.reports, terms.lag_bound_ns, terms.queue) == ("horizon", 250_000_000, "risk_averse")
