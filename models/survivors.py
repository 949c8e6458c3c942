"""What a restart must not forget: the marks that loss limits count from, and what holds entries back."""

from __future__ import annotations

import msgspec


class Survivors(msgspec.Struct, frozen=True):
    """Money at 1e-8, times in ns. ``repeats`` are entries since the last closed round trip (P14).

    ``causes`` by name with their details: those that a restart must not lift. A pause has the time it ends with it.
    ``open_lots`` and ``open_fees_e8`` by instrument: the round trip that is under way, and what it has paid.
    """

    start_e8: int
    wallet_e8: int
    peak_e8: int
    day: int
    day_start_e8: int
    day_fees_e8: int
    losses_in_row: int
    repeats: int
    causes: dict[str, str]
    pause_until_ns: int
    rejections_until_ns: int
    rejections_before: bool
    open_lots: tuple[int, ...] = ()
    open_fees_e8: tuple[int, ...] = ()
