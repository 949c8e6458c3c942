"""What the runs before in a mode leave to the next one: marks and causes, open orders, entries of a day."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from models.action import Remember, Submit
from models.event import Fill, Inherited, OrderReport
from models.order import ApprovedOrder, Purpose
from models.survivors import Survivors
from storage.cold.journal_reader import begun, read_journal
from storage.cold.keeper import kept

DAY_NS = 86_400 * 1_000_000_000
SECOND_LETTERS = 16  # of a run's id: the time of its start


def inherited(folder: Path, now_ns: int) -> Inherited | None:
    """What the newest journal that tells anything leaves; None when none does.

    A run that was killed before it had taken over what was left to it has nothing to tell: the run before it has.
    """
    for journal in _newest_first(folder):
        left = left_behind(journal, now_ns)
        if left.survivors is not None or left.orders or left.entries:
            return left
    return None


def _newest_first(folder: Path) -> Iterator[Path]:
    """Journals with records. Run ids begin with the second of the start; of one second, the first record's time."""
    names = sorted(folder.glob("*.journal"), key=lambda path: path.name, reverse=True)
    for _, group in groupby(names, lambda path: path.name[:SECOND_LETTERS]):
        firsts = [(next(read_journal(path), None), path) for path in group if begun(path)]
        dated = [(first.at_ns, path) for first, path in firsts if first is not None]
        yield from (path for _, path in sorted(dated, reverse=True))


def left_behind(journal: Path, now_ns: int) -> Inherited:
    """Read a journal whole, a torn tail left out. Raises JournalDamagedError (exit 7) for a damaged middle.

    An order counts as open until a report has ended it; which one that was, the venue is asked. What the run had
    itself inherited and not seen the end of goes on. An entry that left after the marks were kept last is one more
    without a round trip (P14).
    """
    survivors: Survivors | None = None
    marked_ns = -1
    orders: dict[str, ApprovedOrder] = {}
    entries: list[tuple[int, int, int, int, int]] = []
    heard: list[tuple[str, int, int]] = []
    for _, content in kept(journal):
        if isinstance(content, Remember):
            survivors, marked_ns = content.survivors, content.at_ns
        elif isinstance(content, Submit):
            order = content.order
            orders[order.client_id] = order
            if order.purpose is Purpose.ENTRY:
                entries.append((content.at_ns, order.instrument, int(order.side), order.price, order.quantity))
        elif isinstance(content, OrderReport):
            if content.state.terminal:
                orders.pop(content.client_id, None)
        elif isinstance(content, Fill):
            heard.append((content.client_id, content.trade_id, content.quantity))
        elif isinstance(content, Inherited):
            survivors, marked_ns = content.survivors, content.at_ns
            orders |= {order.client_id: order for order in content.orders}
            entries += content.entries
            heard += content.heard
    if survivors is not None:
        later = sum(entry[0] > marked_ns for entry in entries)
        survivors = msgspec.structs.replace(survivors, repeats=survivors.repeats + later)
    recent = tuple(entry for entry in entries if entry[0] > now_ns - DAY_NS)
    known = tuple(dict.fromkeys(one for one in heard if one[0] in orders))
    return Inherited(now_ns, survivors, tuple(orders.values()), recent, known)
