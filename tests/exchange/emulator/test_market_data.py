"""Public endpoints beyond the bot's own: golden shapes, agreement with each other, parameters and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange.emulator.generator import Generator
from exchange.emulator.limits import Quota
from exchange.emulator.tape import Tape
from exchange.emulator.venue import VenueTerms
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS, Talk, running
from tests.exchange.emulator.recorded import taken
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trader import Trader, trading

BOTH = ("BTCUSDT", "ETHUSDT")
SYMBOL = {"symbol": "BTCUSDT"}
PAIR = {"pair": "BTCUSDT", "interval": "1m"}


def asked(path: str, *, market: Any = None, **parameters: Any) -> Any:
    async def doing(talk: Talk) -> Any:
        return await talk.get(path, **parameters)

    return running(doing, market or Generator(1, START_NS, BOTH))


@pytest.mark.parametrize(
    ("path", "parameters", "name", "weight"),
    [
        ("trades", SYMBOL, "rest-trades-BTCUSDT", 5),
        ("ticker/bookTicker", SYMBOL, "rest-ticker-bookTicker-BTCUSDT", 2),
        ("/fapi/v2/ticker/price", SYMBOL, "rest-ticker-price-v2-BTCUSDT", 1),
        ("ticker/price", SYMBOL, "rest-ticker-price-v2-BTCUSDT", 1),
        ("ticker/24hr", SYMBOL, "rest-ticker-24hr-BTCUSDT", 1),
        ("fundingRate", SYMBOL, "rest-fundingRate-BTCUSDT", 0),
        ("fundingInfo", {}, "rest-fundingInfo", 0),
        ("openInterest", SYMBOL, "rest-openInterest-BTCUSDT", 1),
        ("rpiDepth", SYMBOL | {"limit": 1000}, "rest-rpiDepth-BTCUSDT", 20),
        ("symbolAdlRisk", SYMBOL, "rest-symbolAdlRisk", 1),
        ("continuousKlines", PAIR | {"contractType": "PERPETUAL"}, "rest-klines-BTCUSDT-1m", 5),
        ("indexPriceKlines", PAIR, "rest-klines-BTCUSDT-1m", 5),
        ("markPriceKlines", SYMBOL | {"interval": "1m", "limit": 99}, "rest-klines-BTCUSDT-1m", 1),
        ("premiumIndexKlines", SYMBOL | {"interval": "5m", "limit": 100}, "rest-klines-BTCUSDT-1m", 2),
    ],
)
def test_answers_have_the_venues_shape(wire: Path, path: str, parameters: Any, name: str, weight: int) -> None:
    """Each endpoint answers with exactly the golden fields and types, and costs the venue's weight."""
    answer = asked(path, **parameters)
    assert answer.status == 200, answer.text
    assert answer.body
    expect_shape(golden(wire, name), answer.body)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


@pytest.mark.parametrize(
    ("path", "weight"),
    [("ticker/bookTicker", 5), ("/fapi/v2/ticker/price", 2), ("ticker/24hr", 40), ("symbolAdlRisk", 1)],
)
def test_without_a_symbol_all_come(path: str, weight: int) -> None:
    """Every contract of the market is listed, at the weight of all."""
    answer = asked(path)
    assert [one["symbol"] for one in answer.body] == list(BOTH)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("trades", {}, -1102),
        ("trades", SYMBOL | {"limit": 1001}, -1130),
        ("ticker/24hr", {"symbol": "X"}, -1121),
        ("continuousKlines", PAIR, -1102),
        ("continuousKlines", PAIR | {"contractType": "WEEKLY"}, -1102),
        ("continuousKlines", {"contractType": "PERPETUAL", "interval": "1m"}, -1102),
        ("indexPriceKlines", {"symbol": "BTCUSDT", "interval": "1m"}, -1102),
        ("markPriceKlines", SYMBOL | {"interval": "1s"}, -1120),
        ("rpiDepth", SYMBOL | {"limit": 500}, -4021),
        ("fundingRate", SYMBOL | {"limit": 1001}, -1130),
        ("openInterest", {}, -1102),
        ("historicalTrades", SYMBOL, -2014),
    ],
)
def test_mistakes_have_their_codes(path: str, parameters: Any, code: int) -> None:
    """Each mistake is told by the venue's code."""
    assert asked(path, **parameters).body["code"] == code


def test_other_contract_types_have_no_candles() -> None:
    """A quarterly contract that does not exist has an empty list, no error."""
    assert asked("continuousKlines", **PAIR, contractType="CURRENT_QUARTER").body == []


def test_single_trades_are_the_aggregates_taken_apart() -> None:
    """Ids follow each other, and the parts of an aggregate have its price, time, side and together its quantity."""

    async def doing(talk: Talk) -> None:
        aggregates = (await talk.get("aggTrades", **SYMBOL, limit=50)).body[:-5]
        singles = {one["id"]: one for one in (await talk.get("trades", **SYMBOL, limit=1000)).body}
        assert list(singles) == list(range(min(singles), max(singles) + 1))
        for aggregate in aggregates:
            parts = [singles[number] for number in range(aggregate["f"], aggregate["l"] + 1) if number in singles]
            assert parts and {one["price"] for one in parts} == {aggregate["p"]}
            assert {(one["time"], one["isBuyerMaker"]) for one in parts} == {(aggregate["T"], aggregate["m"])}
            assert sum(float(one["qty"]) for one in parts) == pytest.approx(float(aggregate["q"]))

    running(doing, speed=0.001)


def test_old_trades_are_read_from_an_id_with_a_key() -> None:
    """With an API key and no signature, trades come from the id asked for, at weight 200."""

    async def doing(trader: Trader) -> None:
        newest = (await trader.talk.get("trades", **SYMBOL, limit=1)).body[0]["id"]
        page = await trader.raw("GET /fapi/v1/historicalTrades", f"symbol=BTCUSDT&fromId={newest - 40}&limit=10")
        assert [one["id"] for one in page.body] == list(range(newest - 40, newest - 30))
        assert page.headers["X-MBX-USED-WEIGHT-1M"] == "205"
        assert len((await trader.raw("GET /fapi/v1/historicalTrades", "symbol=BTCUSDT")).body) == 100

    trading(doing, speed=0.001)


def test_quotes_and_prices_agree_with_book_and_trades() -> None:
    """The book ticker is the depth's best levels, the price is the last trade's, the day ends with it."""

    async def doing(talk: Talk) -> None:
        book = (await talk.get("depth", **SYMBOL, limit=5)).body
        quote = (await talk.get("ticker/bookTicker", **SYMBOL)).body
        assert [quote["bidPrice"], quote["bidQty"]] == book["bids"][0]
        assert [quote["askPrice"], quote["askQty"]] == book["asks"][0]
        last = (await talk.get("aggTrades", **SYMBOL, limit=1)).body[0]
        day = (await talk.get("ticker/24hr", **SYMBOL)).body
        assert (await talk.get("ticker/price", **SYMBOL)).body["price"] == last["p"] == day["lastPrice"]
        assert float(day["priceChange"]) == pytest.approx(float(day["lastPrice"]) - float(day["openPrice"]))

    running(doing, speed=0.001)


def test_funding_rows_are_at_the_venues_hours() -> None:
    """The settlements of the last day are eight hours apart, in order, and can be asked for by time."""

    async def doing(talk: Talk) -> None:
        rows = (await talk.get("fundingRate", **SYMBOL, limit=10)).body
        times = [row["fundingTime"] for row in rows]
        assert len(times) == 3 and all(at % 28_800_000 == 0 for at in times) and times == sorted(times)
        assert (await talk.get("fundingRate", **SYMBOL, startTime=times[1])).body == rows[1:]
        assert (await talk.get("fundingRate", **SYMBOL, endTime=times[1], limit=1)).body == rows[1:2]

    running(doing)


def test_a_settlement_while_running_is_kept_with_its_mark() -> None:
    """What the market settles appears once, with the last rate and mark before its time, after the older ones."""

    async def doing(trader: Trader) -> None:
        venue = trader.venue
        at_ms = START_NS // 10**6 + 14_400_000
        for event_ms, mark, next_ms in ((at_ms - 1000, "1.00000000", at_ms), (at_ms, "2.00000000", at_ms + 28_800_000)):
            payload = b'{"e":"markPriceUpdate","E":%d,"s":"BTCUSDT","p":"%s","r":"0.00020000","T":%d}'
            venue.market_event((0, "btcusdt@markPrice@1s", payload % (event_ms, mark.encode(), next_ms)))
        rows = (await trader.talk.get("fundingRate", **SYMBOL)).body
        assert (rows[-1]["fundingTime"], rows[-1]["markPrice"]) == (at_ms, "1.00000000")
        assert rows[-1]["fundingRate"] == "0.00020000" and len(rows) == 4

    trading(doing, speed=0.001)


def test_funding_calls_have_their_own_limit() -> None:
    """Beyond it 429 comes although the weight is untouched."""

    async def doing(talk: Talk) -> list[int]:
        paths = ("fundingInfo", "fundingRate", "fundingInfo")
        return [(await talk.get(path, **SYMBOL)).status for path in paths] + [(await talk.get("ping")).status]

    assert running(doing, terms=VenueTerms(quota=Quota(funding=2)), speed=0.001) == [200, 200, 429, 200]


def test_a_recording_that_has_not_traded_answers_503() -> None:
    """Without a trade there is no price, no day and no interest: the venue's «internal error»."""
    frames = [record for record in taken(1, 3) if record[1] == RecordKind.FRAME and b"aggTrade" not in record[3]]
    for path in ("ticker/price", "ticker/24hr", "openInterest"):
        tape = Tape(lambda: frames, Generator(1, START_NS).instruments)
        answer = asked(path, market=tape, **SYMBOL)
        assert (answer.status, answer.body["code"]) == (503, -1001)
