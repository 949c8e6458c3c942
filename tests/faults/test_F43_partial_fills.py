"""F43: an entry fills in parts and is cancelled in between; the stop covers what is held at every instant."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running
from tests.faults.venue_hands import still


@pytest.mark.parametrize("parts", [(1,), (1, 1)])
def test_the_stop_covers_every_part(tmp_path: Path, parts: tuple[int, ...]) -> None:
    """From the first part on a stop of the whole entry rests at the venue; cancelled in between, what was filled stays
    protected, and leaves whole."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        still(scene)
        name = await scene.entered()
        await scene.until(lambda: name in scene.account.by_client, "the entry resting")
        asked = scene.engine.orders.get(name)
        assert asked is not None and asked.approved.quantity > sum(parts)
        for number, lots in enumerate(parts, 1):
            scene.pull("fill", {"account": "main", "client_id": name, "lots": lots})
            held = sum(parts[:number])
            await scene.until(lambda held=held: scene.lots == held and scene.stops, "the part with its stop")
            (stop,) = scene.account.watched_algos()
            assert stop.quantity_e8 >= held * scene.parts.instruments[0].lot_e8
        scene.pull("hand_cancel", {"account": "main", "symbol": "BTCUSDT", "client_id": name})
        await scene.until(lambda: scene.protected, "what was filled, protected")
        assert (scene.lots, scene.held, len(scene.stops)) == (sum(parts), sum(parts), 1)
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path, bot={"execution": {"entry_type": "maker"}}, usdt=140.0)
