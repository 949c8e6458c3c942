"""The size of an entry."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import Risk
from core.risk.sizing import Size, entry_lots, loss_rate_e8, stop_budget_e8
from models.instrument import E8, Filters, Instrument
from tests.core import desk
from tests.core.desk import INSTRUMENT


def size(profile: str = "owner", price: int = 770_000, *, stop_pct: float | None = None, **changes: Any) -> Size:
    """The size at ``price`` with the account untouched; ``changes`` are equity, value, margin, or risk settings."""
    chosen = desk.settings(profile)
    account = {"equity_e8": 70 * E8, "value_e8": 0, "margin_e8": 0}
    account |= {name: changes.pop(name) for name in list(changes) if name in account}
    risk = msgspec.structs.replace(chosen.risk, **changes)
    stop = chosen.strategy.params.stop_pct if stop_pct is None else stop_pct
    return entry_lots(INSTRUMENT, price, risk, stop, **account)


def test_the_owners_example() -> None:
    """70 USDT at 10× and 77,000 USDT/BTC is 8 lots of 0.001, 616 USDT: the ninth would not leave the headroom."""
    assert size() == Size(8, "P05")


@pytest.mark.parametrize(
    ("price", "expected"), [(770_000, Size(3, "P02")), (800_000, Size(2, "P06")), (1_200_000, Size(1, "P06"))]
)
def test_the_cautious_profile_trades_small(price: int, expected: Size) -> None:
    """Order value and the 2 % that a stop may cost leave 0.003 BTC at 77,000, 0.002 at 80,000 and 0.001 at 120,000."""
    assert size("cautious", price) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"leverage": 2}, Size(1, "LEVERAGE")),
        ({"order_value_max_equity": 3.3}, Size(3, "P02")),
        ({"order_value_max_equity": 3.299}, Size(2, "P02")),
        ({"order_quantity_max": {"BTCUSDT": 0.005}}, Size(5, "P02")),
        ({"order_quantity_max": {"ETHUSDT": 0.005}}, Size(8, "P05")),
        ({"position_value_max_equity": 5.0, "value_e8": 119 * E8}, Size(3, "P03")),
        ({"margin_e8": 35 * E8}, Size(4, "P05")),
        ({"margin_floor_pct": 50.0}, Size(4, "P05")),
        ({"trade_risk_max_pct": 10.0}, Size(1, "P06")),
        ({"equity_e8": 7 * 10**14}, Size(120_000, "FILTER")),
    ],
)
def test_each_bound_can_be_the_narrowest(changes: dict[str, Any], expected: Size) -> None:
    """Whichever limit is reached first decides, and is named."""
    assert size(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({"equity_e8": 0}, "LEVERAGE"),
        ({"equity_e8": -5}, "LEVERAGE"),
        ({"price": 0}, "LEVERAGE"),
        ({"margin_e8": 70 * E8}, "P05"),
        ({"value_e8": 7_000 * E8}, "P03"),
    ],
)
def test_nothing_fits(changes: dict[str, Any], bound: str) -> None:
    """Without equity, without a price, or with everything in use already the size is 0, never negative."""
    assert size(**changes) == Size(0, bound)


def test_below_the_venues_minimum_is_nothing() -> None:
    """When limits leave less than the venue's smallest order there is no order, instead of a larger one."""
    coarse = msgspec.structs.replace(
        INSTRUMENT, filters=msgspec.structs.replace(INSTRUMENT.filters, market_quantity_min=9)
    )
    assert entry_lots(coarse, 770_000, desk.settings().risk, 5.0, 70 * E8, 0, 0) == Size(0, "P05")


def test_the_loss_of_a_stop_counts_both_fees() -> None:
    """A stop 5 % away costs 5.1 % of the value with taker fees of 0.05 % each way; 55 % of 70 USDT may be lost."""
    assert loss_rate_e8(INSTRUMENT, 5.0) == 5_100_000
    assert stop_budget_e8(desk.settings().risk, 70 * E8) == 3_850_000_000


FILTERS = Filters(
    price_min=1,
    price_max=1 << 40,
    quantity_min=1,
    quantity_max=1 << 40,
    market_quantity_min=1,
    market_quantity_max=1 << 40,
    notional_min_e8=0,
)
PERCENT = st.integers(1, 9_900).map(lambda hundredths: hundredths / 100)


def fits(lots: int, one_e8: int, risk: Risk, stop_pct: float, account: tuple[int, int, int]) -> bool:
    """Whether ``lots`` of value ``one_e8`` each keep every limit, in exact fractions."""
    equity, value, margin = account
    worth, fee = lots * one_e8, Fraction(50_000, E8)
    floor = int(equity * risk.margin_floor_pct) // 100
    return (
        worth <= equity * risk.leverage
        and worth <= int(equity * risk.order_value_max_equity)
        and value + worth <= int(equity * risk.position_value_max_equity)
        and Fraction(worth, risk.leverage) + 2 * worth * fee <= equity - margin - floor
        and worth * (Fraction(round(stop_pct * E8) // 100, E8) + 2 * fee)
        <= int(equity * risk.trade_risk_max_pct) // 100
    )


@given(
    price=st.integers(1, 10**7),
    unit=st.sampled_from([(10_000_000, 100_000), (1_000_000, 1_000_000), (1_000, 100 * E8)]),
    equity_e8=st.integers(1, 10_000 * E8),
    used=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    leverage=st.integers(1, 125),
    multiples=st.tuples(PERCENT, PERCENT),
    percents=st.tuples(PERCENT, PERCENT, PERCENT),
)
@settings(deadline=None)
def test_the_size_is_the_most_that_keeps_every_limit(
    price: int,
    unit: tuple[int, int],
    equity_e8: int,
    used: tuple[int, int],
    leverage: int,
    multiples: tuple[float, float],
    percents: tuple[float, float, float],
) -> None:
    """The lots found keep all limits in exact arithmetic, and one lot more breaks one of them."""
    contract = Instrument("X", 0, 0, unit[0], unit[1], 4, 4, FILTERS)
    risk = Risk(
        leverage=leverage,
        order_value_max_equity=multiples[0],
        position_value_max_equity=multiples[1],
        margin_floor_pct=percents[0],
        trade_risk_max_pct=percents[1],
    )
    value_e8, margin_e8 = (equity_e8 * share // 100 for share in used)
    lots, _ = entry_lots(contract, price, risk, percents[2], equity_e8, value_e8, margin_e8)
    account, one_e8 = (equity_e8, value_e8, margin_e8), price * contract.unit_e8
    assert lots == 0 or fits(lots, one_e8, risk, percents[2], account)
    assert not fits(lots + 1, one_e8, risk, percents[2], account)
