"""One position: what trades, funding and margin do to it. All numbers at 1e-8."""

from __future__ import annotations

import msgspec

from exchange.emulator.trading.texts import divided, value_e8


class Traded(msgspec.Struct, frozen=True):
    """What one trade did: profit realised, how much of the position it closed (of how much), value it opened."""

    realised_e8: int
    closed_e8: int
    of_e8: int
    opened_value_e8: int


class Position(msgspec.Struct, eq=False):
    """A position of one account. ``quantity_e8`` is signed; ``cost_e8`` the value at which the open quantity was
    traded, never negative; ``isolated_e8`` its own wallet; ``realised_e8`` the profit so far before fees.
    """

    symbol: str
    side: str = "BOTH"
    quantity_e8: int = 0
    cost_e8: int = 0
    isolated_e8: int = 0
    realised_e8: int = 0
    updated_ms: int = 0

    @property
    def sign(self) -> int:
        """+1 long, -1 short, 0 flat."""
        return (self.quantity_e8 > 0) - (self.quantity_e8 < 0)

    @property
    def size_e8(self) -> int:
        return abs(self.quantity_e8)

    @property
    def entry_e8(self) -> int:
        """The average entry price, rounded to 1e-8; the exact one is ``cost_e8 / quantity_e8``."""
        return divided(self.cost_e8, self.size_e8)

    def value_at(self, mark_e8: int) -> int:
        """The position's value at a price, never negative."""
        return value_e8(mark_e8, self.size_e8)

    def unrealised_e8(self, mark_e8: int) -> int:
        return self.sign * (self.value_at(mark_e8) - self.cost_e8)

    def trade(self, signed_e8: int, price_e8: int) -> Traded:
        """Take a trade of ``signed_e8``. Closing takes its share of the cost, rounded down; the rest keeps the rest,
        so that a position traded back to flat has realised exactly what it sold for less what it bought for.
        """
        size_e8, sign = self.size_e8, self.sign
        way = 1 if signed_e8 > 0 else -1
        amount_e8 = abs(signed_e8)
        if sign in (0, way):
            value = value_e8(price_e8, amount_e8)
            self.quantity_e8 += signed_e8
            self.cost_e8 += value
            return Traded(0, 0, size_e8, value)
        closing_e8 = min(amount_e8, size_e8)
        share_e8 = self.cost_e8 * closing_e8 // size_e8
        realised_e8 = sign * (value_e8(price_e8, closing_e8) - share_e8)
        self.cost_e8 -= share_e8
        self.quantity_e8 += way * closing_e8
        self.realised_e8 += realised_e8
        opening_e8 = amount_e8 - closing_e8
        opened = value_e8(price_e8, opening_e8)
        if opening_e8:
            self.quantity_e8, self.cost_e8 = way * opening_e8, opened
        return Traded(realised_e8, closing_e8, size_e8, opened)
