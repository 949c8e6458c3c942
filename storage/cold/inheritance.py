"""What the newest journal of a mode leaves to the next run: marks and causes, open orders, entries of a day."""

from __future__ import annotations

from pathlib import Path

from models.action import Remember, Submit
from models.event import Inherited, OrderReport
from models.order import ApprovedOrder, Purpose
from models.survivors import Survivors
from storage.cold.keeper import kept

DAY_NS = 86_400 * 1_000_000_000


def newest_journal(folder: Path) -> Path | None:
    """The journal of the last run; run ids begin with the time of the start, so names are in order."""
    return max(folder.glob("*.journal"), key=lambda path: path.name, default=None)


def left_behind(journal: Path, now_ns: int) -> Inherited:
    """Read a journal whole, a torn tail left out. Raises JournalDamagedError (exit 7) for a damaged middle.

    An order counts as open until a report has ended it; which one that was, the venue is asked. What the run had
    itself inherited and not seen the end of goes on.
    """
    survivors: Survivors | None = None
    orders: dict[str, ApprovedOrder] = {}
    entries: list[tuple[int, int, int, int, int]] = []
    for _, content in kept(journal):
        if isinstance(content, Remember):
            survivors = content.survivors
        elif isinstance(content, Submit):
            order = content.order
            orders[order.client_id] = order
            if order.purpose is Purpose.ENTRY:
                entries.append((content.at_ns, order.instrument, int(order.side), order.price, order.quantity))
        elif isinstance(content, OrderReport):
            if content.state.terminal:
                orders.pop(content.client_id, None)
        elif isinstance(content, Inherited):
            survivors = content.survivors
            orders |= {order.client_id: order for order in content.orders}
            entries += content.entries
    recent = tuple(entry for entry in entries if entry[0] > now_ns - DAY_NS)
    return Inherited(now_ns, survivors, tuple(orders.values()), recent)
