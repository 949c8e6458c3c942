"""F40: the private stream is silent while its connection lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running


def test_silence_after_our_own_order_is_found(tmp_path: Path) -> None:
    """An order that the venue took and the stream does not tell of: another socket, a reading, nothing missed."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        sockets = scene.venue.stats().stream.connects
        scene.arm("stall", "user:*", count=0, connection=1)
        await scene.open()
        await scene.until(lambda: scene.venue.stats().stream.connects > sockets, "another socket")
        await scene.until(lambda: scene.can_read)
        scene.leave()
        await scene.until(lambda: scene.clean and scene.can_enter)
        assert scene.venue.stats().stream.silences >= 1
        assert len(scene.placed(Purpose.ENTRY)) == 1

    running(script, tmp_path)


@pytest.mark.parametrize("happens", ["hand_trade", "liquidate", "cancel_stop"])
def test_what_happens_in_silence_is_read_at_the_next_look(tmp_path: Path, happens: str) -> None:
    """Without any order of ours silence proves nothing: position and orders are read every ten seconds all the same."""

    async def script(scene: Scene) -> None:
        await scene.open()
        lots = scene.lots
        scene.arm("stall", "user:*", count=0)
        began_ns = scene.bot.clock.now_ns()
        if happens == "hand_trade":
            scene.pull("hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "lots": lots})
        elif happens == "liquidate":
            scene.pull("liquidate", {"account": "main", "symbol": "BTCUSDT", "lots": 0})
        else:
            scene.pull("cancel_stop", {"account": "main", "client_id": "", "silent": False})
        await scene.until(lambda: scene.clean)
        assert scene.bot.clock.now_ns() - began_ns < 20_000_000_000

    running(script, tmp_path, speed=10.0)
