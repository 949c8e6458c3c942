"""The arm step: before money moves, what the account's numbers mean is told, and somebody says yes.

Live trades only with ``--confirm LIVE``; without it the statement is printed and the start refused. An account on which
no entry would fit, or whose liquidation lies too near the stop, is refused in every mode.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from config.settings import Settings
from interface.economics import reckon, sentences
from models.error import PreflightError, UsageError
from models.instrument import E8, Instrument, e8_text

CONFIRMED = "LIVE"


def statement(settings: Settings, instruments: Sequence[Instrument], marks: Sequence[int], wallet_e8: int) -> list[str]:
    """Break-even edge, cost of a stop and liquidation distance of each contract, for this wallet and its fees.

    ``marks`` in ticks. Raises PreflightError (ACCOUNT) when no entry fits or a stop would lie too near to liquidation.
    """
    if wallet_e8 <= 0:
        raise PreflightError("the account holds no money in the settlement asset; move some into it", code="ACCOUNT")
    equity = wallet_e8 / E8
    risk = msgspec.structs.replace(settings.risk, equity_usdt=equity)
    sized = msgspec.structs.replace(settings, risk=risk)
    lines = [f"wallet {e8_text(wallet_e8)} USDT, leverage {risk.leverage}x, profile {risk.profile}"]
    for instrument, mark in zip(instruments, marks, strict=True):
        facts = reckon(sized, instrument, mark)
        lines += sentences(facts, instrument, equity)
        if not facts.lots:
            raise PreflightError(
                f"{facts.symbol}: the smallest entry, {e8_text(facts.notional_min_e8)} USDT, breaks a limit for a "
                f"wallet of {e8_text(wallet_e8)} USDT; trade a contract with a smaller minimum, or add money",
                code="ACCOUNT",
            )
        if facts.liquidation_pct < risk.liquidation_multiple_min * facts.stop_pct:
            raise PreflightError(
                f"{facts.symbol}: liquidation lies {facts.liquidation_pct:.2f} % from entry, less than "
                f"{risk.liquidation_multiple_min:g} times the stop (P07); lower risk.leverage or "
                "strategy.params.stop_pct",
                code="ACCOUNT",
            )
    return lines


def arm(arguments: argparse.Namespace, mode: str, lines: Sequence[str]) -> None:
    """Tell the statement on stderr. Raises UsageError (NOT_CONFIRMED) in live without the word."""
    for line in lines:
        sys.stderr.write(f"scalper: {mode}: {line}\n")
    if mode == "live" and getattr(arguments, "confirm", None) != CONFIRMED:
        raise UsageError(
            f"live trades with real money; read the lines above, then start with --confirm {CONFIRMED}",
            code="NOT_CONFIRMED",
        )
