"""F18: 503 and -1007: what the text says decides, and what it does not say is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running

UNCLEAR: list[tuple[str, dict[str, Any]]] = [
    ("busy", {"text": "unknown"}),
    ("busy", {"text": "bare"}),
    ("busy", {"text": "internal"}),
    ("timeout", {}),
    ("answer", {"status": 500, "text": "{}"}),
    ("answer", {"status": 502, "text": "<html>bad gateway</html>", "content_type": "text/html"}),
]
CLEAR = ["unavailable", "throttled"]


def test_an_unclear_failure_is_unknown_until_proven(tmp_path: Path) -> None:
    """Each unclear answer blocks entries as unknown; placed, the order is adopted, else its absence is proven."""

    async def script(scene: Scene) -> None:
        for lever, arguments in UNCLEAR:
            await scene.normal()
            before = scene.placed(Purpose.ENTRY)
            scene.arm(lever, "POST /fapi/v1/order", placed=True, **arguments)
            name = await scene.entered()
            await scene.until(lambda: scene.protected)
            assert scene.placed(Purpose.ENTRY) == [*before, name]
            scene.leave()
            await scene.until(lambda: scene.can_enter and scene.clean)

            scene.arm(lever, "POST /fapi/v1/order", placed=False, **arguments)
            await scene.entered()
            await scene.until(lambda: Cause.UNKNOWN in scene.causes)
            await scene.until(lambda: scene.can_enter)
            assert scene.placed(Purpose.ENTRY) == [*before, name] and scene.clean

    running(script, tmp_path, speed=12.0)


def test_a_clear_failure_ends_an_entry(tmp_path: Path) -> None:
    """«Service Unavailable» and the overload throttle mean not placed: the entry is over at once."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.counting("POST /fapi/v1/order")
        for turn, text in enumerate(CLEAR, 1):
            scene.arm("busy", "POST /fapi/v1/order", text=text)
            await scene.entered()
            await scene.until(lambda: scene.can_enter)
            assert Cause.UNKNOWN not in scene.causes and scene.calls("POST /fapi/v1/order") == turn
            assert "NOT_PLACED" in scene.records("orders")[-1]["reason"]

    running(script, tmp_path)


def test_a_clear_failure_that_was_none_is_protected(tmp_path: Path) -> None:
    """A venue that says «not executed» and has executed is caught by the fill: adopted, protected, never doubled."""

    async def script(scene: Scene) -> None:
        for text in CLEAR:
            await scene.normal()
            before = scene.placed(Purpose.ENTRY)
            scene.arm("busy", "POST /fapi/v1/order", text=text, placed=True)
            name = await scene.entered()
            await scene.until(lambda: scene.protected)
            assert scene.placed(Purpose.ENTRY) == [*before, name]
            scene.leave()
            await scene.until(lambda: scene.clean)

    running(script, tmp_path)


def test_an_exit_is_sent_again_at_once(tmp_path: Path) -> None:
    """After a proven «not executed» the exit leaves again under its own id, before a new one would."""

    async def script(scene: Scene) -> None:
        exits = []
        for text in CLEAR:
            await scene.open()
            scene.arm("busy", "POST /fapi/v1/order", text=text, where={"reduceOnly": "true"})
            exits.append(scene.leave())
            await scene.until(lambda: scene.clean)
        assert scene.placed(Purpose.EXIT) == exits

    running(script, tmp_path, speed=2.0)  # the wait before it is a fifth of a real second
