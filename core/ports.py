"""The doors of the core: what it needs from outside, on one page. Implementations are joined in ``wiring.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.action import Cancel, Note, Query, Submit
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

    def follow(self, rows_address: int, count: int) -> None:
        """Rows of a frame that the engine has already taken; a venue without a book of its own ignores them."""
        ...

    def execute(self, action: Submit | Cancel | Query) -> None:
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

    def action(self, action: Submit | Cancel | Query, frame: int) -> None: ...


class Publisher(Protocol):
    """Takes records for the run's files and faces; never answers."""

    def note(self, note: Note) -> None: ...
