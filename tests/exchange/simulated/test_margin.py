"""Margin: brackets and the liquidation price."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.simulated.ledger import Position
from exchange.simulated.margin import (
    UNKNOWN_BRACKETS,
    bracket_at,
    brackets_of,
    initial_e8,
    liquidation_ticks,
    maintenance_e8,
)
from models.instrument import E8
from tests.contract import BRACKETS, INSTRUMENT, MID


def test_the_reference_s_check_value() -> None:
    """Long 1 BTC at 76,915.04 with 3,845.752 of margin: 73,362.74, here the tick of 0.01 at or below."""
    assert liquidation_ticks(BRACKETS[:1], 1000, 7_691_504 * 1000, 1000, 384_575_200_000) == 7_336_273


@pytest.mark.parametrize(("notional", "expected"), [(100_000, 400), (300_000, 1200), (400_000, 1700)])
def test_maintenance_by_bracket(notional: int, expected: int) -> None:
    """Notional times rate minus cum; the brackets meet without a jump."""
    assert maintenance_e8(BRACKETS, notional * E8) == expected * E8


def test_above_the_last_bracket_the_last_one_holds() -> None:
    """A notional beyond every cap uses the last row."""
    assert bracket_at(BRACKETS, 10**9 * E8) is BRACKETS[-1]


def test_unknown_brackets_are_stricter_than_known_ones() -> None:
    """An instrument without brackets is liquidated rather too early."""
    assert brackets_of(msgspec.structs.replace(INSTRUMENT, brackets=())) is UNKNOWN_BRACKETS
    assert maintenance_e8(UNKNOWN_BRACKETS, 1000 * E8) > maintenance_e8(BRACKETS, 1000 * E8)


@given(st.integers(1, 20_000), st.integers(1, 125), st.sampled_from((1, -1)), st.integers(MID - 999, MID + 999))
def test_the_liquidation_price_is_the_first_bankrupt_tick(lots: int, leverage: int, sign: int, price: int) -> None:
    """At the price the position is liquidated by the exact rule, one tick nearer to the entry it is not."""
    position = Position(INSTRUMENT)
    position.trade(sign, price, lots, leverage)
    tick = position.liquidation_ticks()
    if tick == 0:
        assert sign > 0 and not position.bankrupt(INSTRUMENT.tick_e8)
    else:
        assert position.bankrupt(tick * INSTRUMENT.tick_e8)
        assert position.bankrupt((tick + sign) * INSTRUMENT.tick_e8) is (sign * (tick + sign - price) >= 0)


def test_a_flat_or_overfunded_position_has_no_liquidation_price() -> None:
    """No lots, or margin above the cost of a long: 0."""
    assert liquidation_ticks(BRACKETS, 0, 0, 10_000, 0) == 0
    assert liquidation_ticks(BRACKETS, 1, MID, 10_000, MID * 10_000) == 0


def test_initial_margin_rounds_up() -> None:
    """A third of ten is four."""
    assert initial_e8(10, 3) == 4
