"""Signed calls beside the order path, over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exchange.binance.account_rest import AccountRest, CallLimits
from exchange.binance.order_line import connector
from exchange.binance.order_lines import OrderLines, http_lines
from exchange.binance.pace import Attempts, Pace
from exchange.binance.quota import Quota
from exchange.binance.refusals import VenueAnswerError
from exchange.binance.requests import RestRequests, Terms
from exchange.binance.server_time import VenueClock
from exchange.binance.weights import WeightLedger
from exchange.emulator.signatures import signed_payload
from models.error import ScalperError, VenueUnreachableError
from models.event import ClockOffset
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import KEY, SECRET, SIGNER, an_order, on_uvloop
from tests.exchange.binance.mini_venue import WIRE, refused
from tests.fakes.order_server import HOLD, Asked, OrderServer, Reply, http

NOW_NS = 1_789_478_303_600_000_000
HTML = b"<html>maintenance</html>"


class Scene:
    def __init__(self, server: OrderServer, **limits: Any) -> None:
        self.server = server
        self.access: list[tuple[bool, str]] = []
        self.clock = VenueClock(lambda: NOW_NS)
        self.quota = Quota(WeightLedger(), lambda: 1_000.0)
        self.lines = OrderLines(http_lines(connector(server.url)), pace=Pace(Attempts(), lambda: 0.0))
        requests = RestRequests(server.url, SIGNER, (INSTRUMENT,), Terms())
        self.account = AccountRest(
            self.lines, requests, self.clock, quota=self.quota, random=lambda: 0.0,
            limits=CallLimits(**{"deadline_s": 2.0, "backoff_base_s": 0.001} | limits),
            access=lambda answered, reason: self.access.append((answered, reason)),
        )  # fmt: skip


def asked(doing: Callable[[Scene], Awaitable[Any]], **limits: Any) -> Any:
    """Run ``doing`` with a fresh server and open lines."""

    async def run() -> Any:
        async with OrderServer() as server:
            scene = Scene(server, **limits)
            scene.lines.start()
            assert await scene.lines.ready(5.0)
            try:
                return await doing(scene)
            finally:
                await scene.lines.close()

    return on_uvloop(run())


def body(name: str) -> bytes:
    return http(200, (WIRE / f"rest-{name}.json").read_bytes())


BTC = {"symbol": "BTCUSDT"}
CALLS: list[tuple[str, Any, str, dict[str, str], bytes]] = [
    ("account", lambda one: one.account(), "GET /fapi/v3/account", {}, body("account-v3")),
    ("balance", lambda one: one.balance(), "GET /fapi/v3/balance", {}, body("balance-v3")),
    ("positions", lambda one: one.positions(), "GET /fapi/v3/positionRisk", {}, body("positionRisk-v3-oneway")),
    ("config", lambda one: one.account_config(), "GET /fapi/v1/accountConfig", {}, body("accountConfig")),
    ("symbols", lambda one: one.symbol_config("BTCUSDT"), "GET /fapi/v1/symbolConfig", BTC, body("symbolConfig")),
    ("leverage", lambda one: one.set_leverage("BTCUSDT", 10), "POST /fapi/v1/leverage", BTC | {"leverage": "10"},
     body("leverage-POST")),
    ("isolated", lambda one: one.set_margin_type("BTCUSDT", isolated=True), "POST /fapi/v1/marginType",
     BTC | {"marginType": "ISOLATED"}, body("marginType-POST")),
    ("dual", lambda one: one.dual_side(), "GET /fapi/v1/positionSide/dual", {}, body("positionSide-dual-GET")),
    ("set dual", lambda one: one.set_dual_side(False), "POST /fapi/v1/positionSide/dual",
     {"dualSidePosition": "false"}, body("positionSide-dual-POST")),
    ("multi", lambda one: one.multi_assets(), "GET /fapi/v1/multiAssetsMargin", {}, body("multiAssetsMargin-GET")),
    ("set multi", lambda one: one.set_multi_assets(False), "POST /fapi/v1/multiAssetsMargin",
     {"multiAssetsMargin": "false"}, body("multiAssetsMargin-POST")),
    ("margin", lambda one: one.move_margin("BTCUSDT", "5.5", add=True), "POST /fapi/v1/positionMargin",
     BTC | {"amount": "5.5", "type": "1"}, body("positionMargin-POST")),
    ("brackets", lambda one: one.leverage_brackets("BTCUSDT"), "GET /fapi/v1/leverageBracket", BTC,
     body("leverageBracket-BTCUSDT")),
    ("fees", lambda one: one.commission_rate("BTCUSDT"), "GET /fapi/v1/commissionRate", BTC,
     body("commissionRate-BTCUSDT")),
    ("burn", lambda one: one.fee_burn(), "GET /fapi/v1/feeBurn", {}, body("feeBurn-GET")),
    ("set burn", lambda one: one.set_fee_burn(False), "POST /fapi/v1/feeBurn", {"feeBurn": "false"},
     body("marginType-POST")),
    ("status", lambda one: one.trading_status(), "GET /fapi/v1/apiTradingStatus", {}, body("apiTradingStatus")),
    ("adl", lambda one: one.adl_quantiles(), "GET /fapi/v1/adlQuantile", {}, body("adlQuantile")),
    ("trades", lambda one: one.trades("BTCUSDT", from_id=7), "GET /fapi/v1/userTrades",
     BTC | {"fromId": "7", "limit": "1000"}, body("userTrades")),
    ("income", lambda one: one.income(kind="FUNDING_FEE", start_ms=5), "GET /fapi/v1/income",
     {"incomeType": "FUNDING_FEE", "startTime": "5", "limit": "1000"}, body("income")),
    ("forced", lambda one: one.force_orders("BTCUSDT", "ADL"), "GET /fapi/v1/forceOrders",
     BTC | {"autoCloseType": "ADL"}, body("forceOrders")),
    ("all", lambda one: one.all_orders("BTCUSDT"), "GET /fapi/v1/allOrders", BTC | {"limit": "1000"},
     body("allOrders-GET")),
    ("all algos", lambda one: one.all_algo_orders("BTCUSDT"), "GET /fapi/v1/allAlgoOrders", BTC | {"limit": "1000"},
     body("allAlgoOrders-GET")),
    ("order", lambda one: one.order("BTCUSDT", client_id="sce1"), "GET /fapi/v1/order",
     BTC | {"origClientOrderId": "sce1"}, body("order-GET-filled")),
    ("open", lambda one: one.open_orders("BTCUSDT"), "GET /fapi/v1/openOrders", BTC, body("openOrders-GET")),
    ("algo", lambda one: one.algo_order("scs1"), "GET /fapi/v1/algoOrder", {"clientAlgoId": "scs1"},
     body("algoOrder-GET-new")),
    ("open algos", lambda one: one.open_algo_orders(), "GET /fapi/v1/openAlgoOrders", {}, body("openAlgoOrders-GET")),
    ("countdown", lambda one: one.countdown("BTCUSDT", 120_000), "POST /fapi/v1/countdownCancelAll",
     BTC | {"countdownTime": "120000"}, body("countdownCancelAll-POST")),
    ("limits", lambda one: one.order_limits(), "GET /fapi/v1/rateLimit/order", {}, body("rateLimit-order")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "path", "params", "reply"), CALLS, ids=[call[0] for call in CALLS])
def test_each_call_sends_its_parameters_signed(
    name: str, call: Any, path: str, params: dict[str, str], reply: bytes
) -> None:
    """Every endpoint is asked by its method and path with exactly the parameters given, signed over its bytes."""

    async def run(scene: Scene) -> Asked:
        scene.server.standing = lambda request: reply
        assert await call(scene.account) is not None
        return scene.server.requests[-1]

    request = asked(run)
    beside = {"timestamp": "1789478303600", "recvWindow": "5000"}
    payload, signature = signed_payload(request.query, request.body)
    assert (f"{request.method} {request.path}", request.headers["x-mbx-apikey"]) == (path, KEY)
    assert request.params == params | beside | {"signature": signature.decode()}
    assert signature.decode() == hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest()


def test_the_private_streams_key_is_asked_for_without_a_signature() -> None:
    """Starting and renewing name the API key and nothing else."""

    async def run(scene: Scene) -> None:
        scene.server.standing = lambda request: body("listenKey-POST")
        assert (await scene.account.start_listen_key()).startswith("pqia91")
        await scene.account.renew_listen_key()
        said = [(one.method, one.path, one.params, one.headers["x-mbx-apikey"]) for one in scene.server.requests]
        assert said == [("POST", "/fapi/v1/listenKey", {}, KEY), ("PUT", "/fapi/v1/listenKey", {}, KEY)]

    asked(run)


def test_cancelling_everything_means_both_kinds_of_orders() -> None:
    """The venue's «all open orders» leaves stops alone, so theirs are cancelled too (F54)."""

    async def run(scene: Scene) -> list[str]:
        scene.server.standing = lambda request: body("allOpenOrders-DELETE")
        await scene.account.cancel_all("BTCUSDT")
        return [f"{one.method} {one.path}" for one in scene.server.requests]

    assert asked(run) == ["DELETE /fapi/v1/allOpenOrders", "DELETE /fapi/v1/algoOpenOrders"]


def test_a_test_order_is_checked_like_an_order() -> None:
    """The venue checks the very parameters of an order."""

    async def run(scene: Scene) -> Asked:
        scene.server.standing = lambda request: body("order-test-POST")
        await scene.account.test_order(an_order(), INSTRUMENT)
        return scene.server.requests[0]

    request = asked(run)
    assert request.path == "/fapi/v1/order/test"
    assert (request.params["newClientOrderId"], request.params["recvWindow"]) == ("scabcdefghe000001", "1000")


@pytest.mark.parametrize("code", [-4046, -4059, -4171])
def test_nothing_to_change_is_success(code: int) -> None:
    """What is already as wanted says so and is no error."""

    async def run(scene: Scene) -> bool:
        scene.server.standing = lambda request: refused(code)
        changed: bool = await scene.account.set_dual_side(False)
        return changed

    assert asked(run) is False


@pytest.mark.parametrize(
    "broken",
    [
        Reply((b"HTTP/1.1 200 OK\r\nContent-Le",), end=True),
        http(200, HTML),
        http(200, b""),
        http(200, b'{"totalWalletBalance":'),
        http(503, HTML),
        refused(-1007, "Timeout", 408),
        http(200, b"x" * 5, Content_Encoding="gzip"),
    ],
)
def test_a_read_survives_a_fault_that_passes(broken: Reply | bytes) -> None:
    """Cut, spoilt and failed answers of a read are asked for again, and the good one counts (F33)."""

    async def run(scene: Scene) -> Any:
        scene.server.script += [broken, broken]
        scene.server.standing = lambda request: body("account-v3")
        return (await scene.account.account()).totalWalletBalance

    assert asked(run) == "999.61542480"


def test_tries_are_bounded() -> None:
    """A venue that never answers well is given up after so many tries, and the sentence says what was asked."""

    async def run(scene: Scene) -> int:
        scene.server.standing = lambda request: http(502, HTML)
        with pytest.raises(VenueAnswerError, match="GET v3/account answered 502"):
            await scene.account.account()
        return len(scene.server.requests)

    assert asked(run, tries=3) == 3


def test_money_is_never_moved_twice() -> None:
    """A change that adds up is not repeated when its answer is lost."""

    async def run(scene: Scene) -> int:
        scene.server.standing = lambda request: Reply((b"HTTP/1.1 200",), end=True)
        with pytest.raises(VenueUnreachableError):
            await scene.account.move_margin("BTCUSDT", "5", add=True)
        return len(scene.server.requests)

    assert asked(run) == 1


def test_no_answer_in_time_is_told_as_unreachable() -> None:
    """A hanging venue costs the deadline and no more."""

    async def run(scene: Scene) -> None:
        scene.server.standing = lambda request: HOLD
        with pytest.raises(VenueUnreachableError, match="no answer in time"):
            await scene.account.balance()

    asked(run, deadline_s=0.02, tries=1)


def test_a_wrong_clock_is_measured_and_the_call_repeated_once() -> None:
    """−1021 measures the clock anew and asks again with the new time; a second one is an error (F23)."""

    async def run(scene: Scene) -> list[str]:
        async def resync() -> None:
            scene.clock.hear(ClockOffset(NOW_NS, 7_000_000_000, 1))

        scene.account.resync = resync
        scene.server.script.append(refused(-1021))
        scene.server.standing = lambda request: body("accountConfig")
        await scene.account.account_config()
        scene.server.standing = lambda request: refused(-1021)
        with pytest.raises(VenueAnswerError):
            await scene.account.account_config()
        return [one.params["timestamp"] for one in scene.server.requests]

    assert asked(run) == ["1789478303600", "1789478310600", "1789478310600", "1789478310600"]


def test_after_a_limit_nothing_is_sent() -> None:
    """429 and 418 stop every further read until the venue's time is over, without a request leaving (F22)."""

    async def run(scene: Scene) -> int:
        scene.server.script.append(refused(-1003, "Too many", 429, Retry_After="17"))
        for _ in range(3):
            with pytest.raises(VenueAnswerError) as caught:
                await scene.account.balance()
            assert (caught.value.blame, caught.value.retry_after_s) == ("limit", 17.0)
        return len(scene.server.requests)

    assert asked(run) == 1


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        (refused(-2015, "Invalid API-key", 401), [False]),
        (refused(-1022, "Signature", 400), [False]),
        (http(403, HTML), [False]),
        (http(451, b'{"msg":"restricted"}'), [False]),
        (refused(-1003, "banned", 418), [False]),
        (refused(-2013, "no such order", 400), [True]),
        (body("accountConfig"), [True]),
        (refused(-4400, "rules", 400), [True]),
    ],
)
def test_it_is_told_whether_the_venue_takes_our_key(reply: bytes, heard: list[bool]) -> None:
    """Refusals of key, address and ban are told apart from answers about something else (F30)."""

    async def run(scene: Scene) -> list[bool]:
        scene.server.standing = lambda request: reply
        try:
            await scene.account.account_config()
        except ScalperError as error:
            assert error.message
        return [answered for answered, _ in scene.access]

    assert asked(run) == heard


def test_no_error_holds_a_request() -> None:
    """Neither key nor signature stands in what goes wrong, nor in what caused it (F75)."""

    async def run(scene: Scene) -> str:
        said = ""
        for reply in (refused(-2015, "Invalid", 401), http(502, HTML), Reply((b"rubbish\r\n\r\n",), end=True)):
            scene.server.standing = lambda request, reply=reply: reply
            with pytest.raises(ScalperError) as caught:
                await scene.account.account()
            signature = scene.server.requests[-1].params["signature"]
            said += f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
            assert signature not in said
        return said

    said = asked(run, tries=1)
    assert KEY not in said
    assert SECRET not in said


def test_the_clocks_offset_holds_the_truth() -> None:
    """The offset is measured over the same lines, with a bound that holds."""

    async def run(scene: Scene) -> ClockOffset:
        scene.server.standing = lambda request: http(200, b'{"serverTime":1789478305600}')
        return await scene.account.clock_offset()

    offset = asked(run)
    assert abs(offset.offset_ns - 2_000_000_000) <= offset.uncertainty_ns


def test_a_clock_without_an_answer_is_unreachable() -> None:
    """When no probe is answered there is no offset."""

    async def run(scene: Scene) -> None:
        scene.server.standing = lambda request: Reply((), end=True)
        with pytest.raises(VenueUnreachableError, match="did not tell its time"):
            await scene.account.clock_offset(2)

    asked(run)


def test_the_signed_self_test_takes_the_two_refusals_for_proof() -> None:
    """A query and a cancel of an order that never was prove both kinds of signed calls (F24)."""

    async def run(scene: Scene) -> None:
        scene.server.standing = lambda request: refused(-2013 if request.method == "GET" else -2011)
        await scene.account.prove_signing("BTCUSDT")
        scene.server.standing = lambda request: refused(-1022)
        with pytest.raises(VenueAnswerError, match="-1022"):
            await scene.account.prove_signing("BTCUSDT")
        scene.server.standing = lambda request: body("order-GET-filled")
        with pytest.raises(VenueAnswerError, match="never placed"):
            await scene.account.prove_signing("BTCUSDT")

    asked(run)


def test_a_caller_that_gives_up_takes_no_answer_from_another() -> None:
    """A cancelled call leaves its answer on the line, and the next call still gets its own."""

    async def run(scene: Scene) -> str:
        gate = asyncio.Event()
        scene.server.standing = lambda request: body("balance-v3" if "balance" in request.path else "account-v3")
        tasks = [asyncio.ensure_future(scene.account.balance()) for _ in range(4)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        gate.set()
        return (await scene.account.account()).totalWalletBalance

    assert asked(run) == "999.61542480"
