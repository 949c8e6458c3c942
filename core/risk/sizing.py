"""How large an entry is: the largest lot multiple that every limit on value, margin and loss leaves (design §8).

The gate checks the same limits again on the finished order. Here they only bound the size, so that a profile with
tight limits trades small instead of being refused.
"""

from __future__ import annotations

from typing import NamedTuple

from config.settings import Risk
from models.instrument import E8, Instrument


class Size(NamedTuple):
    """Lots of an entry, and what bounds them: a control, ``LEVERAGE`` (the target), or ``FILTER`` (the venue)."""

    lots: int
    bound: str


def entry_lots(
    instrument: Instrument, price_ticks: int, risk: Risk, stop_pct: float, equity_e8: int, value_e8: int, margin_e8: int
) -> Size:
    """Size of a new position at ``price_ticks`` beside ``value_e8`` at risk already, which uses ``margin_e8``.

    The target is equity × leverage. Order value (P02) and position value (P03) bound it; initial margin and the taker
    fees of entry and exit must leave the floor of free margin (P05): lots · unit · (1/leverage + 2 · fee) ≤ free −
    floor; a stop with both fees may cost no more than P06 says. At 77,000 USDT/BTC, 0.001 steps, 70 USDT and 10× the
    profile ``owner`` gives 8 lots, 616 USDT, bounded by P05. 0 lots when not even the venue's smallest order fits.
    """
    if price_ticks <= 0 or equity_e8 <= 0:
        return Size(0, "LEVERAGE")
    lot_e8 = price_ticks * instrument.unit_e8
    taker_e8 = instrument.fees.taker_e8
    free_e8 = equity_e8 - margin_e8 - int(equity_e8 * risk.margin_floor_pct) // 100
    # per lot: lot_e8 / leverage + 2 · lot_e8 · fee / 1e8, both over the common divisor leverage · 1e8
    margined = free_e8 * risk.leverage * E8 // (lot_e8 * (E8 + 2 * taker_e8 * risk.leverage))
    bounds = [
        Size(equity_e8 * risk.leverage // lot_e8, "LEVERAGE"),
        Size(int(equity_e8 * risk.order_value_max_equity) // lot_e8, "P02"),
        Size((int(equity_e8 * risk.position_value_max_equity) - value_e8) // lot_e8, "P03"),
        Size(margined, "P05"),
        Size(stop_budget_e8(risk, equity_e8) * E8 // (lot_e8 * loss_rate_e8(instrument, stop_pct)), "P06"),
        Size(instrument.filters.market_quantity_max, "FILTER"),
    ]
    most = risk.order_quantity_max.get(instrument.symbol)
    if most is not None:
        bounds.append(Size(round(most * E8) // instrument.lot_e8, "P02"))
    size = min(bounds, key=lambda each: each.lots)
    return size if size.lots >= max(1, instrument.filters.market_quantity_min) else Size(0, size.bound)


def loss_rate_e8(instrument: Instrument, stop_pct: float) -> int:
    """What a stop ``stop_pct`` away costs as a share of the position's value at 1e-8, taker fees both ways included."""
    return round(stop_pct * E8) // 100 + 2 * instrument.fees.taker_e8


def stop_budget_e8(risk: Risk, equity_e8: int) -> int:
    """What one trade may lose at its stop (P06)."""
    return int(equity_e8 * risk.trade_risk_max_pct) // 100
