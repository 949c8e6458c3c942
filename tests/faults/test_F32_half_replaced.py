"""F32: of a cancel and what replaces it one half is done, or its answer is lost.

The bot has no cancel-replace call: each leg is an order of its own, and the new one waits for the end of the old.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running
from tests.faults.test_F31_cancel_race import MAKER, resting

LOSSES: list[tuple[str, dict[str, Any]]] = [
    ("drop_reply", {}),
    ("timeout", {"placed": True}),
    ("garble", {"kind": "truncated"}),
]


@pytest.mark.parametrize(("lever", "arguments"), LOSSES)
def test_part_filled_and_the_cancels_answer_lost(tmp_path: Path, lever: str, arguments: dict[str, Any]) -> None:
    """One lot fills between send and cancel, whose answer is lost: its verdict is read, and the stop covers one lot."""

    async def script(scene: Scene) -> None:
        name = await resting(scene)
        scene.arm("drop", "user:*", count=0, for_s=2.0)
        scene.arm("fill", "DELETE /fapi/v1/order", client_id=name, lots=1)
        scene.arm(lever, "DELETE /fapi/v1/order", **arguments)
        scene.command("handover")  # takes entries back
        await scene.until(lambda: scene.protected)
        assert 1 <= scene.lots == scene.held
        (stop,) = scene.own(Purpose.STOP)
        assert stop.approved.quantity >= 1 and stop.approved.reduce_only
        assert scene.trader.entry_id == "", "the old leg has its verdict before another entry may leave"
        scene.leave()
        await scene.until(lambda: scene.clean)

    running(script, tmp_path, bot=MAKER)


def test_a_cancel_that_never_arrived_is_sent_again(tmp_path: Path) -> None:
    """The request to cancel broke off: the order still rests, the cancel is repeated until it is gone."""

    async def script(scene: Scene) -> None:
        name = await resting(scene)
        scene.arm("cut_request", "DELETE /fapi/v1/order", at_byte=60)
        scene.command("handover")  # takes entries back
        await scene.until(lambda: scene.clean)
        assert scene.placed(Purpose.ENTRY)[-1] == name

    running(script, tmp_path, bot=MAKER)
