"""Text to ticks and lots on the general path, against exact decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.normalizer import lots, money_e8, nearest_tick, ticks
from data_collector.quarantine import Reason
from data_collector.validator import Refusal
from tests.data_collector.frames import BTC, ETH

DECIMALS = st.tuples(st.integers(0, 10**10 - 1), st.text("0123456789", max_size=8)).map(
    lambda parts: f"{parts[0]}.{parts[1]}" if parts[1] else str(parts[0])
)
ODD: list[tuple[Any, Reason]] = [
    (1, Reason.WRONG_TYPE), (1.5, Reason.WRONG_TYPE), (None, Reason.WRONG_TYPE), (b"1", Reason.WRONG_TYPE),
    ("", Reason.BAD_NUMBER), (".5", Reason.BAD_NUMBER), ("5.", Reason.BAD_NUMBER), ("+1", Reason.BAD_NUMBER),
    ("1e5", Reason.BAD_NUMBER), ("NaN", Reason.BAD_NUMBER), ("Infinity", Reason.BAD_NUMBER), (" 1", Reason.BAD_NUMBER),
    ("1\n", Reason.BAD_NUMBER), ("1,5", Reason.BAD_NUMBER), ("0x1", Reason.BAD_NUMBER), ("٣", Reason.BAD_NUMBER),
    ("1_0", Reason.BAD_NUMBER), ("12345678901", Reason.BAD_NUMBER), ("1.123456789", Reason.BAD_NUMBER),
    ("-1", Reason.NEGATIVE), ("-0", Reason.NEGATIVE),
]  # fmt: skip


@given(DECIMALS)
def test_money_is_exact(text: str) -> None:
    """A decimal of at most ten digits and eight places is its value at 1e-8, without any rounding."""
    assert money_e8(text, "p") == int(Decimal(text).scaleb(8))
    assert money_e8("-" + text, "r", signed=True) == -money_e8(text, "r")


@pytest.mark.parametrize(("text", "reason"), ODD, ids=lambda part: repr(part)[:20])
def test_what_is_no_plain_decimal_is_refused(text: Any, reason: Reason) -> None:
    """Another type, notation, alphabet or length has its reason, for money, prices and quantities alike."""
    for reading in (money_e8, lambda text, name: ticks(text, name, BTC), lambda text, name: lots(text, name, BTC)):
        with pytest.raises(Refusal) as caught:
            reading(text, "p")
        assert caught.value.reason is reason


@given(st.integers(0, 10**10))
def test_prices_count_the_tick(cents: int) -> None:
    """A price is its number of ticks when the tick divides it, is refused as off the grid else, and zero is none."""
    text = f"{cents // 100}.{cents % 100:02d}"
    if cents % 10 or cents == 0:
        with pytest.raises(Refusal) as caught:
            ticks(text, "p", BTC)
        assert caught.value.reason is (Reason.OFF_TICK if cents % 10 else Reason.ZERO_PRICE)
    else:
        assert ticks(text, "p", BTC) == cents // 10
    assert cents == 0 or ticks(text, "p", ETH) == cents


@given(st.integers(0, 10**9))
def test_quantities_count_the_step(value: int) -> None:
    """A quantity is its number of steps, zero included; a finer one is refused."""
    assert lots(f"{value // 1000}.{value % 1000:03d}", "q", BTC) == value
    with pytest.raises(Refusal) as caught:
        lots(f"{value // 1000}.{value % 1000:03d}5", "q", BTC)
    assert caught.value.reason is Reason.OFF_STEP


@given(st.integers(1, 10**12))
def test_an_average_price_goes_to_the_nearest_tick(value_e8: int) -> None:
    """An average lies between ticks: the nearest one counts, halves go up, and it is never below one."""
    text = f"{Decimal(value_e8).scaleb(-8):f}"
    exact = Decimal(value_e8) / BTC.tick_e8
    assert nearest_tick(text, "ap", BTC) == max(1, int(exact + Decimal("0.5")))
    with pytest.raises(Refusal, match="ap is zero"):
        nearest_tick("0.0", "ap", BTC)
