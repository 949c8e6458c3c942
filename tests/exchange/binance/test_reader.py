"""The account read whole, one order at a time, and the executions that nobody told of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange.binance.reader import Reader
from models.action import Inspect, Query, Submit
from models.event import AccountTruth, Fill, NotFound, OrderReport, Standing
from models.order import OrderState, OrderType, Side, TimeInForce
from tests.exchange.binance.desk import a_stop, an_exit, an_order, on_uvloop, until
from tests.exchange.binance.mini_venue import Bench, bench, golden, refused
from tests.fakes.order_server import http


def run(doing: Any, **options: Any) -> Any:
    """Run ``doing`` with a venue that is connected."""

    async def within() -> Any:
        async with bench(**options) as scene:
            return await doing(scene)

    return on_uvloop(within())


def submit(scene: Bench, order: Any) -> None:
    scene.venue.execute(Submit(scene.now_ns(), order))


async def truth(scene: Bench) -> AccountTruth:
    """Another reading of the account."""
    count = len(scene.facts.of(AccountTruth))
    scene.venue.execute(Inspect(scene.now_ns()))
    found: AccountTruth = await scene.heard(AccountTruth, count + 1)
    return found


def test_a_flat_account_names_every_contract() -> None:
    """Without positions each contract is there with nothing held, its leverage and its margin type."""

    async def doing(scene: Bench) -> None:
        read = await truth(scene)
        (held,) = read.positions
        assert (held.lots, held.leverage, held.isolated, read.hedge) == (0, 10, True, False)
        assert (read.wallet_e8, read.orders) == (100_000_000_000, ())
        assert read.asked_ns < read.at_ns

    run(doing)


def test_positions_orders_and_stops_are_read() -> None:
    """The reading holds what is held and both kinds of open orders, told apart (F52)."""

    async def doing(scene: Bench) -> None:
        limit = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTX, "price": 760_000}
        submit(scene, an_order(1, created_ns=scene.now_ns()))
        submit(scene, an_order(2, created_ns=scene.now_ns(), **limit))
        submit(scene, a_stop(3, created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghs000003")
        read = await truth(scene)
        assert [(held.lots, held.entry_e8) for held in read.positions] == [(10, 7_700_000_000_000)]
        plain, stop = read.orders
        numbers = scene.mini.orders["scabcdefghe000002"]["orderId"], scene.mini.algos["scabcdefghs000003"]["algoId"]
        assert plain == Standing(
            "scabcdefghe000002", numbers[0], 0, Side.BUY, 10, 0, 760_000, 0, False, False
        )  # fmt: skip
        assert stop == Standing("scabcdefghs000003", numbers[1], 0, Side.SELL, 10, 0, 0, 760_000, True, True)

    run(doing)


def test_a_stop_that_closes_everything_covers_what_is_held() -> None:
    """A closePosition stop has no quantity of its own; it counts for the whole position."""

    async def doing(scene: Bench) -> None:
        scene.mini.lots = -25
        scene.mini.algos["web"] = golden("rest-openAlgoOrders-GET")[0] | {"closePosition": True, "quantity": "0.000"}
        (stop,) = (await truth(scene)).orders
        assert (stop.quantity, stop.reduce_only, stop.stop) == (25, True, True)

    run(doing)


def test_hedge_mode_is_read_and_its_sides_are_added_up() -> None:
    """Two sides of one contract are one number of lots, and the mode is told (F48)."""

    async def doing(scene: Bench) -> None:
        rows = [golden("rest-positionRisk-v3-hedge")[0] | {"positionSide": side, "positionAmt": amount}
                for side, amount in (("LONG", "0.030"), ("SHORT", "-0.010"))]  # fmt: skip
        scene.mini.once("GET /fapi/v3/positionRisk", http(200, json.dumps(rows).encode()))
        config = golden("rest-accountConfig") | {"dualSidePosition": True}
        scene.mini.once("GET /fapi/v1/accountConfig", http(200, json.dumps(config).encode()))
        read = await truth(scene)
        assert (read.positions[0].lots, read.hedge) == (20, True)

    run(doing)


def test_a_reading_that_fails_tells_nothing() -> None:
    """When one of the reads is refused no half of an account is told, and the failure is counted."""

    async def doing(scene: Bench) -> None:
        before = len(scene.facts.of(AccountTruth))
        scene.mini.once("GET /fapi/v3/positionRisk", refused(-2015, "Invalid", 401))
        scene.venue.execute(Inspect(scene.now_ns()))
        await until(lambda: scene.venue.failed_reads)
        assert len(scene.facts.of(AccountTruth)) == before

    run(doing)


def test_a_contract_without_terms_is_no_reading() -> None:
    """A venue that does not name a contract's leverage is asked again instead of believed (F49)."""

    async def doing(scene: Bench) -> int:
        scene.mini.once("GET /fapi/v1/symbolConfig", http(200, b"[]"))
        scene.venue.execute(Inspect(scene.now_ns()))
        await until(lambda: scene.venue.failed_reads)
        return scene.venue.failed_reads

    assert run(doing) == 1


def test_executions_nobody_told_of_come_before_the_reading() -> None:
    """What filled while the stream was silent is told as fills of the order, then as a position (F34, F40)."""

    async def doing(scene: Bench) -> None:
        scene.mini.silent = True
        submit(scene, an_order(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghe000001")
        read = await truth(scene)
        (fill,) = scene.facts.of(Fill)
        assert (fill.client_id, fill.quantity, fill.fee_e8, fill.cause) == ("scabcdefghe000001", 10, 38_500_000, "")
        assert scene.facts.index(fill) < scene.facts.index(read)
        assert read.positions[0].lots == 10
        await truth(scene)
        assert len(scene.facts.of(Fill)) == 1

    run(doing)


def test_executions_beyond_one_page_are_all_read() -> None:
    """Pages are followed to the end, and the next sweep begins behind the last (F34)."""

    async def doing(scene: Bench) -> None:
        order = golden("rest-order-GET-new") | {"orderId": 5, "clientOrderId": "web_1"}
        scene.mini.orders["web_1"] = order
        for _ in range(1_300):
            scene.mini.fill(order, told=False)
        await truth(scene)
        assert len(scene.facts.of(Fill)) == 1_300
        await truth(scene)
        newest = scene.mini.trades[-1]["id"]
        assert scene.mini.calls("GET /fapi/v1/userTrades")[-1].params["fromId"] == str(newest + 1)
        assert len(scene.facts.of(Fill)) == 1_300

    run(doing)


def test_executions_before_the_start_are_not_ours_to_tell() -> None:
    """History is no news: only what happened since the start is swept."""

    async def doing(scene: Bench) -> list[Fill]:
        trade = golden("rest-userTrades")[0] | {"time": scene.mini.now_ms() - 60_000}
        scene.mini.trades.append(trade)
        await truth(scene)
        return scene.facts.of(Fill)

    assert run(doing) == []


def test_a_persons_execution_says_so() -> None:
    """An execution of an order that is not ours carries its cause (F41), one of a liquidation too (F42)."""

    async def doing(scene: Bench) -> list[tuple[str, str]]:
        for number, name in ((5, "web_1"), (6, "autoclose-77")):
            order = golden("rest-order-GET-new") | {"orderId": number, "clientOrderId": name}
            scene.mini.orders[name] = order
            scene.mini.fill(order, told=False)
        await truth(scene)
        return [(fill.client_id, fill.cause) for fill in scene.facts.of(Fill)]

    assert run(doing) == [("web_1", "external"), ("autoclose-77", "liquidation")]


def test_an_execution_of_an_order_the_venue_no_longer_shows_is_still_told() -> None:
    """Without a name it is somebody else's, and counts all the same."""

    async def doing(scene: Bench) -> list[tuple[str, str]]:
        scene.mini.trades.append(golden("rest-userTrades")[0] | {"time": scene.mini.now_ms()})
        await truth(scene)
        return [(fill.client_id, fill.cause) for fill in scene.facts.of(Fill)]

    assert run(doing) == [("", "external")]


def test_a_stop_that_triggered_in_silence_is_known_by_its_own_id() -> None:
    """The order a stop became has another number and name; its execution is the stop's (F57)."""

    async def doing(scene: Bench) -> None:
        submit(scene, a_stop(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghs000003")
        scene.mini.trigger("scabcdefghs000003", told=False)
        await truth(scene)
        assert [(fill.client_id, fill.cause) for fill in scene.facts.of(Fill)] == [("scabcdefghs000003", "")]

    run(doing)


# -- one order --------------------------------------------------------------------------------------------------------


def query(scene: Bench, client_id: str, *, stop: bool = False) -> None:
    scene.venue.execute(Query(scene.now_ns(), client_id, 0, stop))


def test_a_query_brings_executions_and_then_the_state() -> None:
    """Asking for a filled order tells its executions with their fees before its end."""

    async def doing(scene: Bench) -> None:
        scene.mini.silent = True
        submit(scene, an_order(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghe000001")
        query(scene, "scabcdefghe000001")
        report = await scene.heard(OrderReport, state=OrderState.FILLED)
        (fill,) = scene.facts.of(Fill)
        assert scene.facts.index(fill) < scene.facts.index(report)
        assert (report.filled, report.client_id) == (10, "scabcdefghe000001")

    run(doing)


@pytest.mark.parametrize("stop", [False, True])
def test_an_unknown_order_is_told_with_a_time_that_is_proven(stop: bool) -> None:
    """«Not found» carries a venue time that had surely passed when the venue looked (proof of absence)."""

    async def doing(scene: Bench) -> None:
        scene.mini.ahead_ms = 60_000
        await scene.venue.resync()
        asked_ms = scene.mini.now_ms()
        query(scene, "sce9", stop=stop)
        missing = await scene.heard(NotFound, client_id="sce9")
        answered_ms = scene.mini.now_ms()
        assert asked_ms - 1_000 <= missing.venue_ns // 1_000_000 <= answered_ms

    run(doing)


@pytest.mark.parametrize(
    ("status", "state"),
    [("NEW", OrderState.ACCEPTED), ("CANCELED", OrderState.CANCELED), ("EXPIRED", OrderState.EXPIRED)],
)
def test_a_query_for_a_stop_asks_the_algo_service(status: str, state: OrderState) -> None:
    """A stop's state comes from the endpoint of its own kind (F52)."""

    async def doing(scene: Bench) -> None:
        scene.mini.algos["scs1"] = golden("rest-algoOrder-GET-new") | {"clientAlgoId": "scs1", "algoStatus": status}
        query(scene, "scs1", stop=True)
        report = await scene.heard(OrderReport, client_id="scs1")
        assert (report.state, report.venue_id, report.filled) == (state, 2_148_719, 0)
        assert not scene.mini.calls("GET /fapi/v1/order")

    run(doing)


def test_a_query_for_a_triggered_stop_brings_what_it_filled() -> None:
    """The order that a stop became tells executions and state under the stop's id and number (F57)."""

    async def doing(scene: Bench) -> None:
        submit(scene, a_stop(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghs000003")
        scene.mini.trigger("scabcdefghs000003", told=False)
        query(scene, "scabcdefghs000003", stop=True)
        report = await scene.heard(OrderReport, state=OrderState.FILLED)
        assert [fill.client_id for fill in scene.facts.of(Fill)] == ["scabcdefghs000003"]
        assert report.venue_id == scene.mini.algos["scabcdefghs000003"]["algoId"]

    run(doing)


def test_a_query_that_fails_tells_nothing() -> None:
    """A refused query is neither found nor not found."""

    async def doing(scene: Bench) -> None:
        scene.mini.once("GET /fapi/v1/order", refused(-1000, "An unknown error", 400))
        query(scene, "sce9")
        await until(lambda: scene.venue.failed_reads)
        assert scene.facts.of(NotFound) == []

    run(doing)


def test_a_quick_word_without_its_full_one_is_settled_from_the_account() -> None:
    """When only TRADE_LITE came, the execution is read with its fee within moments (F37)."""

    async def doing(scene: Bench) -> Fill:
        scene.mini.silent = True
        submit(scene, an_exit(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghx000002")
        scene.mini.silent = False
        trade = scene.mini.trades[-1]
        scene.mini.say(golden("user-TRADE_LITE") | {"c": "scabcdefghx000002", "i": trade["orderId"], "t": trade["id"]})
        fill: Fill = await scene.heard(Fill, client_id="scabcdefghx000002")
        return fill

    assert run(doing).fee_e8 == 38_500_000


def test_an_unclaimed_order_is_told_when_the_stops_were_asked() -> None:
    """A person's order while a stop waits is told as external once no stop has become it (F41, F57)."""

    async def doing(scene: Bench) -> Fill:
        submit(scene, a_stop(created_ns=scene.now_ns()))
        await scene.heard(OrderReport, client_id="scabcdefghs000003")
        order = golden("rest-order-GET-new") | {"orderId": 5, "clientOrderId": "web_1"}
        scene.mini.orders["web_1"] = order
        scene.mini.fill(order)
        fill: Fill = await scene.heard(Fill)
        assert len(scene.facts.of(Fill)) == 1
        return fill

    fill = run(doing)
    assert (fill.client_id, fill.cause) == ("web_1", "external")


def test_the_reader_reads_what_the_stream_also_tells_only_once() -> None:
    """An execution the stream tells while the account is read is one fill."""

    async def doing(scene: Bench) -> int:
        reader: Reader = scene.venue._reader
        submit(scene, an_order(created_ns=scene.now_ns()))
        await scene.heard(Fill)
        await reader.sweep()
        await reader.trades_of(0, scene.mini.trades[0]["orderId"])
        return len(scene.facts.of(Fill))

    assert run(doing) == 1
