"""`health`: exit codes for container health checks, with nothing but the standard library."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interface.commands.parser import COMMANDS
from tests.interface.control.bot import bot
from tests.interface.program import REPOSITORY, command

TALK = ("status", "health", "stop", "start", "flatten", "kill", "rearm")


def test_a_bot_that_hears_is_healthy(tmp_path: Path) -> None:
    """Exit code 0 while it hears; 1, with the reason, when it does not answer."""
    with bot(tmp_path) as one:
        one.heard("state.changed", data_trust="TRUSTED")
        well = one.say("health", "--json")
        assert (well.code, well.document["healthy"], well.document["problems"]) == (0, True, [])
        one.process.send_signal(signal.SIGSTOP)
        stuck = one.say("health")
    said = f"the bot in d/paper (pid {one.process.pid}) did not answer within 2 s: it is busy or stuck"
    assert (stuck.code, stuck.sentence) == (1, f"scalper: {said} [NO_ANSWER]")


def test_a_bot_without_a_market_is_not_healthy(tmp_path: Path) -> None:
    """When its exchange stands still it says so within seconds; exit code 1."""
    with bot(tmp_path) as one:
        one.heard("state.changed", data_trust="TRUSTED")
        (exchange,) = _children(one.process.pid)
        subprocess.run(["kill", "-STOP", str(exchange)], check=True)
        try:
            one.heard("state.changed", operating="ENTRY_BLOCKED")
            ran = one.say("health")
        finally:
            subprocess.run(["kill", "-KILL", str(exchange)], check=True)
    assert (ran.code, ran.out.startswith("not healthy: ")) == (1, True), ran


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.is_file():
        pytest.skip("this system does not tell whose children there are")
    return [int(word) for word in path.read_text().split()]


@pytest.mark.parametrize("verb", TALK)
def test_the_standard_library_is_enough(verb: str, tmp_path: Path) -> None:
    """A command that talks to a bot imports no package, so it needs no environment and no settings."""
    assert (verb,) in COMMANDS
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from interface.commands.dispatch import main\n"
        f"code = main([{verb!r}, '--data-dir', 'd'])\n"
        "rooms = ('interface', 'config', 'models', 'utils', '__main__')\n"
        "print(code, [n for n in sys.modules if n.split('.')[0] not in (*sys.stdlib_module_names, *rooms)])"
    )
    ran = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "5 []", ran


def test_the_container_is_checked_by_it() -> None:
    """docker-compose.yml calls the health command that there is."""
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    found = re.search(r'test: (\["CMD".*\])', text)
    assert found is not None
    words = json.loads(found.group(1))
    assert words[1:] == ["python", "main.py", "health"]
    assert command(words[-1])[-1] == "health"
