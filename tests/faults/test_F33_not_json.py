"""F33: the answer is no JSON, empty, cut, or maintenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running

SPOILT: list[tuple[str, dict[str, Any]]] = [
    ("html", {"status": 200, "placed": True}),
    ("answer", {"status": 200, "text": ""}),
    ("garble", {"kind": "empty"}),
    ("garble", {"kind": "truncated"}),
    ("garble", {"kind": "gzip"}),
    ("garble", {"kind": "length"}),
]


@pytest.mark.parametrize("mute", [False, True])
def test_whatever_spoils_the_answer_to_a_write_leaves_it_unknown_until_proven(tmp_path: Path, mute: bool) -> None:
    """HTML, nothing, half, broken packing, a wrong length: placed all the same, found, protected, and never doubled."""

    async def script(scene: Scene) -> None:
        for turn, (lever, arguments) in enumerate(SPOILT):
            await scene.until(lambda: scene.venue.stats().orders.open == 2)
            scene.arm(lever, "POST /fapi/v1/order", **arguments)
            if mute:
                scene.arm("drop", "user:*", count=0, for_s=1.0)
            await scene.open()
            assert len(scene.placed(Purpose.ENTRY)) == turn + 1
            scene.leave()
            await scene.until(lambda: scene.clean)

    running(script, tmp_path)


@pytest.mark.parametrize("call", ["GET /fapi/v3/positionRisk", "GET /fapi/v1/openAlgoOrders"])
def test_a_read_that_is_spoilt_is_made_again(tmp_path: Path, call: str) -> None:
    """Six spoilt answers instead of an account are no account: it is read again, the position stays what it was."""

    async def script(scene: Scene) -> None:
        await scene.open()
        lots = scene.lots
        spoilt = [
            scene.arm(lever, call, nth=nth, **arguments)
            for nth, (lever, arguments) in enumerate((("html", {"status": 502}), *SPOILT[1:]), 1)
        ]
        await scene.until(lambda: all(one.done for one in spoilt))
        await scene.until(lambda: scene.can_read)
        assert (scene.lots, scene.held, len(scene.stops)) == (lots, lots, 1)
        scene.leave()
        await scene.until(lambda: scene.clean and scene.can_enter)

    running(script, tmp_path, speed=10.0)


def test_a_query_that_is_spoilt_is_made_again(tmp_path: Path) -> None:
    """An order in doubt is asked for until an answer can be read; until then it is neither there nor absent."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("drop", "user:*", count=0, for_s=4.0)
        scene.arm("drop_reply", "POST /fapi/v1/order")
        spoilt = [
            scene.arm(lever, "GET /fapi/v1/order", nth=nth, **arguments)
            for nth, (lever, arguments) in enumerate(SPOILT[1:4], 1)
        ]
        name = await scene.entered()
        await scene.until(lambda: scene.protected)
        assert all(one.done for one in spoilt) and scene.placed(Purpose.ENTRY) == [name]

    running(script, tmp_path)


def test_maintenance_blocks_entries_and_ends_no_process(tmp_path: Path) -> None:
    """-1016 to every call for six seconds: entries wait, the stop stays at the venue, and then all goes on."""

    async def script(scene: Scene) -> None:
        await scene.open()
        down = scene.arm(
            "error", "* /fapi/v*/[!t]*", status=503, code=-1016, msg="This service is no longer available.", count=0,
            for_s=6.0,
        )  # fmt: skip
        scene.leave()
        await scene.until(lambda: Cause.STREAM in scene.causes)
        assert scene.held and scene.stops
        await scene.until(lambda: scene.exchange.venue.now_s() >= down.ends_s)
        await scene.until(lambda: scene.clean)
        await scene.open()
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)


def test_a_firewall_page_is_a_lost_account(tmp_path: Path) -> None:
    """403 with a page instead of an answer: nothing was done, entries are blocked until a call is answered again."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("html", "POST /fapi/v1/order", status=403)
        await scene.entered()
        await scene.until(lambda: not scene.trader.entry_id)
        assert scene.placed(Purpose.ENTRY) == []
        await scene.open()

    running(script, tmp_path)
