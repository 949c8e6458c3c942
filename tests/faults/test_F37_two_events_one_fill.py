"""F37: TRADE_LITE and ORDER_TRADE_UPDATE tell of one fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.real_run import Scene, running

WAYS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "only the full one": [("drop", "user:TRADE_LITE", {})],
    "only the short one": [("drop", "user:ORDER_TRADE_UPDATE", {})],
    "the short one late": [("lag", "user:TRADE_LITE", {"s": 0.1})],
    "the full one late": [("lag", "user:ORDER_TRADE_UPDATE", {"s": 0.3})],
    "drawn order": [("reorder", "user:*", {"window": 4})],
}


@pytest.mark.parametrize("way", WAYS)
def test_one_fill_is_booked_once_with_its_fee(tmp_path: Path, way: str) -> None:
    """Either first, or either alone: each trade counts once, with the fee and role of the venue's books."""

    async def script(scene: Scene) -> None:
        for lever, stream, arguments in WAYS[way]:
            scene.arm(lever, stream, count=0, **arguments)
        await scene.open()
        scene.leave()
        await scene.until(lambda: scene.clean)
        await scene.until(lambda: scene.engine.ledger.wallet_e8 == scene.account.wallet_e8)
        assert [one["trade_id"] for one in scene.records("fills")] == [one.id for one in scene.account.trades]
        assert all(float(one["fee"]) > 0 for one in scene.records("fills"))

    running(script, tmp_path)
