"""The doors of the core: what it needs from outside, on one page. Implementations are joined in ``wiring/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.action import Note, Remember, Wish
from models.event import BookInvalid, ClockOffset, Event


class Venue(Protocol):
    """Where orders go, and who says when its answers become facts.

    A venue never calls the engine: answers wait inside it until ``take``. ``advance`` runs market rows through the
    engine and, for a simulated venue, through its own book beside it, so that one compiled loop serves both.
    """

    @property
    def due_ns(self) -> int:
        """When the earliest waiting answer becomes a fact, on our receive clock; ``FAR_NS`` when none waits."""
        ...

    def advance(self, engine_address: int, rows_address: int, start: int, stop: int) -> int:
        """Run rows until the engine wakes: ``index << 8 | bits`` as ``core.kernels.engine.advance``."""
        ...

    @property
    def passage(self) -> tuple[int, int]:
        """What compiled code needs to run rows through engine and venue together: the address of the venue's pass
        (``core.kernels.kernel.pass_entry``) and of its state; (0, 0) for a venue that has no book of its own.
        """
        ...

    def settle(self, rows_address: int, stop: int) -> None:
        """Do what the venue's pass stopped for (bit VENUE) on rows up to ``stop``."""
        ...

    def execute(self, action: Wish) -> None:
        """Take an action that left at ``action.at_ns``."""
        ...

    def take(self, until_ns: int) -> Sequence[Event]:
        """Answers that are facts by ``until_ns``, in order, each once."""
        ...

    def hear(self, event: ClockOffset | BookInvalid) -> None:
        """Facts that concern the venue's own picture: its clock against ours, a book whose chain broke."""
        ...


class Keeper(Protocol):
    """Keeps facts and wishes before they act (the journal). Called in order; must be durable when it returns."""

    def event(self, event: Event, frame: int) -> None: ...

    def action(self, action: Wish | Remember, frame: int) -> None: ...


class Publisher(Protocol):
    """Takes records for the run's files and faces; never answers."""

    def note(self, note: Note) -> None: ...
