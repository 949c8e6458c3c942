"""The journal as the session's keeper: what is kept comes back, what can be worked out again is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.action import Cancel, Query, Submit
from models.event import BookInvalid, ClockOffset, Command, Event, Fill, Funding, OrderReport, StreamState, Timer, Wake
from models.order import ApprovedOrder, OrderType, Purpose, Side, TimeInForce
from storage.cold.journal import Journal
from storage.cold.journal_reader import JournalDamagedError
from storage.cold.keeper import ACTION, EVENT, FINISH, Finish, JournalKeeper, kept

INT64 = st.integers(-(2**63), 2**63 - 1)
FACTS = (BookInvalid, ClockOffset, Command, Fill, Funding, OrderReport, StreamState)


def filled(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of a struct whose integers fit 64 bits."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: INT64 if hint is int else st.from_type(hint) for name, hint in hints.items()})


def written(path: Path) -> tuple[Journal, JournalKeeper]:
    """A new journal and its keeper."""
    path.unlink(missing_ok=True)
    journal = Journal(path, {"version": "test"})
    return journal, JournalKeeper(journal)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(*map(filled, FACTS)), max_size=4))
def test_facts_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    """Every outer fact is read back equal, in order, with the frame it came behind."""
    path = tmp_path_factory.getbasetemp() / "facts.journal"
    journal, keeping = written(path)
    for number, event in enumerate(events):
        keeping.event(event, number)
    journal.close()
    found = list(kept(path))
    assert [content for _, content in found] == events
    assert [(record.kind, record.frame) for record, _ in found] == [(EVENT, number) for number in range(len(events))]


ORDER = ApprovedOrder("sc1", 0, Side.BUY, OrderType.LIMIT, TimeInForce.GTX, 5, 2, 0, False, Purpose.ENTRY, 9)


@pytest.mark.parametrize("action", [Cancel(5, "sc1"), Query(6, "sc2"), Submit(7, ORDER)])
def test_wishes_come_back_as_they_were(tmp_path: Path, action: Cancel | Query | Submit) -> None:
    """A wish is kept under its own kind, with its time."""
    journal, keeping = written(tmp_path / "j")
    keeping.action(action, 3)
    journal.close()
    ((record, content),) = kept(tmp_path / "j")
    assert (record.kind, record.at_ns, content) == (ACTION, action.at_ns, action)


def test_wakes_and_timers_are_left_out(tmp_path: Path) -> None:
    """They follow from rows and time: keeping them would make every frame a record."""
    journal, keeping = written(tmp_path / "j")
    keeping.event(Wake(1, 0, 4, 9), 9)
    keeping.event(Timer(2), 9)
    keeping.event(Command(3, "kill", "test"), 9)
    journal.close()
    assert [content for _, content in kept(tmp_path / "j")] == [Command(3, "kill", "test")]


def test_the_end_says_what_a_second_run_must_reach(tmp_path: Path) -> None:
    """The last record holds the time and the state hash."""
    journal, keeping = written(tmp_path / "j")
    keeping.finish(77, "abc")
    journal.close()
    ((record, content),) = kept(tmp_path / "j")
    assert (record.kind, content) == (FINISH, Finish(77, "abc"))


def test_a_journal_that_cannot_keep_is_seen_through_its_keeper(tmp_path: Path) -> None:
    """``failed`` is the journal's own sentence."""
    journal, keeping = written(tmp_path / "j")
    assert keeping.failed == ""
    journal.failed = "the disk is gone"
    assert keeping.failed == "the disk is gone"
    journal.failed = ""
    journal.close()


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x81\xa4type\xa5other"])
def test_a_content_of_another_version_is_refused_with_its_number(tmp_path: Path, payload: bytes) -> None:
    """A whole record with a content nobody here knows names its number and ends with exit code 7."""
    journal, _ = written(tmp_path / "j")
    journal.append(EVENT, 1, 1, payload)
    journal.close()
    with pytest.raises(JournalDamagedError, match="record 2 is unknown") as caught:
        list(kept(tmp_path / "j"))
    assert caught.value.exit_code == 7


def test_a_rehearsed_wish_is_not_kept(tmp_path: Path) -> None:
    """The work is done, the journal stays as it was."""
    journal, keeping = written(tmp_path / "j")
    keeping.rehearse(Query(1, "scabcdefghe000001", 0, False))
    journal.close()
    assert list(kept(tmp_path / "j")) == []
