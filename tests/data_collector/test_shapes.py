"""The venue's usual layouts in one go: every byte counts, and what differs anywhere is left to the general scan."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from core.kernels.kernel import address_of
from data_collector import layout, shapes
from models.rows import empty_rows
from tests.data_collector import frames
from tests.data_collector.frames import INSTRUMENTS, Decoder, packed, wrapped
from tests.data_collector.fuzz_wire import Guarded
from tests.naive import wire as naive

USUAL = {
    "bookTicker": frames.quote(11_563_384_751_926),
    "aggTrade": frames.aggregate(3_422_444_173),
    "trade": {**frames.trade(8_006_170_903), "st": 1},
}
"""Ids as long as the venue's: a much shorter frame goes to the general scan, whose reads need less room."""
GUARDED = Guarded(1 << 14)


class Usual:
    """``shapes._usual`` on the members of a raw or combined frame, up against a page nobody may touch."""

    def __init__(self) -> None:
        self.table = layout.instruments_table(INSTRUMENTS)
        self.rows = empty_rows(2)
        self.info = np.zeros(layout.INFO_WORDS, dtype=np.int64)

    def __call__(self, payload: bytes) -> int:
        combined = payload.startswith(b'{"stream"')
        inner = payload.find(b'"data":{') + 8 if combined else 1
        at = GUARDED.put(payload, at_end=True)
        return int(
            shapes._usual(
                at + inner, at + len(payload), int(combined), address_of(self.table), address_of(self.rows),
                address_of(self.info), 17, 3,
            )
        )  # fmt: skip


def same_as_naive(usual: Usual, payload: bytes, count: int) -> bool:
    """Whether rows and facts in the memory of ``usual`` are those of the naive twin."""
    found = naive.decode(payload, 17, 3, INSTRUMENTS)
    names = [name for name in usual.rows.dtype.names or () if name != "spare"]
    rows = [[int(row[name]) for name in names] for row in usual.rows[:count]]
    return found == (rows, [int(word) for word in usual.info[: layout.INFO_USED]])


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_layouts_are_taken_whole(name: str) -> None:
    """Each of the three is read in both framings with the naive twin's rows and facts."""
    usual = Usual()
    for payload in (packed(USUAL[name]), wrapped(USUAL[name])):
        count = usual(payload)
        assert count == (2 if name == "bookTicker" else 1) and same_as_naive(usual, payload, count)


@pytest.mark.parametrize("name", USUAL)
def test_a_changed_byte_is_read_rightly_or_left_alone(name: str) -> None:
    """Every byte replaced by every kind of character: the answer is 0, or what the naive twin reads of it."""
    usual, general = Usual(), Decoder()
    for payload in (packed(USUAL[name]), wrapped(USUAL[name])):
        start = 1 if payload.startswith(b'{"e"') else payload.find(b'"data":{') + 8
        for place in range(start, len(payload)):
            for character in b'09.",:{}-eAx \\':
                changed = payload[:place] + bytes([character]) + payload[place + 1 :]
                count = usual(changed)
                assert count == 0 or same_as_naive(usual, changed, count), changed
                assert count == 0 or general(changed) == count


@pytest.mark.parametrize("name", USUAL)
def test_nothing_behind_the_frame_is_read(name: str) -> None:
    """No beginning of a frame is taken, however short, and the page behind it stays untouched."""
    usual = Usual()
    payload = packed(USUAL[name])
    assert [usual(payload[:length]) for length in range(100, len(payload))] == [0] * (len(payload) - 100)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("bookTicker", {"u": 1}), ("bookTicker", {"u": 999_999_999_999_999}),
    ("bookTicker", {"s": "ETHUSDT", "ps": "ETHUSDT"}),
    ("bookTicker", {"b": "0.10", "a": "0.20"}), ("bookTicker", {"B": "0.000", "A": "9999999.999"}),
    ("trade", {"t": 5_000_000}),
    ("aggTrade", {"nq": "0.000"}), ("aggTrade", {"f": 0, "l": 999_999_999_999_999}), ("aggTrade", {"m": True}),
    ("trade", {"p": "1234567.8000000"}), ("trade", {"m": False}), ("aggTrade", {"a": 12_345_678}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), VARIANTS, ids=lambda part: str(part)[:24])
def test_numbers_of_every_length_are_read(name: str, change: dict[str, Any]) -> None:
    """Short and long ids, prices and quantities, and the second instrument, are read like the naive twin reads them."""
    usual, payload = Usual(), packed({**USUAL[name], **change})
    count = usual(payload)
    assert count > 0 and same_as_naive(usual, payload, count)


def test_random_values_agree_with_the_naive_twin() -> None:
    """Of a thousand frames with random numbers each is taken with the twin's rows, or refused by both paths alike."""
    dice, usual, taken = random.Random(4), Usual(), 0
    for _ in range(1_000):
        name = dice.choice(list(USUAL))
        bid = dice.randrange(1, 10 ** dice.randrange(1, 7))
        values = {
            "bookTicker": {"u": dice.randrange(10**15), "b": f"{bid / 10:.2f}", "a": f"{(bid + 1) / 10:.2f}"},
            "trade": {"t": dice.randrange(10**9, 10**15), "p": f"{bid / 10:.2f}", "q": f"{bid / 1000:.3f}"},
            "aggTrade": {"a": dice.randrange(10**15), "p": f"{bid / 10:.1f}", "q": f"{bid / 1000:.3f}"},
        }[name]
        payload = packed({**USUAL[name], **values})
        count = usual(payload)
        taken += count > 0
        assert count == 0 or same_as_naive(usual, payload, count)
    assert taken > 950
