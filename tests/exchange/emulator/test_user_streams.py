"""The private stream without sockets: who hears what, in which orders, and how keys end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.listen_keys import LIFETIME_MS, ListenKeys
from exchange.emulator.user_streams import UserStreams
from tests.exchange.emulator.desk import StubAccount
from tests.exchange.emulator.shape import expect_shape, golden

MAIN = StubAccount("main")
KINDS = ("ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE")


class Ear:
    """A connection that remembers what it heard."""

    def __init__(self, *, combined: bool = False) -> None:
        self.combined = combined
        self.heard: list[Any] = []

    def deliver(self, payload: bytes) -> None:
        self.heard.append(json.loads(payload))

    @property
    def kinds(self) -> list[str]:
        return [event["e"] for event in self.heard]


class Scene:
    """User streams with a clock of the test's own and one account that has a key."""

    def __init__(self, seed: int = 1, *, orderly: bool = True) -> None:
        self.now_ms = 1_000_000
        self.keys = ListenKeys(lambda: self.now_ms, seed)
        self.streams = UserStreams(self.keys, lambda: self.now_ms, seed)
        self.streams.orderly = orderly
        self.key = self.keys.start("main")

    def ear(self, events: tuple[str, ...] = (), **options: Any) -> Ear:
        ear = Ear(**options)
        self.streams.join(ear, self.key, events)
        return ear

    def happen(self, *kinds: str) -> None:
        for number, kind in enumerate(kinds):
            self.streams.emit(MAIN, {"e": kind, "E": self.now_ms, "n": number})
        self.streams.release()


def looped(doing: Callable[[], Any]) -> Any:
    """Run ``doing`` on a loop and let what it started come to its end."""

    async def run() -> Any:
        result = doing()
        await asyncio.sleep(0.05)
        return result

    return asyncio.run(run())


def test_events_reach_every_connection_of_the_account() -> None:
    """Two connections under one key hear the same, one under a foreign key hears nothing."""
    scene = Scene()
    one, other, stranger = scene.ear(), scene.ear(), Ear()
    scene.streams.join(stranger, "nobody's")
    scene.happen(*KINDS)
    assert one.kinds == other.kinds == list(KINDS) and stranger.heard == []
    assert scene.streams.heard("main") and not scene.streams.heard("other")


def test_a_connection_may_want_some_events_only() -> None:
    """With ``events`` given the others are left out."""
    scene = Scene()
    ear = scene.ear(("TRADE_LITE",))
    scene.happen(*KINDS)
    assert ear.kinds == ["TRADE_LITE"]


def test_a_combined_connection_gets_the_key_as_the_streams_name() -> None:
    """Events come enveloped under the listenKey."""
    scene = Scene()
    ear = scene.ear(combined=True)
    scene.happen("TRADE_LITE")
    assert ear.heard == [{"stream": scene.key, "data": {"e": "TRADE_LITE", "E": 1_000_000, "n": 0}}]


def test_who_left_hears_nothing_more() -> None:
    """A connection can leave one key or all of them."""
    scene = Scene()
    one, other = scene.ear(), scene.ear()
    scene.streams.leave(one, scene.key)
    scene.streams.leave(other)
    scene.happen("TRADE_LITE")
    assert one.heard == other.heard == [] and not scene.streams.heard("main")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
def test_every_order_is_legal(seed: int, kinds: list[str]) -> None:
    """Whatever is drawn, nothing is lost or doubled and events of one type keep their order."""

    def doing() -> list[Any]:
        scene = Scene(seed, orderly=False)
        ear = scene.ear()
        scene.happen(*kinds)
        scene.happen(*kinds)
        return ear.heard

    heard = looped(doing)
    for kind in KINDS:
        numbers = [place for place, one in enumerate(kinds) if one == kind]
        assert [event["n"] for event in heard if event["e"] == kind] == numbers * 2
    half = len(kinds)
    assert sorted(event["e"] for event in heard[:half]) == sorted(kinds)  # happenings do not mix


def test_all_orders_of_a_fill_are_drawn() -> None:
    """Over some seeds each of the six orders of a fill's three events comes, and answers come first and last."""
    orders, firsts = set(), set()
    for seed in range(60):

        def doing(seed: int = seed) -> tuple[Ear, bool]:
            scene = Scene(seed, orderly=False)
            ear = scene.ear()
            scene.happen(*KINDS)
            return ear, scene.streams.answer_first()

        ear, first = looped(doing)
        orders.add(tuple(ear.kinds))
        firsts.add(first)
    assert len(orders) == 6 and firsts == {True, False}


def test_the_same_seed_gives_the_same_order() -> None:
    """Two runs with one seed deliver alike."""

    def doing() -> list[Any]:
        scene = Scene(5, orderly=False)
        ear = scene.ear()
        for _ in range(20):
            scene.happen(*KINDS)
        return ear.heard

    assert looped(doing) == looped(doing)


@pytest.mark.parametrize(("orderly", "types"), [(True, {int}), (False, {int, str})])
def test_an_expired_key_says_so_and_falls_silent(wire: Any, orderly: bool, types: set[type]) -> None:
    """After its hour every connection of a key gets ``listenKeyExpired`` once, in a golden form, and then nothing."""
    looped(lambda: _check_expiry(wire, orderly, types))


def _check_expiry(wire: Any, orderly: bool, types: set[type]) -> None:
    seen = set()
    for seed in range(8):
        scene = Scene(seed, orderly=orderly)
        ear = scene.ear()
        scene.now_ms += LIFETIME_MS
        scene.streams.tend()
        scene.streams.tend()
        assert ear.kinds == ["listenKeyExpired"] and ear.heard[0]["listenKey"] == scene.key
        stamp = ear.heard[0]["E"]
        expect_shape(golden(wire, f"user-listenKeyExpired{'-string-E' * isinstance(stamp, str)}"), ear.heard[0])
        seen.add(type(stamp))
        scene.key, scene.streams.orderly = scene.keys.start("main"), True
        scene.happen("TRADE_LITE")
        assert len(ear.heard) == 1
        again = scene.ear()
        scene.happen("TRADE_LITE")
        assert again.kinds == ["TRADE_LITE"]
    assert seen == types


def test_a_deleted_key_is_silent_without_a_word() -> None:
    """After DELETE nothing comes any more, not even an end."""
    scene = Scene()
    ear = scene.ear()
    scene.keys.close("main")
    scene.happen("TRADE_LITE")
    scene.streams.tend()
    assert ear.heard == []


def test_recent_events_are_kept_for_repetition() -> None:
    """The last events of an account are remembered in the order they left, heard or not."""
    scene = Scene()
    scene.happen(*KINDS)
    assert [event["e"] for event in scene.streams.recent["main"]] == list(KINDS)
