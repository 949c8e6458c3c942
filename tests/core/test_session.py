"""The session carries an entry out first and books it after, whatever the venue does."""

from __future__ import annotations

import pytest

from core.kernels.state import Ready, Wake
from core.session import Session
from interface.drivers.keep_warm import Nowhere
from models.action import Action, Note, Wish
from models.order import Purpose
from tests.core.desk import Desk


class Line(Nowhere):
    """A venue that notes what the engine knew when an order reached it, and may break the line."""

    def __init__(self, broken: bool) -> None:
        super().__init__()
        self.broken = broken
        self.desk = Desk()
        self.told: list[str] = []
        self.known: list[bool] = []

    def execute(self, action: Wish) -> None:
        super().execute(action)
        self.known.append(not self.desk.engine.orders.none_alive)
        if self.broken:
            raise ConnectionError("the line broke while the order was on its way")

    def note(self, note: Action) -> None:
        assert isinstance(note, Note)
        self.told.append(note.file)


def wake(line: Line) -> None:
    """A trigger in a calm market, with every window ready."""
    desk = line.desk
    desk.book()
    desk.engine.memory.set(0, entry_side=1, ready=Ready.ALL)
    Session(desk.engine, line, None, line).wake(desk.now_ns, 0, Wake.ENTRY)


def test_an_entry_leaves_before_it_is_booked() -> None:
    """When the order reaches the venue the books do not know it yet; when the wake is over they do, and tell of it."""
    line = Line(broken=False)
    wake(line)
    assert line.known == [False]
    assert [order.approved.client_id for order in line.desk.engine.orders.alive(0, Purpose.ENTRY)] == [line.last]
    assert line.told[-2:] == ["signals", "orders"]


def test_an_entry_is_booked_although_the_venue_raised() -> None:
    """An order that may have left is on the books, alive, whatever the line did."""
    line = Line(broken=True)
    with pytest.raises(ConnectionError):
        wake(line)
    assert len(line.desk.engine.orders.alive(0, Purpose.ENTRY)) == 1
    assert line.desk.engine.ledger.entries[-1].lots > 0
