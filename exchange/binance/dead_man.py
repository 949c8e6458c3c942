"""The dead-man timer (control P27): the venue cancels our orders unless it is told again in time.

Off by default: whether the venue's countdown spares conditional orders, and so the protective stop, is not settled by
its documentation (venue reference §4). Switch it on only after the contract self-test has shown it for your account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exchange.binance.account_rest import AccountRest
from models.error import ScalperError

SHARE = 4  # told again four times within the countdown: three tellings may be lost


class DeadMan:
    """Renews the countdown of ``symbols``; ``failed`` counts tellings that did not arrive."""

    def __init__(self, account: AccountRest, symbols: Sequence[str], after_s: float) -> None:
        self.failed = 0
        self.told = 0
        self._account, self._symbols, self._after_s = account, tuple(symbols), after_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.tell(round(self._after_s * 1e3))
            await asyncio.sleep(self._after_s / SHARE)

    async def tell(self, after_ms: int) -> None:
        """Start every countdown anew; 0 stops them."""
        for symbol in self._symbols:
            try:
                await self._account.countdown(symbol, after_ms)
                self.told += 1
            except ScalperError:
                self.failed += 1
