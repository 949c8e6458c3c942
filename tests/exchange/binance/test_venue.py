"""The venue behind the core's door, over real sockets: wishes out, facts in, and every fault of the order path."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from core.ports import Venue
from exchange.binance.assembly import Bounds
from exchange.binance.order_lines import LineLimits
from exchange.binance.venue import BinanceVenue, VenueLimits
from models.action import Cancel, Inspect, Query, Submit
from models.error import VenueUnreachableError
from models.event import AccountTruth, ClockOffset, Event, Fill, NotFound, OrderReport, StreamState
from models.order import OrderState, OrderType, Refused, TimeInForce
from models.rows import FAR_NS
from tests.exchange.binance.desk import KEY, SECRET, a_stop, an_exit, an_order, on_uvloop, until
from tests.exchange.binance.mini_venue import QUICK, Bench, bench, golden, refused
from tests.fakes.order_server import HOLD, Asked, OrderServer, Reply, http

ORDER, ALGO = "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"
ENTRY, EXIT, STOP = "scabcdefghe000001", "scabcdefghx000002", "scabcdefghs000003"
HTML = b"<html>gateway</html>"


def run(doing: Any, **options: Any) -> Any:
    """Run ``doing`` with a venue that is connected."""

    async def within() -> Any:
        async with bench(**options) as scene:
            return await doing(scene)

    return on_uvloop(within())


def submit(scene: Bench, order: Any = None) -> Any:
    order = order or an_order(created_ns=scene.now_ns())
    scene.venue.execute(Submit(scene.now_ns(), order))
    return order


def states(scene: Bench, client_id: str) -> list[OrderState]:
    return [one.state for one in scene.facts.of(OrderReport) if one.client_id == client_id]


def streams(scene: Bench) -> list[tuple[str, bool]]:
    return [(one.stream, one.alive) for one in scene.facts.of(StreamState)]


# -- the door ---------------------------------------------------------------------------------------------------------


def test_it_is_a_venue_of_the_core() -> None:
    """The door has everything the core asks of a venue, and no answer ever waits inside."""

    async def doing(scene: Bench) -> None:
        venue: Venue = scene.venue
        assert (venue.due_ns, venue.passage, venue.take(FAR_NS)) == (FAR_NS, (0, 0), ())
        venue.settle(0, 0)

    run(doing)


def test_execute_tells_nothing_before_it_returns() -> None:
    """No wish is answered inside ``execute``, not even when nothing can be sent."""

    async def doing(scene: Bench) -> None:
        await scene.venue._lines.close()
        before = len(scene.facts)
        now_ns = scene.now_ns()
        for wish in (
            Submit(now_ns, an_order(created_ns=now_ns)), Cancel(now_ns, ENTRY), Query(now_ns, ENTRY), Inspect(now_ns),
        ):  # fmt: skip
            scene.venue.execute(wish)
        assert len(scene.facts) == before
        await scene.heard(OrderReport, client_id=ENTRY)

    run(doing)


def test_the_start_blocks_entries_until_the_account_was_read() -> None:
    """The private stream counts as lost from the first moment until a reading after it was opened."""

    async def doing(scene: Bench) -> None:
        kinds = [type(one) for one in scene.facts[:4]]
        assert kinds == [StreamState, ClockOffset, AccountTruth, StreamState]
        assert streams(scene) == [("user", False), ("user", True)]

    run(doing)


def test_a_venue_that_is_not_there_is_told_at_the_start() -> None:
    """Without a connection the start says so."""

    async def within() -> None:
        async with OrderServer() as server:
            made = Bench(server)
        with pytest.raises(VenueUnreachableError, match="could be opened"):
            await made.venue.start(0.05)
        await made.venue.close()

    on_uvloop(within())


def test_after_closing_nothing_is_told() -> None:
    """Orders under way at the end are nobody's news any more; the next run asks the venue."""

    async def within() -> int:
        async with bench() as scene:
            scene.mini.once(ORDER, HOLD)
            submit(scene)
            await until(lambda: scene.mini.calls(ORDER))
        count = len(scene.facts)
        await asyncio.sleep(0.01)
        return len(scene.facts) - count

    assert on_uvloop(within()) == 0


# -- placing ----------------------------------------------------------------------------------------------------------


def test_an_order_is_accepted_and_filled() -> None:
    """An order's life: accepted with its number, one fill, filled."""

    async def doing(scene: Bench) -> None:
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.ACCEPTED)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        assert len(scene.facts.of(Fill)) == 1
        assert {one.venue_id for one in scene.facts.of(OrderReport)} == {scene.mini.orders[ENTRY]["orderId"]}

    run(doing)


def test_the_first_word_carries_how_long_the_order_took_to_leave() -> None:
    """Whichever comes first, event or answer, says when it was handed over and when it was written; the next do not."""

    async def doing(scene: Bench) -> None:
        submit(scene)
        await scene.heard(OrderReport, count=3, client_id=ENTRY)
        first, *others = scene.facts.of(OrderReport)
        assert first.decide_ns > 0
        assert first.send_ns > 0
        assert all((one.decide_ns, one.send_ns) == (0, 0) for one in others)

    run(doing)


def test_an_order_is_signed_for_the_fact_that_caused_it() -> None:
    """However late it leaves, the timestamp is the venue's time of its cause: the proof of absence reckons from it."""

    async def doing(scene: Bench) -> None:
        scene.mini.ahead_ms = 5_000
        await scene.venue.resync()
        created_ns = scene.now_ns() - 400_000_000
        submit(scene, an_order(created_ns=created_ns))
        await until(lambda: scene.mini.calls(ORDER))
        offset = scene.facts.of(ClockOffset)[-1]
        assert scene.mini.calls(ORDER)[0].params["timestamp"] == str((created_ns + offset.offset_ns) // 1_000_000)

    run(doing)


def test_a_rehearsal_builds_the_order_and_sends_nothing() -> None:
    """The bytes are those that would leave; none does, and nothing is counted."""

    async def doing(scene: Bench) -> None:
        order = an_order(created_ns=scene.now_ns())
        before = scene.venue.stats().orders
        rehearsed = scene.venue.rehearse(order)
        assert scene.venue.stats().orders == before
        submit(scene, order)
        await scene.heard(OrderReport, client_id=ENTRY)
        assert [one.raw for one in scene.mini.calls(ORDER)] == [rehearsed]

    run(doing)


def test_a_stop_goes_to_the_algo_service() -> None:
    """A stop is accepted with the number of its own kind (F51, F52)."""

    async def doing(scene: Bench) -> None:
        submit(scene, a_stop(created_ns=scene.now_ns()))
        report = await scene.heard(OrderReport, client_id=STOP, state=OrderState.ACCEPTED)
        assert report.venue_id == scene.mini.algos[STOP]["algoId"]
        assert not scene.mini.calls(ORDER)

    run(doing)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (-2019, Refused.MARGIN),
        (-2022, Refused.REDUCE_ONLY),
        (-4131, Refused.PRICE_BAND),
        (-2021, Refused.WOULD_TRIGGER),
    ],
)
def test_a_refusal_is_told_in_the_cores_words(code: int, word: Refused) -> None:
    """Refusals that change what we do next begin with their word (F25, F26, F27, F53)."""

    async def doing(scene: Bench) -> str:
        scene.mini.once(ALGO, refused(code, "why"))
        submit(scene, a_stop(created_ns=scene.now_ns()))
        return str((await scene.heard(OrderReport, client_id=STOP, state=OrderState.REJECTED)).reason)

    assert word.within(run(doing))


LOST = [
    Reply((), end=True), Reply((b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",), end=True), Reply((), reset=True),
    http(502, HTML), http(503, HTML), http(200, HTML), http(200, b""), http(200, b"[]"), http(200, b'{"orderId":1}'),
    refused(-1007, "Timeout", 408), refused(-1000, "Unknown error, please check", 503), refused(-1001, "Internal", 503),
    refused(-4116, "ClientOrderId is duplicated."),
    http(200, json.dumps(golden("rest-order-POST-market-ACK")).encode()),
]  # fmt: skip


@pytest.mark.parametrize("reply", LOST, ids=range(len(LOST)))
def test_whatever_is_not_a_clear_word_leaves_the_order_unknown(reply: Reply | bytes) -> None:
    """Lost, broken and unclear answers, and one about another order, make an entry UNKNOWN; nothing is sent again."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, reply)
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY)
        await asyncio.sleep(0.3)
        assert states(scene, ENTRY) == [OrderState.UNKNOWN]
        assert len(scene.mini.calls(ORDER)) == 1

    run(doing)


def test_no_answer_in_time_is_unknown_and_the_next_order_goes_through() -> None:
    """A hanging venue costs the deadline; the other line carries on (F17)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, HOLD)
        submit(scene)
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        report = await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.UNKNOWN)
        assert report.reason == "no answer in time"

    run(doing)


def test_an_order_whose_reply_was_lost_is_found_by_a_query() -> None:
    """Accepted and the reply dropped: unknown, then asked for, then everything is told (F17)."""

    async def doing(scene: Bench) -> None:
        def lose(request: Asked) -> Reply:
            scene.mini.silent = True
            scene.mini.answer(request)
            return Reply((), end=True)

        scene.mini.once(ORDER, lose)
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.UNKNOWN)
        scene.venue.execute(Query(scene.now_ns(), ENTRY))
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        assert len(scene.facts.of(Fill)) == 1

    run(doing)


@pytest.mark.parametrize(
    "reply", [refused(-1008, "Request throttled by system-level protection.", 503), http(503, b"Service Unavailable.")]
)
def test_an_entry_that_did_not_happen_is_not_sent_again(reply: bytes) -> None:
    """Its signal is old by then: it ends as proven not placed (F18)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, reply)
        submit(scene)
        report = await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        assert Refused.NOT_PLACED.within(report.reason)
        await asyncio.sleep(0.3)
        assert len(scene.mini.calls(ORDER)) == 1

    run(doing)


@pytest.mark.parametrize("order", [an_exit, a_stop], ids=["exit", "stop"])
def test_what_reduces_or_protects_is_sent_again_under_its_id(order: Any) -> None:
    """After a proven «not executed» an exit or stop leaves again in moments, with the same id and time (F18, F19)."""

    async def doing(scene: Bench) -> None:
        call = ALGO if order is a_stop else ORDER
        scene.mini.once(call, http(503, b"Service Unavailable."))
        sent = submit(scene, order(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=sent.client_id, state=OrderState.ACCEPTED)
        first, second = scene.mini.calls(call)
        assert first.raw == second.raw
        assert OrderState.REJECTED not in states(scene, sent.client_id)

    run(doing)


def test_repetition_ends_with_the_time_the_venue_would_take_it() -> None:
    """An exit that is refused for as long as it is valid ends as not placed, for the core to send another (F19)."""

    async def doing(scene: Bench) -> None:
        for _ in range(9):
            scene.mini.once(ORDER, http(503, b"Service Unavailable."))
        submit(scene, an_exit(created_ns=scene.now_ns()))
        report = await scene.heard(OrderReport, client_id=EXIT, state=OrderState.REJECTED)
        assert Refused.NOT_PLACED.within(report.reason)
        assert 2 <= len(scene.mini.calls(ORDER)) <= 4

    run(doing)


def test_an_old_exit_is_not_repeated() -> None:
    """What was signed longer ago than the venue takes is not sent a second time."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, http(503, b"Service Unavailable."))
        submit(scene, an_exit(created_ns=scene.now_ns() - 900_000_000))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.REJECTED)
        assert len(scene.mini.calls(ORDER)) == 1

    run(doing)


def test_evidence_ends_a_repetition() -> None:
    """When the stream tells of an order that was to be sent again it is not sent again (F20)."""

    async def doing(scene: Bench) -> None:
        def placed_after_all(request: Asked) -> bytes:
            scene.mini.answer(request)
            return refused(-1008, "Request throttled by system-level protection.", 503)

        scene.mini.once(ORDER, placed_after_all)
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.UNKNOWN)
        assert len(scene.mini.calls(ORDER)) == 1
        assert OrderState.FILLED in states(scene, EXIT)

    run(doing)


def test_a_wrong_clock_is_measured_at_once_and_an_exit_leaves_again() -> None:
    """−1021: the offset is measured and told, and the exit goes with the corrected time of its cause (F23)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-1021, "outside of the recvWindow"))
        scene.mini.ahead_ms = 30_000
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        first, second = (int(one.params["timestamp"]) for one in scene.mini.calls(ORDER))
        assert 29_900 <= second - first <= 30_100
        assert abs(scene.facts.of(ClockOffset)[-1].offset_ns - 30_000_000_000) < 100_000_000

    run(doing)


def test_a_wrong_clock_ends_an_entry_and_is_measured() -> None:
    """An entry with a wrong timestamp was not placed; the clock is measured for the next (F23)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-1021, "outside of the recvWindow"))
        submit(scene)
        report = await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        assert Refused.NOT_PLACED.within(report.reason)
        await scene.heard(ClockOffset, count=2)
        assert len(scene.mini.calls(ORDER)) == 1

    run(doing)


def test_without_a_line_an_entry_was_not_placed() -> None:
    """When no connection is open nothing left, and that is said."""

    async def doing(scene: Bench) -> None:
        await scene.venue._lines.close()
        submit(scene)
        report = await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        assert report.reason == f"{Refused.NOT_PLACED.value}: no connection is open"

    run(doing)


def test_a_limit_order_that_fills_in_its_answer_is_asked_for() -> None:
    """An answer that names a filled quantity is followed by the executions themselves."""

    async def doing(scene: Bench) -> None:
        def expired(request: Asked) -> bytes:
            scene.mini.silent = True
            scene.mini.answer(request)
            order = scene.mini.orders[ENTRY]
            scene.mini.fill(order)
            body = golden("rest-order-POST-limit-IOC-RESULT-expired") | {
                "clientOrderId": ENTRY, "orderId": order["orderId"], "executedQty": "0.010", "status": "FILLED",
            }  # fmt: skip
            return http(200, json.dumps(body).encode())

        scene.mini.once(ORDER, expired)
        terms = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "price": 770_000}
        submit(scene, an_order(created_ns=scene.now_ns(), **terms))
        report = await scene.heard(OrderReport, client_id=ENTRY)
        assert (report.state, report.filled) == (OrderState.FILLED, 10)
        await scene.heard(Fill, client_id=ENTRY)

    run(doing)


# -- cancelling -------------------------------------------------------------------------------------------------------


def resting(scene: Bench) -> Any:
    terms = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTX, "price": 760_000}
    return submit(scene, an_order(created_ns=scene.now_ns(), **terms))


def test_a_cancel_ends_an_order() -> None:
    """The venue's yes is told, by the answer as by the event."""

    async def doing(scene: Bench) -> None:
        resting(scene)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.ACCEPTED)
        scene.venue.execute(Cancel(scene.now_ns(), ENTRY))
        await scene.heard(OrderReport, count=2, client_id=ENTRY, state=OrderState.CANCELED)
        assert scene.mini.orders[ENTRY]["status"] == "CANCELED"

    run(doing)


def test_a_stop_is_cancelled_by_its_own_service() -> None:
    """A stop's cancel goes to the algo service, whose yes is a text (F52)."""

    async def doing(scene: Bench) -> None:
        submit(scene, a_stop(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=STOP)
        scene.mini.silent = True
        scene.venue.execute(Cancel(scene.now_ns(), STOP, 0, True))
        report = await scene.heard(OrderReport, client_id=STOP, state=OrderState.CANCELED)
        assert report.venue_id == scene.mini.algos[STOP]["algoId"]
        assert not scene.mini.calls("DELETE /fapi/v1/order")

    run(doing)


def test_a_cancel_that_came_too_late_asks_what_became_of_the_order() -> None:
    """−2011 is followed by a query: the order has filled, and its execution is told (F31)."""

    async def doing(scene: Bench) -> None:
        resting(scene)
        await scene.heard(OrderReport, client_id=ENTRY)
        scene.mini.silent = True
        scene.mini.fill(scene.mini.orders[ENTRY])
        scene.venue.execute(Cancel(scene.now_ns(), ENTRY))
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.FILLED)
        assert len(scene.facts.of(Fill)) == 1
        assert OrderState.CANCELED not in states(scene, ENTRY)

    run(doing)


@pytest.mark.parametrize("reply", [Reply((), end=True), http(502, HTML), http(200, HTML), refused(-1007, "t", 408)])
def test_a_cancel_whose_answer_is_lost_asks_too(reply: Reply | bytes) -> None:
    """Nothing is concluded from a lost answer to a cancel; the order's state is read (F32)."""

    async def doing(scene: Bench) -> None:
        resting(scene)
        await scene.heard(OrderReport, client_id=ENTRY)
        scene.mini.silent = True

        def cancelled(request: Asked) -> Reply | bytes:
            scene.mini.answer(request)
            return reply

        scene.mini.once("DELETE /fapi/v1/order", cancelled)
        scene.venue.execute(Cancel(scene.now_ns(), ENTRY))
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.CANCELED)
        assert scene.mini.calls("GET /fapi/v1/order")

    run(doing)


def test_a_cancel_that_was_not_executed_tells_nothing() -> None:
    """The core asks again; nothing is made up meanwhile."""

    async def doing(scene: Bench) -> None:
        resting(scene)
        await scene.heard(OrderReport, client_id=ENTRY)
        before = len(states(scene, ENTRY))
        scene.mini.once("DELETE /fapi/v1/order", http(503, b"Service Unavailable."))
        scene.venue.execute(Cancel(scene.now_ns(), ENTRY))
        await until(lambda: scene.mini.calls("DELETE /fapi/v1/order"))
        await asyncio.sleep(0.05)
        assert len(states(scene, ENTRY)) == before

    run(doing)


# -- limits, access ---------------------------------------------------------------------------------------------------


def test_after_429_entries_stay_and_exits_leave() -> None:
    """A limit stops what opens positions; what closes them still goes (F22)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-1003, "Too many", 429, Retry_After="60"))
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        submit(scene, an_order(7, created_ns=scene.now_ns()))
        held = await scene.heard(OrderReport, client_id="scabcdefghe000007")
        assert held.reason == f"{Refused.NOT_PLACED.value}: the venue wants silence"
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        assert len(scene.mini.calls(ORDER)) == 2

    run(doing)


def test_after_418_nothing_leaves_and_that_is_told() -> None:
    """A ban ends every call, exits and cancels too, since each would make it longer; entries are blocked (F22)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-1003, "banned", 418, Retry_After="60"))
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(StreamState, stream="account", alive=False)
        count = len(scene.server_requests())
        submit(scene, an_exit(8, created_ns=scene.now_ns()))
        scene.venue.execute(Cancel(scene.now_ns(), EXIT))
        scene.venue.execute(Query(scene.now_ns(), EXIT))
        scene.venue.execute(Inspect(scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghx000008", state=OrderState.REJECTED)
        await asyncio.sleep(0.1)
        assert len(scene.server_requests()) == count

    run(doing)


def test_a_revoked_key_blocks_entries_until_it_is_taken_again() -> None:
    """−2015 is told at once as a lost account, and its end with the next signed answer (F30)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-2015, "Invalid API-key", 401))
        submit(scene)
        lost = await scene.heard(StreamState, stream="account", alive=False)
        assert "-2015" in lost.reason
        scene.venue.execute(Inspect(scene.now_ns()))
        await scene.heard(StreamState, stream="account", alive=True)

    run(doing)


def test_maintenance_is_a_lost_account() -> None:
    """−1016 blocks entries and the process lives on (F33)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-1016, "This service is no longer available.", 503))
        submit(scene)
        await scene.heard(StreamState, stream="account", alive=False)
        report = await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        assert Refused.NOT_PLACED.within(report.reason)

    run(doing)


def test_an_account_that_may_not_open_positions_is_told_until_a_person_forgives() -> None:
    """A close-only account stays so for the bot, whatever else is answered (-4400)."""

    async def doing(scene: Bench) -> None:
        scene.mini.once(ORDER, refused(-4400, "Quantitative Rules violated"))
        submit(scene)
        await scene.heard(StreamState, stream="trading", alive=False)
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id=EXIT, state=OrderState.FILLED)
        assert ("trading", True) not in streams(scene)
        scene.venue.forgive()
        assert streams(scene)[-1] == ("trading", True)

    run(doing)


def test_a_filter_refusal_asks_for_fresh_filters() -> None:
    """Tick, step and minimum may have changed: whoever keeps them is told (F29)."""

    async def doing(scene: Bench) -> list[int]:
        scene.mini.once(ORDER, refused(-4023, "Qty not increased by step size."))
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY, state=OrderState.REJECTED)
        return scene.refreshed

    assert run(doing) == [0]


# -- the private stream -----------------------------------------------------------------------------------------------


def test_a_lost_stream_blocks_entries_until_the_account_was_read_again() -> None:
    """Loss, another socket, executions missed meanwhile, the reading, and only then the stream's return (F34)."""

    async def doing(scene: Bench) -> None:
        scene.mini.silent = True
        submit(scene)
        await scene.heard(OrderReport, client_id=ENTRY)
        start = len(scene.facts)
        scene.mini.sockets[0].close()
        await scene.heard(StreamState, 2, stream="user", alive=True)
        kinds = [type(one) for one in scene.facts[start:] if not isinstance(one, OrderReport)]
        assert kinds == [StreamState, Fill, AccountTruth, StreamState]

    run(doing)


def test_silence_after_an_order_is_found() -> None:
    """An order the venue took and never told of makes the stream be replaced and the account be read (F40)."""

    async def doing(scene: Bench) -> None:
        scene.mini.silent = True
        submit(scene)
        lost = await scene.heard(StreamState, 2, stream="user", alive=False)
        assert lost.reason == "no word on an order that the venue took"
        await scene.heard(StreamState, 2, stream="user", alive=True)
        assert len(scene.mini.sockets) == 2
        assert len(scene.facts.of(Fill)) == 1

    run(doing)


def test_a_broken_event_makes_the_account_be_read_before_the_next_entry() -> None:
    """A private event that cannot be used loses the stream until a reading (F35)."""

    async def doing(scene: Bench) -> None:
        scene.mini.sockets[0].on_frame(b'{"e":"ORDER_TRADE_UPDATE"}', 1)
        assert streams(scene)[-1] == ("user", False)
        await scene.heard(StreamState, 2, stream="user", alive=True)
        assert len(scene.facts.of(AccountTruth)) == 2

    run(doing)


def test_a_doubt_stands_until_a_reading_succeeds() -> None:
    """A reading that fails is repeated; entries stay blocked meanwhile."""

    async def doing(scene: Bench) -> None:
        for _ in range(2):
            scene.mini.once("GET /fapi/v3/account", refused(-1109, "Invalid account."))
        scene.venue.doubt("a test")
        await scene.heard(StreamState, 2, stream="user", alive=True)
        assert scene.venue.failed_reads == 2

    run(doing)


def test_a_reading_asked_for_during_another_is_made_anew() -> None:
    """Whoever asks while the account is being read gets a reading that began after the question, and no more."""

    async def doing(scene: Bench) -> None:
        before, asked = len(scene.facts.of(AccountTruth)), len(scene.server_requests())
        scene.venue.execute(Inspect(scene.now_ns()))
        await until(lambda: len(scene.server_requests()) > asked)
        for _ in range(5):
            scene.venue.execute(Inspect(scene.now_ns()))
        asked_ns = scene.now_ns()
        await scene.heard(AccountTruth, before + 2)
        await asyncio.sleep(0.1)
        truths = scene.facts.of(AccountTruth)[before:]
        assert len(truths) == 2
        assert truths[1].asked_ns > asked_ns

    run(doing)


def test_one_order_is_asked_for_once_at_a_time() -> None:
    """Repeated queries of the same order are one call."""

    async def doing(scene: Bench) -> int:
        for _ in range(10):
            scene.venue.execute(Query(scene.now_ns(), "sce9"))
        await scene.heard(NotFound, client_id="sce9")
        return len(scene.mini.calls("GET /fapi/v1/order"))

    assert run(doing) == 1


def test_a_wish_made_by_a_fact_leaves_at_once() -> None:
    """A fact may cause an order inside its own callback, as a fill causes a stop."""

    async def doing(scene: Bench) -> None:
        def protect(event: Event) -> None:
            if isinstance(event, Fill):
                submit(scene, a_stop(created_ns=scene.now_ns()))

        scene.on_fact = protect
        submit(scene)
        await scene.heard(OrderReport, client_id=STOP, state=OrderState.ACCEPTED)
        scene.mini.trigger(STOP)
        scene.on_fact = lambda event: None
        await scene.heard(OrderReport, client_id=STOP, state=OrderState.FILLED)
        assert [fill.client_id for fill in scene.facts.of(Fill)] == [ENTRY, STOP]

    run(doing)


def test_no_fact_and_no_number_shows_a_secret() -> None:
    """Key, secret, signature and listenKey stand in nothing that is told or counted (F75)."""

    async def doing(scene: Bench) -> str:
        for reply in LOST:
            scene.mini.once(ORDER, reply)
            submit(scene, an_order(len(scene.facts) + 100, created_ns=scene.now_ns()))
            await asyncio.sleep(0.01)
        scene.mini.sockets[0].close()
        await scene.heard(StreamState, 2, stream="user", alive=True)
        signatures = [one.params["signature"] for one in scene.mini.calls(ORDER)]
        key = golden("rest-listenKey-POST")["listenKey"]
        said = f"{list(scene.facts)!r}{scene.venue.stats()!r}{scene.venue!r}{vars(scene.venue)!r}"
        assert not any(secret in said for secret in (*signatures, key))
        return said

    said = run(doing)
    assert KEY not in said
    assert SECRET not in said


def test_the_clock_is_measured_again_and_again() -> None:
    """The offset is told at its interval, and an unanswered question makes the old one less certain (F23)."""

    async def doing(scene: Bench) -> None:
        await scene.heard(ClockOffset, count=3)
        scene.mini.instead["GET /fapi/v1/time"] = [lambda request: refused(-1000, "x", 400)] * 50
        known = len(scene.facts.of(ClockOffset))
        aged = await scene.heard(ClockOffset, count=known + 2)
        assert aged.offset_ns == scene.venue.clock.offset.offset_ns
        assert aged.uncertainty_ns >= scene.venue.clock.offset.uncertainty_ns

    bounds = Bounds(
        lines=QUICK.lines, calls=QUICK.calls, stream=QUICK.stream, venue=VenueLimits(clock_every_s=0.02)
    )  # fmt: skip
    run(doing, bounds=bounds)


def test_idle_lines_stay_warm() -> None:
    """Without an order the lines are probed, and the weight of the answers is heeded."""

    async def doing(scene: Bench) -> None:
        await until(lambda: len(scene.mini.calls("GET /fapi/v1/ping")) >= 2)
        assert scene.venue.stats().orders.open == 2

    bounds = Bounds(lines=LineLimits(probe_every_s=0.0), calls=QUICK.calls, stream=QUICK.stream, venue=QUICK.venue)
    run(doing, bounds=bounds)


def test_the_type_is_the_one_the_composition_root_gets() -> None:
    """The assembly gives a whole venue."""

    async def doing(scene: Bench) -> BinanceVenue:
        return scene.venue

    assert isinstance(run(doing), BinanceVenue)
