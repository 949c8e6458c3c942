"""The venue's limits (reference §6): request weight of an address, orders of an account, bans.

Windows begin on the wall minute, ten seconds or five minutes of the venue's clock.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exchange.emulator.errors import VenueError

WEIGHT_PER_MINUTE = 2_400
CLIENTS_KEPT = 256  # addresses or accounts counted; loopback has one
MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
FIVE_MINUTES_MS = 300_000
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"


class Quota(msgspec.Struct, frozen=True):
    """What the venue allows; the defaults are the venue's, tests shorten them."""

    weight: int = WEIGHT_PER_MINUTE
    orders_10s: int = 300
    orders_1m: int = 1_200
    funding: int = 500  # fundingRate and fundingInfo together, in five minutes
    refusals: int = 10  # 429 answers in one minute after which an address is banned; as many more renew the ban
    ban_s: int = 120
    ban_max_s: int = 259_200


class Window:
    """Counts by name in windows of ``length_ms``."""

    def __init__(self, now_ms: Callable[[], int], length_ms: int) -> None:
        self._now_ms, self._length_ms = now_ms, length_ms
        self._slot = -1
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str, count: int) -> int:
        """The count of ``name`` in the running window after ``count`` more."""
        slot = self._now_ms() // self._length_ms
        if slot != self._slot or len(self._counts) > CLIENTS_KEPT:
            self._slot = slot
            self._counts.clear()
        total = self._counts[name] = self._counts.get(name, 0) + count
        return total

    def left_s(self) -> int:
        """Seconds until the window ends, at least one."""
        return max(1, -(-(self._length_ms - self._now_ms() % self._length_ms) // 1000))


class Weights:
    """Request weight used by each address in the running minute, and the bans of those who do not stop."""

    def __init__(self, now_ms: Callable[[], int], quota: Quota | None = None) -> None:
        self._now_ms, self.quota = now_ms, quota or Quota()
        self._used = Window(now_ms, MINUTE_MS)
        self._refused = Window(now_ms, MINUTE_MS)
        self._bans: dict[str, tuple[int, int]] = {}  # address → until (ms), length (s)

    def spend(self, address: str, weight: int) -> int:
        """The address's weight after this request. Raises VenueError: 429 beyond the limit, 418 when banned."""
        self.check_ban(address)
        used = self._used.add(address, weight)
        if used > self.quota.weight:
            raise self._refuse(address, used)
        return used

    def __len__(self) -> int:
        """How many addresses are counted now."""
        return len(self._used)

    def used(self, address: str) -> int:
        """The address's weight in the running minute."""
        return self._used.add(address, 0)

    def check_ban(self, address: str) -> None:
        """Raises VenueError (418) while the address is banned; calls made then make the ban longer."""
        until_ms, length_s = self._bans.get(address, (0, 0))
        if until_ms <= self._now_ms():
            return
        if self._refused.add(address, 1) % self.quota.refusals == 0:
            until_ms = self.ban(address, length_s * 2)
        raise self._banned(until_ms)

    def ban(self, address: str, length_s: int | None = None) -> int:
        """Ban an address; when it ends (ms)."""
        if len(self._bans) > CLIENTS_KEPT:
            self._bans.clear()
        before_s = self._bans.get(address, (0, 0))[1]
        length_s = min(length_s or max(self.quota.ban_s, 2 * before_s), self.quota.ban_max_s)
        until_ms = self._now_ms() + 1000 * length_s
        self._bans[address] = until_ms, length_s
        return until_ms

    def pardon(self) -> None:
        """End every ban."""
        self._bans.clear()

    def _refuse(self, address: str, used: int) -> VenueError:
        if self._refused.add(address, 1) >= self.quota.refusals:
            return self._banned(self.ban(address))
        return VenueError(
            429,
            -1003,
            f"Too many requests; current limit is {self.quota.weight} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API.",
            {"Retry-After": str(self._used.left_s()), USED_WEIGHT: str(used)},
        )

    def _banned(self, until_ms: int) -> VenueError:
        return VenueError(
            418,
            -1003,
            f"Way too many requests; IP banned until {until_ms}. "
            "Please use the websocket for live updates to avoid bans.",
            {"Retry-After": str(max(1, -(-(until_ms - self._now_ms()) // 1000)))},
        )


class FundingCalls:
    """The limit of fundingRate and fundingInfo, which cost no weight."""

    def __init__(self, now_ms: Callable[[], int], quota: Quota) -> None:
        self._window, self._limit = Window(now_ms, FIVE_MINUTES_MS), quota.funding

    def spend(self, address: str) -> None:
        """Raises VenueError (429) beyond the limit."""
        if self._window.add(address, 1) > self._limit:
            raise VenueError(
                429,
                -1003,
                f"Too many requests; current limit is {self._limit} requests per 5 minutes.",
                {"Retry-After": str(self._window.left_s())},
            )


class OrderCounts:
    """Orders sent by each account in the running ten seconds and minute."""

    def __init__(self, now_ms: Callable[[], int], quota: Quota) -> None:
        self._quota = quota
        self._fast, self._slow = Window(now_ms, TEN_SECONDS_MS), Window(now_ms, MINUTE_MS)

    def add(self, account: str, fast: int, slow: int) -> tuple[int, int]:
        """The account's counts after this request, in ten seconds and in the minute; zeros read only."""
        return self._fast.add(account, fast), self._slow.add(account, slow)

    def check(self, counts: tuple[int, int]) -> None:
        """Raises VenueError (-1015) when one is beyond its limit."""
        limits = ((self._quota.orders_10s, "10 SECOND", self._fast), (self._quota.orders_1m, "1 MINUTE", self._slow))
        for count, (limit, span, window) in zip(counts, limits, strict=True):
            if count > limit:
                raise VenueError(
                    429,
                    -1015,
                    f"Too many new orders; current limit is {limit} orders per {span}.",
                    {"Retry-After": str(window.left_s())} | order_headers(counts),
                )

    def table(self, account: str | None = None) -> list[dict[str, object]]:
        """The limits as ``rateLimit/order`` lists them, with the account's counts when one is given."""
        rows: list[dict[str, object]] = [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self._quota.orders_10s},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": self._quota.orders_1m},
        ]
        if account is not None:
            for row, count in zip(rows, self.add(account, 0, 0), strict=True):
                row["count"] = count
        return rows


def order_headers(counts: tuple[int, int]) -> dict[str, str]:
    return {"X-MBX-ORDER-COUNT-10S": str(counts[0]), "X-MBX-ORDER-COUNT-1M": str(counts[1])}
