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


def test_a_kill_is_sticky_until_it_is_rearmed(tmp_path: Path) -> None:
    """It closes the position and halts; a restart is halted too, ``start`` does not lift it, ``rearm`` does."""
    with bot(tmp_path) as first:
        first.heard("order.accepted", type="STOP_MARKET")
        killed = first.say("kill", "--json")
        assert (killed.code, killed.document["flat"], killed.document["operating"]) == (0, True, "HALTED")
        assert (killed.document["position"], killed.document["orders"]) == ({}, [])
        assert list(killed.document["blocked_by"]) == ["KILL"]
        assert (first.home / "KILL").is_file()
        assert first.say("kill").out == "flat: no position, no order; HALTED\n"
        stopped = first.say("stop")
        assert (stopped.code, stopped.out, first.end()) == (0, "stopped, flat\n", 6)
    with bot(tmp_path) as second:
        told = second.heard("state.changed", operating="HALTED")
        assert told["trigger"] == "KILL: file: kill switch"
        refused = second.say("start")
        assert (refused.code, refused.sentence) == (
            1, "scalper: still HALTED (KILL: file: kill switch); rearm lifts it [HALTED]",
        )  # fmt: skip
        armed = second.say("rearm")
        assert (armed.code, armed.out) == (0, "armed again; NORMAL\n")
        assert not (second.home / "KILL").exists()
        assert second.say("stop").code == second.end() == 0
    for run, given in ((first, ["kill", "kill"]), (second, ["kill", "allow_entries", "rearm"])):
        assert commands(run) == given
        verified = second.say("replay", run.run_id, "--verify")
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
