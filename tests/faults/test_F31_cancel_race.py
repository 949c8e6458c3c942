"""F31: a cancel comes too late (-2011): the order had filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.order import OrderState, Purpose
from tests.faults.real_run import Scene, running

MAKER = {"execution": {"entry_type": "maker"}}


async def resting(scene: Scene) -> str:
    """An entry that rests in the book; the market may run into one, or away from it: then another one."""
    while True:
        name = await scene.entered()
        order = scene.engine.orders.get(name)
        assert order is not None
        await scene.until(lambda order=order: order.state.terminal or order.state is OrderState.ACCEPTED)
        if order.state is OrderState.ACCEPTED and scene.account.live:
            return name
        scene.command("flatten")
        await scene.until(lambda: scene.clean)
        scene.command("allow_entries")


@pytest.mark.parametrize("heard", [True, False])
def test_an_entry_that_fills_before_its_cancel_arrives_is_held_and_protected(tmp_path: Path, heard: bool) -> None:
    """-2011 is followed by a query: the fill is booked, protected, and nothing is placed again."""

    async def script(scene: Scene) -> None:
        name = await resting(scene)
        if not heard:
            scene.arm("drop", "user:*", count=0, for_s=4.0)
        filling = scene.arm("fill", "DELETE /fapi/v1/order", client_id=name)
        scene.command("handover")  # takes entries back
        await scene.until(lambda: scene.protected)
        assert filling.done == 1 and scene.placed(Purpose.ENTRY)[-1] == name
        assert scene.engine.orders.get(name).state is OrderState.FILLED  # type: ignore[union-attr]

    running(script, tmp_path, bot=MAKER)


def test_a_cancel_by_hand_is_the_end_of_the_order(tmp_path: Path) -> None:
    """Somebody else cancelled first: -2011 again, the order is read as CANCELED, and the next entry is free."""

    async def script(scene: Scene) -> None:
        name = await resting(scene)
        scene.arm("drop", "user:*", count=0, for_s=1.0)
        scene.pull("hand_cancel", {"account": "main", "symbol": "BTCUSDT", "client_id": name})
        await scene.until(lambda: scene.engine.orders.get(name).state.terminal)  # type: ignore[union-attr]
        assert scene.clean and scene.engine.orders.get(name).state is OrderState.CANCELED  # type: ignore[union-attr]
        assert await scene.entered() != name

    running(script, tmp_path, bot=MAKER)
