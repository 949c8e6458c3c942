"""F22: the venue counts calls, asks for silence (429), and bans (418)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange.binance.weights import WEIGHT_LIMIT
from models.order import Purpose
from tests.faults.real_run import Scene, running

LIMIT: dict[str, Any] = {"status": 429, "code": -1003, "msg": "Too many requests.", "retry_after": 1}
BAN: dict[str, Any] = {**LIMIT, "status": 418}


def test_after_429_exits_leave_and_entries_wait(tmp_path: Path) -> None:
    """While the venue wants silence no entry and no read leaves, an exit does; afterwards all goes on."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("error", "GET /fapi/v1/openOrders", **LIMIT)  # of the reading after each fill
        await scene.until(lambda: scene.quota.quiet)
        scene.counting("GET *")
        scene.leave()
        await scene.until(lambda: scene.held == 0)
        scene.enter()
        assert scene.quota.quiet and scene.calls("GET *") == 0
        await scene.until(lambda: not scene.quota.quiet)
        await scene.until(lambda: scene.clean and scene.can_enter)
        assert len(scene.placed(Purpose.ENTRY)) == 1
        await scene.open()

    running(script, tmp_path, speed=2.0)


def test_after_418_nothing_is_called_until_it_is_over(tmp_path: Path) -> None:
    """A ban ends every call of every kind; the stop at the venue protects; entries are blocked until it is over."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("error", "POST /fapi/v1/order", **BAN)
        scene.leave()
        await scene.until(lambda: scene.quota.banned)
        scene.counting("*")
        await scene.until(lambda: not scene.quota.banned, "the end of the ban")
        assert scene.calls("*") == 0 and scene.held and scene.stops
        await scene.until(lambda: scene.clean and scene.can_enter)

    running(script, tmp_path)


@pytest.mark.parametrize("share", [0.55, 0.97])
def test_the_weight_the_venue_tells_is_heeded(tmp_path: Path, share: float) -> None:
    """Others on our address used the weight up: reads step back by their rank, orders and exits still leave."""

    async def script(scene: Scene) -> None:
        await scene.open()
        used = int(WEIGHT_LIMIT * share)
        scene.arm("headers", "GET *", count=0, set={"X-MBX-USED-WEIGHT-1M": used})
        await scene.until(lambda: scene.quota.weights.used(scene.quota.monotonic_s()) >= used)
        scene.leave()
        await scene.until(lambda: scene.held == 0)
        if share < 0.95:  # reconciliation goes on
            await scene.until(lambda: scene.clean)
            await scene.open()
        assert not scene.quota.quiet, "we were never the one that asked too much"

    running(script, tmp_path)
