"""F34: the private stream's key expires, is deleted by another client, or changes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from exchange.binance.user_stream import StreamLimits
from models.order import Purpose
from tests.faults.real_run import SPEED, Scene, bounds, running


@pytest.mark.parametrize("moment", ["idle", "open", "entering", "exiting"])
def test_an_expired_key_costs_no_fill(tmp_path: Path, moment: str) -> None:
    """Whenever the key ends: another key and socket, the account read, every fill booked once, entries allowed."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        keys = scene.venue.stats().stream.keys
        if moment == "idle":
            scene.pull("expire_listen_key", {"account": "main"})
        elif moment == "entering":
            scene.arm("expire_listen_key", "POST /fapi/v1/order")
        await scene.open()
        if moment == "open":
            scene.pull("expire_listen_key", {"account": "main"})
        elif moment == "exiting":
            scene.arm("expire_listen_key", "POST /fapi/v1/order")
        scene.leave()
        await scene.until(lambda: scene.venue.stats().stream.keys > keys, "another key")
        await scene.until(lambda: scene.clean and scene.can_enter)
        assert len(scene.records("fills")) == len(scene.account.trades)
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)


@pytest.mark.parametrize("moment", ["idle", "exiting"])
def test_a_key_deleted_by_another_client_is_found(tmp_path: Path, moment: str) -> None:
    """A deleted key says nothing: the renewal's -1125, or an order that nobody tells of, gives it away."""

    async def script(scene: Scene) -> None:
        await scene.open()
        keys = scene.venue.stats().stream.keys
        scene.pull("delete_listen_key", {"account": "main"})
        if moment == "exiting":
            scene.leave()
            await scene.until(lambda: scene.clean)
        await scene.until(lambda: scene.venue.stats().stream.keys > keys, "another key")
        await scene.until(lambda: scene.can_read)
        if moment == "idle":
            scene.leave()
        await scene.until(lambda: scene.clean and scene.can_enter)
        assert len(scene.records("fills")) == len(scene.account.trades)

    usual = bounds()
    renew_s = 0.2 if moment == "idle" else usual.stream.renew_every_s
    stream = msgspec.structs.replace(usual.stream, renew_every_s=renew_s)
    running(script, tmp_path, bot={"limits": msgspec.structs.replace(usual, stream=stream)})


def test_a_renewal_that_fails_is_tried_again_and_ends_in_another_socket(tmp_path: Path) -> None:
    """Errors to the keepalive are no verdict; without a yes for the key's life it is gone, and nothing is lost."""

    async def script(scene: Scene) -> None:
        await scene.open()
        refused = scene.arm("error", "PUT /fapi/v1/listenKey", status=400, code=-1000, msg="no", count=0)
        connects = scene.venue.stats().stream.connects
        await scene.until(lambda: scene.venue.stats().stream.connects > connects, "another socket")
        assert refused.done >= 2
        await scene.until(lambda: scene.can_read)
        scene.leave()
        await scene.until(lambda: scene.clean)

    stream = StreamLimits(
        renew_every_s=0.1, renew_retry_s=0.1, key_life_s=0.5, overlap_s=0.1, silence_s=2.0 / SPEED, silent_again_s=1.0
    )
    running(script, tmp_path, bot={"limits": bounds(stream=stream)})


def test_the_key_is_never_deleted(tmp_path: Path) -> None:
    """Another program may live on the account's key: an orderly end leaves it."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.counting("DELETE /fapi/v1/listenKey", "DELETE *")
        scene.command("flatten")
        await scene.until(lambda: scene.clean)
        await scene.bot.stop()
        assert scene.calls("DELETE /fapi/v1/listenKey") == 0 and scene.calls("DELETE *") >= 1
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)
