"""The account endpoints: settings and their refusals, isolated margin, facts and histories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange.binance.instruments import brackets_of, fees_of
from exchange.emulator.trading.account import Account
from models.instrument import E8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene

DAY_MS = 86_400_000
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "rest-accountConfig": ("GET /fapi/v1/accountConfig", {}),
    "rest-symbolConfig": ("GET /fapi/v1/symbolConfig", {"symbol": BTC}),
    "rest-leverage-POST": ("POST /fapi/v1/leverage", {"symbol": BTC, "leverage": 20}),
    "rest-marginType-POST": ("POST /fapi/v1/marginType", {"symbol": BTC, "marginType": "ISOLATED"}),
    "rest-positionSide-dual-GET": ("GET /fapi/v1/positionSide/dual", {}),
    "rest-positionSide-dual-POST": ("POST /fapi/v1/positionSide/dual", {"dualSidePosition": "true"}),
    "rest-multiAssetsMargin-GET": ("GET /fapi/v1/multiAssetsMargin", {}),
    "rest-multiAssetsMargin-POST": ("POST /fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"}),
    "rest-leverageBracket-BTCUSDT": ("GET /fapi/v1/leverageBracket", {"symbol": BTC}),
    "rest-leverageBracket-ETHUSDT": ("GET /fapi/v1/leverageBracket", {"symbol": ETH}),
    "rest-commissionRate-BTCUSDT": ("GET /fapi/v1/commissionRate", {"symbol": BTC}),
    "rest-feeBurn-GET": ("GET /fapi/v1/feeBurn", {}),
    "rest-apiTradingStatus": ("GET /fapi/v1/apiTradingStatus", {"symbol": BTC}),
}
EXACT = ("rest-leverage-POST", "rest-leverageBracket-BTCUSDT", "rest-leverageBracket-ETHUSDT", "rest-symbolConfig",
         "rest-commissionRate-BTCUSDT", "rest-accountConfig", "rest-feeBurn-GET")  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_an_answer_has_the_shape_of_the_venue(name: str, wire: Path) -> None:
    """Every account answer has the fields and JSON types of its golden payload; facts have its values, too."""
    call, params = SHAPES[name]
    answer = Scene().call(call, **params)
    expect_shape(golden(wire, name), answer)
    if name in EXACT:
        assert answer == golden(wire, name)


def test_position_margin_has_the_shape_of_the_venue(wire: Path) -> None:
    """Adding margin answers like the golden payload."""
    scene = Scene(isolated=True)
    scene.order()
    answer = scene.call("POST /fapi/v1/positionMargin", symbol=BTC, amount="100", type=1)
    assert answer == golden(wire, "rest-positionMargin-POST")


def test_adl_quantiles_have_the_shape_of_the_venue(wire: Path) -> None:
    """One-way positions tell BOTH, hedge positions HEDGE."""
    one, two = golden(wire, "rest-adlQuantile")
    scene, hedge = Scene(), Scene(hedge=True)
    scene.order()
    hedge.order(positionSide="LONG")
    expect_shape([one], scene.call("GET /fapi/v1/adlQuantile"))
    expect_shape([two], hedge.call("GET /fapi/v1/adlQuantile"))
    assert Scene().call("GET /fapi/v1/adlQuantile") == []


def test_the_bot_reads_brackets_and_fees() -> None:
    """The venue adapter takes the answers as they are."""
    import orjson

    scene = Scene()
    body = orjson.dumps(scene.call("GET /fapi/v1/leverageBracket"))
    assert brackets_of(body)[BTC] == scene.desk.contracts[BTC].brackets
    fees = fees_of(orjson.dumps(scene.call("GET /fapi/v1/commissionRate", symbol=BTC)))
    assert (fees.maker_e8, fees.taker_e8) == (20_000, 50_000)


# -- leverage ----------------------------------------------------------------------------------------------------------


def test_leverage_is_told_when_it_changes(wire: Path) -> None:
    """A change is answered and told as an event; the same value again is answered only."""
    scene = Scene()
    answer = scene.call("POST /fapi/v1/leverage", symbol=BTC, leverage=25)
    assert answer == {"leverage": 25, "maxNotionalValue": "70000000", "symbol": BTC}
    scene.call("POST /fapi/v1/leverage", symbol=BTC, leverage=25)
    (told,) = scene.heard("ACCOUNT_CONFIG_UPDATE")
    expect_shape(golden(wire, "user-ACCOUNT_CONFIG_UPDATE-leverage"), told)
    assert told["ac"] == {"s": BTC, "l": 25}


@pytest.mark.parametrize("leverage", [0, 151, -3])
def test_leverage_has_bounds(leverage: int) -> None:
    """Outside 1 to the first bracket's leverage: -4028."""
    Scene().expect_refused(-4028, "POST /fapi/v1/leverage", symbol=BTC, leverage=leverage)


def test_leverage_must_carry_what_is_there() -> None:
    """Lower leverage than the margin suffices for: -2028; higher than the bracket of the position: -2027; lower on an
    isolated position: -4161.
    """
    scene = Scene(usdt="50")
    scene.order()
    scene.expect_refused(-2028, "POST /fapi/v1/leverage", symbol=BTC, leverage=2)
    assert scene.account.leverage(BTC) == 20
    isolated = Scene(isolated=True)
    isolated.order()
    isolated.expect_refused(-4161, "POST /fapi/v1/leverage", symbol=BTC, leverage=10)
    big = Scene(usdt="1000000")
    big.book((), (("76915.00", "100.000"),))
    big.order(quantity="5.000")
    big.expect_refused(-2027, "POST /fapi/v1/leverage", symbol=BTC, leverage=125)


# -- modes -------------------------------------------------------------------------------------------------------------


def _with_order(scene: Scene) -> None:
    scene.limit("BUY", "76900.00", **({"positionSide": "LONG"} if scene.account.hedge else {}))


def _with_stop(scene: Scene) -> None:
    scene.algo()


def _with_position(scene: Scene) -> None:
    scene.order()


@pytest.mark.parametrize(
    ("prepare", "margin", "mode"),
    [(_with_order, -4047, -4067), (_with_stop, -4047, -4067), (_with_position, -4048, -4068)],
)
def test_modes_change_only_when_flat(prepare: Any, margin: int, mode: int) -> None:
    """Open orders, conditional ones included, and positions keep margin type and position mode as they are."""
    scene = Scene()
    prepare(scene)
    scene.expect_refused(margin, "POST /fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    scene.expect_refused(mode, "POST /fapi/v1/positionSide/dual", dualSidePosition="true")
    assert not scene.account.isolated(BTC) and not scene.account.hedge


@pytest.mark.parametrize(
    ("code", "call", "params"),
    [
        (-4046, "marginType", {"symbol": BTC, "marginType": "CROSSED"}),
        (-1130, "marginType", {"symbol": BTC, "marginType": "LOOSE"}),
        (-4059, "positionSide/dual", {"dualSidePosition": "false"}),
        (-1102, "positionSide/dual", {}),
        (-4171, "multiAssetsMargin", {"multiAssetsMargin": "false"}),
        (-1102, "leverage", {"symbol": BTC}),
    ],
)
def test_a_setting_that_is_none_is_refused(code: int, call: str, params: dict[str, str]) -> None:
    """The same value again, or none at all, has the venue's code."""
    Scene().expect_refused(code, f"POST /fapi/v1/{call}", **params)


def test_multi_assets_and_isolated_exclude_each_other(wire: Path) -> None:
    """Under multi-assets mode no contract becomes isolated (-4168), and the other way round; the change is told."""
    scene = Scene()
    scene.call("POST /fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
    expect_shape(golden(wire, "user-ACCOUNT_CONFIG_UPDATE-multiassets"), scene.events[-1])
    scene.expect_refused(-4168, "POST /fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    Scene(isolated=True).expect_refused(-4168, "POST /fapi/v1/multiAssetsMargin", multiAssetsMargin="true")


def test_the_margin_type_is_read_back() -> None:
    """symbolConfig tells what was set, an ACCOUNT_UPDATE says that it was."""
    scene = Scene()
    scene.call("POST /fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    assert scene.heard("ACCOUNT_UPDATE")[0]["a"]["m"] == "MARGIN_TYPE_CHANGE"
    rows = {one["symbol"]: one["marginType"] for one in scene.call("GET /fapi/v1/symbolConfig")}
    assert rows == {BTC: "ISOLATED", ETH: "CROSSED"}


def test_fee_burn_is_read_back() -> None:
    """Switched off it stays off."""
    scene = Scene()
    scene.call("POST /fapi/v1/feeBurn", feeBurn="false")
    assert scene.call("GET /fapi/v1/feeBurn") == {"feeBurn": False}


# -- isolated margin ---------------------------------------------------------------------------------------------------


def test_margin_moves_between_wallet_and_position() -> None:
    """Added margin moves the liquidation price away and comes back; the wallet as a whole stays."""
    scene = Scene(isolated=True)
    scene.order()
    wallet, before = scene.wallet_e8, float(scene.call("GET /fapi/v3/positionRisk")[0]["liquidationPrice"])
    scene.call("POST /fapi/v1/positionMargin", symbol=BTC, amount="50", type=1)
    assert float(scene.call("GET /fapi/v3/positionRisk")[0]["liquidationPrice"]) < before - 4_900
    scene.call("POST /fapi/v1/positionMargin", symbol=BTC, amount="49.5", type=2)
    assert scene.wallet_e8 == wallet and scene.account.position(BTC).isolated_e8 == 3_895_752_000
    rows = scene.call("GET /fapi/v1/positionMargin/history", symbol=BTC)
    assert [(row["type"], row["amount"]) for row in rows] == [(1, "50"), (2, "49.5")]
    assert len(scene.call("GET /fapi/v1/positionMargin/history", symbol=BTC, type=2)) == 1


@pytest.mark.parametrize(
    ("isolated", "held", "amount", "kind", "code"),
    [
        (False, True, "10", 1, -4053),
        (True, False, "10", 1, -4054),
        (True, True, "0", 1, -4055),
        (True, True, "5000", 1, -4050),
        (True, True, "10", 2, -4051),
        (True, True, "10", 3, -1102),
    ],
)
def test_margin_that_cannot_move_is_refused(isolated: bool, held: bool, amount: str, kind: int, code: int) -> None:
    """Each reason has its code."""
    scene = Scene(isolated=isolated)
    if held:
        scene.order()
    scene.expect_refused(code, "POST /fapi/v1/positionMargin", symbol=BTC, amount=amount, type=kind)


# -- histories ---------------------------------------------------------------------------------------------------------


def _history() -> Scene:
    """Three trades, a second apart."""
    scene = Scene()
    for _ in range(3):
        scene.order(quantity="0.002")
        scene.wait(1_000)
    return scene


def test_trades_can_be_paged() -> None:
    """From an id on, of one order, between times, or the newest."""
    scene = _history()
    ids = [fill.id for fill in scene.account.trades]
    orders = [fill.order.id for fill in scene.account.trades]

    def listed(**params: Any) -> list[int]:
        return [one["id"] for one in scene.call("GET /fapi/v1/userTrades", symbol=BTC, **params)]

    assert listed() == ids and listed(limit=1) == ids[2:]
    assert listed(fromId=ids[1]) == ids[1:] and listed(fromId=ids[0], limit=1) == ids[:1]
    assert listed(orderId=orders[1]) == ids[1:2]
    assert listed(startTime=scene.ms - 2_000) == ids[1:]
    assert listed(endTime=scene.ms - 3_000) == ids[:1]
    assert scene.call("GET /fapi/v1/userTrades", symbol=ETH) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, -1102),
        ({"symbol": BTC, "fromId": "1", "startTime": "1"}, -1128),
        ({"symbol": BTC, "startTime": "0", "endTime": str(7 * DAY_MS + 1)}, -1127),
        ({"symbol": BTC, "limit": "1001"}, -1130),
    ],
)
def test_questions_about_trades_have_bounds(params: dict[str, str], code: int) -> None:
    """No symbol, an id beside times, more than seven days, too many rows."""
    Scene().expect_refused(code, "GET /fapi/v1/userTrades", **params)


def test_income_can_be_chosen() -> None:
    """By type, contract, time and number."""
    scene = _history()
    scene.desk.deposit(scene.account, E8)
    scene.desk.fund(BTC)

    def kinds(**params: Any) -> list[str]:
        return [one["incomeType"] for one in scene.call("GET /fapi/v1/income", **params)]

    assert kinds() == ["COMMISSION"] * 3 + ["TRANSFER", "FUNDING_FEE"]
    assert kinds(incomeType="FUNDING_FEE") == ["FUNDING_FEE"]
    assert kinds(symbol=BTC, limit=1) == ["FUNDING_FEE"]
    assert kinds(startTime=scene.ms - 1_500, limit=1) == ["COMMISSION"]


def test_accounts_see_their_own() -> None:
    """Another account has no trades, no income and its own settings."""
    scene = _history()
    other: Account = scene.desk.open_account("other", 5 * E8, leverage=7)
    assert scene.call("GET /fapi/v1/userTrades", other, symbol=BTC) == []
    assert scene.call("GET /fapi/v1/income", other) == []
    assert scene.call("GET /fapi/v1/symbolConfig", other, symbol=BTC)[0]["leverage"] == 7
