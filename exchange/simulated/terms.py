"""The terms on which the simulated exchange trades: latencies, lag bound, queue model, fees. Fixed for a run."""

from __future__ import annotations

import msgspec

from models.error import ConfigurationError
from models.instrument import Fees

QUEUES = ("risk_averse", "probability")
REPORTS = ("horizon", "exact")
STOP_PRICES = ("trade", "mark")
LATENCY_NS_MAX = 60_000_000_000  # a minute: beyond it a setting was given in the wrong unit


class PaperTerms(msgspec.Struct, frozen=True):
    """All times in nanoseconds, rates at 1e-8.

    ``latency_out_ns``/``latency_back_ns``: us → matching engine and back (quant E.1); each gets a seeded share of
    ``jitter_ns`` on top, and neither direction overtakes. ``lag_bound_ns``: in silence, how far a tick must lie beyond
    an arrival to prove that no earlier depth frame can still come (250 ms: the slowest stream's interval).
    ``queue``: how cancels ahead of a resting order are judged. ``reports``: ``horizon`` shows a report not before the
    frame that proved it was received; ``exact`` shows it at arrival plus latency and needs a driver that reads ahead.
    ``stop_price``: what triggers stops: the last trade (the venue's CONTRACT_PRICE) or the mark. ``take_bound_e8``:
    the venue's ``marketTakeBound``. ``fees`` replaces the instruments' own rates when given.
    """

    latency_out_ns: int = 10_000_000
    latency_back_ns: int = 10_000_000
    jitter_ns: int = 0
    seed: int = 0
    lag_bound_ns: int = 250_000_000
    queue: str = "risk_averse"
    reports: str = "horizon"
    stop_price: str = "trade"
    take_bound_e8: int = 5_000_000
    fees: Fees | None = None

    def __post_init__(self) -> None:
        for name in ("latency_out_ns", "latency_back_ns", "jitter_ns", "lag_bound_ns"):
            if not 0 <= getattr(self, name) <= LATENCY_NS_MAX:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must lie between 0 and {LATENCY_NS_MAX} (one minute)"
                )
        for name, choices in (("queue", QUEUES), ("reports", REPORTS), ("stop_price", STOP_PRICES)):
            if getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        if not 0 < self.take_bound_e8 < 100_000_000:
            raise ConfigurationError(
                f"take_bound_e8 is {self.take_bound_e8}; it must lie between 0 and 1 (100000000), e.g. 5000000 for 5 %"
            )
