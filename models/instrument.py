"""Instruments: tick, lot and filters. The one place where text becomes ticks and lots, and where anything rounds.

Units: prices are ticks, quantities are lots, money is int64 at 1e-8 of the quote asset («e8»).
Source of the rules: venue reference §4.3 (filters), §9.1 (brackets), §9.4 (fees).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec

from models.error import DataError

E8 = 100_000_000


def to_e8(text: str) -> int:
    """A decimal text as an integer at 1e-8. Raises DataError when it is no finite decimal or finer than 1e-8."""
    try:
        value = Decimal(text).scaleb(8)
    except (InvalidOperation, TypeError, ValueError):
        raise DataError(f"{text!r} is not a decimal number; write it like 0.001", code="NOT_DECIMAL") from None
    if not value.is_finite() or value != value.to_integral_value():
        raise DataError(f"{text!r} must be a finite decimal with at most 8 places", code="NOT_DECIMAL")
    return int(value)


def e8_text(value_e8: int) -> str:
    """An integer at 1e-8 as the shortest plain decimal text: 1250000000 → ``12.5``."""
    sign = "-" if value_e8 < 0 else ""
    whole, part = divmod(abs(value_e8), E8)
    text = f"{part:08d}".rstrip("0")
    return f"{sign}{whole}.{text}" if text else f"{sign}{whole}"


class Bracket(msgspec.Struct, frozen=True):
    """One row of the venue's leverage brackets: notional floor and cap (e8), maintenance rate at 1e-8, cum (e8)."""

    floor_e8: int
    cap_e8: int
    maintenance_e8: int
    leverage_max: int
    cum_e8: int


class Fees(msgspec.Struct, frozen=True):
    """Commission rates at 1e-8 of notional: 0.05 % is 50_000."""

    maker_e8: int = 20_000
    taker_e8: int = 50_000
    liquidation_e8: int = 1_250_000


class Filters(msgspec.Struct, frozen=True):
    """Order limits in ticks and lots; ``notional_min_e8`` is money. Source: exchangeInfo filters."""

    price_min: int
    price_max: int
    quantity_min: int
    quantity_max: int
    market_quantity_min: int
    market_quantity_max: int
    notional_min_e8: int
    price_up_e8: int = 105_000_000  # PERCENT_PRICE multiplierUp at 1e-8
    price_down_e8: int = 95_000_000
    orders_max: int = 200


class Instrument(msgspec.Struct, frozen=True):
    """One contract of the venue, with the sizes that turn its texts into integers.

    ``index`` is its number in this process, ``epoch`` counts changes of tick or lot size. ``dated`` is the day of a
    shipped copy (``2026-09-15``), empty when the facts were read from the venue itself.
    """

    symbol: str
    index: int
    epoch: int
    tick_e8: int
    lot_e8: int
    price_places: int
    quantity_places: int
    filters: Filters
    fees: Fees = Fees()
    brackets: tuple[Bracket, ...] = ()
    status: str = "TRADING"
    base: str = ""
    quote: str = "USDT"
    dated: str = ""

    def __post_init__(self) -> None:
        if self.tick_e8 <= 0 or self.lot_e8 <= 0:
            raise DataError(f"{self.symbol}: tick and lot size must be positive", code="FILTERS")
        if (self.tick_e8 * self.lot_e8) % E8:
            raise DataError(
                f"{self.symbol}: one tick of one lot must be a whole number of 1e-8 {self.quote}", code="FILTERS"
            )

    @property
    def key(self) -> int:
        """The row word's ``instrument``: index and epoch in one integer."""
        return self.index | self.epoch << 16

    @property
    def unit_e8(self) -> int:
        """Money value at 1e-8 of one tick times one lot; notional = ticks · lots · unit_e8."""
        return self.tick_e8 * self.lot_e8 // E8

    def ticks(self, text: str) -> int:
        """A venue price text as ticks. Raises DataError when it is not on the tick grid."""
        return self._whole(text, self.tick_e8, "price", "tick size")

    def lots(self, text: str) -> int:
        """A venue quantity text as lots. Raises DataError when it is not on the step grid."""
        return self._whole(text, self.lot_e8, "quantity", "step size")

    def _whole(self, text: str, size_e8: int, noun: str, unit: str) -> int:
        count, rest = divmod(to_e8(text), size_e8)
        if rest:
            raise DataError(f"{self.symbol}: {noun} {text} is not a multiple of the {unit} {e8_text(size_e8)}")
        return count

    def price_text(self, ticks: int) -> str:
        """Ticks as the venue writes them, with the venue's number of places."""
        return fixed_text(ticks * self.tick_e8, self.price_places)

    def quantity_text(self, lots: int) -> str:
        """Lots as the venue writes them, with the venue's number of places."""
        return fixed_text(lots * self.lot_e8, self.quantity_places)

    def notional_e8(self, ticks: int, lots: int) -> int:
        """Value at 1e-8 of ``lots`` at price ``ticks``."""
        return ticks * lots * self.unit_e8

    def lots_for(self, notional_e8: int, ticks: int) -> int:
        """The largest number of lots whose value at price ``ticks`` is not above ``notional_e8``."""
        return max(0, notional_e8 // (ticks * self.unit_e8)) if ticks > 0 else 0

    def bracket_for(self, notional_e8: int) -> Bracket:
        """The bracket that holds ``notional_e8``; the last one above its cap. Raises DataError without brackets."""
        if not self.brackets:
            raise DataError(f"{self.symbol}: no leverage brackets are known", code="FILTERS")
        for bracket in self.brackets:
            if notional_e8 <= bracket.cap_e8:
                return bracket
        return self.brackets[-1]


def fixed_text(value_e8: int, places: int) -> str:
    """An integer at 1e-8 with exactly ``places`` decimals (0 to 8); what is finer must be zero."""
    sign = "-" if value_e8 < 0 else ""
    whole, part = divmod(abs(value_e8), E8)
    digits = f"{part:08d}"
    if digits[places:].strip("0"):
        raise DataError(f"{e8_text(value_e8)} has more than {places} decimals", code="PRECISION")
    return f"{sign}{whole}.{digits[:places]}" if places else f"{sign}{whole}"
