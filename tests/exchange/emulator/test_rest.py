"""REST over a real socket: the venue's answers, errors and weights."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from exchange.emulator.generator import Generator
from exchange.emulator.rest import depth_weight, klines_weight
from exchange.emulator.tape import Tape
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS, Answer, Talk, running
from tests.exchange.emulator.recorded import taken
from tests.exchange.emulator.shape import expect_shape, golden

BOTH = ("BTCUSDT", "ETHUSDT")
SYMBOL = {"symbol": "BTCUSDT"}


def asked(path: str, *, market: Any = None, method: str = "GET", **parameters: Any) -> Answer:
    """One question to a fresh exchange."""

    async def doing(talk: Talk) -> Answer:
        return await talk.get(path, method, **parameters)

    answer: Answer = running(doing, market)
    return answer


@pytest.mark.parametrize(
    ("path", "parameters", "name"),
    [
        ("ping", {}, "rest-ping"),
        ("time", {}, "rest-time"),
        ("exchangeInfo", {}, "rest-exchangeInfo"),
        ("exchangeInfo", SYMBOL, "rest-exchangeInfo-BTCUSDT"),
        ("depth", SYMBOL, "rest-depth-BTCUSDT"),
        ("klines", SYMBOL | {"interval": "1m"}, "rest-klines-BTCUSDT-1m"),
        ("aggTrades", SYMBOL, "rest-aggTrades-BTCUSDT"),
        ("premiumIndex", SYMBOL, "rest-premiumIndex-BTCUSDT"),
    ],
)
def test_answers_have_the_venues_shape(wire: Path, path: str, parameters: Any, name: str) -> None:
    """Each endpoint answers 200 and JSON with exactly the golden fields and types, and the golden headers."""
    answer = asked(path, market=Generator(1, START_NS, BOTH), **parameters)
    assert answer.status == 200
    expect_shape(golden(wire, name), answer.body)
    for header, value in golden(wire, "rest-response-headers")["query"].items():
        assert header in answer.headers
        assert answer.headers[header].rstrip("0123456789ms") == value.rstrip("0123456789ms")


def test_premium_without_a_symbol_is_every_symbol(wire: Path) -> None:
    """All symbols come as a list in the order of the market, ten times as heavy."""
    answer = asked("premiumIndex", market=Generator(1, START_NS, BOTH))
    assert [one["symbol"] for one in answer.body] == list(BOTH)
    expect_shape([golden(wire, "rest-premiumIndex-BTCUSDT")], answer.body)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "10"


def test_exchange_info_ignores_the_symbol() -> None:
    """As at the venue, asking for one symbol gives all."""
    answer = asked("exchangeInfo", market=Generator(1, START_NS, BOTH), symbol="ETHUSDT")
    assert [one["symbol"] for one in answer.body["symbols"]] == list(BOTH)


def test_time_is_the_markets_clock() -> None:
    """Server time begins where the market stands, not at the wall clock."""
    assert 0 <= asked("time").body["serverTime"] - START_NS // 10**6 < 60_000


@pytest.mark.parametrize(
    ("path", "parameters", "status", "code"),
    [
        ("depth", {}, 400, -1102),
        ("depth", {"symbol": ""}, 400, -1102),
        ("depth", {"symbol": "DOGEUSDT"}, 400, -1121),
        ("depth", {"symbol": "btcusdt"}, 400, -1121),
        ("depth", SYMBOL | {"limit": "3"}, 400, -4021),
        ("depth", SYMBOL | {"limit": "0"}, 400, -4021),
        ("depth", SYMBOL | {"limit": "1001"}, 400, -1130),
        ("depth", SYMBOL | {"limit": "ten"}, 400, -1102),
        ("depth", SYMBOL | {"limit": ""}, 400, -1102),
        ("klines", SYMBOL, 400, -1102),
        ("klines", SYMBOL | {"interval": "1s"}, 400, -1120),
        ("klines", SYMBOL | {"interval": "1m", "limit": "2000"}, 400, -1130),
        ("klines", SYMBOL | {"interval": "1m", "limit": "-1"}, 400, -1130),
        ("klines", SYMBOL | {"interval": "1m", "startTime": "yesterday"}, 400, -1102),
        ("klines", {"interval": "1m"}, 400, -1102),
        ("aggTrades", SYMBOL | {"limit": "1001"}, 400, -1130),
        ("aggTrades", SYMBOL | {"limit": "0"}, 400, -1130),
        ("aggTrades", SYMBOL | {"fromId": "1", "startTime": "1"}, 400, -1128),
        ("aggTrades", SYMBOL | {"startTime": "0", "endTime": "3600000"}, 400, -1127),
        ("aggTrades", SYMBOL | {"fromId": "9" * 19}, 400, -1102),
        ("aggTrades", SYMBOL | {"fromId": "1.5"}, 400, -1102),
        ("premiumIndex", {"symbol": "X" * 5_000}, 400, -1121),
        ("/fapi/v1/nothing", {}, 404, -5000),
        ("/fapi/v2/depth", SYMBOL, 404, -5000),
        ("/", {}, 404, -5000),
    ],
)
def test_mistakes_get_the_venues_errors(wire: Path, path: str, parameters: Any, status: int, code: int) -> None:
    """Each mistake has its HTTP status and code, in the form of the golden errors, and its text where one is known."""
    answer = asked(path, **parameters)
    assert (answer.status, answer.body["code"]) == (status, code)
    expect_shape(golden(wire, "error-1121"), answer.body)
    listed = [one for one in golden(wire, "errors-catalog") if one["code"] == code]
    assert all(one["http"] == status for one in listed)
    if code in (-1120, -1121, -1128):
        assert answer.body["msg"] == listed[0]["msg"]


def test_errors_name_what_was_wrong(wire: Path) -> None:
    """The texts of bad limits and missing parameters follow the catalogue's with their own names and values."""
    assert asked("depth", symbol="BTCUSDT", limit="3").body["msg"] == "3 is not valid depth limit"
    assert asked("klines", symbol="BTCUSDT", interval="1m", limit="2000").body == _listed(wire, -1130)
    missing = asked("klines", interval="1m").body
    assert missing["msg"] == _listed(wire, -1102)["msg"].replace("quantity", "symbol")
    assert asked("depth", symbol="DOGEUSDT").body == golden(wire, "error-1121")


def _listed(wire: Path, code: int) -> Any:
    one = next(one for one in golden(wire, "errors-catalog") if one["code"] == code)
    return {"code": one["code"], "msg": one["msg"]}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_wrong_method_is_an_invalid_path(method: str) -> None:
    """Another method than GET on a known path gives 404 and names both."""
    answer = asked("depth", method=method, symbol="BTCUSDT")
    assert (answer.status, answer.body) == (
        404,
        {"code": -5000, "msg": f"Path /fapi/v1/depth, Method {method} is invalid"},
    )


@pytest.mark.parametrize(
    ("limit", "given", "weight"),
    [
        (None, 500, 10),
        (5, 5, 2),
        (10, 10, 2),
        (20, 20, 2),
        (50, 50, 2),
        (100, 100, 5),
        (500, 500, 10),
        (1000, 1000, 20),
    ],
)
def test_depth_limits(limit: int | None, given: int, weight: int) -> None:
    """Each limit the venue knows gives that many levels a side, best first, at the venue's weight."""
    answer = asked("depth", **SYMBOL, **({} if limit is None else {"limit": limit}))
    bids, asks = ([float(price) for price, _ in answer.body[side]] for side in ("bids", "asks"))
    assert (len(bids), len(asks)) == (given, given)
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


def test_the_largest_answers() -> None:
    """1,500 klines and 1,000 trades are answered in full where the market has them, oldest first."""
    rows = asked("klines", **SYMBOL, interval="1m", limit=1500).body
    assert len(rows) == 1440 and [row[0] for row in rows] == sorted(row[0] for row in rows)
    trades = asked("aggTrades", **SYMBOL, limit=1000).body
    assert [one["a"] for one in trades] == list(range(trades[0]["a"], trades[0]["a"] + 1000))
    assert len(asked("aggTrades", **SYMBOL).body) == 500


@pytest.mark.parametrize("start", ["-5", "9" * 18])
def test_windows_outside_the_past_are_empty_or_all(start: str) -> None:
    """A start before everything gives the oldest, one after everything gives nothing; neither is an error."""
    rows = asked("klines", **SYMBOL, interval="1m", startTime=start, limit=3).body
    trades = asked("aggTrades", **SYMBOL, fromId=start, limit=3).body
    assert (len(rows), len(trades)) == ((3, 3) if start == "-5" else (0, 0))


def test_pages_by_id_are_consistent_while_the_market_goes_on() -> None:
    """Read page by page while the market runs, trades come once each without a hole; a page asked again is the same."""

    async def doing(talk: Talk) -> None:
        newest = (await talk.get("aggTrades", **SYMBOL, limit=1)).body[0]["a"]
        read: list[Any] = []
        ask = newest - 1_500
        async with talk.socket("/market/ws/btcusdt@aggTrade") as client:
            while ask <= newest + 200:
                page = (await talk.get("aggTrades", **SYMBOL, fromId=ask, limit=300)).body
                read += page
                ask += len(page)
                if not page:
                    await client.event()
        assert [one["a"] for one in read] == list(range(newest - 1_500, ask))
        assert all(later["f"] == earlier["l"] + 1 for earlier, later in itertools.pairwise(read))
        again = (await talk.get("aggTrades", **SYMBOL, fromId=read[500]["a"], limit=1000)).body
        assert again == read[500:1500]
        window = (await talk.get("aggTrades", **SYMBOL, startTime=read[9]["T"], endTime=read[20]["T"])).body
        assert window == [one for one in read if read[9]["T"] <= one["T"] <= read[20]["T"]]

    running(doing, speed=50)


def test_klines_are_the_bars_of_the_trades() -> None:
    """Every closed minute of the last half hour equals the bar of the aggregate trades in it, all over REST."""

    async def doing(talk: Talk) -> None:
        rows = (await talk.get("klines", **SYMBOL, interval="1m", limit=30)).body
        first = (await talk.get("aggTrades", **SYMBOL, startTime=rows[0][0], limit=1)).body[0]
        trades = [first]
        while trades[-1]["T"] <= rows[-2][6]:
            trades += (await talk.get("aggTrades", **SYMBOL, fromId=trades[-1]["a"] + 1, limit=1000)).body
        for row in rows[:-1]:
            inside = [one for one in trades if row[0] <= one["T"] <= row[6]]
            prices = [one["p"] for one in inside]
            assert (row[1], row[4]) == (prices[0], prices[-1])
            assert (float(row[2]), float(row[3])) == (max(map(float, prices)), min(map(float, prices)))
            assert float(row[5]) == pytest.approx(sum(float(one["q"]) for one in inside), abs=1e-9)
            assert float(row[9]) == pytest.approx(sum(float(one["q"]) for one in inside if not one["m"]), abs=1e-9)
            assert row[8] == inside[-1]["l"] - inside[0]["f"] + 1

    running(doing)


def test_longer_candles_are_made_of_minutes() -> None:
    """Five-minute rows have the first open, last close, extremes and sums of their minutes."""

    async def doing(talk: Talk) -> None:
        minutes = (await talk.get("klines", **SYMBOL, interval="1m", limit=500)).body
        for row in (await talk.get("klines", **SYMBOL, interval="5m", limit=90)).body[:-1]:
            inside = [one for one in minutes if row[0] <= one[0] <= row[6]]
            assert len(inside) == 5
            assert (row[1], row[4]) == (inside[0][1], inside[-1][4])
            assert float(row[2]) == max(float(one[2]) for one in inside)
            assert float(row[3]) == min(float(one[3]) for one in inside)
            assert row[8] == sum(one[8] for one in inside)

    running(doing)


def test_a_recording_without_a_snapshot_answers_503() -> None:
    """Before a recording's snapshot there is no book: the venue's «internal error», to be asked again."""
    frames = [record for record in taken(1, 3) if record[1] == RecordKind.FRAME]
    tape = Tape(lambda: frames, Generator(1, START_NS).instruments)
    answer = asked("depth", market=tape, **SYMBOL)
    assert (answer.status, answer.body["code"]) == (503, -1001)


# -- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "weight"), [(5, 2), (50, 2), (51, 5), (100, 5), (500, 10), (501, 20), (1000, 20)])
def test_weights_of_depth(limit: int, weight: int) -> None:
    """The venue's table for depth."""
    assert depth_weight(limit) == weight


@pytest.mark.parametrize(("limit", "weight"), [(99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10)])
def test_weights_of_klines(limit: int, weight: int) -> None:
    """The venue's table for klines."""
    assert klines_weight(limit) == weight


def test_used_weight_is_told_with_every_answer(wire: Path) -> None:
    """Answers and refusals carry the running total; at the limit the golden headers of a 429 come, and the text."""

    async def doing(talk: Talk) -> None:
        used = []
        for path, parameters in (
            ("ping", {}),
            ("depth", SYMBOL),
            ("depth", SYMBOL | {"limit": "3"}),
            ("aggTrades", SYMBOL),
        ):
            used.append(int((await talk.get(path, **parameters)).headers["X-MBX-USED-WEIGHT-1M"]))
        assert used == [1, 11, 12, 32]
        status = 200
        while status == 200:
            answer = await talk.get("aggTrades", **SYMBOL, limit=1)
            status = answer.status
        expected = golden(wire, "rest-response-headers")["http429"]
        assert status == 429 and answer.body == _listed(wire, -1003)
        assert all(header in answer.headers for header in expected)
        assert 0 < int(answer.headers["Retry-After"]) <= 60

    running(doing)


def test_many_questions_at_once_are_all_answered() -> None:
    """Two hundred questions in parallel, good and bad, are answered while the market runs."""

    async def doing(talk: Talk) -> None:
        questions: list[Any] = []
        for number in range(100):
            questions += [talk.get("depth", **SYMBOL, limit=5 if number % 2 else 3), talk.get("/nowhere")]
        statuses = [answer.status for answer in await asyncio.gather(*questions)]
        assert sorted(set(statuses)) == [200, 400, 404] and statuses.count(200) == 50

    running(doing, speed=10)
