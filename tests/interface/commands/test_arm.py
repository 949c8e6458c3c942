"""The arm step: what the account's numbers mean, and the word without which no money moves."""

from __future__ import annotations

import argparse

import pytest

from config.settings import Settings
from config.venue import example_price, shipped_instruments
from interface.commands.arm import arm, statement
from models.error import PreflightError, UsageError
from models.instrument import E8
from tests.core.desk import settings

INSTRUMENTS = shipped_instruments(["BTCUSDT"])
MARKS = [example_price("BTCUSDT")]


def test_the_statement_names_edge_stop_and_liquidation() -> None:
    """For the wallet at hand: break-even edge in bps, cost of a stop in USDT and percent, liquidation distance."""
    lines = "\n".join(statement(settings(), INSTRUMENTS, MARKS, 70 * E8))
    assert "wallet 70 USDT, leverage 10x" in lines
    assert "break-even edge 10.0" in lines
    assert "a stop at 5 % costs" in lines and "% of 70 USDT" in lines
    assert "liquidation 9." in lines


@pytest.mark.parametrize(
    ("wallet_e8", "words"),
    [(0, "holds no money"), (2 * E8, "breaks a limit for a wallet of 2 USDT")],
)
def test_an_account_on_which_nothing_fits_is_refused(wallet_e8: int, words: str) -> None:
    """No money, or less than the smallest entry needs, ends the start with what would be right."""
    with pytest.raises(PreflightError, match=words) as caught:
        statement(settings(), INSTRUMENTS, MARKS, wallet_e8)
    assert (caught.value.code, caught.value.exit_code) == ("ACCOUNT", 4)


def test_a_liquidation_too_near_the_stop_is_refused() -> None:
    """P07: at a leverage whose liquidation lies within 1.5 times the stop nothing starts."""
    wanted: Settings = settings("owner", "risk.leverage=14")
    with pytest.raises(PreflightError, match=r"\(P07\); lower risk\.leverage"):
        statement(wanted, INSTRUMENTS, MARKS, 70 * E8)


def test_live_needs_its_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--confirm LIVE`` the statement is told and the start refused; other modes go on."""
    for confirm in (None, "live", "YES"):
        with pytest.raises(UsageError, match="--confirm LIVE") as caught:
            arm(argparse.Namespace(confirm=confirm), "live", ["a line"])
        assert caught.value.code == "NOT_CONFIRMED"
    arm(argparse.Namespace(confirm="LIVE"), "live", ["a line"])
    arm(argparse.Namespace(), "testnet", ["a line"])
    assert capsys.readouterr().err.count("a line") == 5
