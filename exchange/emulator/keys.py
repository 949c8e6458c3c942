"""API keys of the embedded exchange: whose they are, how they sign, what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from exchange.emulator.draws import draws
from exchange.emulator.errors import VenueError

_FORMAT = re.compile(r"[A-Za-z0-9]{64}\Z")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
HMAC, RSA, ED25519 = "HMAC", "RSA", "ED25519"
READ, TRADE = "READ", "TRADE"


class ApiKey(msgspec.Struct):
    """One key. ``secret`` is the shared secret of an HMAC key, or the public key (PEM or DER in base64) of the others.

    ``addresses`` empty: any. ``allowed`` are the permissions it has now; a revoked key has none.
    """

    key: str
    secret: str
    account: str
    kind: str = HMAC
    allowed: frozenset[str] = frozenset((READ, TRADE))
    addresses: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account!r}, kind={self.kind!r})"


class KeyRing:
    """The keys of every account."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self.keys: dict[str, ApiKey] = {one.key: one for one in keys}

    def add(self, key: ApiKey) -> None:
        self.keys[key.key] = key

    def find(self, text: str | None, permission: str | None, address: str) -> ApiKey:
        """The key of a request; ``permission`` None needs a known key only. Raises VenueError (-2014, -2015)."""
        if not text or not _FORMAT.match(text):
            raise VenueError(401, -2014, "API-key format invalid.")
        key = self.keys.get(text)
        usable = key is not None and key.allowed and (not key.addresses or address in key.addresses)
        if key is None or not usable or (permission is not None and permission not in key.allowed):
            raise VenueError(401, -2015, "Invalid API-key, IP, or permissions for action.")
        return key

    def allow(self, account: str, permissions: Iterable[str]) -> None:
        """Change what the keys of an account may do: nothing revokes them."""
        for key in self.keys.values():
            if key.account == account:
                key.allowed = frozenset(permissions)


def rehearsal_key(seed: int, account: str) -> ApiKey:
    """The key pair of an account of the embedded exchange: drawn from the seed, worth nothing anywhere else."""
    return ApiKey(key=token(seed, f"key/{account}"), secret=token(seed, f"secret/{account}"), account=account)


def token(seed: int, name: str, length: int = 64) -> str:
    """Letters and digits that are a function of seed and name."""
    numbers = draws(seed, name)
    return "".join(_LETTERS[next(numbers) % len(_LETTERS)] for _ in range(length))
