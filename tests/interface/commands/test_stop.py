"""`stop`: the run ends in order, and the command returns with it."""

from __future__ import annotations

from pathlib import Path

from storage.cold.instance import InstanceLock
from tests.interface.control.bot import bot
from tests.interface.program import child


def test_a_position_that_is_left_is_told(tmp_path: Path) -> None:
    """With an open position the run hands it over: the command and the run end with code 9, and the socket is gone."""
    with bot(tmp_path) as one:
        one.heard("order.accepted", type="STOP_MARKET")
        stopped = one.say("stop", "--json")
        assert one.process.wait(0) == 9  # it had ended before the command returned
    assert (stopped.code, stopped.document["open_position"]) == (9, {"BTCUSDT": "0.008"})
    assert stopped.document["run_id"] == one.run_id
    assert sorted(path.name for path in one.home.iterdir()) == ["instance.lock", "journal", "run.json", "runs"]


def test_a_run_that_does_not_end_in_time(tmp_path: Path) -> None:
    """A process that cannot end is told of at the deadline, with what would end it."""
    with bot(tmp_path, "--set", "paper.latency_out_ms=900", "--set", "execution.shutdown_policy=flatten") as one:
        one.heard("fill")
        late = one.say("stop", "--wait", "1ms")
        assert (late.code, f"(pid {one.process.pid}) has not ended within 0.001 s" in late.sentence) == (1, True), late


def test_nothing_runs(tmp_path: Path) -> None:
    """Without a bot every command says so, with exit code 5."""
    InstanceLock(tmp_path / "d" / "paper", started="2026-11-27T00:00:00Z").release()
    for verb in ("status", "health", "stop", "start", "flatten", "kill", "rearm"):
        ran = child(tmp_path, verb, "--data-dir", "d")
        assert (ran.code, "nothing runs in d/paper" in ran.sentence) == (5, True), ran
