"""F50: funding, fees in another asset, money that comes and goes; and a wallet that is not what the books say."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.instrument import E8
from tests.faults.real_run import Scene, running


def test_the_books_are_the_wallet_to_the_last_digit(tmp_path: Path) -> None:
    """Funding paid and earned, a deposit, a withdrawal and round trips: the wallet of the books is the venue's to 1e-8,
    and a deposit is no profit."""

    async def script(scene: Scene) -> None:
        ledger = scene.engine.ledger
        await scene.open()
        for rate in ("0.00123457", "-0.00098761"):
            scene.pull("funding", {"symbol": "BTCUSDT", "rate": rate})
        await scene.until(lambda: ledger.funding_e8, "the funding booked")
        start_e8 = ledger.day_start_e8
        scene.pull("deposit", {"account": "main", "amount": "12.34567891"})
        await scene.until(lambda: ledger.day_start_e8 == start_e8 + 1_234_567_891, "the deposit in every mark")
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        scene.pull("deposit", {"account": "main", "amount": "-5.00000003"})
        await scene.until(lambda: ledger.wallet_e8 == scene.account.wallet_e8, "the wallet")
        scene.engine.custody.inspect()
        await scene.passes(25.0)
        assert Cause.MONEY not in scene.causes
        assert ledger.wallet_e8 == scene.account.wallet_e8

        scene.account.wallets["USDT"] += 1  # moved by nobody: no event, no income
        await scene.until(lambda: Cause.MONEY in scene.causes, "the difference seen twice")
        assert "+0.00000001" in scene.causes[Cause.MONEY]

    running(script, tmp_path, speed=20.0)


def test_a_fee_in_another_asset_leaves_the_wallet_alone(tmp_path: Path) -> None:
    """Fees paid in BNB are no USDT: counted, and the books still agree with the wallet."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        assert scene.venue.stats().foreign_fees >= 2
        assert scene.account.wallets["BNB"] < 10 * E8
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path, options={"bnb_e8": 10 * E8})
