"""F42: the venue closes by force: deleveraging, liquidation, settlement, each under an id of its own."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.control import Operating
from models.order import Purpose
from tests.faults.real_run import Scene, running

BTC = {"account": "main", "symbol": "BTCUSDT"}


def test_a_forced_close_is_booked_with_its_cause_and_halts(tmp_path: Path) -> None:
    """Deleveraged in part during an exit, then liquidated: each booked once with its cause and fee, no order of ours is
    left, no exit flips the position, and after the liquidation only a person starts again."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("adl", "POST /fapi/v1/order", where={"reduceOnly": "true"}, lots=1)
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean after the deleveraging")
        assert [fill["client_id"][:8] for fill in scene.records("fills")][1] == "adl_auto"
        scene.command("allow_entries")

        await scene.open()
        fills = len(scene.records("fills"))
        scene.pull("liquidate", BTC | {"lots": 0})
        await scene.until(lambda: scene.clean, "flat and clean after the liquidation")
        assert Cause.LIQUIDATED in scene.causes
        assert scene.engine.mode.state is Operating.HALTED
        assert scene.records("trades")[-1]["exit_reason"] == "liquidation"
        assert len(scene.records("fills")) == fills + 1
        scene.command("allow_entries")
        assert not scene.enter() and scene.refusal.startswith("LIQUIDATED")
        assert len(scene.placed(Purpose.EXIT)) <= 1
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)
