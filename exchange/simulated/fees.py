"""Commission in integers. Everything rounds against us, to 1e-8 of the quote asset (venue reference §9.4)."""

from __future__ import annotations

from models.instrument import E8


def ceil_div(value: int, divisor: int) -> int:
    """``value / divisor`` rounded up; ``divisor`` positive."""
    return -(-value // divisor)


def fee_e8(notional_e8: int, rate_e8: int) -> int:
    """Commission on one execution: notional · rate, rounded up (against us; a rebate rounds towards zero)."""
    return ceil_div(notional_e8 * rate_e8, E8)


def funding_e8(mark_e8: int, lots: int, lot_e8: int, rate_e8: int) -> int:
    """What the wallet gains at a settlement: −mark · position · rate, rounded down (venue reference §9.3).

    ``lots`` is signed: at a positive rate longs pay and shorts receive.
    """
    return -mark_e8 * lots * lot_e8 * rate_e8 // (E8 * E8)
