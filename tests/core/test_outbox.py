"""The outbox keeps wishes in order and gives them out once."""

from __future__ import annotations

from core.outbox import Outbox
from models.action import Cancel, Inspect, Note, Submit
from tests.core.desk import Desk


def test_wishes_come_out_once_in_the_order_they_were_put_in() -> None:
    """Submit, cancel, note and others carry the time of the fact at hand; a second look finds nothing."""
    desk = Desk()
    desk.book()
    order = desk.sent(desk.signal())
    out = Outbox()
    out.now_ns = 5
    out.submit(order)
    out.cancel(order)
    out.note("orders", {"ts": 1})
    out.add(Inspect(5))
    submit, cancel, note, inspect = out.take()
    assert (submit, cancel) == (Submit(5, order), Cancel(5, order.client_id, 0, False))
    assert isinstance(note, Note) and (note.at_ns, note.file, note.record) == (5, "orders", {"ts": 1})
    assert inspect == Inspect(5)
    assert out.take() == []
