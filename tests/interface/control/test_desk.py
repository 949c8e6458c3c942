"""The desk and its documents over a real engine in virtual time: words in, states out, and the KILL file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wiring
from config.load import load
from interface.commands import outcome
from interface.control import documents
from interface.control.desk import Desk
from interface.drivers import virtual
from interface.drivers.parts import Parts
from models.error import ScalperError
from models.event import StreamState
from tests.interface.program import child

SECOND_NS = 10**9
Scene = Callable[[Desk, Parts], None]


class Stage:
    """A paper run in virtual time, and a desk in its folder."""

    def __init__(self, folder: Path) -> None:
        settings = load(overrides=[f"app.data_dir={folder}"], environment={}, folder=folder).settings
        self.parts, self.source = wiring.paper_virtual(settings, seed=7, started_ns=wiring.VIRTUAL_START_NS)
        self.home = folder / "paper"
        self.stop = asyncio.Event()
        self.desk = Desk(self.home, self.stop, lambda: self.parts.engine.memory.now_ns)

    def play(self, scenes: list[tuple[Callable[[Parts], bool], Scene]], seconds: int = 8) -> None:
        """Run the market; each scene begins when its condition holds and the one before is over."""
        waiting = list(scenes)

        def look(_: int) -> None:
            if waiting and waiting[0][0](self.parts):
                waiting.pop(0)[1](self.desk, self.parts)

        ended_ns = virtual.drive(self.parts, self.source, seconds * SECOND_NS, look)
        outcome.finish(self.parts, started_ns=wiring.VIRTUAL_START_NS, ended_ns=ended_ns, config="")
        assert not waiting, "a scene never began"


def on_stage(folder: Path, play: Callable[[Stage], None]) -> Stage:
    """Run ``play`` where a loop runs, as a desk needs one."""

    async def run() -> Stage:
        stage = Stage(folder)
        play(stage)
        return stage

    return asyncio.run(run())


def heard(parts: Parts) -> bool:
    return parts.engine.traders[0].depth_known


def holds(parts: Parts) -> bool:
    return bool(parts.engine.account.holds and parts.engine.account.orders.all_alive())


def flat(parts: Parts) -> bool:
    return parts.flat


def enters(parts: Parts) -> bool:
    return parts.engine.account.on_the_way() and not parts.engine.account.holds


def always(_: Parts) -> bool:
    return True


def refused(desk: Desk, name: str) -> str:
    """The code with which a word is refused."""
    with pytest.raises(ScalperError) as caught:
        desk.give(name, "test")
    return caught.value.code


def test_words_before_the_run_hears_are_kept(tmp_path: Path) -> None:
    """While it starts a stop is kept and counts from the first moment; rearm has to wait; nothing is called flat."""

    def play(stage: Stage) -> None:
        desk = stage.desk
        desk.give("stop_entries", "test")
        assert refused(desk, "rearm") == "STARTING"
        assert (desk.phase, desk.flat(0)["flat"], desk.health()["problems"]) == (
            "starting", False, ["the run is starting"],
        )  # fmt: skip
        desk.attach(stage.parts)
        assert desk.status()["blocked_by"] == {"OPERATOR": "test: entries stopped"}
        stage.play([], 1)

    on_stage(tmp_path, play)


def test_flatten_while_an_entry_is_on_its_way(tmp_path: Path) -> None:
    """What an entry under way still fills is closed too, and a second run of the record hears the same word."""
    states: list[Any] = []

    def flatten(desk: Desk, parts: Parts) -> None:
        since_ns = desk.give("flatten", "test")
        states.append(desk.flat(since_ns)["flat"])

    def later(desk: Desk, parts: Parts) -> None:
        states.append((desk.flat(0)["flat"], desk.status()["run"]["trades"], desk.status()["operating"]))

    def play(stage: Stage) -> None:
        stage.desk.attach(stage.parts)
        stage.play([(enters, flatten), (flat, later)])

    stage = on_stage(tmp_path, play)
    assert states == [False, (True, 1, "ENTRY_BLOCKED")]
    ran = child(tmp_path, "replay", stage.parts.folder, "--verify")
    assert ran.code == 0, ran


def test_a_kill_with_an_open_position(tmp_path: Path) -> None:
    """Position and stop are told, then gone; the file stays until rearm; while the run ends no word counts."""
    seen: list[Any] = []

    def kill(desk: Desk, parts: Parts) -> None:
        told = desk.status()
        seen.append((list(told["position"]), [order["type"] for order in told["orders"]]))
        desk.give("kill", "test")
        assert (stage_home(parts) / "KILL").read_text().endswith("test; remove it with: main.py rearm\n")
        assert refused(desk, "allow_entries") == "HALTED"

    def rearm(desk: Desk, parts: Parts) -> None:
        seen.append(desk.status()["operating"])
        desk.give("rearm", "test")
        assert not (stage_home(parts) / "KILL").exists()
        seen.append(desk.status()["operating"])

    def play(stage: Stage) -> None:
        stage.desk.attach(stage.parts)
        stage.play([(holds, kill), (flat, rearm)])
        assert (stage.desk.phase, refused(stage.desk, "kill")) == ("ending", "ENDING")

    on_stage(tmp_path, play)
    assert seen == [(["BTCUSDT"], ["STOP_MARKET"]), "HALTED", "NORMAL"]


def stage_home(parts: Parts) -> Path:
    return parts.folder.parent.parent


def test_the_file_counts_from_the_first_moment(tmp_path: Path) -> None:
    """A KILL file that is there at the start halts before anything is entered; rearm refuses while it cannot go."""

    def stuck(desk: Desk, parts: Parts) -> None:
        kill = stage_home(parts) / "KILL"
        kill.unlink()
        (kill / "x").mkdir(parents=True)  # what cannot be unlinked
        assert refused(desk, "rearm") == "HALTED"
        desk.look()
        assert desk.status()["blocked_by"] == {"KILL": "file: kill switch"}

    def play(stage: Stage) -> None:
        (stage.home / "KILL").touch()
        stage.desk.attach(stage.parts)
        assert stage.desk.status()["blocked_by"] == {"KILL": "file: kill switch"}
        stage.play([(heard, stuck)])
        assert stage.parts.engine.account.fills == 0

    on_stage(tmp_path, play)


def test_problems_are_named(tmp_path: Path) -> None:
    """Silence, a lost stream, a journal that does not keep and lost records make a bot unhealthy; a halt does not."""

    def look(desk: Desk, parts: Parts) -> None:
        assert desk.health()["healthy"]
        assert documents.problems(parts, 5.1) == ["no market data for 5 s"]
        parts.session.event(StreamState(parts.engine.memory.now_ns, 0, "depth", False, "closed"))
        assert desk.health()["problems"] == ["STREAM: depth of BTCUSDT: closed"]
        parts.session.event(StreamState(parts.engine.memory.now_ns, 0, "depth", True))
        desk.give("kill", "test")
        assert desk.health()["healthy"]
        parts.files.lost, parts.files.problem = 2, "no room"
        assert desk.health()["problems"] == ["2 records lost: no room"]
        parts.files.lost, parts.files.problem = 0, ""

    def play(stage: Stage) -> None:
        stage.desk.attach(stage.parts)
        stage.play([(heard, look)], 3)

    on_stage(tmp_path, play)


def test_a_signal_while_the_run_ends_is_refused_in_the_log(tmp_path: Path) -> None:
    """Nobody waits for an answer to a signal, so nothing is raised and nothing happens."""

    def play(stage: Stage) -> None:
        stage.desk.attach(stage.parts)
        stage.play([], 1)
        stage.desk.signalled("kill")
        assert not (stage.home / "KILL").exists()

    on_stage(tmp_path, play)
