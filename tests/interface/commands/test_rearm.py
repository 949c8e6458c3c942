"""`rearm`: the way out of HALTED, and the only one."""

from __future__ import annotations

from pathlib import Path

from tests.interface.commands.test_kill import commands
from tests.interface.control.bot import bot


def test_a_kill_survives_a_restart_until_it_is_rearmed(tmp_path: Path) -> None:
    """A bot that finds the file of a kill is halted from its start; ``start`` does not lift it, ``rearm`` does."""
    home = tmp_path / "d" / "paper"
    home.mkdir(parents=True)
    (home / "KILL").write_text("of the run before")
    with bot(tmp_path) as one:
        assert one.heard("state.changed", operating="HALTED")["trigger"] == "KILL: file: kill switch"
        refused = one.say("start")
        assert refused.sentence == "scalper: still HALTED (KILL: file: kill switch); rearm lifts it [HALTED]"
        armed = one.say("rearm", "--json")
        assert (refused.code, armed.code, armed.document["operating"]) == (1, 0, "NORMAL")
        assert not (home / "KILL").exists()
        assert one.say("stop").code == one.end() == 0
        assert commands(one) == ["kill", "allow_entries", "rearm"]
        assert one.say("replay", one.run_id, "--verify").code == 0
