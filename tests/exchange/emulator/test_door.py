"""The HTTP door over real sockets: keys, signatures, timestamps, weights, order counts, where parameters may stand."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from exchange.emulator.door import check_time
from exchange.emulator.errors import VenueError
from exchange.emulator.keys import ED25519, READ
from exchange.emulator.limits import Quota
from exchange.emulator.routes import ROUTES, SIGNED
from exchange.emulator.signatures import signed_payload
from exchange.emulator.venue import AccountPlan
from tests.exchange.emulator.ed25519 import public_pem, sign
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trader import Trader, trading

ORDER = "POST /fapi/v1/order"
PLACE = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001"


# -- where parameters stand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5])
def test_parameters_stand_in_query_and_body(cut: int) -> None:
    """However the parameters are split over query and body, the signature over both fits, the desk gets all."""

    async def doing(trader: Trader) -> None:
        pairs = [*PLACE.split("&"), f"timestamp={trader.venue.clock.now_ms()}"]
        query, body = "&".join(pairs[:cut]), "&".join(pairs[cut:])
        signature = trader.signature(query + body)
        body = f"{body}&signature={signature}" if body else f"signature={signature}"
        answer = await trader.raw(ORDER, query, body)
        assert answer.status == 200, answer.text
        call, account, params = trader.desk.asked[0]
        assert (call, account) == (ORDER, "main")
        assert params | {"symbol": "BTCUSDT", "quantity": "0.001", "type": "MARKET"} == params

    trading(doing)


@pytest.mark.parametrize("call", ["POST", "PUT", "DELETE"])
def test_the_query_alone_is_enough_for_every_method(call: str) -> None:
    """The official connector's way: everything in the query, no body."""

    async def doing(trader: Trader) -> int:
        return (await trader.call(f"{call} /fapi/v1/order", symbol="BTCUSDT", orderId=1)).status

    assert trading(doing) == 200


def test_the_query_wins_over_the_body() -> None:
    """A parameter in both counts as the query has it, and both are signed."""

    async def doing(trader: Trader) -> str:
        query = f"quantity=1&timestamp={trader.venue.clock.now_ms()}"
        body = "quantity=2"
        await trader.raw(ORDER, query, f"{body}&signature={trader.signature(query + body)}")
        return str(trader.desk.asked[0][2]["quantity"])

    assert trading(doing) == "1"


def test_a_json_body_is_not_read() -> None:
    """Its parameters are missing, as at the venue."""

    async def doing(trader: Trader) -> Any:
        body = json.dumps({"symbol": "BTCUSDT", "timestamp": trader.venue.clock.now_ms()})
        answer = await trader.raw(ORDER, "", body, {"Content-Type": "application/json"})
        return answer.status, answer.body["code"], answer.body["msg"]

    status, code, said = trading(doing)
    assert (status, code) == (400, -1102) and "'timestamp'" in said


def test_encoded_values_are_signed_as_sent_and_read_decoded() -> None:
    """A JSON list in a parameter is signed in its percent-encoded form and reaches the desk as JSON."""

    async def doing(trader: Trader) -> str:
        batch = json.dumps([{"symbol": "测试USDT", "quantity": "1"}], ensure_ascii=False)
        await trader.call("POST /fapi/v1/batchOrders", batchOrders=batch)
        return str(json.loads(trader.desk.asked[0][2]["batchOrders"])[0]["symbol"])

    assert trading(doing) == "测试USDT"


# -- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-MBX-APIKEY": ""}, 401, -2014),
        ({"X-MBX-APIKEY": "nonsense"}, 401, -2014),
        ({"X-MBX-APIKEY": "a" * 64}, 401, -2015),
    ],
)
def test_a_key_must_be_known(headers: dict[str, str], status: int, code: int) -> None:
    """A malformed key is -2014, an unknown one -2015, and the desk is not asked."""

    async def doing(trader: Trader) -> Any:
        answer = await trader.raw(ORDER, trader.signed(symbol="BTCUSDT"), headers=headers)
        assert not trader.desk.asked
        return answer.status, answer.body["code"]

    assert trading(doing) == (status, code)


@pytest.mark.parametrize("call", sorted(ROUTES))
def test_every_call_needs_its_key_and_signature(call: str) -> None:
    """Each route refuses a missing key; the signed ones refuse a missing and a wrong signature too."""

    async def doing(trader: Trader) -> None:
        assert (await trader.raw(call, headers={"X-MBX-APIKEY": ""})).body["code"] == -2014
        now_ms = trader.venue.clock.now_ms()
        if ROUTES[call].security in SIGNED:
            assert (await trader.raw(call)).body["code"] == -1102
            assert (await trader.raw(call, f"timestamp={now_ms}")).body["code"] == -1102
            wrong = await trader.raw(call, f"timestamp={now_ms}&signature={'0' * 64}")
            assert (wrong.status, wrong.body["code"]) == (400, -1022)
            assert not trader.desk.asked
        good = await trader.call(call)
        assert good.status in (200, 400) and good.text

    trading(doing)


def test_a_key_may_lack_the_right_to_trade() -> None:
    """A read-only key may query and not order; a revoked one may nothing."""

    async def doing(trader: Trader) -> list[int]:
        trader.venue.keys.allow("main", (READ,))
        seen = [(await trader.order()).body["code"], (await trader.call("GET /fapi/v1/openOrders")).status]
        trader.venue.keys.allow("main", ())
        return [*seen, (await trader.call("GET /fapi/v1/openOrders")).body["code"]]

    assert trading(doing) == [-2015, 200, -2015]


def test_an_ed25519_key_signs_rest_calls() -> None:
    """A call signed with the private half of a registered public key is accepted."""
    secret = bytes(range(32))
    plan = AccountPlan(secret=public_pem(secret), kind=ED25519)

    async def doing(trader: Trader) -> int:
        text = f"{PLACE}&timestamp={trader.venue.clock.now_ms()}"
        signature = quote(base64.b64encode(sign(secret, text.encode())).decode(), safe="")
        return (await trader.raw(ORDER, f"{text}&signature={signature}")).status

    assert trading(doing, accounts=(plan,)) == 200


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "window", "code"),
    [
        ("10000", None, None),
        ("5000", None, None),
        ("4999", None, -1021),
        ("10999", None, None),
        ("11000", None, -1021),
        ("9000", "1000", None),
        ("8999", "1000", -1021),
        ("", None, -1102),
        ("soon", None, -1100),
        ("10000.0", None, -1100),
        ("-1", None, -1100),
        ("10000", "x", -1100),
        ("9" * 20, None, -1021),
        ("9" * 21, None, -1100),
    ],
)
def test_the_timestamp_rule(at: str, window: str | None, code: int | None) -> None:
    """Accepted iff less than a second ahead and at most the window behind; unreadable numbers are told."""
    params = {"timestamp": at} | ({} if window is None else {"recvWindow": window})
    if code is None:
        check_time(params, 10_000)
        return
    with pytest.raises(VenueError) as refused:
        check_time(params, 10_000)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_both_ends_of_the_window_have_their_text(wire: Path) -> None:
    """Too old and too far ahead are told in the catalogue's words."""
    known = {one["msg"] for one in golden(wire, "errors-catalog") if one["code"] == -1021}
    said = set()
    for at in ("0", "99999"):
        with pytest.raises(VenueError) as refused:
            check_time({"timestamp": at}, 10_000)
        said.add(str(refused.value))
    assert said == known


# -- weights and counts ----------------------------------------------------------------------------------------------


def test_answers_carry_the_golden_headers(wire: Path) -> None:
    """Orders tell weight and both counts, queries the weight, over the values the venue's table gives."""

    async def doing(trader: Trader) -> None:
        expected = golden(wire, "rest-response-headers")
        placed = await trader.order()
        assert all(name in placed.headers for name in expected["order"])
        assert placed.headers["X-MBX-USED-WEIGHT-1M"] == "0" and placed.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        await trader.call("POST /fapi/v1/batchOrders", batchOrders="[]")
        again = await trader.order()
        assert [again.headers[name] for name in ("X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1M")] == ["7", "3"]
        asked = await trader.call("GET /fapi/v1/openOrders")
        assert asked.headers["X-MBX-USED-WEIGHT-1M"] == "45" and "X-MBX-ORDER-COUNT-1M" not in asked.headers
        asked = await trader.call("GET /fapi/v1/openOrders", symbol="BTCUSDT")
        assert asked.headers["X-MBX-USED-WEIGHT-1M"] == "46"

    trading(doing)


def test_the_order_limit_is_kept(wire: Path) -> None:
    """Beyond the limit the answer is 429 and -1015, cancels pass, and the desk hears of none that was refused."""

    async def doing(trader: Trader) -> None:
        for _ in range(3):
            assert (await trader.order()).status == 200
        refused = await trader.order()
        assert (refused.status, refused.body["code"]) == (429, -1015)
        assert refused.headers["X-MBX-ORDER-COUNT-10S"] == "4" and "Retry-After" in refused.headers
        assert len(trader.desk.asked) == 3
        assert (await trader.call("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=1)).status == 200

    trading(doing, quota=Quota(orders_10s=3), speed=0.01)


def test_going_on_after_429_leads_to_418() -> None:
    """Weight beyond the limit is refused, those who do not stop are banned, public and signed calls alike."""

    async def doing(trader: Trader) -> list[int]:
        return [(await trader.talk.get("ping")).status for _ in range(6)] + [(await trader.order()).status]

    assert trading(doing, quota=Quota(weight=2, refusals=2), speed=0.01) == [200, 200, 429, 418, 418, 418, 418]


def test_a_refused_signature_still_costs_weight() -> None:
    """The weight of a call is spent before anybody looks at its key."""

    async def doing(trader: Trader) -> str:
        answer = await trader.raw("GET /fapi/v1/income", "timestamp=1&signature=0")
        return str(answer.headers["X-MBX-USED-WEIGHT-1M"])

    assert trading(doing) == "30"


def test_order_limits_are_listed(wire: Path) -> None:
    """``rateLimit/order`` has the golden form."""

    async def doing(trader: Trader) -> Any:
        return (await trader.call("GET /fapi/v1/rateLimit/order")).body

    assert trading(doing) == golden(wire, "rest-rateLimit-order")


# -- listenKeys over HTTP --------------------------------------------------------------------------------------------


def test_listen_keys_over_http(wire: Path) -> None:
    """POST twice gives one key, PUT renews it, DELETE ends it, PUT without one is -1125; no signature is needed."""

    async def doing(trader: Trader) -> None:
        call = "{} /fapi/v1/listenKey"
        first = (await trader.raw(call.format("POST"))).body
        expect_shape(golden(wire, "rest-listenKey-POST"), first)
        assert (await trader.raw(call.format("POST"))).body == first
        renewed = await trader.raw(call.format("PUT"))
        expect_shape(golden(wire, "rest-listenKey-PUT"), renewed.body)
        assert renewed.body == first
        assert (await trader.raw(call.format("DELETE"))).body == golden(wire, "rest-listenKey-DELETE")
        gone = await trader.raw(call.format("PUT"))
        assert (gone.status, gone.body["code"]) == (400, -1125)
        assert (await trader.raw(call.format("POST"))).body != first

    trading(doing)


def test_errors_of_the_desk_go_out_with_their_status() -> None:
    """What a handler refuses is answered with its status, code and text, and the counts of the order."""

    async def doing(trader: Trader) -> Any:
        trader.desk.answers[ORDER] = VenueError(400, -2019, "Margin is insufficient.")
        answer = await trader.order()
        return answer.status, answer.body, "X-MBX-ORDER-COUNT-10S" in answer.headers

    assert trading(doing) == (400, {"code": -2019, "msg": "Margin is insufficient."}, True)


def test_what_the_desk_does_not_have_is_an_invalid_path() -> None:
    """A route without a handler answers 404 by its path and method."""

    async def doing(trader: Trader) -> Any:
        del trader.venue.calls.handlers["GET /fapi/v1/income"]
        answer = await trader.call("GET /fapi/v1/income")
        return answer.status, answer.body

    assert trading(doing) == (404, {"code": -5000, "msg": "Path /fapi/v1/income, Method GET is invalid"})


def test_the_golden_vectors_payloads_are_recovered(wire: Path) -> None:
    """Each vector sent as a query with its signature gives back the payload that was signed."""
    for vector in golden(wire, "signing-vectors")["vectors"]:
        sent = f"{vector['payload']}&signature={vector['signature']}".encode()
        assert signed_payload(sent, b"") == (vector["payload"].encode(), vector["signature"].encode())
