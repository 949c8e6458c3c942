"""The WebSocket API over real sockets: golden requests and answers, signatures, sessions, limits, faults."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange.emulator.door import check_time
from exchange.emulator.errors import VenueError
from exchange.emulator.keys import ED25519
from exchange.emulator.limits import Quota
from exchange.emulator.signatures import sorted_payload
from exchange.emulator.venue import AccountPlan
from exchange.emulator.ws_api import METHODS
from tests.exchange.emulator.client import Ended, Socket
from tests.exchange.emulator.ed25519 import public_pem, sign
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trader import Trader, event, trading

PATH = "/ws-fapi/v1"
SECRET = bytes(range(32))
ED = (AccountPlan(secret=public_pem(SECRET), kind=ED25519),)


class Api:
    """A client of the WebSocket API with an account's key."""

    def __init__(self, trader: Trader, socket: Socket) -> None:
        self.trader, self.socket = trader, socket

    def params(self, **params: Any) -> dict[str, Any]:
        """Signed parameters; numbers sign as their own text."""
        key = self.trader.key
        params = {"apiKey": key.key, "timestamp": self.trader.venue.clock.now_ms()} | params
        payload = sorted_payload({name: str(value) for name, value in params.items()})
        if key.kind == ED25519:
            return params | {"signature": base64.b64encode(sign(SECRET, payload)).decode()}
        return params | {"signature": self.trader.signature(payload.decode())}

    async def send(self, method: str, number: Any = "n", **params: Any) -> Any:
        """One request as it is given, and its answer."""
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return await self.socket.event()

    async def ask(self, method: str, **params: Any) -> Any:
        """One signed request."""
        return await self.send(method, **self.params(**params))


@contextlib.asynccontextmanager
async def opened(trader: Trader, query: str = "") -> AsyncIterator[Api]:
    async with trader.talk.socket(PATH + query) as socket:
        yield Api(trader, socket)


ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


# -- golden requests and answers -------------------------------------------------------------------------------------


def test_the_golden_order_request_is_accepted(wire: Path) -> None:
    """With its key, signature and a clock at its time the golden order.place is placed and answered alike."""
    asked, expected = golden(wire, "wsapi-order.place-request"), golden(wire, "wsapi-order.place-response")
    vectors = golden(wire, "signing-vectors")
    plan = AccountPlan(key=vectors["apiKey"], secret=vectors["secretKey"])

    async def doing(trader: Trader) -> None:
        trader.venue.api.now_ms = lambda: asked["params"]["timestamp"] + 10
        trader.desk.answers["POST /fapi/v1/order"] = expected["result"]
        async with opened(trader) as api:
            api.socket.send(json.dumps(asked))
            answer = await api.socket.event()
            expect_shape(expected, answer)
            assert answer["id"] == asked["id"] and answer["result"] == expected["result"]
        params = trader.desk.asked[0][2]
        assert params["newClientOrderId"] == "tb-20260915-000001" and params["quantity"] == "0.010"
        assert not {"apiKey", "signature"} & params.keys()

    trading(doing, accounts=(plan,))


@pytest.mark.parametrize(
    ("name", "method", "call"),
    [
        ("order.cancel", "order.cancel", "DELETE /fapi/v1/order"),
        ("order.status", "order.status", "GET /fapi/v1/order"),
        ("algoOrder.place", "algoOrder.place", "POST /fapi/v1/algoOrder"),
    ],
)
def test_answers_have_the_golden_form(wire: Path, name: str, method: str, call: str) -> None:
    """Result, status and rate limits stand where the golden answers have them; only counted calls list order limits."""
    expected = golden(wire, f"wsapi-{name}-response")
    asked = golden(wire, f"wsapi-{name}-request") if name != "order.status" else {"params": {"symbol": "BTCUSDT"}}
    params = {name: value for name, value in asked["params"].items() if not str(value).startswith("<")}
    params.pop("timestamp", None)

    async def doing(trader: Trader) -> None:
        trader.desk.answers[call] = expected["result"]
        async with opened(trader) as api:
            answer = await api.ask(method, **params)
        expect_shape(expected, answer | {"id": expected["id"]})
        assert [len(answer["rateLimits"]), trader.desk.asked[0][0]] == [len(expected["rateLimits"]), call]

    trading(doing)


def test_errors_have_the_golden_form(wire: Path) -> None:
    """A refused order comes with status, code, text and all three limits."""
    expected = golden(wire, "wsapi-order.place-response-error")

    async def doing(trader: Trader) -> Any:
        error = expected["error"]
        trader.desk.answers["POST /fapi/v1/order"] = VenueError(400, error["code"], error["msg"])
        async with opened(trader) as api:
            return await api.ask("order.place", symbol="BTCUSDT")

    answer = trading(doing)
    expect_shape(expected, answer | {"id": expected["id"]})
    assert answer["error"] == expected["error"] and [row["count"] for row in answer["rateLimits"]] == [5, 1, 1]


def test_user_data_streams_need_a_key_only(wire: Path) -> None:
    """start, ping and stop work with ``apiKey`` alone; the key is REST's, and events come on its socket."""
    expected = golden(wire, "wsapi-userDataStream.start-response")

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            key = {"apiKey": trader.key.key}
            started = await api.send("userDataStream.start", **key)
            expect_shape(expected, started | {"id": expected["id"]})
            assert started["result"]["listenKey"] == await trader.listen_key()
            assert (await api.send("userDataStream.ping", **key))["result"] == started["result"]
            trader.desk.say = [event("TRADE_LITE")]
            async with trader.talk.socket("/private/ws/" + started["result"]["listenKey"]) as private:
                await api.ask("order.place", **ORDER)
                assert (await private.event())["e"] == "TRADE_LITE"
            assert (await api.send("userDataStream.stop", **key))["result"] == {}
            gone = await api.send("userDataStream.ping", **key)
            assert (gone["status"], gone["error"]["code"]) == (400, -1125)
            assert (await api.send("userDataStream.start"))["error"]["code"] == -1102

    trading(doing)


def test_every_method_reaches_its_twin() -> None:
    """Each method does what its REST call does; market data needs no key."""

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            for method, call in METHODS.items():
                if call in trader.venue.rest.answers or call in trader.venue.market_data.answers:
                    answer = await api.send(method, symbol="BTCUSDT")
                    assert answer["result"]
                elif "listenKey" not in call:
                    answer = await api.ask(method, symbol="BTCUSDT")
                    assert trader.desk.asked[-1][0] == call
                assert answer["status"] == 200, (method, answer)

    trading(doing)


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["text", 7, -1, None])
def test_ids_come_back_as_they_were(number: Any) -> None:
    """Texts, integers and null."""

    async def doing(trader: Trader) -> Any:
        async with opened(trader) as api:
            return (await api.send("ticker.price", number, symbol="BTCUSDT"))["id"]

    assert trading(doing) == number


@pytest.mark.parametrize(
    "said",
    ["{", "[]", '"x"', '{"id":1}', '{"method":5}', '{"method":"depth","params":[]}', '{"id":{},"method":"depth"}'],
)
def test_what_is_no_request_is_told(said: str) -> None:
    """Broken JSON and wrong types get an error with a null id, and the connection goes on."""

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            api.socket.send(said)
            answer = await api.socket.event()
            assert (answer["id"], answer["status"], answer["error"]["code"]) == (None, 400, -1013)
            assert (await api.send("depth", symbol="BTCUSDT", limit=5))["status"] == 200

    trading(doing)


def test_unknown_methods_and_mistakes_have_their_codes() -> None:
    """A method that does not exist, a missing symbol, a bad limit."""

    async def doing(trader: Trader) -> list[Any]:
        async with opened(trader) as api:
            answers = [
                await api.send("order.explode"),
                await api.send("depth"),
                await api.send("depth", symbol="BTCUSDT", limit=3),
            ]
            return [(answer["status"], answer["error"]["code"]) for answer in answers]

    assert trading(doing) == [(404, -5000), (400, -1102), (400, -4021)]


def test_numbers_sign_as_their_own_text() -> None:
    """Decimals sent as JSON numbers are signed and handed on as they were written; booleans in small letters."""

    async def doing(trader: Trader) -> Any:
        async with opened(trader) as api:
            now_ms = trader.venue.clock.now_ms()
            texts = {"apiKey": trader.key.key, "price": "77000.50", "reduceOnly": "true", "timestamp": str(now_ms)}
            signature = trader.signature(sorted_payload(texts).decode())
            api.socket.send(
                f'{{"id":1,"method":"order.place","params":{{"price":77000.50,"reduceOnly":true,'
                f'"apiKey":"{trader.key.key}","timestamp":{now_ms},"signature":"{signature}"}}}}'
            )
            assert (await api.socket.event())["status"] == 200
            return trader.desk.asked[0][2]

    params = trading(doing)
    assert (params["price"], params["reduceOnly"]) == ("77000.50", "true")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "0" * 64}, 400, -1022),
        ({"signature": ""}, 400, -1102),
        ({"quantity": "0.020"}, 400, -1022),
        ({"apiKey": "a" * 64}, 401, -2015),
        ({"apiKey": "x"}, 401, -2014),
        ({"timestamp": 1}, 400, -1021),
    ],
)
def test_bad_signatures_keys_and_times_are_refused(change: dict[str, Any], status: int, code: int) -> None:
    """Whatever was changed after signing is found, and the desk is not asked."""

    async def doing(trader: Trader) -> Any:
        async with opened(trader) as api:
            answer = await api.send("order.place", **api.params(**ORDER) | change)
            assert not trader.desk.asked
            return answer["status"], answer["error"]["code"]

    assert trading(doing) == (status, code)


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_needs_no_more_signatures(wire: Path) -> None:
    """After logon with Ed25519, orders go with a timestamp alone; after logout they do not; status tells which."""
    expected = golden(wire, "wsapi-session.logon-response")

    async def doing(trader: Trader) -> None:
        async with opened(trader, "?returnRateLimits=false") as api:
            plain = ORDER | {"timestamp": trader.venue.clock.now_ms()}
            assert (await api.send("order.place", **plain))["error"]["code"] == -1102
            answer = await api.ask("session.logon")
            assert answer["result"]["apiKey"] == trader.key.key
            expect_shape(expected, answer | {"id": expected["id"], "result": answer["result"] | {"apiKey": "<apiKey>"}})
            assert (await api.send("order.place", **plain))["status"] == 200
            assert (await api.send("order.place", **ORDER))["error"]["code"] == -1102
            assert (await api.send("userDataStream.start"))["status"] == 200
            assert (await api.send("session.status"))["result"]["apiKey"] == trader.key.key
            assert (await api.send("session.logout"))["result"]["apiKey"] is None
            assert (await api.send("order.place", **plain))["error"]["code"] == -1102

    trading(doing, accounts=ED, speed=0.01)


def test_only_ed25519_keys_log_on() -> None:
    """An HMAC key is refused, so is a bad signature of the right kind."""

    async def doing(trader: Trader) -> list[int]:
        async with opened(trader) as api:
            hmac = await api.ask("session.logon")
            return [hmac["error"]["code"]]

    async def forged(trader: Trader) -> list[int]:
        async with opened(trader) as api:
            wrong = api.params() | {"signature": base64.b64encode(bytes(64)).decode()}
            return [(await api.send("session.logon", **wrong))["error"]["code"]]

    assert trading(doing) == [-4056] and trading(forged, accounts=ED) == [-1022]


def test_a_revoked_key_ends_the_session(wire: Path) -> None:
    """The client is told in the golden form without having asked, and orders are refused from then on."""

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            await api.ask("session.logon")
            trader.venue.faults.arm("permissions", allowed=[])
            assert await api.socket.event() == golden(wire, "wsapi-session-revoked")
            answer = await api.send("order.place", **ORDER | {"timestamp": trader.venue.clock.now_ms()})
            assert answer["error"]["code"] == -1102
            assert (await api.ask("order.place", **ORDER))["error"]["code"] == -2015

    trading(doing, accounts=ED)


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "shows"), [("", True), ("?returnRateLimits=false", False), ("?returnRateLimits=true", True)]
)
def test_rate_limits_are_told_unless_not_wanted(query: str, shows: bool) -> None:
    """The address decides for the connection, a parameter for one request."""

    async def doing(trader: Trader) -> None:
        async with opened(trader, query) as api:
            assert ("rateLimits" in await api.send("depth", symbol="BTCUSDT", limit=5)) is shows
            turned = await api.send("depth", symbol="BTCUSDT", limit=5, returnRateLimits=not shows)
            assert ("rateLimits" in turned) is not shows

    trading(doing)


def test_weights_are_a_pool_of_their_own_and_orders_are_not() -> None:
    """Handshake 5, depth 2, REST weight untouched; an order here counts with those of REST."""

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            answer = await api.send("depth", symbol="BTCUSDT", limit=5)
            assert answer["rateLimits"][0]["count"] == 7
            placed = await trader.order()
            assert placed.headers["X-MBX-USED-WEIGHT-1M"] == "0"
            rows = (await api.ask("order.place", **ORDER))["rateLimits"]
            assert [row["count"] for row in rows] == [7, 2, 2]

    trading(doing, speed=0.01)


def test_too_much_weight_is_refused_and_too_many_orders() -> None:
    """429 beyond either limit, and a handshake that is too much is closed at once."""

    async def doing(trader: Trader) -> None:
        async with opened(trader) as api:
            assert (await api.ask("order.place", **ORDER))["status"] == 200
            full = await api.ask("order.place", **ORDER)
            assert (full["status"], full["error"]["code"]) == (429, -1015)
            for _ in range(2):
                answer = await api.send("depth", symbol="BTCUSDT", limit=5)
            assert (answer["status"], answer["error"]["code"]) == (429, -1003)
            async with trader.talk.socket(PATH) as socket:
                assert (await socket.ended()).code == 1008

    trading(doing, quota=Quota(weight=8, orders_10s=1), speed=0.01)


def test_the_time_rule_is_the_doors() -> None:
    """Both doors use one rule."""
    with pytest.raises(VenueError):
        check_time({}, 0)


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["POST /fapi/v1/order", "ws order.place", "ws *"])
def test_call_levers_meet_requests_by_both_names(when: str) -> None:
    """The twin's name and the method's; the status text is that of REST."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("busy", when, placed=True)
        async with opened(trader) as api:
            answer = await api.ask("order.place", **ORDER)
            assert (answer["status"], answer["error"]["code"]) == (503, -1000)
            assert len(trader.desk.asked) == 1

    trading(doing)


@pytest.mark.parametrize(("lever", "placed"), [("drop_reply", 1), ("cut_reply", 1), ("cut_request", 0)])
def test_connections_end_with_and_without_the_order(lever: str, placed: int) -> None:
    """The reply is lost after the order, or the request before it: the connection is gone."""

    async def doing(trader: Trader) -> int:
        options = {"at_byte": 9} if lever == "cut_reply" else {}
        trader.venue.faults.arm(lever, "POST /fapi/v1/order", **options)
        async with opened(trader) as api:
            api.socket.send(json.dumps({"id": 1, "method": "order.place", "params": api.params(**ORDER)}))
            with pytest.raises(Ended):
                await api.socket.text()
        return len(trader.desk.asked)

    assert trading(doing) == placed


def test_an_answer_never_comes_and_the_next_one_does() -> None:
    """One request hangs, the connection goes on."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("drop_reply", "ws order.place", hang=True)
        async with opened(trader) as api:
            api.socket.send(json.dumps({"id": "lost", "method": "order.place", "params": api.params(**ORDER)}))
            assert (await api.send("depth", "next", symbol="BTCUSDT", limit=5))["id"] == "next"
            assert len(trader.desk.asked) == 1

    trading(doing)


def test_spoilt_answers() -> None:
    """Half an answer is no JSON."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("garble", "ws order.place")
        async with opened(trader) as api:
            api.socket.send(json.dumps({"id": 1, "method": "order.place", "params": api.params(**ORDER)}))
            with pytest.raises(json.JSONDecodeError):
                json.loads(await api.socket.text())

    trading(doing)


def test_connections_are_refused_and_closed_by_their_door() -> None:
    """``ws-api`` is a door of its own for connection levers."""

    async def doing(trader: Trader) -> int:
        trader.venue.faults.arm("refuse_connect", "ws-api", how="close", code=1013)
        async with trader.talk.socket(PATH) as socket:
            assert (await socket.ended()).code == 1013
        async with opened(trader) as api:
            await api.send("depth", symbol="BTCUSDT", limit=5)
            trader.venue.faults.arm("close", "ws-api", code=1001)
            return (await api.socket.ended()).code

    assert trading(doing) == 1001
