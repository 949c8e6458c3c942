"""A depth body in one compiled pass gives what the general twin gives, or nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from config.venue import shipped_instruments
from core.kernels.kernel import address_of
from data_collector import continuity, layout
from data_collector.book_answer import decode_book
from data_collector.hearing import Hearing
from models.recording import RecordKind
from models.rows import empty_rows
from tests.naive import book_answer as naive

INSTRUMENTS = shipped_instruments(["BTCUSDT", "ETHUSDT"])
RECEIVED_NS, NUMBER = 1_789_478_303_700_000_000, 9


class Pass:
    """The compiled pass with memory of its own."""

    def __init__(self) -> None:
        self.rows = empty_rows(layout.FRAME_ROWS_MAX)
        self.table = layout.instruments_table(INSTRUMENTS)
        self.info = np.zeros(layout.INFO_WORDS, dtype=np.int64)

    def __call__(self, payload: bytes, index: int) -> tuple[int, list[tuple[int, ...]], tuple[int, int, int]]:
        count = decode_book(
            id(payload) + continuity.BYTES_AT, len(payload), RECEIVED_NS, NUMBER, index, address_of(self.table),
            address_of(self.rows), layout.FRAME_ROWS_MAX, address_of(self.info),
        )  # fmt: skip
        if count < 0:
            return naive.HAND_OVER, [], (0, 0, 0)
        words = (layout.INFO_LAST, layout.INFO_EVENT_NS, layout.INFO_OCCURRED_NS)
        facts = tuple(int(self.info[word]) for word in words)
        return count, [tuple(int(word) for word in row) for row in self.rows[:count].tolist()], facts  # type: ignore[return-value]


def body(levels: int = 20, *, seed: int = 1, times: bool = True, bid: float = 76_914.9, ask: float = 76_915.0) -> bytes:
    """A depth body as the venue writes it."""
    chance = random.Random(seed)
    sides = [
        [[f"{touch + sign * 0.1 * step:.2f}", f"{chance.randrange(1, 90_000) / 1000:.3f}"] for step in range(levels)]
        for touch, sign in ((bid, -1), (ask, 1))
    ]
    head = {"lastUpdateId": 11_563_384_769_470, **({"E": 1_789_478_303_668, "T": 1_789_478_303_660} if times else {})}
    return json.dumps({**head, "bids": sides[0], "asks": sides[1]}, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def compiled() -> Pass:
    """One compiled pass for all tests of this file."""
    return Pass()


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("levels", [1, 5, 100, 1000])
def test_usual_bodies_give_the_rows_of_the_twin(compiled: Pass, levels: int, times: bool) -> None:
    """Rows and facts of a body of any size, with or without times, are those of the general twin."""
    payload = body(levels, times=times)
    found = compiled(payload, 0)
    assert found[0] == 2 * levels
    assert found == naive.decode_book(payload, RECEIVED_NS, NUMBER, 0, INSTRUMENTS)


def test_golden_body_is_taken(compiled: Pass, wire: Path) -> None:
    """The venue's recorded depth body needs no twin."""
    payload = json.dumps(json.loads((wire / "rest-depth-BTCUSDT.json").read_text()), separators=(",", ":")).encode()
    found = compiled(payload, 0)
    assert found[0] > 0
    assert found == naive.decode_book(payload, RECEIVED_NS, NUMBER, 0, INSTRUMENTS)


@pytest.mark.parametrize(
    "payload",
    [
        body(bid=76_915.0, ask=76_915.0),
        body().replace(b'"asks":[', b'"asks":[],"more":['),
        body().replace(b'"lastUpdateId":', b'"lastUpdateId":-'),
        body()[:-1],
        body() + b" ",
        body().replace(b"76914.90", b"76914.95"),
    ],
    ids=["crossed", "no asks", "negative id", "cut", "longer", "off the grid"],
)
def test_what_is_unusual_is_handed_over(compiled: Pass, payload: bytes) -> None:
    """A crossed, cut, one-sided or ill-priced body is not taken by the compiled pass."""
    assert compiled(payload, 0)[0] == naive.HAND_OVER


def test_mutated_bodies_are_never_taken_differently(compiled: Pass) -> None:
    """Of 3,000 bodies with a few bytes changed, those that the compiled pass takes give the rows of the twin."""
    chance = random.Random(11)
    taken = 0
    for number in range(3_000):
        payload = bytearray(body(6, seed=number, times=number % 2 == 0))
        for _ in range(chance.randrange(1, 3)):
            payload[chance.randrange(len(payload))] = chance.choice(b'0123456789.,":[]{}-eE \x00\xff')
        found = compiled(bytes(payload), 0)
        if found[0] > 0:
            taken += 1
            assert found == naive.decode_book(bytes(payload), RECEIVED_NS, NUMBER, 0, INSTRUMENTS), bytes(payload)
    assert taken > 300


def test_hearing_takes_either_way() -> None:
    """A body in an unusual order of keys is heard with the same rows as the usual one."""
    usual = body(50)
    record = json.loads(usual)
    unusual = json.dumps(dict(reversed(record.items()))).encode()
    rows = []
    for payload in (usual, unusual):
        hearing = Hearing(INSTRUMENTS)
        count = hearing.hear(RecordKind.DEPTH_ANSWER, 0, payload, RECEIVED_NS, NUMBER)
        rows.append(hearing.rows[:count].tolist())
    assert rows[0] == rows[1]
