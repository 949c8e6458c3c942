"""The record of what a run is made of, and the printer that publishes its notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wiring
from config.load import load
from interface.drivers import virtual
from interface.drivers.parts import Keeps, Parts, Printer
from models.action import Note
from storage.cold.records import RunFiles, read_records

SECOND_NS = 10**9


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """A wired paper run in virtual time, and its market; all its files are closed afterwards."""
    settings = load(overrides=[f"app.data_dir={tmp_path}"], environment={}, folder=tmp_path).settings
    parts, source = wiring.paper_virtual(settings, seed=7, started_ns=1)
    yield parts, source
    for close in parts.closing:
        close()


def test_a_note_goes_to_its_file_and_to_the_observer(tmp_path: Path) -> None:
    """Both get the same record in the same order; the observer sees it without the file's own keys."""
    seen: list[Note] = []
    notes = [Note(number, "signals", {"ts": number, "symbol": "BTCUSDT"}) for number in range(3)]
    with RunFiles(tmp_path / "r", "r", threaded=False) as files:
        printer = Printer(files, seen.append)
        for note in notes:
            printer.note(note)
    assert seen == notes
    assert [(one["ts"], one["run_id"]) for one in read_records(tmp_path / "r" / "signals.jsonl")] == [
        (0, "r"), (1, "r"), (2, "r"),
    ]  # fmt: skip


def test_a_printer_needs_no_observer(tmp_path: Path) -> None:
    """Without a screen the files alone are written."""
    with RunFiles(tmp_path / "r", "r", threaded=False) as files:
        Printer(files, None).note(Note(1, "fills", {"ts": 1}))
    assert [one["ts"] for one in read_records(tmp_path / "r" / "fills.jsonl")] == [1]


def test_a_run_is_flat_until_it_holds_something(run: tuple[Parts, Any]) -> None:
    """``flat`` turns false with the first entry on its way and true again when all is closed."""
    parts, source = run
    assert parts.flat
    seen = set()
    virtual.drive(parts, source, 8 * SECOND_NS, lambda done: seen.add(parts.flat))
    assert seen == {True, False} and parts.flat


def test_a_wired_run_knows_its_places(run: tuple[Parts, Any]) -> None:
    """Folder, id, mode and facts agree, and the files can say what they lost."""
    parts, _ = run
    files: Keeps = parts.files
    assert (parts.folder.name, parts.mode, parts.feed) == (parts.run_id, "paper", "EMBEDDED")
    assert (files.lost, files.problem, parts.keeper.failed, parts.writer.problem) == (0, "", "", "")
    assert Path(parts.facts["recording"]).name == parts.run_id


def test_everything_a_run_opened_can_be_closed_twice(run: tuple[Parts, Any]) -> None:
    """Closing in the order of ``closing`` leaves no thread that writes; the end of a run may come from two sides."""
    parts, _ = run
    for close in (*parts.closing, *parts.closing):
        close()
    assert (parts.folder / "decisions.jsonl").exists()
