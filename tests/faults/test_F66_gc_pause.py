"""F66: the cyclic collector walks a large heap in the middle of a burst."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from interface.commands import dispatch
from interface.drivers import sockets
from tests.faults.real_run import Scene, running


def ours() -> int:
    """Objects of the bot that the collector knows of."""
    rooms = ("core", "models", "data_collector", "storage", "interface", "wiring")
    return sum(1 for one in gc.get_objects() if str(type(one).__module__).split(".")[0] in rooms)


def test_a_run_is_never_collected_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From the first frame to the last no collection happens, start-up objects are out of its reach, and afterwards the
    collector is as it was."""
    seen: list[tuple[bool, int]] = []
    collections: list[str] = []
    begun = sockets._first

    def watched(phase: str, details: dict[str, int]) -> None:
        collections.append(phase)

    async def driven(*given: Any, **named: Any) -> None:
        seen.append((gc.isenabled(), gc.get_freeze_count()))
        gc.callbacks.append(watched)
        try:
            await begun(*given, **named)
        finally:
            gc.callbacks.remove(watched)

    monkeypatch.setattr(sockets, "_first", driven)
    code = dispatch.main(["demo", "--for", "10s", "--speed", "10", "--json", "--quiet", "--data-dir", str(tmp_path)])
    out, err = capfd.readouterr()
    assert code == 0, err
    assert json.loads(out)["market"]["frames"] > 100
    ((enabled, frozen),) = seen
    assert not enabled and frozen > 10_000
    assert collections == []
    assert gc.isenabled() and gc.get_freeze_count() == 0


def test_trading_makes_no_cycles_that_only_the_collector_frees(tmp_path: Path) -> None:
    """A run's memory must not need the collector: frames and round trips leave next to nothing for it."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        gc.collect()
        gc.disable()
        try:
            frames = scene.parts.ear.number
            before = len(scene.records("trades"))
            for _ in range(3):
                await scene.open()
                scene.leave()
                await scene.until(lambda: scene.clean, "flat and clean")
            await scene.until(lambda: scene.parts.ear.number > frames + 200, "frames")
            own = ours()
            gc.collect()
            left = ours()
        finally:
            gc.enable()
        assert len(scene.records("trades")) == before + 3
        assert own - left < 20

    running(script, tmp_path)
