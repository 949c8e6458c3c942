"""`start`: entries are allowed again, whoever has blocked them."""

from __future__ import annotations

from pathlib import Path

from tests.interface.control.bot import bot


def test_entries_are_stopped_and_allowed(tmp_path: Path) -> None:
    """With ``--entries`` the bot stays, enters nothing more, and ``start`` undoes it."""
    with bot(tmp_path) as one:
        blocked = one.say("stop", "--entries")
        assert (blocked.code, blocked.out) == (
            0, "entries are blocked; ENTRY_BLOCKED (OPERATOR: socket: entries stopped)\n",
        )  # fmt: skip
        assert one.say("start").out == "entries are allowed; NORMAL\n"
