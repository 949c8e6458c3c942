"""The position of one instrument. Its one writer is fills; cost is kept as a sum of ticks · lots, never an average."""

from __future__ import annotations

import msgspec

from models.event import Fill
from models.instrument import Instrument


class RoundTrip(msgspec.Struct, frozen=True):
    """One closed round trip. Prices are sums of ticks · lots over ``lots``; money at 1e-8."""

    instrument: int
    side: int  # +1 long, −1 short
    lots: int
    entry_cost: int
    exit_cost: int
    opened_ns: int
    closed_ns: int
    gross_e8: int
    fee_e8: int
    funding_e8: int

    @property
    def net_e8(self) -> int:
        return self.gross_e8 - self.fee_e8 + self.funding_e8


class Position:
    """Signed lots and their entry cost; fees and funding since the round trip began."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.lots = 0
        self.cost = 0  # signed: sum of ticks · signed lots of the open quantity
        self._reset()

    def _reset(self) -> None:
        self.opened_ns = 0
        self._side = 0
        self._entered = 0
        self._entry_cost = 0
        self._left = 0
        self._exit_cost = 0
        self._gross_e8 = 0
        self._fee_e8 = 0
        self._funding_e8 = 0

    @property
    def side(self) -> int:
        return (self.lots > 0) - (self.lots < 0)

    def apply(self, fill: Fill) -> tuple[int, RoundTrip | None]:
        """Book one fill: ``(realised gross at 1e-8, the round trip it closed or None)``.

        A fill that crosses zero closes the old round trip at its price and opens a new one with the rest.
        """
        signed = fill.quantity * fill.side.sign
        if self.lots == 0 or (self.lots > 0) == (signed > 0):
            self._open(fill, signed, fill.fee_e8)
            return 0, None
        closing = min(fill.quantity, abs(self.lots))
        fee = fill.fee_e8 * closing // fill.quantity
        realised = self._close(fill, closing, fee)
        trip = None
        if self.lots == 0:
            trip = self._finish(fill.at_ns)
            if closing < fill.quantity:
                self._open(fill, (fill.quantity - closing) * fill.side.sign, fill.fee_e8 - fee)
        return realised, trip

    @property
    def fee_e8(self) -> int:
        """Paid since the round trip began."""
        return self._fee_e8

    def pay(self, fee_e8: int) -> None:
        """A fee of this round trip that no fill here has told: it was paid before us."""
        self._fee_e8 += fee_e8

    def fund(self, amount_e8: int) -> None:
        self._funding_e8 += amount_e8

    def _open(self, fill: Fill, signed: int, fee_e8: int) -> None:
        if self.lots == 0:
            self.opened_ns = fill.at_ns
            self._side = 1 if signed > 0 else -1
        self.lots += signed
        self.cost += fill.price * signed
        self._entered += abs(signed)
        self._entry_cost += fill.price * abs(signed)
        self._fee_e8 += fee_e8

    def _close(self, fill: Fill, closing: int, fee_e8: int) -> int:
        """Release the average cost of ``closing`` lots; the last lot releases all that is left, so nothing is lost."""
        total = abs(self.lots)
        released = self.cost * closing // total if closing < total else self.cost
        sign = self._side
        realised = (fill.price * closing * sign - released) * self.instrument.unit_e8
        self.cost -= released
        self.lots -= closing * sign
        self._left += closing
        self._exit_cost += fill.price * closing
        self._gross_e8 += realised
        self._fee_e8 += fee_e8
        return realised

    def _finish(self, at_ns: int) -> RoundTrip:
        trip = RoundTrip(
            instrument=self.instrument.index,
            side=self._side,
            lots=self._left,
            entry_cost=self._entry_cost,
            exit_cost=self._exit_cost,
            opened_ns=self.opened_ns,
            closed_ns=at_ns,
            gross_e8=self._gross_e8,
            fee_e8=self._fee_e8,
            funding_e8=self._funding_e8,
        )
        self._reset()
        return trip

    def unrealised_e8(self, ticks2: int) -> int:
        """Open profit at a price of ``ticks2``/2 ticks (a mid), at 1e-8, rounded down."""
        return (ticks2 * self.lots - 2 * self.cost) * self.instrument.unit_e8 // 2
