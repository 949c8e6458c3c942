"""The account at the simulated exchange: wallet, one-way positions with isolated margin, and what each cost.

Cost is the sum of tick · lot of the open lots, not an average. All money int at 1e-8; roundings fall against us. The
wallet is exact: ``wallet = start + realised − fees + funding`` after every entry.
"""

from __future__ import annotations

import msgspec

from exchange.simulated.fees import ceil_div
from exchange.simulated.margin import brackets_of, initial_e8, liquidation_ticks, maintenance_e8
from models.instrument import E8, Instrument


class PositionState(msgspec.Struct, frozen=True):
    """One position as the venue would report it; ``lots`` signed, ``cost`` in tick · lot, 0 = no liquidation price."""

    instrument: int
    lots: int
    cost: int
    margin_e8: int
    unrealised_e8: int
    maintenance_e8: int
    liquidation_ticks: int


class AccountState(msgspec.Struct, frozen=True):
    """The account at one moment: ``equity_e8`` is wallet plus unrealised results at the mark."""

    wallet_e8: int
    equity_e8: int
    available_e8: int
    realised_e8: int
    fees_e8: int
    funding_e8: int
    positions: tuple[PositionState, ...]


class Position:
    """One instrument's open lots (signed), their cost in tick · lot, and the isolated margin behind them."""

    __slots__ = ("brackets", "cost", "instrument", "lots", "margin_e8")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.brackets = brackets_of(instrument)
        self.lots = 0
        self.cost = 0
        self.margin_e8 = 0

    def notional_e8(self, mark_e8: int) -> int:
        return mark_e8 * abs(self.lots) * self.instrument.lot_e8 // E8

    def unrealised_e8(self, mark_e8: int) -> int:
        """Result at the mark, rounded down."""
        worth = mark_e8 * self.lots * self.instrument.lot_e8 // E8
        cost = self.cost * self.instrument.unit_e8
        return worth - cost if self.lots > 0 else worth + cost

    def maintenance_e8(self, mark_e8: int) -> int:
        return maintenance_e8(self.brackets, self.notional_e8(mark_e8)) if self.lots else 0

    def liquidation_ticks(self) -> int:
        return liquidation_ticks(self.brackets, self.lots, self.cost, self.instrument.unit_e8, self.margin_e8)

    def bankrupt(self, mark_e8: int) -> bool:
        """Isolated wallet plus unrealised result no longer above the maintenance margin (venue reference §9.2)."""
        if self.lots == 0 or mark_e8 <= 0:
            return False
        return self.margin_e8 + self.unrealised_e8(mark_e8) <= self.maintenance_e8(mark_e8)

    def reducible(self, sign: int) -> int:
        """How many lots an order in direction ``sign`` (+1 buys) could close."""
        return max(0, -sign * self.lots)

    def trade(self, sign: int, price: int, lots: int, leverage: int) -> int:
        """Book ``lots`` at ``price`` ticks in direction ``sign``; returns the realised result at 1e-8."""
        closed = min(lots, self.reducible(sign))
        realised_e8 = 0
        if closed:
            held = abs(self.lots)
            # A share of the cost is no whole number: it rounds against us, the rest stays, and the last lot takes all.
            share = ceil_div(self.cost * closed, held) if self.lots > 0 else self.cost * closed // held
            realised_e8 = (price * closed - share) * -sign * self.instrument.unit_e8
            self.cost -= share
            self.margin_e8 -= self.margin_e8 * closed // held
            self.lots += sign * closed
        opened = lots - closed
        if opened:
            self.lots += sign * opened
            self.cost += price * opened
            self.margin_e8 += initial_e8(self.instrument.notional_e8(price, opened), leverage)
        return realised_e8


class Ledger:
    """Wallet and positions; ``book`` and ``fund`` are the only two ways in which money moves."""

    def __init__(self, instruments: tuple[Instrument, ...], wallet_e8: int, leverage: int) -> None:
        self.wallet_e8 = wallet_e8
        self.realised_e8 = 0
        self.fees_e8 = 0
        self.funding_e8 = 0
        self.reserved_e8 = 0  # initial margin of resting orders; the exchange brings it up to date before each use
        self.leverage = leverage
        self.positions = tuple(Position(instrument) for instrument in instruments)

    def book(self, index: int, sign: int, price: int, lots: int, fee: int) -> None:
        """One execution: position, realised result and commission."""
        realised_e8 = self.positions[index].trade(sign, price, lots, self.leverage)
        self.realised_e8 += realised_e8
        self.fees_e8 += fee
        self.wallet_e8 += realised_e8 - fee

    def fund(self, amount_e8: int) -> None:
        """A funding settlement; positive is received."""
        self.funding_e8 += amount_e8
        self.wallet_e8 += amount_e8

    def available_e8(self) -> int:
        """What may back new positions: the wallet without isolated margins and without what resting orders hold."""
        return self.wallet_e8 - self.reserved_e8 - sum(position.margin_e8 for position in self.positions)

    def state(self) -> tuple[object, ...]:
        held = tuple((position.lots, position.cost, position.margin_e8) for position in self.positions)
        return self.wallet_e8, self.realised_e8, self.fees_e8, self.funding_e8, held
