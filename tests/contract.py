"""One contract for the tests of everything below the wire: BTCUSDT as the venue had it in 2026, two brackets of it."""

from __future__ import annotations

from models.instrument import E8, Bracket, Filters, Instrument

MID = 770_000  # ticks of 0.1 USDT: 77,000 USDT
BRACKETS = (
    Bracket(floor_e8=0, cap_e8=300_000 * E8, maintenance_e8=400_000, leverage_max=150, cum_e8=0),
    Bracket(floor_e8=300_000 * E8, cap_e8=800_000 * E8, maintenance_e8=500_000, leverage_max=100, cum_e8=300 * E8),
)
INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    index=0,
    epoch=0,
    tick_e8=10_000_000,
    lot_e8=100_000,
    price_places=1,
    quantity_places=3,
    filters=Filters(
        price_min=1,
        price_max=10_000_000,
        quantity_min=1,
        quantity_max=1_000_000,
        market_quantity_min=1,
        market_quantity_max=120_000,
        notional_min_e8=50 * E8,
    ),
    brackets=BRACKETS,
    base="BTC",
)
