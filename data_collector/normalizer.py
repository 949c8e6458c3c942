"""Text to ticks and lots on the general path: the same grammar as ``data_collector.scan``, one number at a time."""

from __future__ import annotations

import re

from data_collector.quarantine import Reason
from data_collector.scan import PLACES_MAX, WHOLE_MAX
from data_collector.validator import Refusal
from models.instrument import E8, Instrument

_DECIMAL = re.compile(rf"(-?)([0-9]{{1,{WHOLE_MAX}}})(?:\.([0-9]{{1,{PLACES_MAX}}}))?")


def money_e8(text: object, name: str, *, signed: bool = False) -> int:
    """A decimal text as an integer at 1e-8. Raises Refusal: WRONG_TYPE, BAD_NUMBER, NEGATIVE."""
    if not isinstance(text, str):
        raise Refusal(Reason.WRONG_TYPE, f"{name} must be a decimal in quotes")
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise Refusal(Reason.BAD_NUMBER, f"{name} {text[:40]!r} is no plain decimal")
    sign, whole, places = match.groups()
    if sign and not signed:
        raise Refusal(Reason.NEGATIVE, f"{name} {text} is negative")
    value = int(whole) * E8 + int((places or "").ljust(PLACES_MAX, "0"))
    return -value if sign else value


def ticks(text: object, name: str, instrument: Instrument) -> int:
    """A price text as ticks, above zero. Raises Refusal, also OFF_TICK and ZERO_PRICE."""
    count, rest = divmod(money_e8(text, name), instrument.tick_e8)
    if rest:
        raise Refusal(Reason.OFF_TICK, f"{name} {text} is not on the tick grid of {instrument.symbol}")
    if count == 0:
        raise Refusal(Reason.ZERO_PRICE, f"{name} is zero")
    return count


def lots(text: object, name: str, instrument: Instrument) -> int:
    """A quantity text as lots, zero allowed. Raises Refusal, also OFF_STEP."""
    count, rest = divmod(money_e8(text, name), instrument.lot_e8)
    if rest:
        raise Refusal(Reason.OFF_STEP, f"{name} {text} is not on the step grid of {instrument.symbol}")
    return count


def nearest_tick(text: object, name: str, instrument: Instrument) -> int:
    """An average price as the nearest tick (halves up): averages lie between ticks. Raises Refusal."""
    value = money_e8(text, name)
    if value == 0:
        raise Refusal(Reason.ZERO_PRICE, f"{name} is zero")
    return max(1, (2 * value + instrument.tick_e8) // (2 * instrument.tick_e8))
