"""F12: a gap every second must not become a ban."""

from __future__ import annotations

import asyncio
import time

import pytest

from exchange.binance.rest import MarketRest, RestLimits
from exchange.binance.weights import NORMAL_SHARE, WINDOW_S, SnapshotBudget, WeightLedger
from models.error import VenueUnreachableError
from tests.fakes.venue_rest import Answer, FakeRest


def test_a_gap_every_second_stays_within_the_budget() -> None:
    """Five minutes of resyncs of three symbols never take more than 6 snapshots a minute each, nor half the weight."""
    budget, ledger, taken = SnapshotBudget(), WeightLedger(), []
    for second in range(300):
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            if budget.wait_s(symbol, float(second)) == 0 and ledger.wait_s(20, float(second)) == 0:
                budget.take(symbol, float(second))
                ledger.spend(20, float(second))
                taken.append((second, symbol))
        minute = [symbol for at, symbol in taken if at > second - WINDOW_S]
        assert max(map(minute.count, minute)) <= 6
        assert ledger.used(float(second)) <= ledger.limit * NORMAL_SHARE
    assert len(taken) == 3 * 30


def test_a_snapshot_that_times_out_is_one_clear_error() -> None:
    """Timeouts are retried with backoff and end as one error that names the host, nothing else."""

    async def run() -> int:
        limits = RestLimits(total_s=0.03, tries=3, backoff_base_s=0.001)
        async with FakeRest() as venue, MarketRest(venue.url, time.monotonic_ns, limits=limits) as rest:
            venue.standing["depth"] = Answer(delay_s=60)
            with pytest.raises(VenueUnreachableError, match="did not answer depth in 3 attempts"):
                await rest.depth("BTCUSDT")
            return len(venue.requests)

    assert asyncio.run(run()) == 3
