"""The journal as the session's keeper: outer facts and wishes by kind, in the journal's payload as MessagePack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from models.action import Remember, Wish
from models.event import Event, Timer, Wake
from storage.cold.journal import Journal
from storage.cold.journal_reader import JournalDamagedError, JournalRecord, read_journal

EVENT, ACTION, FINISH = 1, 2, 3
"""Kinds of journal records: a fact, a wish, the end of the run."""


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """The end of a run: its time and the state hash that a second run must reach."""

    at_ns: int
    state: str


Kept = Event | Wish | Remember | Finish
encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


class JournalKeeper:
    """Keeps what cannot be worked out again. Wakes and timers follow from rows and time, so they are left out."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def failed(self) -> str:
        """Empty, or why records are no longer safe."""
        return self._journal.failed

    def event(self, event: Event, frame: int) -> None:
        if not isinstance(event, Wake | Timer):
            self._journal.append(EVENT, event.at_ns, frame, encode(event))

    def action(self, action: Wish | Remember, frame: int) -> None:
        self._journal.append(ACTION, action.at_ns, frame, encode(action))

    def rehearse(self, action: Wish) -> None:
        """What keeping a wish costs, without keeping it."""
        self._journal.rehearse(ACTION, action.at_ns, 0, encode(action))

    def finish(self, at_ns: int, state: str) -> None:
        self._journal.append(FINISH, at_ns, 0, encode(Finish(at_ns, state)))


def kept(path: Path) -> Iterator[tuple[JournalRecord, Kept]]:
    """Records of a journal with their contents, in order. Raises JournalDamagedError for a content it does not know."""
    for record in read_journal(path):
        try:
            content = _decode(record.payload)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise JournalDamagedError(
                f"{path}: the content of record {record.sequence} is unknown ({error}); read it with the version that "
                "wrote it"
            ) from None
        yield record, content
