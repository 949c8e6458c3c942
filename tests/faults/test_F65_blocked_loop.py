"""F65: a callback holds the loop: told with the stacks after two seconds, ended after ten; the stop is at the venue."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.interface.program import REPOSITORY, WAIT_S, environment

PROGRAM = """
import sys, time
sys.path.insert(0, {repository!r})
from interface.commands import dispatch
from interface.drivers import sockets, watchdog
watchdog.ALARM_S, watchdog.END_S = 0.3, 1.0
rounds = 0
look = sockets.Caretaker.look
async def blocking(self):
    global rounds
    rounds += 1
    if rounds == 3:
        time.sleep(60)  # the fault: a blocking call on the loop
    await look(self)
sockets.Caretaker.look = blocking
sys.exit(dispatch.main(["demo", "--for", "600s", "--data-dir", "d", "--json", "--log-format", "json"]))
"""


def test_a_blocked_loop_ends_the_process(tmp_path: Path) -> None:
    """A run whose loop is blocked says where it stands and ends with code 1, long before the blocking call returns; its
    journal is whole up to then."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(repository=str(REPOSITORY))],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "in blocking" in done.stderr
    (told,) = [json.loads(line) for line in done.stderr.splitlines() if '"loop.stuck"' in line]
    assert told["level"] == "critical"
    assert list(tmp_path.glob("d/paper/journal/*.journal"))
