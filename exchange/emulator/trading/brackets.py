"""Leverage brackets of a contract: its own, the shipped copy's, or a plain ladder (venue reference §9.1)."""

from __future__ import annotations

from config.venue import shipped_instruments
from models.error import DataError
from models.instrument import E8, Bracket, Instrument

# A contract nobody knows the brackets of: strict, so that liquidation comes rather too early.
PLAIN = (
    Bracket(0, 50_000 * E8, 1_000_000, 50, 0),
    Bracket(50_000 * E8, 250_000 * E8, 2_500_000, 20, 750 * E8),
    Bracket(250_000 * E8, 1_000_000 * E8, 5_000_000, 10, 7_000 * E8),
    Bracket(1_000_000 * E8, 10_000_000 * E8, 12_500_000, 4, 82_000 * E8),
)


def brackets_for(instrument: Instrument) -> tuple[Bracket, ...]:
    """The ladder of a contract, lowest notional first."""
    if instrument.brackets:
        return instrument.brackets
    try:
        return shipped_instruments([instrument.symbol])[0].brackets
    except DataError:
        return PLAIN


def leverage_max(brackets: tuple[Bracket, ...]) -> int:
    return brackets[0].leverage_max


def notional_max_e8(brackets: tuple[Bracket, ...], leverage: int) -> int:
    """The largest position value that ``leverage`` allows."""
    return max(one.cap_e8 for one in brackets if one.leverage_max >= leverage)


def ladder_body(symbol: str, brackets: tuple[Bracket, ...]) -> dict[str, object]:
    """One symbol of ``GET /fapi/v1/leverageBracket``."""
    return {
        "symbol": symbol,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": one.leverage_max,
                "notionalCap": one.cap_e8 // E8,
                "notionalFloor": one.floor_e8 // E8,
                "maintMarginRatio": one.maintenance_e8 / E8,
                "cum": one.cum_e8 / E8,
            }
            for number, one in enumerate(brackets, 1)
        ],
    }
