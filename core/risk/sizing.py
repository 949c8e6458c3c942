"""How large an entry is: the largest lot multiple that target, margin, both fees and headroom allow (design §8)."""

from __future__ import annotations

from models.instrument import E8, Instrument


def entry_lots(instrument: Instrument, price_ticks: int, equity_e8: int, leverage: int, headroom_pct: float) -> int:
    """Lots of a new position at ``price_ticks``.

    The target is equity × leverage. Initial margin, the taker fee of entry and exit, and ``headroom_pct`` of equity
    must all fit into equity: lots · unit · (1/leverage + 2·fee) ≤ equity · (1 − headroom). At 77,000 USDT/BTC,
    0.001 steps, 70 USDT and 10× that is 8 lots, 616 USDT. 0 when not even one lot fits.
    """
    if price_ticks <= 0 or equity_e8 <= 0:
        return 0
    lot_e8 = price_ticks * instrument.unit_e8
    usable_e8 = equity_e8 - int(equity_e8 * headroom_pct) // 100
    # per lot: lot_e8 / leverage + 2 · lot_e8 · fee / 1e8, both over the common divisor leverage · 1e8
    cost_scaled = lot_e8 * (E8 + 2 * instrument.fees.taker_e8 * leverage)
    affordable = usable_e8 * leverage * E8 // cost_scaled
    target = instrument.lots_for(equity_e8 * leverage, price_ticks)
    lots = min(affordable, target, instrument.filters.market_quantity_max)
    return lots if lots >= instrument.filters.market_quantity_min else 0
