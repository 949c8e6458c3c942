"""Isolated margin: maintenance by bracket and the liquidation price (venue reference §9.1, §9.2; quant E.6)."""

from __future__ import annotations

from exchange.simulated.fees import ceil_div
from models.instrument import E8, Bracket, Instrument

# Instruments whose brackets nobody knows (old captures): 1 %, 2.5 × the lowest rate of the large contracts, so that
# liquidation comes rather too early than too late.
UNKNOWN_BRACKETS = (Bracket(floor_e8=0, cap_e8=1 << 100, maintenance_e8=1_000_000, leverage_max=20, cum_e8=0),)


def brackets_of(instrument: Instrument) -> tuple[Bracket, ...]:
    return instrument.brackets or UNKNOWN_BRACKETS


def bracket_at(brackets: tuple[Bracket, ...], notional_e8: int) -> Bracket:
    """The bracket that holds ``notional_e8``; the last one above its cap."""
    for bracket in brackets:
        if notional_e8 <= bracket.cap_e8:
            return bracket
    return brackets[-1]


def maintenance_e8(brackets: tuple[Bracket, ...], notional_e8: int) -> int:
    """Maintenance margin of a position worth ``notional_e8`` at the mark: notional · rate − cum, rounded up."""
    bracket = bracket_at(brackets, notional_e8)
    return ceil_div(notional_e8 * bracket.maintenance_e8, E8) - bracket.cum_e8


def initial_e8(notional_e8: int, leverage: int) -> int:
    """Initial margin, rounded up."""
    return ceil_div(notional_e8, leverage)


def liquidation_ticks(brackets: tuple[Bracket, ...], lots: int, cost: int, unit_e8: int, margin_e8: int) -> int:
    """The first tick, seen from the entry, at which an isolated position is liquidated; 0 when there is none.

    ``lots`` signed, ``cost`` the sum of tick · lot of the open lots, ``margin_e8`` the isolated wallet. Solves
    margin + side · (N − cost) = N · rate − cum for the notional N, in the bracket that then holds N.
    """
    if lots == 0:
        return 0
    side = 1 if lots > 0 else -1
    unit_lots = abs(lots) * unit_e8
    for bracket in brackets:
        # side · N · (1 − side · rate) = side · cost − margin − cum, both sides times 1e8
        top = side * (side * cost * unit_e8 - margin_e8 - bracket.cum_e8) * E8
        bottom = E8 - side * bracket.maintenance_e8
        if top <= 0:
            return 0
        if top <= bracket.cap_e8 * bottom or bracket is brackets[-1]:
            return top // (bottom * unit_lots) if side > 0 else ceil_div(top, bottom * unit_lots)
    return 0
