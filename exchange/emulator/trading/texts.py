"""Numbers as the venue writes them in private answers and events. Everything comes in as integers at 1e-8."""

from __future__ import annotations

from models.instrument import E8, e8_text

BUY, SELL = 1, -1
SIDES = {"BUY": BUY, "SELL": SELL}
SIDE_TEXTS = {BUY: "BUY", SELL: "SELL"}


def money(value_e8: int) -> str:
    """Eight places: ``999.61542480``."""
    sign = "-" if value_e8 < 0 else ""
    whole, part = divmod(abs(value_e8), E8)
    return f"{sign}{whole}.{part:08d}"


def money_or_zero(value_e8: int) -> str:
    """Eight places, but ``0`` for nothing."""
    return money(value_e8) if value_e8 else "0"


def at_least(value_e8: int, places: int) -> str:
    """``places`` decimals, more only when the number needs them."""
    sign = "-" if value_e8 < 0 else ""
    whole, part = divmod(abs(value_e8), E8)
    digits = f"{part:08d}"
    kept = digits[:places] + digits[places:].rstrip("0")
    return f"{sign}{whole}.{kept}" if kept else f"{sign}{whole}"


def ratio(value: int, by: int, places: int) -> str:
    """``value / by`` rounded half up to ``places`` decimals; both non-negative, zero when ``by`` is."""
    scaled = (2 * value * 10**places + by) // (2 * by) if by else 0
    whole, part = divmod(scaled, 10**places)
    return f"{whole}.{part:0{places}d}"


def divided(value: int, by: int) -> int:
    """``value / by`` at 1e-8, rounded half up; both non-negative."""
    return (2 * value * E8 + by) // (2 * by) if by else 0


def value_e8(price_e8: int, quantity_e8: int) -> int:
    """What a quantity is worth at a price. Exact on the venue's grids, rounded down off them."""
    return price_e8 * quantity_e8 // E8


short = e8_text
"""The shortest form: ``76915.04``"""
