"""F68: stopped in any state of an order, with faults: the end is flat and clean, or protected and handed over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from interface.commands import outcome
from tests.faults.real_run import Scene, running

ORDER, ALGO = "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"
STATES: dict[str, Any] = {
    "flat": None,
    "entry on its way": ("delay", ORDER, {"s": 0.2}),
    "entry without an answer": ("drop_reply", ORDER, {"hang": True}),
    "entry refused": ("error", ORDER, {"status": 400, "code": -2019, "msg": "Margin is insufficient."}),
    "stop on its way": ("reply_delay", ALGO, {"s": 0.2}),
    "stop refused": ("error", ALGO, {"status": 400, "code": -4120, "msg": "no"}),
    "protected": (),
}


@pytest.mark.parametrize("policy", ["protect", "flatten"])
@pytest.mark.parametrize("state", STATES)
def test_the_end_is_one_of_two_and_says_which(
    tmp_path: Path, policy: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is on its way at the end; exit code 0 means flat without a stop, 9 a position with one stop, and
    the last line says what is left."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        if STATES[state]:
            lever, call, options = STATES[state]
            scene.arm(lever, call, **options)
        if state != "flat":
            await scene.entered()
        if state == "protected":
            await scene.until(lambda: scene.protected, "a protected position")
        await scene.bot.stop()
        document = outcome.finish(scene.parts, started_ns=0, ended_ns=scene.bot.clock.now_ns(), config="")
        code = outcome.tell(document, argparse.Namespace(json=False), stopped=True)
        last = capsys.readouterr().out.strip().splitlines()[-1]
        assert not scene.account.live
        assert code in (0, 9)
        if code == 9:
            assert policy == "protect"
            assert scene.held and len(scene.stops) == 1 and "Left open" in last
        else:
            assert (scene.held, scene.stops) == (0, []) and "Left open" not in last

    running(script, tmp_path, bot={"execution": {"shutdown_policy": policy}})
