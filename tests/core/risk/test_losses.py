"""Limits over time are judged on equity, with both numbers in the words."""

from __future__ import annotations

import msgspec
import pytest

from config.settings import Risk
from core.risk.ledger import RiskLedger
from core.risk.losses import losses, streak
from core.risk.mode import Cause
from models.instrument import E8

RISK = msgspec.structs.replace(
    Risk(), daily_loss_soft_pct=5.0, daily_loss_hard_pct=10.0, drawdown_max_pct=20.0, fee_budget_pct=2.0,
    streak_pause=4, streak_halt=8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("equity", "causes"),
    [
        (100.0, []), (95.01, []), (95.0, [Cause.DAILY_LOSS_SOFT]), (90.01, [Cause.DAILY_LOSS_SOFT]),
        (90.0, [Cause.DAILY_LOSS_HARD]), (80.0, [Cause.DAILY_LOSS_HARD, Cause.DRAWDOWN]),
    ],
)  # fmt: skip
def test_a_loss_blocks_at_its_limit_and_not_before(equity: float, causes: list[Cause]) -> None:
    """Soft, hard and drawdown limits hold from exactly their share of the equity on."""
    assert [cause for cause, _ in losses(RISK, RiskLedger(100 * E8), round(equity * E8))] == causes


def test_a_drawdown_counts_from_the_peak() -> None:
    """A fall from a peak above the start is a drawdown even in a day without a loss."""
    ledger = RiskLedger(100 * E8)
    ledger.mark(150 * E8)
    assert list(losses(RISK, ledger, 120 * E8)) == [(Cause.DRAWDOWN, "drawdown 20.00 % >= 20.0 %")]


def test_fees_of_the_day_have_a_budget() -> None:
    """Fees alone block, whatever the trades brought."""
    ledger = RiskLedger(100 * E8)
    ledger.fill(5 * E8, 2 * E8)
    assert list(losses(RISK, ledger, 103 * E8)) == [(Cause.FEE_BUDGET, "fees of the day 2.00 % of equity >= 2.0 %")]


@pytest.mark.parametrize(
    ("row", "cause"),
    [(0, None), (3, None), (4, Cause.STREAK_PAUSE), (7, Cause.STREAK_PAUSE), (8, Cause.STREAK_HALT)],
)
def test_a_row_of_losses_pauses_then_halts(row: int, cause: Cause | None) -> None:
    """The pause begins at its number of losing trades, the halt at a larger one."""
    ledger = RiskLedger(100 * E8)
    for _ in range(row):
        ledger.trip(-1)
    found = streak(RISK, ledger)
    assert (found and found[0]) == cause
