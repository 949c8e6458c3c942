"""listenKeys: the life cycle of the venue's user data streams (reference §3.1)."""

from __future__ import annotations

from collections.abc import Callable

from exchange.emulator.errors import VenueError
from exchange.emulator.keys import token

LIFETIME_MS = 3_600_000


class ListenKeys:
    """One active key an account, valid for an hour from its last renewal on the venue's clock."""

    def __init__(self, now_ms: Callable[[], int], seed: int, lifetime_ms: int = LIFETIME_MS) -> None:
        self._now_ms, self._seed, self._lifetime_ms = now_ms, seed, lifetime_ms
        self._number = 0
        self._keys: dict[str, tuple[str, int]] = {}  # account → key, until (ms)
        self._accounts: dict[str, str] = {}  # active key → account

    def start(self, account: str) -> str:
        """The account's key: the active one renewed, or a new one."""
        key = self.active(account)
        if key is None:
            self.close(account)
            self._number += 1
            key = token(self._seed, f"listenKey/{account}/{self._number}")
        self._keys[account] = key, self._now_ms() + self._lifetime_ms
        self._accounts[key] = account
        return key

    def renew(self, account: str) -> str:
        """Another hour for the account's key. Raises VenueError (-1125) without one."""
        if self.active(account) is None:
            raise VenueError(400, -1125, "This listenKey does not exist.")
        return self.start(account)

    def active(self, account: str) -> str | None:
        """The account's key while it is valid."""
        key, until_ms = self._keys.get(account, ("", 0))
        return key if key and self._now_ms() < until_ms else None

    def account(self, key: str) -> str | None:
        """Whose events a key carries: nobody's once it has expired or was closed."""
        account = self._accounts.get(key)
        return account if account is not None and self.active(account) == key else None

    def close(self, account: str) -> str | None:
        """End the account's key without a word; the key that ended."""
        key, _ = self._keys.pop(account, ("", 0))
        self._accounts.pop(key, None)
        return key or None

    def expired(self) -> list[tuple[str, str]]:
        """Account and key of those whose hour has passed since the last call; they are gone with it."""
        now_ms = self._now_ms()
        gone = [(account, key) for account, (key, until_ms) in self._keys.items() if now_ms >= until_ms]
        for account, _ in gone:
            self.close(account)
        return gone

    def expire(self, account: str) -> None:
        """Let the account's key end now, as if its hour had passed."""
        if account in self._keys:
            self._keys[account] = self._keys[account][0], self._now_ms()
