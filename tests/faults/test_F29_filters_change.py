"""F29: filters change while running, or the contract stops trading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.risk.mode import Cause
from tests.faults.real_run import Scene, running


@pytest.mark.parametrize(
    "change", [{"notional_min_e8": 5_000 * 10**8}, {"quantity_min": 50, "market_quantity_min": 50}]
)
def test_a_refusal_for_filters_is_looked_after_at_once(tmp_path: Path, change: dict[str, Any]) -> None:
    """The first entry that is refused for a new filter is the last one; the rules are read, the change is named."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.counting("POST /fapi/v1/order", "GET /fapi/v1/exchangeInfo")
        scene.pull("filters", {"symbol": "BTCUSDT", "set": change})
        await scene.entered()
        await scene.until(lambda: "other filters" in scene.causes.get(Cause.STREAM, ""))
        assert not scene.enter() and scene.calls("POST /fapi/v1/order") == 1
        assert scene.calls("GET /fapi/v1/exchangeInfo") == 1 and scene.clean

    running(script, tmp_path)


def test_with_a_position_open_what_reduces_goes_on(tmp_path: Path) -> None:
    """A changed rule, told while a position is open, blocks entries only; the exit closes, the stop is taken back."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.pull("filters", {"symbol": "BTCUSDT", "set": {"notional_min_e8": 5_000 * 10**8}})
        scene.bot.side.rules.refresh(0)
        await scene.until(lambda: Cause.STREAM in scene.causes)
        assert scene.lots and scene.stops
        scene.leave()
        await scene.until(lambda: scene.clean)

    running(script, tmp_path)


def test_a_halted_contract_enters_nothing_until_it_trades(tmp_path: Path) -> None:
    """A contract that stops trading blocks entries by name, and trading again lifts that."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.pull("status", {"symbol": "BTCUSDT", "status": "SETTLING"})
        scene.bot.side.rules.refresh(0)
        await scene.until(lambda: "SETTLING" in scene.causes.get(Cause.STREAM, ""))
        scene.pull("status", {"symbol": "BTCUSDT", "status": "TRADING"})
        scene.bot.side.rules.refresh(0)
        await scene.open()
        assert Cause.STREAM not in scene.causes

    running(script, tmp_path)
