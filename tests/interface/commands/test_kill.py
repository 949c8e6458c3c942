"""`kill`: the switch that returns when flat was read back, and that a restart does not forget."""

from __future__ import annotations

import signal
from pathlib import Path

from interface.drivers.parts import RUN
from models.event import Command
from storage.cold.keeper import kept
from tests.interface.control.bot import Bot, bot


def commands(run: Bot) -> list[str]:
    """The commands of people in the journal of a run."""
    told = [content for _, content in kept(run.home / "journal" / f"{run.run_id}.journal")]
    return [one.name for one in told if isinstance(one, Command) and one.source != RUN]


def test_a_kill_returns_when_flat(tmp_path: Path) -> None:
    """It closes the position, halts, leaves its file, is the same the second time, and stands in the journal."""
    with bot(tmp_path) as one:
        one.heard("order.accepted", type="STOP_MARKET")
        killed = one.say("kill", "--json")
        assert (killed.code, killed.document["flat"], killed.document["operating"]) == (0, True, "HALTED")
        assert (killed.document["position"], killed.document["orders"]) == ({}, [])
        assert list(killed.document["blocked_by"]) == ["KILL"]
        assert (one.home / "KILL").is_file()
        assert one.say("kill").out == "flat: no position, no order; HALTED\n"
        stopped = one.say("stop")
        assert (stopped.code, stopped.out, one.end()) == (0, "stopped, flat\n", 6)
        assert commands(one) == ["kill", "kill"]
        verified = one.say("replay", one.run_id, "--verify")
        assert verified.code == 0, verified


def test_signals_and_the_file_do_what_the_commands_do(tmp_path: Path) -> None:
    """SIGUSR1 blocks entries, SIGUSR2 and a file KILL are the kill switch; all of it is verified by a second run."""
    with bot(tmp_path) as one:
        one.process.send_signal(signal.SIGUSR1)
        assert one.heard("state.changed", operating="ENTRY_BLOCKED")["trigger"] == "OPERATOR: signal: entries stopped"
        assert one.say("start").out == "entries are allowed; NORMAL\n"
        one.process.send_signal(signal.SIGUSR2)
        assert one.heard("state.changed", operating="HALTED")["trigger"] == "KILL: signal: kill switch"
        assert one.say("rearm").code == 0
        (one.home / "KILL").touch()
        assert one.heard("state.changed", trigger="KILL: file")["operating"] == "HALTED"
        healthy = one.say("health")
        assert (healthy.code, healthy.out) == (0, "healthy; HALTED\n")
        one.process.send_signal(signal.SIGTERM)
        assert one.end() == 6
        assert one.say("replay", one.run_id, "--verify").code == 0
