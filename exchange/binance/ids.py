"""Who is who at the venue: numbers of orders, of conditional orders, of executions, and our client ids. Bounded. Pure.

The venue has two kinds of order numbers that must never be mixed (F52), and a conditional order that triggers becomes
an ordinary one with a number of its own (F57). Order and trade numbers count by contract, so each is kept with its
instrument.
"""

from __future__ import annotations

from collections import OrderedDict

KEPT = 4_096  # orders, and stops; the busiest day allowed has 150 entries
TRADES_KEPT = 16_384


class Stop:
    """A conditional order of ours or of somebody else, as far as it is known."""

    __slots__ = ("algo_id", "ended", "instrument", "order_id")

    def __init__(self, instrument: int) -> None:
        self.instrument = instrument
        self.algo_id = 0
        self.order_id = 0  # in the matching engine, once it has triggered
        self.ended = False


class Ids:
    def __init__(self) -> None:
        self._clients: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._stops: OrderedDict[str, Stop] = OrderedDict()
        self._trades: OrderedDict[tuple[int, int], None] = OrderedDict()

    # -- orders -----------------------------------------------------------------------------------------------

    def learn(self, instrument: int, order_id: int, client_id: str) -> None:
        """An order number and the client id its news are told under. What is linked to a stop stays linked."""
        self._clients.setdefault((instrument, order_id), client_id)
        while len(self._clients) > KEPT:
            self._clients.popitem(last=False)

    def client(self, instrument: int, order_id: int) -> str | None:
        return self._clients.get((instrument, order_id))

    # -- conditional orders -----------------------------------------------------------------------------------

    def stop(self, client_id: str, instrument: int, algo_id: int = 0) -> Stop:
        """A conditional order is there, or on its way."""
        stop = self._stops.get(client_id)
        if stop is None:
            stop = self._stops[client_id] = Stop(instrument)
            while len(self._stops) > KEPT:
                self._stops.popitem(last=False)
        stop.algo_id = algo_id or stop.algo_id
        return stop

    def known_stop(self, client_id: str) -> Stop | None:
        return self._stops.get(client_id)

    def link(self, client_id: str, instrument: int, order_id: int) -> None:
        """A conditional order has become the order ``order_id``."""
        self.stop(client_id, instrument).order_id = order_id
        self._clients[(instrument, order_id)] = client_id
        while len(self._clients) > KEPT:
            self._clients.popitem(last=False)

    def untriggered(self, instrument: int) -> list[str]:
        """Client ids of conditional orders that may have become an order whose number nobody has told yet."""
        return [
            client_id
            for client_id, stop in self._stops.items()
            if stop.instrument == instrument and not stop.ended and not stop.order_id
        ]

    def venue_id(self, client_id: str, order_id: int) -> int:
        """The number to tell for ``client_id``: of a conditional order always the one of its own kind."""
        stop = self._stops.get(client_id)
        return order_id if stop is None else stop.algo_id

    # -- executions -------------------------------------------------------------------------------------------

    def heard(self, instrument: int, trade_id: int) -> bool:
        """Whether an execution has been told already."""
        return (instrument, trade_id) in self._trades

    def hear(self, instrument: int, trade_id: int) -> None:
        self._trades[(instrument, trade_id)] = None
        while len(self._trades) > TRADES_KEPT:
            self._trades.popitem(last=False)
