"""`run`: the daemon over real sockets, from its lock to its last word."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from interface.commands.parser import parse
from interface.commands.run import Wish, _unless, emulator_command
from storage.cold.instance import InstanceLock
from storage.cold.journal_reader import check_journal
from storage.cold.raw_lines import import_raw_lines
from tests.interface.program import WAIT_S, capture, child, started

EMBEDDED = ("--feed", "embedded", "--data-dir", "d")


def heard(process: Any, event: str) -> dict[str, Any]:
    """The next log line of a child that tells of ``event``."""
    for line in process.stderr:
        if f'"{event}"' in line:
            told: dict[str, Any] = json.loads(line)
            return told
    raise AssertionError(f"{event} never came")


def test_it_runs_for_as_long_as_asked(tmp_path: Path) -> None:
    """One document on stdout, the log on stderr, a closed journal, and run.json for other programs."""
    ran = child(tmp_path, *EMBEDDED, "--for", "1s", "--json")
    document = ran.document
    assert (ran.code, document["feed"], document["market"]["frames"] > 10) == (0, "EMBEDDED", True), ran.err
    assert check_journal(tmp_path / "d/paper/journal" / f"{document['run_id']}.journal").closed
    facts = json.loads((tmp_path / "d/paper/run.json").read_bytes())
    assert (facts["run_id"], facts["mode"], facts["feed"]) == (document["run_id"], "paper", "EMBEDDED")


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    """SIGTERM: the exit code is 0 when nothing is open (9 when a protected position stays), and the summary comes."""
    with started(tmp_path, *EMBEDDED, "--json") as process:
        told = heard(process, "run.started")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_S)
    document = json.loads(out)
    assert process.returncode == (9 if document["open_position"] else 0), err
    assert told["run_id"] == document["run_id"]


@pytest.mark.parametrize(("words", "stream"), [((), "err"), (("--json",), "out")])
def test_a_stop_before_the_market_was_heard_says_so(tmp_path: Path, words: tuple[str, ...], stream: str) -> None:
    """Stopped while it still waits for the venue it ends with code 0 and one sentence, and leaves no run behind."""
    with socket.socket() as venue:
        venue.bind(("127.0.0.1", 0))
        venue.listen()
        port = venue.getsockname()[1]
        urls = f"feed.rest_url=http://127.0.0.1:{port}", f"feed.stream_url=ws://127.0.0.1:{port}"
        silent = ("--feed", "binance", "--set", "feed.deliver_timeout_s=60", "--set", urls[0], "--set", urls[1])
        with started(tmp_path, *silent, "--data-dir", "d", *words) as process:
            venue.settimeout(WAIT_S)
            with venue.accept()[0]:  # it has begun to wait for a venue that never answers
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=WAIT_S)
    said = "stopped before the market was heard; nothing was traded"
    assert (process.returncode, said in (out if stream == "out" else err)) == (0, True), (out, err)
    assert not list(tmp_path.glob("d/paper/runs/*"))
    if stream == "out":
        assert json.loads(out) == {"run_id": None, "stopped": said}


def test_one_run_holds_a_data_folder(tmp_path: Path) -> None:
    """A second one is refused with the holder's number and what to do; exit code 8."""
    lock = InstanceLock(tmp_path / "d" / "paper", started="2026-11-27T00:00:00Z")
    try:
        ran = child(tmp_path, *EMBEDDED, "--for", "1s")
    finally:
        lock.release()
    assert (ran.code, f"pid {os.getpid()}" in ran.sentence, "--data-dir" in ran.sentence) == (8, True, True)


def test_a_recording_may_be_the_market(tmp_path: Path) -> None:
    """``--feed file:PATH`` plays a recording's own contracts over sockets."""
    import_raw_lines([capture(tmp_path / "c", 12, symbols=("ETHUSDT",))], tmp_path / "tape", unit="us")
    ran = child(tmp_path, "--feed", "file:tape", "--data-dir", "d", "--for", "2s", "--json", "--quiet")
    assert (ran.code, ran.document["symbols"]) == (0, ["ETHUSDT"]), ran.err


def test_the_exchange_gets_the_words_of_the_run(tmp_path: Path) -> None:
    """Seed, speed, tape, files of settings, single settings and the data folder go on to the child."""
    arguments = parse(["run", "--config", "a.toml", "--set", "x.y=1", "--data-dir", "d"])
    given = [["--tape", str(tmp_path)], ["--account", "main=70.00000000"]]
    for mode, tape, words in (("paper", tmp_path, given[0]), ("rehearsal", None, given[1])):
        wish = Wish(mode, "embedded", None, 2.0, 7, tape, False)
        assert list(emulator_command(arguments, Settings(), wish))[2:] == [
            "emulator", "--seed", "7", "--speed", "2", *words,
            "--config", "a.toml", "--set", "x.y=1", "--data-dir", "d",
        ]  # fmt: skip


@pytest.mark.parametrize("stopped", [False, True])
def test_work_or_stop(stopped: bool) -> None:
    """The result of the work, or None with the work cancelled when the stop comes first."""
    cancelled: list[bool] = []

    async def work() -> str:
        try:
            await asyncio.sleep(3600 if stopped else 0)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "done"

    async def run() -> str | None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set) if stopped else None
        return await _unless(stop, work())

    assert (asyncio.run(run()), cancelled) == ((None, [True]) if stopped else ("done", []))
