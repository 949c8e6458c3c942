"""F24: the venue does not take our signature."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop

from exchange.binance.refusals import VenueAnswerError
from models.order import Purpose
from tests.faults.real_run import Bot, Scene, exchange, running


@pytest.mark.parametrize("call", ["GET /fapi/v1/order", "DELETE /fapi/v1/order"])
def test_a_run_does_not_begin_unless_both_signed_calls_are_understood(tmp_path: Path, call: str) -> None:
    """Query and cancel of an order that never was are tried at the start; -1022 to either ends it with its words."""

    async def run() -> None:
        async with exchange() as venue:
            venue.venue.faults.arm("error", call, code=-1022, msg="Signature for this request is not valid.")
            with pytest.raises(VenueAnswerError, match="Signature for this request is not valid"):
                async with Bot(venue, tmp_path):
                    raise AssertionError("it began")
            assert not list(tmp_path.rglob("*.journal")), "nothing was made before the proof"

    uvloop.run(run())


def test_a_wrong_secret_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    """The venue verifies the bytes it got; a secret that does not fit its key is refused at the start."""

    async def run() -> None:
        async with exchange() as venue:
            with pytest.raises(VenueAnswerError, match="-1022"):
                async with Bot(venue, tmp_path, secret="another"):
                    raise AssertionError("it began")
            assert not venue.venue.accounts["main"].orders

    uvloop.run(run())


def test_a_signature_refused_in_the_middle_blocks_entries(tmp_path: Path) -> None:
    """-1022 to an exit is not taken for a verdict on the position: the exit is sent again, entries wait meanwhile."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("error", "POST /fapi/v1/order", code=-1022, msg="Signature for this request is not valid.", count=2)
        scene.leave()
        await scene.until(lambda: "STREAM" in {cause.name for cause in scene.causes})
        await scene.until(lambda: scene.clean)
        await scene.normal()
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)
