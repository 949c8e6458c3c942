"""What became of orders nobody is sure of: asked for, again and again, until proof. Pure; time comes from outside.

«Not placed» needs all of (failure catalogue, proof of absence): the venue's clock is a second past the time until which
it could still accept the order; two answers «not found» from after that, half a second apart; and an account read after
that in which neither an order nor a position tells of it. Anything less is *unknown*.
"""

from __future__ import annotations

from core.execution.orders import Order
from models.event import AccountTruth, NotFound
from models.rows import FAR_NS

MS = 1_000_000
WAITS_NS = (200 * MS, 500 * MS, 1_000 * MS, 2_000 * MS, 5_000 * MS)  # between questions; the last for ever
APART_NS = 500 * MS  # two answers «not found» count as two when so far apart
MARGIN_NS = 1_000 * MS  # the venue accepts a timestamp up to a second ahead of its clock


class Doubt:
    """One order in doubt. ``until_ns``: venue time up to which it could still be accepted."""

    __slots__ = ("absences", "next_ns", "order", "since_ns", "tries", "until_ns")

    def __init__(self, order: Order, now_ns: int, until_ns: int) -> None:
        self.order = order
        self.since_ns = now_ns
        self.next_ns = now_ns
        self.until_ns = until_ns
        self.tries = 0
        self.absences: list[int] = []  # our times of the first and newest «not found» that count

    @property
    def missing(self) -> bool:
        """Whether two answers far enough apart say that the venue does not know it."""
        return len(self.absences) == 2 and self.absences[1] - self.absences[0] >= APART_NS


class Verdicts:
    """All orders in doubt, by client id. ``recv_window_ns`` is how long the venue accepts a signed order."""

    def __init__(self, recv_window_ns: int) -> None:
        self._window_ns = recv_window_ns
        self._doubts: dict[str, Doubt] = {}

    def __len__(self) -> int:
        return len(self._doubts)

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._doubts

    @property
    def oldest_ns(self) -> int:
        """Since when the oldest doubt stands; ``FAR_NS`` without any."""
        return min((doubt.since_ns for doubt in self._doubts.values()), default=FAR_NS)

    @property
    def orders(self) -> list[Order]:
        return [doubt.order for doubt in self._doubts.values()]

    def doubt(self, order: Order, now_ns: int, offset_ns: int) -> None:
        """Nobody knows what became of ``order``; ``offset_ns`` is the venue's clock minus ours."""
        client_id = order.approved.client_id
        if client_id not in self._doubts:
            until_ns = order.approved.created_ns + offset_ns + self._window_ns + MARGIN_NS
            self._doubts[client_id] = Doubt(order, now_ns, until_ns)

    def settle(self, client_id: str) -> bool:
        """Evidence came; True when there had been a doubt."""
        return self._doubts.pop(client_id, None) is not None

    def due(self, now_ns: int) -> list[Order]:
        """Orders to ask for now; the next question is planned."""
        asked = []
        for doubt in self._doubts.values():
            if doubt.next_ns <= now_ns:
                asked.append(doubt.order)
                doubt.next_ns = now_ns + WAITS_NS[min(doubt.tries, len(WAITS_NS) - 1)]
                doubt.tries += 1
        return asked

    def not_found(self, event: NotFound) -> bool:
        """Count an answer «not found»; True when the account has to be read for the proof to be whole."""
        doubt = self._doubts.get(event.client_id)
        if doubt is None or event.venue_ns <= doubt.until_ns:
            return False
        if not doubt.absences:
            doubt.next_ns = min(doubt.next_ns, event.at_ns + APART_NS)
        doubt.absences = [*doubt.absences[:1], event.at_ns]
        return doubt.missing

    def absent(self, truth: AccountTruth, offset_ns: int, explained: bool) -> list[Order]:
        """Orders that this reading proves were never placed. ``explained``: every position in it is ours."""
        if not explained:
            return []
        standing = {order.client_id for order in truth.orders}
        proven = [
            doubt.order
            for client_id, doubt in self._doubts.items()
            if doubt.missing and client_id not in standing and truth.asked_ns + offset_ns > doubt.until_ns
        ]
        for order in proven:
            del self._doubts[order.approved.client_id]
        return proven
