"""The seeded market as a whole: the same bytes for the same seed, and symbols that do not disturb each other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.generator import Generator
from exchange.emulator.market import Frame
from models.error import DataError
from tests.exchange.emulator.client import START_NS

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


def test_the_first_burst_waits_for_a_listener() -> None:
    """A market nobody listens to stays calm; the first call to wake it counts, later ones change nothing."""
    asleep, woken, again = (Generator(4, START_NS) for _ in range(3))
    until_ns = START_NS + 10 * 10**9
    again.awake()
    first = list(again.advance(START_NS + 10**9))
    again.awake()
    rest = list(again.advance(until_ns))
    woken.awake()
    heard = list(woken.advance(until_ns))
    assert heard == first + rest
    assert len(heard) > 2 * len(list(asleep.advance(until_ns)))


def test_memory_stays_constant() -> None:
    """After ten minutes the market holds no more than the kept candles, trades and a book of bounded width."""
    market = Generator(2, START_NS)
    for _ in market.frames(600 * 10**9, streams=[]):
        pass
    history = market.history("BTCUSDT")
    assert len(history.candles) <= 1_500 and len(history.trades) <= 24_000
    book = market.depth("BTCUSDT", 10_000)
    assert book is not None and max(len(book[3]), len(book[4])) < 4_000
