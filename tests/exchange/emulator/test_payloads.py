"""Event texts written from integers: the venue's shape, and exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator import payloads
from exchange.emulator.contracts import CHARACTERS
from exchange.emulator.payloads import Payloads, e8_fixed, rate_text
from models.instrument import to_e8
from tests.exchange.emulator.shape import golden

INSTRUMENT = CHARACTERS["BTCUSDT"].instrument
TEXT = Payloads(INSTRUMENT)
CANDLE = [
    1_789_478_160_000, 769_362, 769_655, 769_361, 769_654, 20_680, 15_914_362_714, 878, 15_190, 11_689_386_331,
    8_079_746_428, 8_079_747_305,
]  # fmt: skip
TRADE = (3_422_444_173, 774_900, 3, 8_006_170_903, 8_006_170_903, 1_787_492_322_555, False)
FORCED = (1_789_478_460_123, True, 14, 765_103, 766_331, 1_789_478_460_120)
MARKS = (7_748_824_528_925, 7_748_824_528_925, 7_748_596_456_522, 7_743_597_981_966, 10_000)
WRITTEN = {
    "stream-depth-diff": TEXT.depth(
        1_789_478_303_662, 1_789_478_303_660, (11_563_384_769_470, 11_563_384_771_022, 11_563_384_769_463),
        [(769_149, 6_101), (769_141, 0)], [(769_150, 1_990), (769_213, 516)],
    ),
    "stream-bookTicker": TEXT.quote(
        1_789_478_303_376, 1_789_478_303_376, 11_563_384_751_926, (769_149, 4_218, 769_150, 6_128)
    ),
    "stream-aggTrade": TEXT.agg_trade(1_787_492_322_656, TRADE),
    "stream-markPrice": TEXT.mark(1_787_492_323_000, *MARKS, 1_787_500_800_000),
    "stream-kline-1m-open": TEXT.kline(1_789_478_201_395, CANDLE, "1m", False),
    "stream-kline-1m-closed": TEXT.kline(1_789_478_220_011, CANDLE, "1m", True),
    "stream-forceOrder": TEXT.liquidation(*FORCED),
}  # fmt: skip
"""The golden events, made again from integers."""


@pytest.mark.parametrize("name", WRITTEN)
def test_golden_events_are_written_byte_for_byte(wire: Path, name: str) -> None:
    """From the same integers comes the golden event itself, in its field order, without a blank."""
    assert WRITTEN[name].decode() == json.dumps(golden(wire, name), separators=(",", ":"))


def test_a_single_trade_is_written_byte_for_byte(wire: Path) -> None:
    """The trade stream is of another contract in the golden file: two places of price there as here."""
    expected = golden(wire, "stream-trade")
    text = Payloads(CHARACTERS["ETHUSDT"].instrument)
    written = text.single_trade(1_783_228_448_434, 8_412_341_979, 176_520, 109, 1_783_228_448_434, True)
    assert written.decode() == json.dumps(expected, separators=(",", ":"))


@given(
    st.lists(st.tuples(st.integers(1, 10_000_000), st.integers(0, 10_000_000)), max_size=20),
    st.lists(st.tuples(st.integers(1, 10_000_000), st.integers(0, 10_000_000)), max_size=20),
)
def test_levels_read_back(bids: list[Any], asks: list[Any]) -> None:
    """Any levels come back from the text as the same ticks and lots, in the same order."""
    event = json.loads(TEXT.depth(1, 2, (3, 4, 5), bids, asks))
    read = [[(INSTRUMENT.ticks(price), INSTRUMENT.lots(lots)) for price, lots in event[side]] for side in ("b", "a")]
    assert read == [bids, asks]


@given(st.integers(-300_000, 300_000), st.integers(0, 10**14))
def test_rates_and_marks_read_back(rate: int, price: int) -> None:
    """Rates keep their sign, prices all eight places."""
    event = json.loads(TEXT.mark(1, price, price, price, price, rate, 2))
    assert (to_e8(event["r"]), to_e8(event["p"])) == (rate, price)
    assert len(rate_text(rate).removeprefix("-")) == len("0.00010000")
    assert e8_fixed(price).rpartition(".")[2].isdigit() and len(e8_fixed(price).rpartition(".")[2]) == 8


def test_kept_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of texts is emptied when full and still writes the right text."""
    monkeypatch.setattr(payloads, "TEXTS_KEPT", 10)
    text = Payloads(INSTRUMENT)
    for ticks in range(1, 50):
        assert text.levels([(ticks, ticks)]) == f'["{ticks // 10}.{ticks % 10}0","0.{ticks:03d}"]'
        assert len(text._level) <= 10
