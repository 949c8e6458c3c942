"""API keys: formats, permissions, addresses, and pairs drawn from a seed."""

from __future__ import annotations

import pytest

from exchange.emulator.errors import VenueError
from exchange.emulator.keys import READ, TRADE, ApiKey, KeyRing, rehearsal_key, token

KEY = "k" * 64


@pytest.mark.parametrize("text", [None, "", "short", "k" * 63, "k" * 65, "k" * 63 + "-", "k" * 64 + "\n"])
def test_a_key_has_a_format(text: str | None) -> None:
    """Whatever is not 64 letters and digits is -2014, whether such a key exists or not."""
    with pytest.raises(VenueError, match="API-key format invalid") as refused:
        KeyRing([ApiKey(text or "", "s", "main")]).find(text, None, "")
    assert (refused.value.status, refused.value.code) == (401, -2014)


@pytest.mark.parametrize(
    ("key", "permission", "address"),
    [
        (ApiKey("x" * 64, "s", "main"), READ, ""),
        (ApiKey(KEY, "s", "main", allowed=frozenset({READ})), TRADE, ""),
        (ApiKey(KEY, "s", "main", allowed=frozenset()), None, ""),
        (ApiKey(KEY, "s", "main", addresses=frozenset({"10.0.0.1"})), READ, "127.0.0.1"),
    ],
)
def test_who_may_not_is_told_the_same(key: ApiKey, permission: str | None, address: str) -> None:
    """An unknown key, a missing right, a revoked key and a foreign address are all -2015."""
    with pytest.raises(VenueError) as refused:
        KeyRing([key]).find(KEY, permission, address)
    assert (refused.value.status, refused.value.code) == (401, -2015)


def test_a_good_key_is_found() -> None:
    """A known key with the right and from its address is given back."""
    key = ApiKey(KEY, "s", "main", addresses=frozenset({"127.0.0.1"}))
    assert KeyRing([key]).find(KEY, TRADE, "127.0.0.1") is key


def test_rights_are_taken_and_given_back() -> None:
    """Only the keys of the named account change."""
    ring = KeyRing([ApiKey(KEY, "s", "main"), ApiKey("x" * 64, "s", "other")])
    ring.allow("main", ())
    with pytest.raises(VenueError):
        ring.find(KEY, None, "")
    assert ring.find("x" * 64, TRADE, "").account == "other"
    ring.allow("main", (READ,))
    assert ring.find(KEY, READ, "").account == "main"


def test_pairs_are_functions_of_seed_and_name() -> None:
    """The same seed and account give the same pair, another seed, account or half another one."""
    one = rehearsal_key(1, "main")
    assert (one.key, one.secret) == (rehearsal_key(1, "main").key, rehearsal_key(1, "main").secret)
    drawn = {one.key, one.secret, rehearsal_key(2, "main").key, rehearsal_key(1, "other").key}
    assert len(drawn) == 4 and all(len(text) == 64 and text.isalnum() for text in drawn)
    assert token(1, "a", 5) == token(1, "a")[:5]


def test_a_key_shows_no_secret() -> None:
    """Printed, a key shows whose it is and nothing else."""
    key = rehearsal_key(1, "main")
    assert key.key not in repr(key) and key.secret not in repr(key) and "main" in repr(key)
