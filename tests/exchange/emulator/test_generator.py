"""The seeded market as a whole: the same bytes for the same seed, and symbols that do not disturb each other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.flow import KINDS
from exchange.emulator.generator import Generator
from exchange.emulator.history import CLOSE, COUNT, OPEN, OPEN_MS
from exchange.emulator.market import Frame, depth_body
from models.error import DataError
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.follow import Follower
from tests.exchange.emulator.shifted import since

MS = 1_000_000
BOTH = ("BTCUSDT", "ETHUSDT")


def frames(seed: int, seconds: float, symbols: tuple[str, ...] = ("BTCUSDT",)) -> list[Frame]:
    return list(Generator(seed, START_NS, symbols).frames(int(seconds * 1e9)))


def digest(seed: int, seconds: float) -> str:
    """A hash over the past and the next seconds of both symbols."""
    market = Generator(seed, START_NS, BOTH)
    told = hashlib.sha256(repr([market.history(symbol).klines(60_000, 1_500) for symbol in BOTH]).encode())
    for venue_ns, _, payload in market.frames(int(seconds * 1e9)):
        told.update(b"%d" % venue_ns + payload)
    return told.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process(repository: Path) -> None:
    """Another process with other hash seeds makes the same past and the same ten seconds, byte for byte."""
    code = "from tests.exchange.emulator.test_generator import digest; print(digest(7, 10))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == digest(7, 10)


def test_other_seeds_give_other_markets() -> None:
    """Two seeds share no trade and no quote."""
    one, other = ({payload for _, _, payload in frames(seed, 3)} for seed in (1, 2))
    shared = [payload for payload in one & other if b"aggTrade" in payload or b"bookTicker" in payload]
    assert one and other and not shared


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 700 * MS), min_size=1, max_size=30))
def test_how_the_time_is_cut_changes_nothing(steps: list[int]) -> None:
    """Advanced in any steps, however small or crooked, the market gives the frames of one advance."""
    cut, whole = Generator(5, START_NS), Generator(5, START_NS)
    until_ns = START_NS
    given_out: list[Frame] = []
    cut.awake(300)
    for step in steps:
        until_ns += step
        given_out += cut.advance(until_ns)
    whole.awake(300)
    assert given_out == list(whole.advance(until_ns))


def test_a_symbol_does_the_same_in_any_company() -> None:
    """Alone, first or second of two: the frames of a symbol are the same bytes."""
    alone = frames(3, 5)
    for symbols in (BOTH, BOTH[::-1]):
        together = [frame for frame in frames(3, 5, symbols) if frame[1].startswith("btcusdt")]
        assert together == alone


def test_several_symbols_come_in_order_of_time() -> None:
    """Frames of two symbols are merged by venue time."""
    times = [venue_ns for venue_ns, _, _ in frames(3, 5, BOTH)]
    assert times == sorted(times)


@pytest.mark.parametrize("symbols", [BOTH, BOTH[::-1], ("ETHUSDT",)])
def test_instruments_stand_where_they_were_asked(symbols: tuple[str, ...]) -> None:
    """Whichever contracts are traded, each carries the place it has: the simulated exchange insists on it."""
    instruments = Generator(1, START_NS, symbols).instruments
    assert [(one.symbol, one.index) for one in instruments] == [(name, at) for at, name in enumerate(symbols)]


@pytest.mark.parametrize("symbols", [(), ("BTCUSDT", "BTCUSDT"), ("DOGEUSDT",)])
def test_no_repeated_or_unknown_contract(symbols: tuple[str, ...]) -> None:
    """Nothing to trade, the same twice, or a contract nobody described is refused at once."""
    with pytest.raises(DataError) as refused:
        Generator(1, START_NS, symbols)
    assert refused.value.code == "NO_CONTRACT"


def test_combined_frames_carry_wanted_streams_only() -> None:
    """``frames`` envelopes each event under its stream and leaves out what was not asked for."""
    market = Generator(1, START_NS)
    told = list(market.frames(2 * 10**9, streams=["btcusdt@bookTicker"]))
    assert told and all(payload.startswith(b'{"stream":"btcusdt@bookTicker","data":{') for _, _, payload in told)
    assert {stream for _, stream, _ in told} == {"btcusdt@bookTicker"}


def test_frames_end_with_their_time() -> None:
    """Two seconds give two seconds: depth comes 20 times, and no frame lies beyond."""
    told = frames(1, 2)
    assert sum(stream.endswith("@depth@100ms") for _, stream, _ in told) == 20
    assert START_NS < told[0][0] <= told[-1][0] <= START_NS + 2 * 10**9 + MS


def test_waking_twice_is_waking_once() -> None:
    """The first call to wake a market counts, later ones change nothing."""
    once, again = Generator(4, START_NS), Generator(4, START_NS)
    until_ns = START_NS + 10 * 10**9
    again.awake()
    first = list(again.advance(START_NS + 10**9))
    again.awake()
    once.awake()
    assert first and list(once.advance(until_ns)) == first + list(again.advance(until_ns))


# -- a market that nobody hears --------------------------------------------------------------------------------------


@cache
def expected(seconds: float) -> list[Frame]:
    """The market of seed 9 from its beginning, in times since then, without candles: its first burst has everything."""
    market = Generator(9, START_NS, BOTH)
    market.awake()
    return since(START_NS, market.advance(START_NS + int(seconds * 1e9) + MS))


@pytest.mark.parametrize(
    ("start_s", "asleep_s"), [(1.0, 0.0), (17.0, 3.25), (42.37, 0.01), (59.99, 45.0), (3 * 3600 + 0.5, 90.6)]
)
def test_when_it_begins_changes_times_only(start_s: float, asleep_s: float) -> None:
    """Made at any second and woken after any sleep, both symbols give the same frames after one shift of all times."""
    market = Generator(9, START_NS + int(start_s * 1e9), BOTH)
    assert list(market.advance(market.now_ns + int(asleep_s * 1e9))) == []
    market.awake()
    begin_ns = -(-market.now_ns // (500 * MS)) * 500 * MS
    heard = since(begin_ns, market.advance(begin_ns + 6 * 10**9 + MS))
    assert heard == expected(6)
    assert {stream for _, stream, _ in heard} >= {f"btcusdt@{kind}" for kind in KINDS if kind != "kline_1m"}


def test_what_was_asked_before_changes_nothing() -> None:
    """Book, premium, candles and trades read while it sleeps and while it plays leave the frames as they are."""
    asked = Generator(9, START_NS, BOTH)
    heard = []
    for step in range(60):
        for symbol in BOTH:
            asked.depth(symbol, 1000)
            asked.premium(symbol)
            asked.history(symbol).klines(180_000, 500)
            asked.history(symbol).agg_trades(1000)
        heard += asked.advance(START_NS + step * 10**9 // 10 + MS)
        if step == 20:
            asked.awake()
    assert since(START_NS + 2 * 10**9, heard) == expected(3.9)


def test_asleep_the_market_stands_still_and_its_answers_go_on() -> None:
    """While nobody listens no trade and no order changes anything; times go on, and candles come flat."""
    market = Generator(4, START_NS)
    before, trades = market.depth("BTCUSDT", 1000), list(market.history("BTCUSDT").trades)
    assert list(market.advance(START_NS + 150 * 10**9 + MS)) == []
    after, history = market.depth("BTCUSDT", 1000), market.history("BTCUSDT")
    assert before is not None and after is not None
    assert (after[0], after[3:]) == (before[0], before[3:]) and list(history.trades) == trades
    assert after[1] == market.now_ns // MS == START_NS // MS + 150_000
    assert market.premium("BTCUSDT")["time"] == START_NS // MS + 150_000
    *_, flat, running = history.candles
    assert running[OPEN_MS] == START_NS // MS + 120_000
    assert (flat[COUNT], running[COUNT]) == (0, 0) and flat[OPEN] == flat[CLOSE] == trades[-1][1]


def test_a_past_that_nobody_saw_is_a_recent_one() -> None:
    """After a long sleep the first look finds trades up to a moment ago; what has been seen never changes again."""
    fresh, market = Generator(4, START_NS), Generator(4, START_NS)
    assert list(market.advance(START_NS + 3600 * 10**9 + MS)) == []
    seen = list(market.history("BTCUSDT").trades)
    assert [trade[5] - 3_600_000 for trade in seen] == [trade[5] for trade in fresh.history("BTCUSDT").trades]
    assert list(market.advance(START_NS + 7200 * 10**9 + MS)) == []
    assert list(market.history("BTCUSDT").trades) == seen


def test_the_book_of_a_sleeping_market_is_followed() -> None:
    """A snapshot taken before the market begins bridges its first diffs."""
    market, client = Generator(4, START_NS), Follower()
    assert list(market.advance(START_NS + 1_300 * MS)) == []
    body: Any = depth_body(market, market.instruments[0], 1000)
    client.snapshot(body)
    market.awake()
    for _, stream, payload in market.advance(START_NS + 5 * 10**9):
        if stream.endswith("@depth@100ms"):
            client.diff(orjson.loads(payload))
    assert client.bridged and client.applied > 20


def test_memory_stays_constant() -> None:
    """After ten minutes the market holds no more than the kept candles, trades and a book of bounded width."""
    market = Generator(2, START_NS)
    for _ in market.frames(600 * 10**9, streams=[]):
        pass
    history = market.history("BTCUSDT")
    assert len(history.candles) <= 1_500 and len(history.trades) <= 24_000
    book = market.depth("BTCUSDT", 10_000)
    assert book is not None and max(len(book[3]), len(book[4])) < 4_000
