"""What the engine wishes because of one fact, in order, and the time of that fact.

The parts of the engine write into one outbox; only the engine hands it over. Time stands still while a fact is taken.
"""

from __future__ import annotations

from collections.abc import Callable

from models.action import Action, Cancel, Note, Submit
from models.order import ApprovedOrder


class Outbox:
    """``now_ns`` is the time of the fact at hand; ``take`` empties the box."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._actions: list[Action] = []

    def submit(self, order: ApprovedOrder) -> None:
        self._actions.append(Submit(self.now_ns, order))

    def cancel(self, order: ApprovedOrder) -> None:
        stop = order.trigger != 0
        self._actions.append(Cancel(self.now_ns, order.client_id, order.instrument, stop))

    def note(self, file: str, content: dict[str, object] | Callable[[], dict[str, object]]) -> None:
        """A record for one of the run's files."""
        self._actions.append(Note(self.now_ns, file, content))

    def add(self, action: Action) -> None:
        self._actions.append(action)

    def first(self, action: Action) -> None:
        """A wish that comes before all others of this fact."""
        self._actions.insert(0, action)

    def take(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions
