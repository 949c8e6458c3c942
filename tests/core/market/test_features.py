"""The market in numbers, against figures worked out by hand."""

from __future__ import annotations

import pytest

from core.market.features import features, levels
from models.rows import ASK, BID, SELL
from tests.builders import MS, SECOND, Frames
from tests.core.desk import INSTRUMENT, MID, Desk

BOOK = [(BID, MID - 1, 60), (BID, MID - 3, 40), (ASK, MID + 1, 20), (ASK, MID + 2, 30)]


def desk() -> Desk:
    """A desk that has heard one book."""
    made = Desk()
    made.hear(Frames().snapshot(made.now_ns + MS, BOOK))
    return made


def test_levels_come_best_first() -> None:
    """Bids fall, asks rise, empty ticks are left out."""
    bids, asks = levels(desk().engine.memory, 0)
    assert bids.tolist() == [[MID - 1, 60], [MID - 3, 40]]
    assert asks.tolist() == [[MID + 1, 20], [MID + 2, 30]]


def test_a_book_in_numbers() -> None:
    """Mid, spread, depth, imbalance and weighted mid of two levels a side, as their definitions give them."""
    found = features(desk().engine.memory, INSTRUMENT)
    assert found["mid"] == "77000.00"
    assert found["spread_bps"] == pytest.approx(20_000 / MID, abs=1e-4)
    assert found["depth_50bps"] == "0.150"
    assert found["imbalance"] == pytest.approx((100 - 50) / 150, abs=1e-4)
    assert found["weighted_mid"] == f"{(MID - 1 + 2 * 60 / 80) / 10:.3f}"
    assert found["imbalance_weighted"] == pytest.approx(1 / 3, abs=1e-3)  # 5 bps are 385 ticks: weights near one


def test_what_is_not_known_is_none() -> None:
    """Without a book, trades and ten seconds, everything that needs them is None, never zero."""
    empty = features(Desk().engine.memory, INSTRUMENT)
    needing = (
        "mid",
        "spread_bps",
        "depth_50bps",
        "imbalance",
        "volume_x",
        "momentum_bps",
        "weighted_mid",
        "order_flow_10s",
    )
    assert {name: empty[name] for name in needing} == dict.fromkeys(needing)
    assert empty["liq_count"] == 0


def test_flows_are_differences_of_ten_seconds() -> None:
    """Trades before the window do not count; buys and sells inside it make the trade flow."""
    made = desk()
    start = made.now_ns
    for second in range(14):
        at = start + second * SECOND
        frames = Frames()
        frames.trade(at + 10 * MS, MID, 5, side=SELL if second < 2 else 0)
        if second == 8:
            frames.trade(at + 20 * MS, MID, 10, side=SELL)
        frames.depth(at + 30 * MS, [(BID, MID - 1, 60)])
        made.hear(frames)
    found = features(made.engine.memory, INSTRUMENT)
    bought, sold = 10 * 5, 10
    assert found["trade_flow_10s"] == pytest.approx((bought - sold) / (bought + sold), abs=1e-4)
