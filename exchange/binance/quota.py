"""What the venue lets us do, fed by the headers of its answers: weight, orders, and whether it wants silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exchange.binance.weights import OrderLedger, WeightLedger

NEVER_S = float("-inf")


class Quota:
    """One ledger of weight and one of orders, on one monotonic clock. Read without asking what time it is."""

    def __init__(self, weights: WeightLedger, monotonic_s: Callable[[], float]) -> None:
        self.weights = weights
        self.orders = OrderLedger()
        self.monotonic_s = monotonic_s

    def heed(self, headers: Mapping[str, str]) -> None:
        """The counts of an answer, of orders and reads; names in lower case."""
        now_s = self.monotonic_s()
        used = headers.get("x-mbx-used-weight-1m", "")
        if _number(used):
            self.weights.told(int(used), now_s)
        fast, slow = headers.get("x-mbx-order-count-10s", ""), headers.get("x-mbx-order-count-1m", "")
        if _number(fast) and _number(slow):
            self.orders.told(int(fast), int(slow), now_s)

    def block(self, seconds: float, *, banned: bool) -> None:
        """The venue asked for silence (429), or enforces it (418)."""
        self.weights.block(seconds, self.monotonic_s(), banned=banned)

    @property
    def quiet(self) -> bool:
        """Whether the venue wants silence now."""
        return self.weights.blocked_until_s > self.monotonic_s()

    @property
    def banned(self) -> bool:
        """Whether whatever is sent now makes a ban longer."""
        return self.quiet and self.weights.banned

    def order(self, *, entry: bool) -> str:
        """Count an order that leaves now; or why it must not: a ban stops all, a limit only what opens positions."""
        held = self.held(entry)
        if not held:
            self.sent()
        return held

    def held(self, entry: bool) -> str:
        """``order`` without counting one. Mostly it need not ask what time it is: no silence was ever wanted, and the
        last answer left room.
        """
        until_s = self.weights.blocked_until_s
        if until_s > NEVER_S and until_s > self.monotonic_s() and (entry or self.weights.banned):
            return "the venue wants silence"
        if entry and self.orders.spare <= 0 and not self.orders.room(self.monotonic_s()):
            return "the rest of the order count is kept for exits"
        return ""

    def sent(self) -> None:
        """Count an order that left."""
        self.orders.spend(self.monotonic_s())


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
