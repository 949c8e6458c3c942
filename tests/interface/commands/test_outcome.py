"""The end of a run: everything closed, then the summary; what a disk refuses is told and costs nothing else."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wiring
from config.load import load
from interface.commands import outcome
from interface.drivers import history, virtual
from interface.drivers.parts import Parts
from storage.cold.journal_reader import check_journal
from storage.cold.keeper import Finish, kept
from storage.cold.recording import Recording

SECOND_NS = 10**9
Make = Callable[[], tuple[Parts, int]]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A paper run of one second in virtual time, driven and not yet finished."""

    def make() -> tuple[Parts, int]:
        settings = load(overrides=[f"app.data_dir={tmp_path}"], environment={}, folder=tmp_path).settings
        parts, source = wiring.paper_virtual(settings, seed=7, started_ns=1)
        return parts, virtual.drive(parts, source, SECOND_NS, prime=False)

    return make


def finish(parts: Parts, ended_ns: int) -> dict[str, Any]:
    return outcome.finish(parts, started_ns=wiring.VIRTUAL_START_NS, ended_ns=ended_ns, config="[risk]\n")


def told(document: dict[str, Any], *, as_json: bool = True, **options: bool) -> int:
    return outcome.tell(document, argparse.Namespace(json=as_json, quiet=False), **options)


def test_everything_is_closed_and_written(made: Make) -> None:
    """Journal, recording and records end in order, and the documents stand beside them."""
    parts, ended_ns = made()
    document = finish(parts, ended_ns)
    assert check_journal(parts.folder.parents[1] / "journal" / f"{parts.run_id}.journal").closed
    recording = Recording.open(Path(document["recording"]))
    assert recording.complete and recording.verify() == ""
    assert json.loads((parts.folder / "summary.json").read_bytes()) == document
    assert (parts.folder / "config.toml").read_text() == "[risk]\n"


def test_the_journal_ends_with_the_state_of_the_summary(made: Make) -> None:
    """What a second run must reach is what the summary says was reached."""
    parts, ended_ns = made()
    document = finish(parts, ended_ns)
    *_, (_, last) = kept(parts.folder.parents[1] / "journal" / f"{parts.run_id}.journal")
    assert last == Finish(ended_ns, document["state_hash"])


def test_a_summary_that_cannot_be_written_is_told(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """The result still reaches its reader, with the problem in it, and the exit code is not 0."""
    parts, ended_ns = made()
    (parts.folder / "summary.json").mkdir()
    document = finish(parts, ended_ns)
    assert "the summary cannot be written" in document["records_problem"]
    assert (told(document), json.loads(capsys.readouterr().out)["records_lost"]) == (outcome.EXIT_LOST, 1)
    assert Recording.open(Path(document["recording"])).complete


def test_problems_at_closing_stand_in_the_summary(made: Make) -> None:
    """The summary is made when all is closed: a recording that failed with its last chunk is not called good."""
    parts, ended_ns = made()
    index = parts.writer.folder / "index.json"
    while not index.is_dir():  # the recorder's thread may write it anew in between
        index.unlink(missing_ok=True)
        with contextlib.suppress(FileExistsError):
            index.mkdir()
    document = finish(parts, ended_ns)
    assert "recording is off" in document["recording_problem"]


@pytest.mark.parametrize(
    ("change", "stopped", "code"),
    [
        ({}, False, 0),
        ({"operating": "HALTED"}, False, 6),
        ({"open_position": {"BTCUSDT": "0.008"}}, False, 0),
        ({"open_position": {"BTCUSDT": "0.008"}}, True, 9),
        ({"operating": "HALTED", "open_position": {"BTCUSDT": "0.008"}}, True, 6),
        ({"records_lost": 1, "records_problem": "x"}, False, 1),
    ],
)
def test_the_exit_code_says_how_it_ended(
    made: Make, capsys: pytest.CaptureFixture[str], change: dict[str, Any], stopped: bool, code: int
) -> None:
    """Halted is 6, a position left behind by a stop is 9, lost records are 1, everything else is 0."""
    document = finish(*made()) | change
    assert told(document, stopped=stopped) == code
    capsys.readouterr()


def test_json_is_one_document_and_text_is_for_people(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Both forms tell the same run; --json writes one line of JSON and nothing else."""
    document = finish(*made())
    told(document)
    assert json.loads(capsys.readouterr().out) == document
    told(document, as_json=False)
    assert capsys.readouterr().out.splitlines()[-1].endswith(document["folder"])


def test_a_run_that_fails_keeps_what_it_has(made: Make) -> None:
    """An error in a run with a journal closes every file; journal, records and recording stay readable."""
    parts, _ = made()
    with pytest.raises(KeyError), outcome.guarded(parts):
        raise KeyError("x")
    assert check_journal(parts.folder.parents[1] / "journal" / f"{parts.run_id}.journal").closed
    assert Recording.open(parts.writer.folder).verify() == ""
    assert (parts.folder / "decisions.jsonl").exists()


def test_a_back_test_that_fails_leaves_no_folder(finished: Path, tmp_path: Path) -> None:
    """Half a back test is of no use and can be made again: its folder goes, the recording stays."""
    (recording,) = (finished / "market").iterdir()
    settings = load(overrides=[f"app.data_dir={tmp_path}"], environment={}, folder=tmp_path).settings
    parts, (opened,) = wiring.history(settings, [recording], mode="backtest", started_ns=1)
    with pytest.raises(KeyboardInterrupt), outcome.guarded(parts):
        history.drive(parts, opened.chunks())
        raise KeyboardInterrupt
    assert not parts.folder.exists() and Recording.open(recording).verify() == ""
