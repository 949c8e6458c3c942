"""Calls under faults over real sockets: each call lever, what was done and answered, and the order of events."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.emulator.errors import VenueError
from exchange.emulator.http import Reply
from exchange.emulator.levers import LEVERS, CallPlan
from tests.exchange.emulator.client import Answer
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trader import Trader, event, trading

ORDER = "POST /fapi/v1/order"
QUERY = "GET /fapi/v1/order"
LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)


def disturbed(lever: str, when: str = ORDER, **options: Any) -> tuple[Answer | None, int]:
    """One order under one fault: its answer, None when there was none, and how many orders the desk heard of."""

    async def doing(trader: Trader) -> tuple[Answer | None, int]:
        trader.venue.faults.arm(lever, when, **options)
        try:
            answer: Answer | None = await trader.order()
        except LOST:
            answer = None
        placed = len(trader.desk.asked)
        assert (await trader.talk.get("ping")).status == 200  # the exchange lives on
        return answer, placed

    result: tuple[Answer | None, int] = trading(doing)
    return result


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("text", ["unknown", "bare", "unavailable", "internal", "throttled"])
def test_the_503_texts(wire: Path, text: str, placed: bool) -> None:
    """Each text comes with 503 in its golden form, with the order placed or not as the lever says."""
    answer, orders = disturbed("busy", text=text, placed=placed)
    assert answer is not None and answer.status == 503 and orders == placed
    assert answer.body in [one["body"] for one in golden(wire, "errors-http-503")]


@pytest.mark.parametrize("placed", [False, True])
def test_a_timeout_of_the_backend(wire: Path, placed: bool) -> None:
    """408 and -1007 in the catalogue's words, whatever became of the order."""
    answer, orders = disturbed("timeout", placed=placed)
    assert answer is not None and (answer.status, orders) == (408, placed)
    known = next(one for one in golden(wire, "errors-catalog") if one["code"] == -1007)
    assert answer.body == {"code": -1007, "msg": known["msg"]}


def test_any_error_can_be_given() -> None:
    """Status, code, text and a time to come back are the lever's."""
    answer, orders = disturbed("error", status=429, code=-1003, msg="slow", retry_after=7)
    assert answer is not None and (answer.status, answer.body, orders) == (429, {"code": -1003, "msg": "slow"}, 0)
    assert answer.headers["Retry-After"] == "7"


def test_html_and_other_bodies() -> None:
    """An HTML page with its type, and any text as an answer to an order that was placed."""
    answer, orders = disturbed("html", status=502)
    assert answer is not None and answer.status == 502 and answer.text.startswith("<html>") and orders == 0
    assert answer.headers["Content-Type"] == "text/html"
    answer, orders = disturbed("answer", text="", status=200)
    assert answer is not None and (answer.text, orders) == ("", 1)


@pytest.mark.parametrize(
    ("kind", "readable"), [("empty", True), ("truncated", True), ("gzip", True), ("length", False)]
)
def test_spoilt_answers(kind: str, readable: bool) -> None:
    """Nothing, half a body, half a gzip, and less than was promised: the order is placed, its answer is no JSON."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("garble", ORDER, kind=kind)
        try:
            answer = await trader.order()
            assert readable
            with pytest.raises(json.JSONDecodeError):
                json.loads(answer.text)
        except aiohttp.ClientPayloadError:
            assert not readable
        assert len(trader.desk.asked) == 1

    trading(doing)


def test_the_gzip_that_is_cut_was_one() -> None:
    """The bytes that come are the beginning of the packed answer."""
    plan = CallPlan()
    act = LEVERS["garble"].act
    assert act is not None
    act(plan, {"kind": "gzip", "placed": True}, {})
    reply = Reply(200, b'{"orderId":1}')
    plan.garbles[0](reply)
    assert (
        gzip.compress(b'{"orderId":1}', mtime=0).startswith(reply.body) and reply.headers["Content-Encoding"] == "gzip"
    )


@pytest.mark.parametrize("at_byte", [0, 1, 17, 100])
@pytest.mark.parametrize("reset", [False, True])
def test_answers_are_cut_after_the_order_was_placed(at_byte: int, reset: bool) -> None:
    """The client has no answer, the desk has the order."""
    assert disturbed("cut_reply", at_byte=at_byte, reset=reset) == (None, 1)


@pytest.mark.parametrize("at_byte", [0, 1, 30, 150])
def test_requests_are_cut_before_the_order_is_placed(at_byte: int) -> None:
    """The client has no answer, the desk has no order."""
    assert disturbed("cut_request", at_byte=at_byte) == (None, 0)


def test_a_reply_is_dropped_after_the_order_was_placed() -> None:
    """No byte of an answer; the order really exists."""
    assert disturbed("drop_reply") == (None, 1)


def test_a_reply_never_comes() -> None:
    """The connection stays open and silent for as long as the client waits; the order exists."""

    async def doing(trader: Trader) -> int:
        trader.venue.faults.arm("drop_reply", ORDER, hang=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await trader.order()
        return len(trader.desk.asked)

    assert trading(doing) == 1


def test_headers_and_fields_of_an_answer_are_changed() -> None:
    """The used weight is what the lever says, a field is set, another is gone."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("headers", ORDER, set={"X-MBX-USED-WEIGHT-1M": 1999})
        trader.venue.faults.arm("edit_reply", ORDER, set={"origQty": "0.000"}, delete=["status"])
        answer = await trader.order()
        assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "1999"
        assert answer.body == {"orderId": 1, "origQty": "0.000"}

    trading(doing)


def test_snapshots_grow_old_and_shallow() -> None:
    """Frozen, the same book comes again while the market goes on; shallow, it has the levels it may have."""

    async def doing(trader: Trader) -> None:
        talk, faults = trader.talk, trader.venue.faults
        armed = faults.arm("freeze", "GET /fapi/v1/depth", count=0)
        first = (await talk.get("depth", symbol="BTCUSDT", limit=5)).body
        async with talk.socket("/public/ws/btcusdt@depth@100ms") as client:
            for _ in range(5):
                await client.event()
        assert (await talk.get("depth", symbol="BTCUSDT", limit=5)).body == first
        armed.off = True
        faults.tick()
        later = (await talk.get("depth", symbol="BTCUSDT", limit=5)).body
        assert later["lastUpdateId"] > first["lastUpdateId"]
        faults.arm("shallow", "GET /fapi/v1/depth", levels=2)
        shallow = (await talk.get("depth", symbol="BTCUSDT", limit=100)).body
        assert [len(shallow["bids"]), len(shallow["asks"])] == [2, 2]

    trading(doing, speed=10)


def test_overload_spares_what_closes() -> None:
    """While throttled, entries get -1008 and 503 and are not placed; reduce-only orders, cancels and queries pass."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("throttle", count=0, for_s=1e6)
        refused = await trader.order()
        assert (refused.status, refused.body["code"]) == (503, -1008) and not trader.desk.asked
        assert (await trader.order(reduceOnly="true")).status == 200
        assert (await trader.order(positionSide="LONG", side="SELL")).status == 200
        assert (await trader.call("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=1)).status == 200
        assert (await trader.call("POST /fapi/v1/algoOrder", symbol="BTCUSDT")).status == 200

    trading(doing)


def test_new_orders_are_not_visible_at_once() -> None:
    """For a while after acceptance a query says -2013 and lists leave the order out; then both show it."""

    async def doing(trader: Trader) -> None:
        desk, now = trader.desk, [trader.venue.clock.now_ms()]
        trader.venue.calls._now_ms = lambda: now[0]
        trader.venue.faults.arm("hide", count=0, s=2)
        placed = (await trader.order()).body
        desk.answers[QUERY] = placed
        desk.answers["GET /fapi/v1/openOrders"] = [placed, {"orderId": 99}]
        desk.answers["POST /fapi/v1/algoOrder"] = desk.answers["GET /fapi/v1/algoOrder"] = {"algoId": 5}
        await trader.call("POST /fapi/v1/algoOrder", symbol="BTCUSDT")
        for ahead_ms, code in ((0, -2013), (1_999, -2013), (2_000, None)):
            now[0] += ahead_ms - (1_999 if ahead_ms == 2_000 else 0)
            for call in (QUERY, "GET /fapi/v1/algoOrder"):
                assert (await trader.call(call, symbol="BTCUSDT")).body.get("code") == code
            listed = (await trader.call("GET /fapi/v1/openOrders", symbol="BTCUSDT")).body
            assert listed == ([{"orderId": 99}] if code else [placed, {"orderId": 99}])
        assert (await trader.call("DELETE /fapi/v1/order", symbol="BTCUSDT")).status == 200

    trading(doing, speed=0.001)


def test_a_cancel_sees_what_a_query_does_not() -> None:
    """Invisible to queries, an order can be cancelled."""

    async def doing(trader: Trader) -> int:
        trader.venue.faults.arm("hide", ORDER, s=1e6)
        placed = (await trader.order()).body
        trader.desk.answers["DELETE /fapi/v1/order"] = placed
        return (await trader.call("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=1)).status

    assert trading(doing) == 200


def test_a_request_is_late_and_its_time_has_run_out() -> None:
    """Delayed on its way for longer than its window, an order is refused with -1021 and not placed."""

    async def doing(trader: Trader) -> Any:
        trader.venue.faults.arm("delay", ORDER, s=0.05)
        answer = await trader.order(recvWindow=1000)
        return answer.body["code"], len(trader.desk.asked)

    assert trading(doing, speed=100) == (-1021, 0)


def test_an_order_waits_at_the_engine_and_its_time_runs_out() -> None:
    """Admitted in time and delayed behind the door, an order is refused with -5028 and not placed; a query is not."""

    async def doing(trader: Trader) -> Any:
        trader.venue.faults.arm("engine_delay", count=2, s=0.05)
        answer = await trader.order(recvWindow=1000)
        asked = await trader.call(QUERY, symbol="BTCUSDT", recvWindow=1000)
        return answer.body["code"], [call for call, _, _ in trader.desk.asked], asked.status

    assert trading(doing, speed=100) == (-5028, [QUERY], 200)


def test_an_answer_comes_late_and_its_events_do_not() -> None:
    """The order is done at once: its event is there before the answer."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("reply_delay", ORDER, s=0.2)
        trader.desk.say = [event("TRADE_LITE")]
        async with trader.private() as socket:
            answer = asyncio.create_task(trader.order())
            assert (await socket.event())["e"] == "TRADE_LITE"
            assert not answer.done()
            assert (await answer).status == 200

    trading(doing)


@pytest.mark.parametrize("orderly", [True, False])
def test_events_come_before_and_after_the_answer(orderly: bool) -> None:
    """Over some calls both orders of answer and event are met; with an orderly venue the event always goes first."""

    async def doing(trader: Trader) -> set[str]:
        seen: set[str] = set()
        log: list[str] = []
        trader.venue.streams._deliver = lambda ear, name, frame: log.append("event")
        reply = trader.venue.door._calls._answered

        def answered(plan: Any, outcome: Any, finish: Any) -> None:
            def noted(*words: Any) -> None:
                log.append("answer")
                finish(*words)

            reply(plan, outcome, noted)

        trader.venue.calls._answered = answered  # type: ignore[method-assign]
        trader.desk.say = [event("TRADE_LITE")]
        async with trader.private():
            for _ in range(30):
                log.clear()
                await trader.order()
                await trader.talk.until(lambda: len(log) >= 2)
                seen.add(log[0])
        return seen

    assert trading(doing, orderly=orderly) == ({"event"} if orderly else {"event", "answer"})


def test_a_hand_acts_between_sending_and_arrival() -> None:
    """A lever that waits for a cancel comes before it or after it."""

    async def doing(trader: Trader) -> list[str]:
        cancel = "DELETE /fapi/v1/order"
        log: list[str] = []
        trader.venue.hands.pull = lambda lever, args: log.append(lever)  # type: ignore[method-assign]
        trader.venue.faults.act = trader.venue.hands.pull
        handler = trader.venue.calls.handlers[cancel]
        trader.venue.calls.handlers[cancel] = lambda account, params: (log.append("cancel"), handler(account, params))[
            1
        ]
        trader.venue.faults.arm("fill", cancel, moment="before")
        trader.venue.faults.arm("deposit", cancel, moment="after")
        await trader.call(cancel, symbol="BTCUSDT", orderId=1)
        return log

    assert trading(doing) == ["fill", "cancel", "deposit"]


def test_faults_hold_for_refusals_too() -> None:
    """An order the desk refuses can still get an unknown answer."""

    async def doing(trader: Trader) -> int:
        trader.desk.answers[ORDER] = VenueError(400, -2019, "Margin is insufficient.")
        trader.venue.faults.arm("busy", ORDER, placed=True)
        return (await trader.order()).status

    assert trading(doing) == 503


def test_the_golden_error_form_is_kept(wire: Path) -> None:
    """An error made by a lever has the form of the golden ones."""
    answer, _ = disturbed("error", code=-4120, msg="x")
    assert answer is not None
    expect_shape(golden(wire, "error-4120"), answer.body)
