"""Account levers: what the venue does, what a person does through the desk's handlers, and what the desk refuses."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.emulator.errors import VenueError
from tests.exchange.emulator.desk import StubDesk
from tests.exchange.emulator.trader import Trader, event, trading


class Hand(StubDesk):
    """A desk that remembers which of its methods were called, with the account by its name."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.done: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "instruments":
            raise AttributeError(name)

        def do(*words: Any, **options: Any) -> None:
            self.done.append((name, *(getattr(word, "name", word) for word in words), *options.items()))

        return do


def pulled(lever: str, **args: Any) -> Any:
    """The desk after one lever."""

    async def doing(trader: Trader) -> Any:
        trader.venue.faults.arm(lever, **args)
        trader.venue.tick()
        assert not trader.venue.hands.refused
        return trader.desk.done, trader.desk.asked

    return trading(doing, desk=Hand)


@pytest.mark.parametrize(
    ("lever", "args", "done"),
    [
        ("fill", {"client_id": "x", "lots": 3}, ("fill", "main", "x", 3)),
        ("hand_trade", {"side": "BUY", "lots": 2}, ("hand_trade", "main", "BTCUSDT", "BUY", 2)),
        ("liquidate", {"lots": 1}, ("liquidate", "main", "BTCUSDT", 1)),
        ("adl", {}, ("adl", "main", "BTCUSDT", 0)),
        ("settle", {}, ("settle", "main", "BTCUSDT")),
        ("deposit", {"amount": "-12.5"}, ("deposit", "main", -1_250_000_000)),
        ("filters", {"set": {"tick_e8": 10}}, ("change_filters", "BTCUSDT", ("tick_e8", 10))),
        ("status", {"status": "SETTLING"}, ("change_status", "BTCUSDT", "SETTLING")),
        ("cancel_stop", {"client_id": "s"}, ("cancel_stop", "main", "s", ("silent", True))),
        ("funding", {"rate": "-0.0001"}, ("fund", "BTCUSDT", -10_000)),
        ("funding", {}, ("fund", "BTCUSDT", None)),
    ],
)
def test_what_only_the_venue_can_do(lever: str, args: dict[str, Any], done: tuple[Any, ...]) -> None:
    """Each lever is one call of the desk, with money and rates at 1e-8."""
    assert pulled(lever, **args)[0][-1] == done


@pytest.mark.parametrize(
    ("lever", "args", "call", "params"),
    [
        ("hand_cancel", {"client_id": "x"}, "DELETE /fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": "x"}),
        ("leverage", {"leverage": 20}, "POST /fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "20"}),
        ("margin_type", {}, "POST /fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}),
        ("position_mode", {"hedge": True}, "POST /fapi/v1/positionSide/dual", {"dualSidePosition": "true"}),
    ],
)
def test_what_a_person_could_do(lever: str, args: dict[str, Any], call: str, params: dict[str, str]) -> None:
    """Each lever is one ordinary call on the account."""
    assert pulled(lever, **args)[1] == [(call, "main", params)]


def test_what_the_desk_refuses_is_noted() -> None:
    """A lever that cannot be pulled changes nothing and is remembered with the desk's words."""

    async def doing(trader: Trader) -> Any:
        trader.desk.answers["POST /fapi/v1/leverage"] = VenueError(400, -4028, "Leverage 20 is not valid")
        trader.venue.faults.arm("leverage")
        trader.venue.faults.arm("deposit", account="nobody")
        trader.venue.tick()
        return trader.venue.hands.refused

    assert trading(doing, desk=Hand) == [("leverage", "Leverage 20 is not valid"), ("deposit", "Invalid account.")]


def test_listen_keys_expire_and_are_deleted() -> None:
    """Expired, the connection is told and then silent; deleted by another client, it is silent at once."""

    async def doing(trader: Trader) -> None:
        faults, desk = trader.venue.faults, trader.desk
        desk.say = [event("TRADE_LITE")]
        async with trader.private() as socket:
            faults.arm("expire_listen_key")
            assert (await socket.event())["e"] == "listenKeyExpired"
            await trader.order()
            assert (await trader.raw("PUT /fapi/v1/listenKey")).body["code"] == -1125
            async with trader.private() as again:
                await trader.order()
                assert (await again.event())["e"] == "TRADE_LITE"
                faults.arm("delete_listen_key")
                await trader.talk.until(lambda: trader.venue.listen_keys.active("main") is None)
                await trader.order()
                await again.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
                assert not again.events
            await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert not socket.events

    trading(doing)


def test_events_are_repeated_and_made_up() -> None:
    """The last two events come once more, and an event of the test's own comes as it is."""

    async def doing(trader: Trader) -> list[str]:
        faults = trader.venue.faults
        trader.desk.say = [event("A"), event("B"), event("C")]
        await trader.order()
        async with trader.private() as socket:
            faults.arm("repeat_events", n=2)
            faults.arm("emit", event={"e": "NEW_KIND", "E": "1"})
            return [(await socket.event())["e"] for _ in range(3)]

    assert trading(doing) == ["B", "C", "NEW_KIND"]


def test_keys_are_revoked_and_restored() -> None:
    """Without a right everything is -2015, with READ alone orders are, and with both all is well again."""

    async def doing(trader: Trader) -> list[Any]:
        seen = []
        for allowed in ([], ["READ"], ["READ", "TRADE"]):
            trader.venue.faults.arm("permissions", allowed=allowed)
            trader.venue.tick()
            orders = (await trader.call("GET /fapi/v1/openOrders")).body
            order = (await trader.order()).body
            seen.append([isinstance(one, dict) and one.get("code") for one in (orders, order)])
        return seen

    assert trading(doing) == [[-2015, -2015], [None, -2015], [None, None]]


def test_weight_is_used_up_and_addresses_are_banned() -> None:
    """Weight spent in our name shows in the header; a ban answers 418 until it ends on the venue's clock."""

    async def doing(trader: Trader) -> None:
        faults = trader.venue.faults
        faults.arm("use_weight", weight=1900)
        trader.venue.tick()
        assert (await trader.talk.get("ping")).headers["X-MBX-USED-WEIGHT-1M"] == "1901"
        faults.arm("ban", s=60)
        trader.venue.tick()
        banned = await trader.talk.get("ping")
        assert (banned.status, banned.body["code"]) == (418, -1003) and int(banned.headers["Retry-After"]) <= 60
        trader.venue.weights.pardon()
        assert (await trader.talk.get("ping")).status == 200

    trading(doing, speed=0.01)


@pytest.mark.parametrize(("ms", "code"), [(0, None), (900, None), (6_000, -1021), (-1_000, -1021)])
def test_the_venues_clock_is_off(ms: int, code: int | None) -> None:
    """A client that signs with the unskewed time is too old or too far ahead, and ``/time`` shows by how much."""

    async def doing(trader: Trader) -> None:
        before = trader.venue.clock.now_ms()
        trader.venue.faults.arm("clock_skew", ms=ms)
        trader.venue.tick()
        told = (await trader.talk.get("time")).body["serverTime"]
        assert abs(told - before - ms) < 200
        answer = await trader.order(timestamp=before)
        assert answer.body.get("code") == code

    trading(doing, speed=0.01)


def test_the_venues_clock_drifts() -> None:
    """At a million parts per million the clock runs twice as fast."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("clock_skew", ppm=1e6)
        trader.venue.tick()
        began = trader.talk.exchange.now_ms()
        await trader.talk.until(lambda: trader.talk.exchange.now_ms() - began > 5_000)
        assert trader.venue.clock.now_ms() - trader.talk.exchange.now_ms() >= 4_900

    trading(doing, speed=100)
