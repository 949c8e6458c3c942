"""Limits over time: daily loss (P21), drawdown (P22), fee budget (P23) and losing streak (P24), on equity that counts
open profit. Pure: they say which causes hold, the engine blocks by them.
"""

from __future__ import annotations

from collections.abc import Iterator

from config.settings import Risk
from core.risk.ledger import RiskLedger
from core.risk.mode import Cause


def losses(risk: Risk, ledger: RiskLedger, equity_e8: int) -> Iterator[tuple[Cause, str]]:
    """Every loss limit that ``equity_e8`` breaks, with both numbers."""
    loss_pct = (ledger.day_start_e8 - equity_e8) * 100 / ledger.start_e8
    if loss_pct >= risk.daily_loss_hard_pct:
        yield Cause.DAILY_LOSS_HARD, f"day loss {loss_pct:.2f} % of equity >= {risk.daily_loss_hard_pct} %"
    elif loss_pct >= risk.daily_loss_soft_pct:
        yield Cause.DAILY_LOSS_SOFT, f"day loss {loss_pct:.2f} % of equity >= {risk.daily_loss_soft_pct} %"
    fall_pct = (ledger.peak_e8 - equity_e8) * 100 / ledger.peak_e8
    if fall_pct >= risk.drawdown_max_pct:
        yield Cause.DRAWDOWN, f"drawdown {fall_pct:.2f} % >= {risk.drawdown_max_pct} %"
    fees_pct = ledger.day_fees_e8 * 100 / ledger.start_e8
    if fees_pct >= risk.fee_budget_pct:
        yield Cause.FEE_BUDGET, f"fees of the day {fees_pct:.2f} % of equity >= {risk.fee_budget_pct} %"


def streak(risk: Risk, ledger: RiskLedger) -> tuple[Cause, str] | None:
    """What the row of losing trades calls for: a pause, or a halt that a person lifts."""
    row = ledger.losses_in_row
    if row >= risk.streak_halt:
        return Cause.STREAK_HALT, f"{row} losing trades in a row >= {risk.streak_halt}"
    if row >= risk.streak_pause:
        return Cause.STREAK_PAUSE, f"{row} losing trades in a row >= {risk.streak_pause}"
    return None
