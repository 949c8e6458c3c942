"""F25: margin is insufficient (-2019)."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.control import Operating
from models.order import Purpose
from tests.faults.real_run import Scene, running

LACK = {"status": 400, "code": -2019, "msg": "Margin is insufficient."}


def test_three_refusals_for_want_of_margin_end_entering(tmp_path: Path) -> None:
    """Each refused entry is over and never sent again; the third within a minute blocks entries until a person acts."""

    async def script(scene: Scene) -> None:
        scene.counting("POST /fapi/v1/order")
        scene.arm("error", "POST /fapi/v1/order", count=3, **LACK)
        for turn in range(3):
            await scene.entered()
            await scene.until(lambda: not scene.trader.entry_id)
            assert (Cause.MARGIN in scene.causes) == (turn == 2)
        assert scene.engine.mode.state is Operating.ENTRY_BLOCKED
        assert not scene.enter() and "margin" in scene.refusal
        assert scene.calls("POST /fapi/v1/order") == 3
        scene.command("allow_entries")
        await scene.open()

    running(script, tmp_path)


def test_the_wallet_is_the_venues_after_money_left(tmp_path: Path) -> None:
    """Money taken out is told by the venue and sizes the next entry; nothing is tried with what is no longer there."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.pull("deposit", {"account": "main", "amount": "-60"})
        await scene.until(lambda: scene.engine.ledger.wallet_e8 == scene.account.wallet_e8)
        scene.counting("POST /fapi/v1/order")
        assert not scene.enter() and scene.refusal
        assert scene.calls("POST /fapi/v1/order") == 0

    running(script, tmp_path)


def test_an_exit_refused_for_margin_goes_on(tmp_path: Path) -> None:
    """An exit is a goal: refused for margin it is tried again until flat; the stop at the venue covers it meanwhile."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("error", "POST /fapi/v1/order", count=2, **LACK)
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert Cause.MARGIN not in scene.causes, "that counts entries only"
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)
