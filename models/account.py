"""The account as the venue sees it, in money at 1e-8."""

from __future__ import annotations

import msgspec


class AccountShape(msgspec.Struct, frozen=True):
    """What the strategy was built for: one-way mode, isolated margin, one leverage for all instruments."""

    equity_e8: int
    leverage: int
    isolated: bool = True
    hedge: bool = False
