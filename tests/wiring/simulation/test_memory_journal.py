"""The journal in memory: read by the product's own reader, cut where a kill cuts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.cold.journal_reader import check_journal, read_journal
from wiring.simulation.memory_journal import MemoryJournal


@pytest.mark.parametrize("torn", [0, 7, 31])
def test_what_a_kill_leaves_is_a_journal(tmp_path: Path, torn: int) -> None:
    """Records written come back whole; the bytes of one that was never finished are left out and reported."""
    journal = MemoryJournal(lambda record, written: None)
    for number in range(20):
        assert journal.append(1, number, number, b"x" * number)
    journal.spill(tmp_path / "one.journal", torn)
    assert [record.payload for record in read_journal(tmp_path / "one.journal")] == [b"x" * n for n in range(20)]
    assert ("torn" in check_journal(tmp_path / "one.journal").tail) == bool(torn)


@pytest.mark.parametrize(("written", "kept"), [(False, 2), (True, 3)])
def test_a_kill_strikes_just_before_or_just_after_a_record(tmp_path: Path, written: bool, kept: int) -> None:
    """A sealed journal takes nothing more, and the moment says whether the record is in it."""

    def near(record: int, done: bool) -> None:
        if record == 4 and done is written:  # the header is record 1
            journal.sealed = True

    journal = MemoryJournal(near)
    for number in range(5):
        journal.append(1, number, 0, b"")
    journal.spill(tmp_path / "one.journal")
    assert len(list(read_journal(tmp_path / "one.journal"))) == kept
