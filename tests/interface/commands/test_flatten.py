"""`flatten`: everything is closed, entries stay off, the bot goes on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.interface.control.bot import bot


def test_flatten_returns_when_flat(tmp_path: Path) -> None:
    """An open position is closed and its stop is gone when the command returns; ``start`` allows entries again."""
    with bot(tmp_path) as one:
        one.heard("order.accepted", type="STOP_MARKET")
        held = one.ask("status")
        assert held["position"]["BTCUSDT"]["stop"] == held["orders"][0]["price"]
        flat = one.say("flatten")
        assert (flat.code, flat.out) == (0, "flat: no position, no order; ENTRY_BLOCKED\n")
        status = one.ask("status")
        assert (status["position"], status["orders"], status["run"]["trades"]) == ({}, [], 1)
        assert status["blocked_by"] == {"OPERATOR": "socket: flatten"}
        assert one.say("start").out == "entries are allowed; NORMAL\n"
        stopped = one.say("stop")
        assert (stopped.code, one.end()) == (0, 0)
        assert one.say("replay", one.run_id, "--verify").code == 0


def test_what_is_left_is_told(tmp_path: Path) -> None:
    """When the time is over before flat was read back, the command says what is open and fails."""
    with bot(tmp_path, "--set", "paper.latency_out_ms=900", "--set", "paper.latency_back_ms=900") as one:
        one.heard("fill")
        late = one.say("flatten", "--wait", "1ms")
    assert (late.code, late.sentence.endswith("[NOT_FLAT]")) == (1, True), late
    assert re.search(r"not flat after 0\.001 s: left are BTCUSDT (LONG|SHORT) 0\.008, order ", late.sentence)
