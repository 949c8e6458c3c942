"""F17: the reply to an order is lost, and the order was placed, or was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.risk.mode import Cause
from models.control import Operating
from models.order import Purpose
from tests.faults.real_run import Scene, running


@pytest.mark.parametrize("at_byte", [0, 14, 160, 700])
def test_an_answer_lost_at_any_byte_is_one_order(tmp_path: Path, at_byte: int) -> None:
    """Wherever the answers to entry, stop and exit break off, the venue has taken one order for each, known here."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        for call in ("POST /fapi/v1/order", "POST /fapi/v1/algoOrder"):
            scene.arm("cut_reply", call, at_byte=at_byte, reset=at_byte % 2 == 0)
        await scene.open()
        await scene.until(lambda: scene.venue.stats().orders.open == 2)
        scene.arm("cut_reply", "POST /fapi/v1/order", at_byte=at_byte)
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert [len(scene.placed(purpose)) for purpose in Purpose] == [1, 1, 1]

    running(script, tmp_path)


@pytest.mark.parametrize("heard", [True, False])
def test_a_hanging_answer_is_asked_for(tmp_path: Path, heard: bool) -> None:
    """Without an answer and, the second time, without a private stream, the order is found by its own id."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("drop_reply", "POST /fapi/v1/order", hang=True)
        if not heard:
            scene.arm("drop", "user:*", count=0, for_s=8.0)
        name = await scene.entered()
        await scene.until(lambda: scene.protected)
        assert scene.placed(Purpose.ENTRY) == [name]

    running(script, tmp_path)


@pytest.mark.parametrize("at_byte", [0, 150])
def test_a_request_that_was_cut_is_proven_absent(tmp_path: Path, at_byte: int) -> None:
    """An order whose request broke off blocks entries until its absence is proven, and never leaves again."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("cut_request", "POST /fapi/v1/order", at_byte=at_byte)
        name = await scene.entered()
        await scene.until(lambda: Cause.UNKNOWN in scene.causes)
        assert scene.engine.mode.state is Operating.ENTRY_BLOCKED
        await scene.until(lambda: scene.can_enter)
        last = scene.records("orders")[-1]
        assert (last["client_id"], last["status"]) == (name, "REJECTED") and "NOT_PLACED" in last["reason"]
        assert scene.placed(Purpose.ENTRY) == []
        await scene.open()

    running(script, tmp_path)
