"""F20: an order is confirmed while its repetition waits."""

from __future__ import annotations

from pathlib import Path

from models.order import Purpose
from tests.faults.real_run import Scene, running

EXITS = {"reduceOnly": "true"}


def test_the_streams_word_ends_a_repetition(tmp_path: Path) -> None:
    """An exit called «not executed» that was is not sent again once the private stream has told of it."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.counting("POST /fapi/v1/order")
        scene.arm("busy", "POST /fapi/v1/order", text="unavailable", placed=True, where=EXITS)
        name = scene.leave()
        await scene.until(lambda: scene.clean)
        await scene.passes(1.5)
        assert (scene.placed(Purpose.EXIT), scene.calls("POST /fapi/v1/order")) == ([name], 1)

    running(script, tmp_path, speed=3.0)


def test_a_duplicate_id_is_adopted(tmp_path: Path) -> None:
    """Without that word the repetition is refused as a duplicate (-4116): the order is asked for and taken as it is."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.counting("POST /fapi/v1/order")
        scene.arm("drop", "user:*", count=0, for_s=3.0)
        scene.arm("busy", "POST /fapi/v1/order", text="unavailable", placed=True, where=EXITS)
        name = scene.leave()
        await scene.until(lambda: scene.clean)
        assert scene.placed(Purpose.EXIT) == [name]
        assert scene.calls("POST /fapi/v1/order") == 2, "once, and once more under the same id"

    running(script, tmp_path, speed=3.0)


def test_a_timeout_confirmed_by_the_stream_needs_no_other_order(tmp_path: Path) -> None:
    """-1007 on an entry that was taken: its fill is the verdict, and nothing is sent again."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.counting("POST /fapi/v1/order")
        scene.arm("timeout", "POST /fapi/v1/order", placed=True)
        name = await scene.entered()
        await scene.until(lambda: scene.protected)
        await scene.passes(3.0)
        assert (scene.placed(Purpose.ENTRY), scene.calls("POST /fapi/v1/order")) == ([name], 1)

    running(script, tmp_path)
