"""F38: ACCOUNT_UPDATE comes before the fill, and names only what changed."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from tests.faults.real_run import Scene, running


def test_any_order_of_events_gives_the_same_account(tmp_path: Path) -> None:
    """Over round trips whose events come in drawn orders the position has one writer and the money adds up to 1e-8."""

    async def script(scene: Scene) -> None:
        scene.arm("reorder", "user:*", count=0, window=5)
        for _ in range(4):
            await scene.open()
            scene.leave()
            await scene.until(lambda: scene.clean and scene.can_enter)
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8
        assert len(scene.records("fills")) == len(scene.account.trades) == 8
        assert scene.engine.custody.adoptions == 0  # type: ignore[union-attr]

    running(script, tmp_path, orderly=False)


def test_a_position_told_by_the_account_waits_for_its_fill(tmp_path: Path) -> None:
    """The fill comes a second after ACCOUNT_UPDATE: within the grace nothing is adopted, nothing is external."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("lag", "user:ORDER_TRADE_UPDATE", count=0, s=0.2)
        scene.arm("drop", "user:TRADE_LITE", count=0)
        await scene.open()
        assert Cause.EXTERNAL not in scene.causes
        assert scene.engine.custody.adoptions == 0  # type: ignore[union-attr]

    running(script, tmp_path)


def test_an_asset_that_is_not_named_is_not_zero(tmp_path: Path) -> None:
    """An ACCOUNT_UPDATE about another asset, or about none, leaves the wallet as it was."""

    async def script(scene: Scene) -> None:
        await scene.open()
        wallet_e8 = scene.engine.ledger.wallet_e8
        frames = scene.venue.stats().stream.frames
        for assets in ([], [{"a": "BNB", "wb": "1", "cw": "1", "bc": "1"}]):
            event = {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": "ORDER", "B": assets, "P": []}}
            scene.pull("emit", {"account": "main", "event": event})
        await scene.until(lambda: scene.venue.stats().stream.frames >= frames + 2)
        assert scene.engine.ledger.wallet_e8 == wallet_e8 and scene.protected
        assert Cause.MONEY not in scene.causes

    running(script, tmp_path)
