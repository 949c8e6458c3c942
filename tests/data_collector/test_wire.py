"""The fast decode beside its two twins: the general decoder of the product and the naive one of the tests.

The long form of the campaign is ``python -m tests.data_collector.fuzz_wire --count 100000``.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_collector.layout import (
    DEPTH,
    EVENT_NAMES,
    FRAME_BYTES_MAX,
    MARK,
    SYMBOL_BYTES_MAX,
    instruments_table,
)
from data_collector.scan import PLACES_MAX, WHOLE_MAX
from data_collector.twin import Twin
from data_collector.wire import HAND_OVER
from models.error import DataError
from models.instrument import Instrument
from models.rows import NO_LEVEL, ROW, UNKNOWN_NS, Flag, Kind
from tests.data_collector import frames
from tests.data_collector.frames import BTC, ETH, FAST_SHAPES, INSTRUMENTS, Decoder, packed, wrapped
from tests.data_collector.fuzz_wire import Guarded, campaign, compare, mutated, seeds
from tests.naive import wire as naive

FINE = [
    Instrument(symbol, index, 1, 1, 100_000_000, 8, 0, frames.FILTERS)
    for index, symbol in enumerate(("BTCUSDT", "ETHUSDT"))
]
"""Every price text with up to eight places is on this grid."""
SMALL = [
    Instrument(symbol, index, 0, 1_000_000, 100_000, 2, 3, frames.FILTERS)
    for index, symbol in enumerate(("BTCUSDT", "ETHUSDT"))
]
"""Ticks of 0.01: the golden book of the sync set is on this grid."""
GOLDEN_FAST = {
    "stream-aggTrade.json", "stream-aggTrade-rpi.json", "stream-trade.json", "stream-depth-diff.json",
    "stream-depth5-partial.json", "stream-rpiDepth.json", "stream-bookTicker.json", "stream-markPrice.json",
    "stream-combined-envelope.json", "sync-1-stale.json", "sync-2-first.json", "sync-3-next.json", "sync-4-gap.json",
}  # fmt: skip
"""What the fast pass must take of the golden payloads; everything else is the twin's."""
DECODER = Decoder()


def differs(decoder: Decoder, instruments: list[Instrument], payload: bytes) -> str:
    """Empty, or how fast pass and twins disagree on ``payload``; a frame handed over is no disagreement."""
    count = decoder(payload)
    difference = compare(decoder, Twin(instruments), payload, count)
    if difference or count < 0:
        return difference
    slow = naive.decode(payload, 17, 3, instruments)
    if slow is None:
        return "the naive twin does not understand it"
    rows, facts = slow
    fast = [[int(row[name]) for name in ROW.names or () if name != "spare"] for row in decoder.rows[:count]]
    return "" if (rows, facts) == (fast, decoder.facts()) else f"the naive twin says {rows} {facts}, not {fast}"


def taken(payload: bytes, instruments: list[Instrument] = INSTRUMENTS, decoder: Decoder = DECODER) -> int:
    """Rows of a frame the fast pass must take, after comparing it with both twins."""
    assert differs(decoder, instruments, payload) == ""
    count = decoder(payload)
    assert count > 0, payload
    return count


@pytest.mark.parametrize("shape", FAST_SHAPES, ids=lambda shape: f"{shape.get('e', 'spot')}-{len(shape)}")
def test_the_venues_shapes_take_the_fast_pass(shape: dict[str, Any]) -> None:
    """Every frequent shape is taken, raw and in the envelope, with the rows and facts of both twins."""
    assert taken(packed(shape)) == taken(wrapped(shape))


def test_fast_decode_agrees_on_every_golden_payload(wire: Path) -> None:
    """Of all files under tests/data/wire, in both framings, the fast pass takes the thirteen it must, and agrees."""
    decoder, fast = Decoder(SMALL), set()
    files = sorted(wire.glob("*.json"))
    for path in files:
        message = json.loads(path.read_text())
        for payload in (packed(message), wrapped(message), path.read_bytes(), json.dumps(message).encode()):
            assert differs(decoder, SMALL, payload) == "", path.name
        if decoder(packed(message)) >= 0:
            fast.add(path.name)
    assert len(files) > 100 and fast == GOLDEN_FAST


def test_a_small_campaign_of_mutated_frames_finds_no_difference() -> None:
    """On 6,000 frames with changed values, keys and bytes, against a page that must not be read, fast pass = twin."""
    wrong, seen = campaign(6_000, 20_261_121, Path("no recordings"))
    assert wrong == 0
    assert seen["fast"] > 600 and sum(seen.values()) == 6_000 and len(seen) > 8


def test_the_naive_twin_agrees_on_mutated_frames() -> None:
    """Where the fast pass takes a changed frame, the naive twin reads the same rows and facts."""
    dice, pool = random.Random(7), seeds(Path("no recordings"))
    changed = [mutated(dice, pool) for _ in range(1_500)]
    assert [(payload, said) for payload in changed if (said := differs(DECODER, INSTRUMENTS, payload))] == []


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(FAST_SHAPES), st.randoms(use_true_random=False))
def test_keys_may_come_in_any_order(shape: dict[str, Any], dice: random.Random) -> None:
    """Any order of keys gives the twin's rows, and is fast when ids and times stand before bids, bids before asks."""
    keys = list(shape)
    dice.shuffle(keys)
    payload = packed({key: shape[key] for key in keys})
    assert differs(DECODER, INSTRUMENTS, payload) == ""
    before = {"E", "T", "s", "U", "u", "pu", "e"} & set(keys)
    if isinstance(shape.get("b"), list):
        ordered = keys.index("b") < keys.index("a") and all(keys.index(key) < keys.index("b") for key in before)
    else:
        ordered = not {"s", "e", "X"} & set(keys[-2:])  # texts at the very end lie too near the frame's edge
    assert not ordered or DECODER(payload) > 0


@pytest.mark.parametrize("value", [0, 12345678901, "text", "", True, False, None], ids=str)
@pytest.mark.parametrize("name", ["z", "new", "a longer name"])
def test_unknown_keys_are_skipped(name: str, value: object) -> None:
    """A new field with a simple value costs nothing, wherever it stands (fault F16)."""
    for shape in FAST_SHAPES:
        items = list(shape.items())
        for place in range(len(items) + 1):
            assert taken(packed(dict([*items[:place], (name, value), *items[place:]])))


def test_only_whole_frames_are_taken() -> None:
    """No proper beginning of a frame is taken, and none lets the pass read beyond its end."""
    guarded = Guarded(1 << 14)
    for shape in FAST_SHAPES:
        for payload in (packed(shape), wrapped(shape)):
            for length in range(len(payload)):
                assert DECODER.at(guarded.put(payload[:length], at_end=True), length) == HAND_OVER
            assert DECODER.at(guarded.put(payload, at_end=True), len(payload)) > 0


@pytest.mark.parametrize("tail", [b" ", b"}", b"x", b"\n", b"{}", b"\0"])
def test_nothing_may_follow_the_frame(tail: bytes) -> None:
    """One byte behind the closing brace and the frame is handed over."""
    for shape in FAST_SHAPES:
        assert [DECODER(make(shape) + tail) for make in (packed, wrapped)] == [HAND_OVER, HAND_OVER]


PRICES = st.tuples(st.integers(1, 10**WHOLE_MAX - 1), st.text("0123456789", max_size=PLACES_MAX))
SIZES = st.integers(0, 10**WHOLE_MAX - 1)
LEVELS = st.lists(st.tuples(PRICES, SIZES), max_size=8)


def texts(levels: list[tuple[tuple[int, str], int]]) -> list[list[str]]:
    return [[f"{whole}.{places}" if places else f"{whole}", f"{size}"] for (whole, places), size in levels]


@settings(deadline=None)
@given(LEVELS, LEVELS)
def test_levels_of_any_layout_are_read_exactly(bids: Any, asks: Any) -> None:
    """Prices of one to ten digits and up to eight places, changing from level to level, are counted without error."""
    decoder = Decoder(FINE)
    payload = packed(frames.depth(5, 9, 4, texts(bids), texts(asks)))
    assert differs(decoder, FINE, payload) == ""
    assert decoder(payload) == max(1, len(bids) + len(asks))


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
def test_a_level_off_the_grid_is_handed_over(cents: list[int]) -> None:
    """The pass takes a frame of levels exactly when every price is a positive multiple of the tick of 0.10."""
    levels = [[f"{cent // 100}.{cent % 100:02d}", "0.001"] for cent in cents]
    count = DECODER(packed(frames.depth(5, 9, 4, [], levels)))
    assert count == (len(levels) if all(cent % 10 == 0 and cent > 0 for cent in cents) else HAND_OVER)


def test_an_empty_diff_is_one_row_with_both_bits() -> None:
    """A depth frame without levels leaves one row that says so, or its ids would be lost."""
    assert taken(packed(frames.depth(5, 9, 4, [], []))) == 1
    row = DECODER.rows[0]
    assert (row["flags"], row["price"], row["quantity"]) == (Flag.FIRST | Flag.LAST, 0, NO_LEVEL)
    assert (row["sequence"], row["extra"]) == (9, 4)


def test_first_and_last_row_of_a_frame_are_marked() -> None:
    """Of many levels exactly the first carries FIRST and the last LAST."""
    count = taken(packed(frames.wide(20)))
    assert DECODER.rows["flags"][:count].tolist() == [Flag.FIRST] + [0] * (count - 2) + [Flag.LAST]


def test_rows_carry_times_in_nanoseconds_and_the_epoch() -> None:
    """A row tells occurred and received time in ns, its frame's number, and instrument index and epoch in one word."""
    eth = {**frames.quote(7), "s": "ETHUSDT", "b": "1765.20", "a": "1765.21"}
    DECODER(packed(eth), received_ns=123, frame=99)
    row = DECODER.rows[0]
    assert (row["occurred_ns"], row["received_ns"], row["frame"]) == (frames.E_MS * 1_000_000, 123, 99)
    assert (row["instrument"], ETH.key, row["kind"]) == (ETH.key, 1 | 3 << 16, Kind.QUOTE)


def test_a_spot_quote_has_no_time() -> None:
    """Where the venue tells no time the row says «unknown», never zero."""
    taken(packed(frames.spot_quote(7)))
    assert DECODER.rows["occurred_ns"][:2].tolist() == [UNKNOWN_NS, UNKNOWN_NS]


def test_a_mark_price_is_dated_by_its_event_time() -> None:
    """``T`` of a mark price is the next funding time and stands in the sequence; a missing rate is zero."""
    for rate, expected in (("-0.00010000", -10_000), ("0.00010000", 10_000), ("", 0)):
        taken(packed({**frames.mark(), "r": rate}))
        row = DECODER.rows[0]
        assert (row["occurred_ns"], row["sequence"]) == (frames.E_MS * 1_000_000, 1_787_500_800_000)
        assert row["extra"] == expected
    assert DECODER.facts()[0] == MARK


REFUSED = {
    "another market": {"st": 2}, "unknown symbol": {"s": "BTCUSDC"}, "shorter symbol": {"s": "BTCUSD"},
    "longer symbol": {"s": "BTCUSDT_260327"}, "no symbol": {"s": ""}, "E as text": {"E": "1789478303662"},
    "E of a far year": {"E": 9_200_000_000_000}, "negative E": {"E": -1}, "fractional E": {"E": 1.5},
    "T as text": {"T": "1789478303662"}, "unknown event": {"e": "depthUpdates"}, "no event": {"e": ""},
}  # fmt: skip


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_handed_over(change: dict[str, object]) -> None:
    """A wrong time, market, symbol or event is never the fast pass's to judge."""
    for shape in FAST_SHAPES:
        if set(change) <= set(shape):
            assert DECODER(packed({**shape, **change})) == HAND_OVER, shape


VALUES: list[tuple[str, str, object]] = [
    *(("depthUpdate", name, value) for name in ("U", "u", "pu") for value in ("5", None, -1, 1.0, True, 10**18)),
    *(("depthUpdate", "b", value) for value in (None, {}, [[]], ["1"], [["76914.90"]], [["76914.90", "1.000", "2"]])),
    *(("depthUpdate", "b", [[price, "1.000"]]) for price in ("0", "-1.0", "1e3", "NaN", "", " 1.0", "1.05", 1)),
    *(("depthUpdate", "a", [["76915.00", size]]) for size in ("-1", "0.0001", "1e3", "NaN", "", "Infinity", 1)),
    ("depthUpdate", "U", 10), ("depthUpdate", "pu", 10),
    *((event, name, value) for event in ("aggTrade", "trade") for name in "pq" for value in ("0", "-1", "x", 1, None)),
    *((event, "m", value) for event in ("aggTrade", "trade") for value in (0, "true", None)),
    ("aggTrade", "a", -1), ("aggTrade", "nq", 1), ("aggTrade", "nq", "-1"), ("trade", "X", "INSURANCE_FUND"),
    ("trade", "X", ""), ("trade", "X", True), ("trade", "t", "5"),
    *(("bookTicker", name, value) for name in "bBaA" for value in ("-1", "x", "", 1, None)),
    ("bookTicker", "b", "76915.00"), ("bookTicker", "b", "76915.10"), ("bookTicker", "u", "7"),
    *(("markPriceUpdate", name, value) for name in "pi" for value in ("-1", "x", "", 1, None)),
    ("markPriceUpdate", "p", "0.0"), ("markPriceUpdate", "r", "--1"), ("markPriceUpdate", "r", 0),
    ("markPriceUpdate", "T", ""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "name", "value"), VALUES, ids=lambda part: str(part)[:24])
def test_a_wrong_value_is_handed_over(event: str, name: str, value: object) -> None:
    """A value of a wrong type, sign, size or grid in any used field hands the frame over."""
    shape = next(shape for shape in FAST_SHAPES if shape.get("e") == event and name in shape)
    assert DECODER(packed({**shape, name: value})) == HAND_OVER


def test_a_missing_key_is_handed_over() -> None:
    """Without any one of the fields it needs, a frame is handed over; without the others it is taken."""
    needed = {
        "aggTrade": "eEasTpqm", "trade": "eEstTpqm", "bookTicker": "EusbBaA", "markPriceUpdate": "eEspirT",
        "depthUpdate": "eEsUuba", "": "usbBaA",
    }  # fmt: skip
    for shape in FAST_SHAPES:
        for name in shape:
            rest = packed({key: value for key, value in shape.items() if key != name})
            assert (DECODER(rest) == HAND_OVER) == (name in needed[shape.get("e", "")]), (shape, name)


def test_a_key_twice_is_handed_over() -> None:
    """Which of two values counts is for the twin to know."""
    for shape in FAST_SHAPES:
        for name in ("s", "b", "p", "E"):
            if name in shape:
                payload = packed(shape)
                twice = packed({name: shape[name]})[1:-1]
                assert DECODER(payload[:-1] + b"," + twice + b"}") == HAND_OVER


def test_more_levels_than_there_is_room_for_are_handed_over() -> None:
    """A frame that fills the rows exactly is taken, one level more is not, and nothing is written behind them."""
    decoder, memory = Decoder(), np.zeros(9, dtype=ROW)
    decoder.rows, behind = memory[:8], memory[8:]
    assert decoder(packed(frames.wide(4))) == 8
    assert decoder(packed(frames.depth(5, 9, 4, frames.wide(5)["b"], frames.wide(4)["a"]))) == HAND_OVER
    assert behind.tobytes() == bytes(64)


def test_a_frame_above_the_byte_bound_is_not_read() -> None:
    """A valid frame is taken up to the bound of 1 MiB and handed over one byte above it."""
    shape = {**frames.quote(7), "z": ""}
    spare = FRAME_BYTES_MAX - len(packed(shape))
    assert DECODER(packed({**shape, "z": "x" * spare})) == 2
    assert DECODER(packed({**shape, "z": "x" * (spare + 1)})) == HAND_OVER


@pytest.mark.parametrize(
    "symbol", ["A", "ABCDEFG", "ABCDEFGH", "ABCDEFGHI", "1000000MOGUSDT", "ABCDEFGHIJKLMNO", "X" * 16]
)
def test_symbols_of_any_length_are_told_apart(symbol: str) -> None:
    """A symbol is found among others that begin with it or differ in one character."""
    names = dict.fromkeys([symbol[:-1] + "Z", symbol[:8], symbol, "Z" + symbol[1:], (symbol + "QQ")[:16], "BTCUSDT"])
    listed = [name for name in names if name]
    many = [Instrument(name, at, 0, 10_000_000, 100_000, 2, 3, frames.FILTERS) for at, name in enumerate(listed)]
    decoder = Decoder(many)
    for one in many:
        for shape in FAST_SHAPES:
            assert decoder(packed({**shape, "s": one.symbol})) > 0
            assert decoder.facts()[1] == one.index
    assert decoder(packed({**frames.quote(7), "s": "NOBODY"})) == HAND_OVER


def test_the_table_refuses_what_kernels_cannot_hold() -> None:
    """A symbol beyond sixteen bytes, an empty one, and an index out of place are refused with a word about it."""
    for symbol in ("", "X" * (SYMBOL_BYTES_MAX + 1), "币" * 6):
        with pytest.raises(DataError, match="1 to 16 characters"):
            instruments_table([Instrument(symbol, 0, 0, 1, 100_000_000, 2, 3, frames.FILTERS)])
    with pytest.raises(DataError, match="must be its place 0"):
        instruments_table([ETH, BTC])


def test_decode_tells_the_frames_facts() -> None:
    """Event, instrument, ids, times and rows stand in the facts; what a frame does not tell is −1."""
    assert DECODER(packed(frames.depth(5, 9, 4))) == 1
    event_ns = frames.E_MS * 1_000_000
    assert DECODER.facts() == [DEPTH, 0, 5, 9, 4, event_ns, event_ns - 2_000_000, 1]
    DECODER(packed(frames.spot_depth(8, 9)))
    assert DECODER.facts()[:5] == [DEPTH, 0, 8, 9, -1]
    assert set(EVENT_NAMES.values()) == {shape["e"] for shape in FAST_SHAPES if "e" in shape}
