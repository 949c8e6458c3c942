"""What the account's numbers mean: break-even edge, cost of a stop, distance of the liquidation price (quant.md G).

Prices in ticks, quantities in lots, money at 1e-8, rates in bps or percent as named. Told by ``doctor``, at the start
of a run and in its report, so that nobody learns it from the account.
"""

from __future__ import annotations

import msgspec

from config.settings import Settings
from models.instrument import E8, Instrument, e8_text, to_e8

PERCENT_E8 = E8 // 100
BPS_E8 = E8 // 10_000


class Economics(msgspec.Struct, frozen=True):
    """One contract at one price, under the settings. ``lots`` is the position's target, 0 when nothing fits."""

    symbol: str
    price: int
    lots: int
    lots_min: int
    notional_e8: int
    notional_min_e8: int
    margin_e8: int
    round_trip_fee_e8: int
    stop_cost_e8: int
    stop_cost_pct: float
    break_even_bps: float
    liquidation_pct: float
    stop_pct: float
    round_trips_per_day: int


def rate_e8(value: float, unit_e8: int) -> int:
    """A setting in percent or bps as a rate at 1e-8: 0.05 with ``PERCENT_E8`` is 50,000."""
    return to_e8(format(value, ".8f")) * unit_e8 // E8


def taker_e8(settings: Settings, instrument: Instrument) -> int:
    """The taker rate at 1e-8 that paper trading charges."""
    fixed = settings.paper.fees == "fixed"
    return rate_e8(settings.paper.taker_bps, BPS_E8) if fixed else instrument.fees.taker_e8


def lots_min(instrument: Instrument, price: int) -> int:
    """The smallest market entry the venue takes at ``price``: minimum quantity and minimum notional."""
    filters = instrument.filters
    one_e8 = instrument.notional_e8(price, 1)
    return max(filters.market_quantity_min, -(-filters.notional_min_e8 // one_e8))


def lots_target(settings: Settings, instrument: Instrument, price: int) -> int:
    """The largest lot multiple that value limits, margin, both fees, headroom and stop risk allow; 0 when none does."""
    risk = settings.risk
    equity_e8 = to_e8(format(risk.equity_usdt, ".8f"))
    fee_e8 = 2 * taker_e8(settings, instrument)
    multiple_e8 = to_e8(format(min(risk.order_value_max_equity, risk.position_value_max_equity), ".8f"))
    free_e8 = equity_e8 - equity_e8 * rate_e8(risk.margin_floor_pct, PERCENT_E8) // E8
    stop_e8 = rate_e8(settings.strategy.params.stop_pct, PERCENT_E8)
    limit_e8 = min(
        equity_e8 * multiple_e8 // E8,
        free_e8 * E8 // (E8 // risk.leverage + fee_e8),
        equity_e8 * rate_e8(risk.trade_risk_max_pct, PERCENT_E8) // (stop_e8 + fee_e8),
    )
    lots = min(instrument.lots_for(limit_e8, price), instrument.filters.market_quantity_max)
    bound = risk.order_quantity_max.get(instrument.symbol)
    if bound is not None:
        lots = min(lots, to_e8(format(bound, ".8f")) // instrument.lot_e8)
    return lots if lots >= lots_min(instrument, price) else 0


def reckon(settings: Settings, instrument: Instrument, price: int, spread_ticks: int = 1) -> Economics:
    """The economics of one round trip at ``price`` ticks; of the smallest entry when the target is 0."""
    target, least = lots_target(settings, instrument, price), lots_min(instrument, price)
    lots = target or least
    notional_e8 = instrument.notional_e8(price, lots)
    fee_e8 = 2 * taker_e8(settings, instrument)
    params, risk = settings.strategy.params, settings.risk
    stop_cost_e8 = notional_e8 * (rate_e8(params.stop_pct, PERCENT_E8) + fee_e8) // E8
    round_trip_e8 = notional_e8 * fee_e8 // E8
    equity_e8 = to_e8(format(risk.equity_usdt, ".8f"))
    budget_e8 = equity_e8 * rate_e8(risk.fee_budget_pct, PERCENT_E8) // E8
    return Economics(
        symbol=instrument.symbol,
        price=price,
        lots=target,
        lots_min=least,
        notional_e8=notional_e8,
        notional_min_e8=instrument.notional_e8(price, least),
        margin_e8=notional_e8 // risk.leverage,
        round_trip_fee_e8=round_trip_e8,
        stop_cost_e8=stop_cost_e8,
        stop_cost_pct=100 * stop_cost_e8 / equity_e8,
        break_even_bps=fee_e8 / BPS_E8 + 10_000 * spread_ticks / price,
        liquidation_pct=liquidation_pct(instrument, notional_e8, risk.leverage),
        stop_pct=params.stop_pct,
        round_trips_per_day=budget_e8 // round_trip_e8 if round_trip_e8 else 0,
    )


def liquidation_pct(instrument: Instrument, notional_e8: int, leverage: int) -> float:
    """How far below a long entry its liquidation price lies, in percent of entry (venue reference §9.2, isolated).

    With the margin notional/leverage: LP = (margin + cum - notional) / (rate - 1), all per notional.
    """
    bracket = instrument.bracket_for(notional_e8)
    rate = bracket.maintenance_e8 / E8
    return 100 * ((1 / leverage + bracket.cum_e8 / notional_e8) - rate) / (1 - rate)


def sentences(facts: Economics, instrument: Instrument, equity_usdt: float) -> list[str]:
    """The honest lines, one fact each, amounts with unit."""
    money = _money
    return [
        f"{facts.symbol} at {instrument.price_text(facts.price)}: position {instrument.quantity_text(facts.lots)} "
        f"{instrument.base} = {money(facts.notional_e8 if facts.lots else 0)} USDT, "
        f"smallest entry {money(facts.notional_min_e8)} USDT",
        f"break-even edge {facts.break_even_bps:.2f} bps a round trip (fees both ways and the spread); "
        f"fees {money(facts.round_trip_fee_e8)} USDT each time",
        f"a stop at {facts.stop_pct:g} % costs {money(facts.stop_cost_e8)} USDT with fees, "
        f"{facts.stop_cost_pct:.1f} % of {equity_usdt:g} USDT",
        f"liquidation {facts.liquidation_pct:.2f} % from entry, {facts.liquidation_pct / facts.stop_pct:.2f} times as "
        f"far as the stop",
        f"the fee budget of a day pays {facts.round_trips_per_day} round trips",
    ]


def _money(value_e8: int) -> str:
    cents = (abs(value_e8) + PERCENT_E8 // 2) // PERCENT_E8
    return ("-" if value_e8 < 0 else "") + f"{cents // 100}.{cents % 100:02d}" if cents else e8_text(0)
