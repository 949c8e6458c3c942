"""What the account's numbers mean."""

import pytest

from config.load import load
from config.settings import Settings
from config.venue import shipped_instruments
from interface.economics import (
    BPS_E8,
    PERCENT_E8,
    liquidation_pct,
    lots_min,
    lots_target,
    rate_e8,
    reckon,
    sentences,
    taker_e8,
)
from models.instrument import E8

BTC = shipped_instruments(["BTCUSDT"])[0]
PRICE = 770_000  # ticks of 0.10


def with_settings(tmp_path, *overrides):
    """Settings with overrides only."""
    return load(environment={}, folder=tmp_path, overrides=overrides).settings


def test_owner_position_is_eight_lots():
    """70 USDT at 10 times leave room for 616 USDT after both fees and 1 % headroom (design §8)."""
    assert (lots_target(Settings(), BTC, PRICE), BTC.notional_e8(PRICE, 8)) == (8, 616 * E8)


def test_cautious_position_obeys_value_risk_and_quantity(tmp_path):
    """The cautious profile allows 0.003 BTC, 231 USDT."""
    assert lots_target(with_settings(tmp_path, "risk.profile=cautious"), BTC, PRICE) == 3


def test_position_that_is_too_small_is_none(tmp_path):
    """When the largest allowed value is below the venue's smallest order there is no position."""
    assert lots_target(with_settings(tmp_path, "risk.equity_usdt=7"), BTC, PRICE) == 0


@pytest.mark.parametrize(("price", "lots"), [(770_000, 1), (400_000, 2), (500_000, 1), (499_999, 2)])
def test_smallest_entry_reaches_the_minimum_notional(price, lots):
    """The smallest entry is the first lot multiple worth at least 50 USDT."""
    assert lots_min(BTC, price) == lots


def test_liquidation_distance_equals_the_venues_formula():
    """Long 1 BTC from 76,915.04 with 3,845.752 margin is liquidated at 73,362.74 (venue reference §9.2)."""
    notional_e8 = 7_691_504_000_000
    distance = liquidation_pct(BTC, notional_e8, 20)
    assert 76_915.04 * (1 - distance / 100) == pytest.approx(73_362.74, abs=0.005)


def test_fixed_fees_replace_the_contracts(tmp_path):
    """With fees = "fixed" the settings' rate counts, else the contract's."""
    fixed = with_settings(tmp_path, "paper.fees=fixed", "paper.taker_bps=4")
    assert (taker_e8(Settings(), BTC), taker_e8(fixed, BTC)) == (50_000, 40_000)


def test_percent_and_bps_become_rates():
    """A percent is 1e6 and a basis point 1e4 at 1e-8."""
    assert (rate_e8(0.05, PERCENT_E8), rate_e8(5.0, BPS_E8)) == (50_000, 50_000)


def test_sentences_hold_the_numbers():
    """Each honest line has its amount and unit."""
    lines = sentences(reckon(Settings(), BTC, PRICE), BTC, 70.0)
    assert lines == [
        "BTCUSDT at 77000.00: position 0.008 BTC = 616.00 USDT, smallest entry 77.00 USDT",
        "break-even edge 10.01 bps a round trip (fees both ways and the spread); fees 0.62 USDT each time",
        "a stop at 5 % costs 31.42 USDT with fees, 44.9 % of 70 USDT",
        "liquidation 9.64 % from entry, 1.93 times as far as the stop",
        "the fee budget of a day pays 11 round trips",
    ]
