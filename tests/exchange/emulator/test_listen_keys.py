"""The life of a listenKey on a clock of the test's own."""

from __future__ import annotations

import pytest

from exchange.emulator.errors import VenueError
from exchange.emulator.listen_keys import LIFETIME_MS, ListenKeys


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def made() -> tuple[ListenKeys, Clock]:
    clock = Clock()
    return ListenKeys(clock, 1), clock


def test_a_second_start_gives_the_same_key_and_an_hour_more() -> None:
    """POST with an active key renews it: it lives an hour from the second POST."""
    keys, clock = made()
    first = keys.start("main")
    clock.now_ms += LIFETIME_MS - 1
    assert keys.start("main") == first
    clock.now_ms += LIFETIME_MS - 1
    assert keys.active("main") == first and keys.account(first) == "main"


def test_a_renewed_key_lives_on_and_an_absent_one_cannot_be_renewed() -> None:
    """PUT gives the key an hour; without an active key it is -1125."""
    keys, clock = made()
    with pytest.raises(VenueError, match="This listenKey does not exist") as refused:
        keys.renew("main")
    assert (refused.value.status, refused.value.code) == (400, -1125)
    first = keys.start("main")
    clock.now_ms += LIFETIME_MS - 1
    assert keys.renew("main") == first
    clock.now_ms += LIFETIME_MS
    with pytest.raises(VenueError):
        keys.renew("main")


def test_an_expired_key_is_told_once_and_the_next_one_is_new() -> None:
    """After its hour a key is listed as expired exactly once, owns nothing, and POST gives another."""
    keys, clock = made()
    first = keys.start("main")
    assert keys.expired() == []
    clock.now_ms += LIFETIME_MS
    assert keys.account(first) is None and keys.active("main") is None
    assert keys.expired() == [("main", first)]
    assert keys.expired() == []
    assert keys.start("main") != first


def test_an_expired_key_that_is_not_tended_is_replaced_too() -> None:
    """POST after the hour gives a new key even before anybody looked for expired ones."""
    keys, clock = made()
    first = keys.start("main")
    clock.now_ms += LIFETIME_MS
    second = keys.start("main")
    assert second != first and keys.account(first) is None and keys.account(second) == "main"


def test_a_closed_key_ends_in_silence() -> None:
    """DELETE ends the key without its being listed as expired; closing nothing is no error."""
    keys, _ = made()
    first = keys.start("main")
    assert keys.close("main") == first and keys.close("main") is None
    assert keys.account(first) is None and keys.expired() == []


def test_a_key_can_be_made_to_expire() -> None:
    """The lever ends the hour now; for an account without a key it does nothing."""
    keys, _ = made()
    first = keys.start("main")
    keys.expire("main")
    keys.expire("other")
    assert keys.expired() == [("main", first)]


def test_accounts_have_keys_of_their_own() -> None:
    """Two accounts never share a key, and each key knows its owner."""
    keys, _ = made()
    one, other = keys.start("main"), keys.start("other")
    assert one != other and (keys.account(one), keys.account(other)) == ("main", "other")
    assert keys.account("nobody's") is None
