"""F28: minimum value, step and zero quantity: what is small must still be closable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.real_run import Scene, running


@pytest.mark.parametrize("minimum_usdt", [50, 5_000])
def test_a_single_step_left_is_closed(tmp_path: Path, minimum_usdt: int) -> None:
    """One step, far below the minimum order value of entries, is closed by an order that can only reduce."""

    async def script(scene: Scene) -> None:
        await scene.open()
        assert scene.lots > 1
        scene.pull("filters", {"symbol": "BTCUSDT", "set": {"notional_min_e8": minimum_usdt * 10**8}})
        scene.pull(
            "hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "lots": scene.lots - 1}
        )  # fmt: skip
        await scene.until(lambda: scene.lots == 1)
        scene.leave()
        await scene.until(lambda: scene.clean)

    running(script, tmp_path)


def test_an_entry_below_the_minimum_never_leaves(tmp_path: Path) -> None:
    """Minimum, step and largest quantity count before sending: an entry that would be refused is no call."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.counting("POST /fapi/v1/order")
        assert not scene.enter()
        assert scene.refusal.startswith("P01"), scene.refusal
        assert scene.calls("POST /fapi/v1/order") == 0

    running(script, tmp_path, usdt=12.0, bot={"risk": {"equity_usdt": 12.0}})
