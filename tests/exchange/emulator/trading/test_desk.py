"""The desk as a whole: random walks with an auditor, levers, frames, and the interface the venue's door needs."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.emulator.errors import VenueError
from exchange.emulator.generator import Generator
from exchange.emulator.levers import LEVERS
from exchange.emulator.routes import ROUTES
from exchange.emulator.trading.desk import TradingDesk
from models.error import UsageError
from models.instrument import E8
from tests.exchange.emulator.trader import Trader, trading
from tests.exchange.emulator.trading.auditor import Auditor
from tests.exchange.emulator.trading.scene import BTC, Scene
from tests.exchange.emulator.trading.walks import Walk

MODES: list[dict[str, Any]] = [
    {},
    {"isolated": True, "leverage": 50},
    {"hedge": True},
    {"hedge": True, "isolated": True},
    {"bnb_e8": E8},
]


@pytest.mark.parametrize("options", MODES, ids=lambda one: "-".join(one) or "one-way")
@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_can_happen_breaks_an_account(seed: int, options: dict[str, Any]) -> None:
    """After every step of a random walk orders, closing orders, positions and money agree with each other, and an
    auditor who sees only the records finds the same wallets and positions.
    """
    walk = Walk(seed * 7919 + len(str(options)), **options)
    auditor = Auditor()
    for _ in range(400):
        walk.step()
        walk.check()
    auditor.take_all(walk.scene.records)
    for account in walk.scene.desk.accounts.values():
        for asset, held in account.wallets.items():
            assert auditor.wallets[account.name, asset] * E8 == held
        for (symbol, side), position in account.positions.items():
            assert auditor.positions[account.name, symbol, side].quantity * E8 == position.quantity_e8
    assert auditor.counts["fill"] > 20


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_on_a_generated_market(seed: int) -> None:
    """Against the generator's own frames, with random orders and stops every second, the auditor agrees and funding,
    fills and triggers happen.
    """
    market = Generator(seed, 1_789_487_990_000_000_000)
    records: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    desk = TradingDesk(
        market, lambda: market.now_ns // 1_000_000, lambda account, event: events.append(event), audit=records.append
    )
    account = desk.open_account("main", 500 * E8)
    market.awake(1_000)
    for second in range(40):
        for frame in market.advance(market.now_ns + 1_000_000_000):
            desk.market_event(frame)
        desk.timer()
        _trade_a_little(desk, market, second)
    auditor = Auditor().take_all(records)
    assert auditor.wallets["main", "USDT"] * E8 == account.wallet_e8
    kinds = {event["e"] for event in events}
    assert {"TRADE_LITE", "ACCOUNT_UPDATE", "ALGO_UPDATE"} <= kinds and auditor.counts["funding"] == 1


def _trade_a_little(desk: TradingDesk, market: Generator, second: int) -> None:
    """A market entry, a maker order at the touch, a tight trailing stop, in turn."""
    account = desk.accounts["main"]
    book = market.depth(BTC, 5)
    assert book is not None
    touch = market.instruments[0].price_text(book[3][0][0])
    side = "BUY" if second % 8 < 4 else "SELL"
    usual = {"symbol": BTC, "side": side, "quantity": "0.003"}
    if second % 4 == 0:
        desk.handlers["POST /fapi/v1/order"](account, usual | {"type": "MARKET"})
    elif second % 4 == 1:
        desk.handlers["DELETE /fapi/v1/allOpenOrders"](account, {"symbol": BTC})
        order = {"symbol": BTC, "side": "BUY", "quantity": "0.003", "type": "LIMIT", "timeInForce": "GTX"}
        desk.handlers["POST /fapi/v1/order"](account, order | {"price": touch})
    elif second % 4 == 2 and not account.watched:
        algo = usual | {"algoType": "CONDITIONAL", "type": "TRAILING_STOP_MARKET", "callbackRate": "0.1"}
        desk.handlers["POST /fapi/v1/algoOrder"](account, algo)


# -- the auditor -------------------------------------------------------------------------------------------------------


def _story() -> list[dict[str, Any]]:
    """The records of an ordinary life: entry, stop, target, funding, deposit, exit."""
    scene = Scene()
    scene.order()
    scene.wait(100)
    scene.algo()
    scene.limit("SELL", "77500.00", "0.004", reduceOnly="true")
    scene.desk.fund(BTC)
    scene.desk.deposit(scene.account, 5 * E8)
    scene.wait(100)
    scene.desk.cancel_stop(scene.account)
    scene.wait(50)
    scene.order(side="SELL", reduceOnly="true", quantity="0.006")
    scene.desk.hand_trade(scene.account, BTC, "SELL", 4)
    return scene.records


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("fill", "quantity", "0.011"),
        ("fill", "price", "76915.2"),
        ("fill", "fee", "0.23074501"),
        ("fill", "wallet", "999.76925501"),
        ("fill", "realised", "0.5"),
        ("fill", "order_id", 1),
        ("position", "quantity", "0.02"),
        ("position", "cost", "461.5"),
        ("funding", "amount", "-0.07691695"),
        ("transfer", "amount", "6"),
        ("opening", "amount", "1001"),
        ("end", "filled", "0.1"),
    ],
)
def test_the_auditor_notices(kind: str, name: str, value: object) -> None:
    """One false value in one record of an ordinary story is found."""
    records = _story()
    Auditor().take_all(records)
    place = next(place for place, one in enumerate(records) if one["kind"] == kind)
    records[place] = records[place] | {name: value}
    with pytest.raises((AssertionError, KeyError)):
        Auditor().take_all(records)


@pytest.mark.parametrize("kind", ["order", "fill", "position", "funding", "transfer"])
def test_the_auditor_misses_a_record(kind: str) -> None:
    """A record that is left out is found, even when the numbering hides it."""
    records = [dict(one) for one in _story()]
    del records[next(place for place, one in enumerate(records) if one["kind"] == kind)]
    with pytest.raises(AssertionError):
        Auditor().take_all(records)
    if kind != "position":  # a position record repeats what fills say
        hidden = [one | {"number": number} for number, one in enumerate(records, 1)]
        with pytest.raises((AssertionError, KeyError)):
            Auditor().take_all(hidden)


def test_the_auditor_tells_who_was_covered_when() -> None:
    """From the entry to the stop, and from the stop's end to the exit, nothing covered the position."""
    auditor = Auditor().take_all(_story())
    start = 1_789_478_303_600_000
    assert auditor.exposed("main", BTC) == [(start, start + 100_000), (start + 200_000, start + 250_000)]


# -- the interface -----------------------------------------------------------------------------------------------------


def test_every_call_of_the_door_has_a_handler() -> None:
    """The desk answers every signed call of the venue but those about listenKeys and the door's own counters."""
    own = {call for call in ROUTES if "listenKey" in call} | {"GET /fapi/v1/rateLimit/order"}
    assert Scene().desk.handlers.keys() == ROUTES.keys() - own


def test_an_account_has_one_name() -> None:
    """A second account of a name is refused."""
    with pytest.raises(UsageError, match="main"):
        Scene().desk.open_account("main", E8)


@pytest.mark.parametrize(
    "stream", ["btcusdt@kline_1m", "btcusdt@forceOrder", "xrpusdt@aggTrade", "nonsense", "btcusdt@trade"]
)
def test_other_streams_are_left_alone(stream: str) -> None:
    """Frames the desk has no use for, single trades beside joined ones among them, change nothing."""
    scene = Scene()
    placed = scene.limit("BUY", "76914.90")
    frame = b'{"e":"trade","p":"70000.00","q":"9","m":true,"E":1}'
    scene.desk.market_event((0, stream, frame))
    assert scene.found(placed).filled_e8 == 0


def test_single_trades_do_when_there_are_no_others() -> None:
    """A market that gives only the trade stream serves resting orders by it."""
    scene = Scene()
    scene.market.streams = frozenset({"btcusdt@trade"})
    placed = scene.limit("BUY", "76914.90")
    scene.frame(BTC, "trade", {"e": "trade", "p": "76914.00", "q": "9.000", "m": True})
    assert scene.found(placed).status == "FILLED"


def test_a_quiet_desk_reads_nothing() -> None:
    """Without orders of ours depth, quotes and trades are not even parsed: frames that are no JSON pass."""
    scene = Scene()
    for kind in ("depth@100ms", "bookTicker", "aggTrade"):
        scene.desk.market_event((0, f"btcusdt@{kind}", b"not json"))
    assert scene.events == []


@pytest.mark.parametrize("lots", [0, 4])
def test_a_hand_can_fill_an_order(lots: int) -> None:
    """The lever fills a resting order at its price, whole or in part, by name or the oldest; none: -2013."""
    scene = Scene()
    placed = scene.limit("BUY", "76000.00", newClientOrderId="mine")
    scene.desk.fill(scene.account, "mine" if lots else "", lots)
    assert scene.found(placed).filled_e8 == (lots * 100_000 or 1_000_000)
    assert scene.account.trades[0].maker
    if lots:
        scene.desk.fill(scene.account)
    with pytest.raises(VenueError):
        scene.desk.fill(scene.account, "mine")


def test_a_hand_trades_without_filters() -> None:
    """A web order may be smaller than the minimum, its id shows where it came from, and its events are as ever."""
    scene = Scene()
    scene.desk.change_filters(BTC, notional_min_e8=500 * E8)
    scene.desk.hand_trade(scene.account, BTC, "BUY", 1)
    assert scene.held() == "0.001"
    assert scene.heard("ORDER_TRADE_UPDATE")[0]["o"]["c"].startswith("web_")


@pytest.mark.parametrize("lever", ["liquidate", "adl"])
def test_a_lever_without_a_position_says_so(lever: str) -> None:
    """There is nothing to close: -2022."""
    scene = Scene()
    with pytest.raises(VenueError) as caught:
        getattr(scene.desk, lever)(scene.account, BTC)
    assert caught.value.code == -2022


def test_the_same_story_is_the_same_to_the_byte() -> None:
    """A desk has no chance of its own: the same seed and calls give the same records."""
    assert _story() == _story()


# -- behind the venue's door -------------------------------------------------------------------------------------------


def test_an_order_through_the_door() -> None:
    """Over real sockets: a signed order is answered, its fill and the account's change come on the private stream, a
    stop can be placed, read and cancelled, and a refusal keeps its code.
    """

    async def doing(trader: Trader) -> None:
        async with trader.private() as socket:
            answer = await trader.order(newClientOrderId="mine", quantity="0.002")
            assert (answer.status, answer.body["status"]) == (200, "NEW")
            kinds = [(await socket.event())["e"] for _ in range(4)]
            assert kinds == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
            stop = await trader.call(
                "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side="SELL", type="STOP_MARKET",
                triggerPrice="70000.00", closePosition="true", workingType="MARK_PRICE",
            )  # fmt: skip
            listed = await trader.call("GET /fapi/v1/openAlgoOrders")
            assert [one["algoId"] for one in listed.body] == [stop.body["algoId"]]
            assert (await trader.call("DELETE /fapi/v1/algoOrder", algoId=stop.body["algoId"])).body["code"] == "200"
            refused = await trader.order(side="BUY", reduceOnly="true", quantity="0.002")
            assert (refused.status, refused.body["code"]) == (400, -2022)
        assert Auditor().take_all(records).wallets["main", "USDT"] * E8 == trader.desk.accounts["main"].wallet_e8

    records: list[dict[str, Any]] = []
    trading(doing, desk=TradingDesk, audit=records.append)


def test_every_lever_of_the_door_reaches_the_desk() -> None:
    """The account levers of faults do what they say, and none is refused."""

    async def doing(trader: Trader) -> None:
        hands, account = trader.venue.hands, trader.desk.accounts["main"]

        def pull(lever: str, **args: Any) -> None:
            hands.pull(lever, LEVERS[lever].args | args)

        pull("hand_trade", side="BUY", lots=9)
        await trader.order(side="BUY", type="LIMIT", timeInForce="GTC", price="76000.00", newClientOrderId="mine")
        pull("fill", client_id="mine", lots=0)
        pull("liquidate", lots=2)
        pull("adl", lots=2)
        pull("funding", rate="0.0003")
        pull("deposit", amount="12.5")
        pull("settle")
        pull("leverage", leverage=7)
        pull("margin_type", margin_type="ISOLATED")
        pull("position_mode", hedge=True)
        pull("filters", set={"notional_min_e8": 100 * E8})
        pull("status", status="SETTLING")
        assert hands.refused == []
        assert (account.hedge, account.isolated(BTC), account.leverage(BTC)) == (True, True, 7)
        info = (await trader.talk.get("/fapi/v1/exchangeInfo")).body["symbols"][0]
        assert info["status"] == "SETTLING" and {"filterType": "MIN_NOTIONAL", "notional": "100"} in info["filters"]
        kinds = {row["incomeType"] for row in account.incomes}
        assert kinds == {"COMMISSION", "REALIZED_PNL", "INSURANCE_CLEAR", "FUNDING_FEE", "TRANSFER"}

    trading(doing, desk=TradingDesk)
