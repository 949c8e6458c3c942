"""What a driver needs of a run, and the record of what the run is made of. Filled in ``wiring/`` only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from core.engine import Engine
from core.session import Session
from models.action import Note
from models.event import Event
from models.instrument import Instrument

RUN = "run"
"""Source of the commands that a driver gives by itself; an operator's have another."""


class Hears(Protocol):
    """The ear: takes messages, remembers which snapshots are wanted."""

    number: int

    def frame(self, connection: int, payload: bytes, received_ns: int) -> None: ...

    def tick(self, received_ns: int) -> None: ...

    def take(self, kind: int, connection: int, payload: bytes, received_ns: int) -> None: ...

    def chunk(self, chunk: bytes, until_ns: int) -> bool: ...

    def fact(self, event: Event) -> None: ...

    def pass_on(self, count: int) -> None: ...

    def resync(self, instrument: int, reason: str, at_ns: int) -> None: ...

    @property
    def hearing(self) -> Any: ...


class Keeps(Protocol):
    """The run's files: records as notes come, documents at the end.

    ``lost`` counts records that the disk refused, ``problem`` says why; empty when all is well. ``left_out``: refused
    frames that were counted only.
    """

    problem: str
    lost: int
    left_out: int

    def write(self, file: str, record: dict[str, Any]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def write_document(self, name: str, document: dict[str, Any] | str) -> None: ...


class Course(Protocol):
    """What a virtual or recorded market needs of a run: ears and a session, no files."""

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def ear(self) -> Hears: ...

    @property
    def session(self) -> Session: ...

    @property
    def flat(self) -> bool: ...


class Parts:
    """One run: everything that depends on how it was started, filled by one function of ``wiring/``."""

    def __init__(
        self,
        *,
        run_id: str,
        mode: str,
        feed: str,
        folder: Path,
        instruments: tuple[Instrument, ...],
        engine: Engine,
        session: Session,
        ear: Hears,
        files: Keeps,
        keeper: Any,
        writer: Any,
        closing: Iterable[Callable[[], None]],
        facts: dict[str, Any],
    ) -> None:
        self.run_id = run_id
        self.mode = mode
        self.feed = feed
        self.folder = folder
        self.instruments = instruments
        self.engine = engine
        self.session = session
        self.ear = ear
        self.files = files
        self.keeper = keeper  # the journal, or None
        self.writer = writer  # the recording, or None
        self.closing = tuple(closing)
        self.facts = facts  # what the summary says of the run beside its results

    @property
    def flat(self) -> bool:
        return not self.engine.account.unfinished()


class Printer:
    """Publishes notes to the run's files and to an optional observer (a screen)."""

    def __init__(self, files: Keeps, observer: Callable[[Note], None] | None) -> None:
        self._files = files
        self._observer = observer

    def note(self, note: Note) -> None:
        self._files.write(note.file, note.record)
        if self._observer is not None:
            self._observer(note)
