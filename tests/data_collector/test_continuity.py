"""The compiled half of hearing beside its naive twins: admission, one frame, and a chunk of records."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.kernel import address_of
from data_collector import continuity, layout
from data_collector.continuity import (
    CONTEXT_WORDS,
    CURSOR_BITS,
    CURSOR_OFFSET,
    CURSOR_ROWS,
    CURSOR_WORDS,
    DAMAGED,
    END,
    FULL,
    HAND_OVER,
    IRREGULAR,
    PAST,
    PYTHON,
    SPARE_ROWS,
    STATE_WORDS,
    WOKE,
    admit,
    hear_frame,
    hear_records,
    hear_through,
    run_records,
)
from data_collector.layout import AGGREGATE, DEPTH, MARK, QUOTE_EVENT, TRADE
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from models.rows import FAR_NS, ROW, UNKNOWN_NS, empty_rows
from tests.builders import Memory
from tests.data_collector import frames
from tests.data_collector.frames import INSTRUMENTS, packed
from tests.naive import continuity as naive

NAMES = {"depth": continuity.STATE_DEPTH, "quote": continuity.STATE_QUOTE, "trade": continuity.STATE_TRADE,
         "aggregate": continuity.STATE_AGGREGATE, "first trade": continuity.STATE_FIRST_TRADE,
         "first aggregate": continuity.STATE_FIRST_AGGREGATE}  # fmt: skip
CHAINED = 1


class Compiled:
    """The context block and everything it points at, beside the twin's state."""

    def __init__(self, capacity: int = 2 * SPARE_ROWS) -> None:
        self.rows = empty_rows(capacity)
        self.info = np.zeros(layout.INFO_WORDS, dtype=np.int64)
        self.state = np.full((len(INSTRUMENTS), STATE_WORDS), -1, dtype=np.int64)
        self.state[:, continuity.STATE_SYNCED] = 0
        self.table = layout.instruments_table(INSTRUMENTS)
        self.context = np.zeros(CONTEXT_WORDS, dtype=np.int64)
        for word, array in enumerate((self.table, self.rows, self.info, self.state)):
            self.context[word] = address_of(array)
        self.cursor = np.zeros(CURSOR_WORDS, dtype=np.int64)
        self.twin: naive.State = {}
        self.passage: Passage | None = None

    def chain(self, instrument: int, last: int) -> None:
        """Both halves stand on a book at ``last``."""
        self.state[instrument, continuity.STATE_SYNCED] = CHAINED
        self.state[instrument, continuity.STATE_DEPTH] = last
        self.twin |= {(instrument, "chained"): 1, (instrument, "depth"): last}

    def frame(self, payload: bytes) -> int:
        memory = np.frombuffer(payload, dtype=np.uint8)
        return int(hear_frame(address_of(memory), len(payload), 17, 3, address_of(self.context)))

    def records(self, chunk: bytes) -> int:
        memory = np.frombuffer(chunk or b"\0", dtype=np.uint8)
        places = (address_of(memory), len(chunk), address_of(self.rows), len(self.rows))
        return int(hear_records(*places, address_of(self.context), address_of(self.cursor)))

    def run(self, chunk: bytes, until_ns: int = FAR_NS) -> int:
        memory = np.frombuffer(chunk or b"\0", dtype=np.uint8)
        places = (address_of(memory), len(chunk), until_ns, address_of(self.context), address_of(self.cursor))
        return int(run_records(*places))

    def heard(self, count: int) -> list[list[int]]:
        return [[int(row[name]) for name in ROW.names or () if name != "spare"] for row in self.rows[:count]]

    def same_state(self) -> bool:
        """Whether every id of the words is the twin's."""
        return all(
            self.state[instrument, word] == self.twin.get((instrument, name), -1)
            for instrument in range(len(INSTRUMENTS))
            for name, word in NAMES.items()
        )


IDS = st.integers(0, 6)
FACTS = st.tuples(
    st.sampled_from([DEPTH, QUOTE_EVENT, TRADE, AGGREGATE, MARK]), st.sampled_from([0, 1]), IDS, IDS, st.integers(-1, 6)
)


@settings(deadline=None)
@given(st.lists(FACTS, max_size=40), st.sets(st.sampled_from([0, 1])))
def test_admit_moves_the_state_as_its_twin(walk: list[tuple[int, int, int, int, int]], chained: set[int]) -> None:
    """On any walk of ids a frame is admitted or irregular as in the twin, and the last ids are the same after each."""
    both = Compiled()
    for instrument in chained:
        both.chain(instrument, 2)
    for event, instrument, first, last, previous in walk:
        facts = [event, instrument, first, last, previous if event == DEPTH else -1, 0, 0, 2]
        both.info[: layout.INFO_USED] = facts
        assert admit(address_of(both.info), address_of(both.state)) == naive.admit(facts, both.twin)
        assert both.same_state()


def test_depth_is_never_the_first_of_its_chain() -> None:
    """Without a snapshot no diff is admitted; with one exactly the diff that continues it, futures and spot."""
    both = Compiled()
    assert both.frame(packed(frames.depth(5, 9, 4))) == IRREGULAR
    both.chain(0, 4)
    assert [both.frame(packed(frames.depth(*ids))) for ids in ((6, 9, 5), (5, 9, 4), (5, 9, 4))] == [
        IRREGULAR,
        1,
        IRREGULAR,
    ]
    assert [both.frame(packed(frames.spot_depth(*ids))) for ids in ((11, 12), (10, 12))] == [IRREGULAR, 2]


def test_an_irregular_frame_leaves_its_rows_and_facts() -> None:
    """What Python needs to decide stands where a regular frame's rows stand, and nothing has moved."""
    both = Compiled()
    before = both.state.tobytes()
    assert both.frame(packed(frames.depth(5, 9, 4))) == IRREGULAR
    assert both.info[: layout.INFO_PREVIOUS + 1].tolist() == [DEPTH, 0, 5, 9, 4]
    assert both.rows["sequence"][0] == 9 and both.state.tobytes() == before


def test_a_frame_is_counted_once_by_event_and_by_rows() -> None:
    """Fast frames and events count when decoded, rows by kind only when admitted, frames handed over not at all."""
    both = Compiled()
    both.chain(0, 4)
    for message in (frames.depth(5, 9, 4), frames.depth(5, 9, 4), frames.quote(3), frames.mark(), {"e": "x"}):
        both.frame(packed(message))
    counts = both.context
    assert counts[continuity.FAST] == 4
    assert counts[continuity.FAST_EVENTS : continuity.FAST_EVENTS + 6].tolist() == [0, 0, 0, 2, 1, 1]
    assert counts[continuity.KIND_ROWS + 1 : continuity.KIND_ROWS + 9].tolist() == [1, 0, 2, 0, 1, 0, 0, 0]


def random_payload(dice: random.Random, at: dict[str, int]) -> bytes:
    """A frame that mostly continues its stream."""
    name = dice.choice(["depth", "depth", "quote", "quote", "trade", "aggregate", "spot", "mark", "bad"])
    step = dice.choice((1, 1, 1, 1, 1, 1, 1, 0, 2))
    if name == "bad":
        return dice.choice(
            [b"", b"{", b"[]", packed({**frames.quote(9), "B": "0.0001"}), packed({**frames.quote(1), "s": "ADAUSDT"})]
        )
    if name == "mark":
        return packed(frames.mark())
    at[name] = at.get(name, 4) + step
    last = at[name]
    message = {
        "depth": lambda: frames.depth(last, last, last - 1, None, [["76915.00", f"{last}.000"]] * (last % 3)),
        "spot": lambda: {**frames.spot_depth(last, last), "s": "ETHUSDT"},
        "quote": lambda: frames.quote(last),
        "trade": lambda: frames.trade(last),
        "aggregate": lambda: {**frames.aggregate(last), "s": dice.choice(["BTCUSDT", "ETHUSDT"])},
    }[name]()
    return packed(message) if dice.random() < 0.5 else frames.wrapped(message)


@pytest.mark.parametrize("seed", range(4))
def test_hear_frame_is_its_twin_on_random_streams(seed: int) -> None:
    """Result, rows and state of every frame of a stream with gaps, repeats and bad frames are those of the twin."""
    dice, both, at = random.Random(seed), Compiled(), {}
    both.chain(0, 4)
    both.chain(1, 4)
    results = set()
    for _ in range(400):
        payload = random_payload(dice, at)
        result, rows = naive.hear_frame(payload, 17, 3, INSTRUMENTS, both.twin)
        assert both.frame(payload) == result
        if result > 0:
            assert both.heard(result) == rows
        assert both.same_state()
        results.add(min(result, 1))
    assert results == {HAND_OVER, IRREGULAR, 1}


def random_records(dice: random.Random, count: int) -> list[tuple[int, int, bytes, int]]:
    at: dict[str, int] = {}
    kinds = [RecordKind.FRAME] * 12 + [RecordKind.TICK, RecordKind.NOTE, RecordKind.OPENED, RecordKind.CLOSED]
    return [
        (
            kind,
            0,
            random_payload(dice, at) if kind == RecordKind.FRAME else b"" if kind == RecordKind.TICK else b"{}",
            100 + i,
        )
        for i, kind in enumerate(dice.choices(kinds, k=count))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_hear_records_is_its_twin_up_to_the_record_for_python(seed: int) -> None:
    """Chunk after chunk, both stop at the same record with the same rows, and go on behind it with the same state."""
    dice, both = random.Random(seed), Compiled()
    both.chain(0, 4)
    both.chain(1, 4)
    chunk = frames.records(random_records(dice, 400))
    start = stops = 0
    while start < len(chunk):
        rest = chunk[start:]
        both.cursor[:] = 0
        result = both.records(rest)
        rows, offset = naive.hear_records(rest, INSTRUMENTS, both.twin)
        assert both.cursor[:CURSOR_BITS].tolist() == [offset, len(rows)]
        assert both.heard(len(rows)) == rows
        assert result == (PYTHON if offset < len(rest) else END) and both.same_state()
        start += offset
        if start < len(chunk):
            stops += 1
            start += RECORD_HEADER_BYTES + RECORD_HEADER.unpack_from(chunk, start)[0]
    assert stops > 20


def test_a_record_for_python_leaves_no_trace() -> None:
    """Neither a frame to hand over, nor an irregular one, nor a REST answer is kept or counted by the chunk loop."""
    for kind, payload in (
        (RecordKind.FRAME, b"{}"), (RecordKind.FRAME, packed(frames.depth(5, 9, 4))), (RecordKind.DEPTH_ANSWER, b"{}"),
        (RecordKind.TRADES_ANSWER, b"[]"), (RecordKind.KLINES_ANSWER, b"[]"), (99, b""),
    ):  # fmt: skip
        both = Compiled()
        before = both.context.tobytes()
        assert both.records(frames.records([(kind, 0, payload, 5)])) == PYTHON
        assert both.context.tobytes() == before and not both.cursor.any()


def test_ticks_become_rows_and_notes_are_passed_over() -> None:
    """A tick is one undated row at its receive time; openings, closings and notes are counted as skipped."""
    both = Compiled()
    kinds = (RecordKind.OPENED, RecordKind.TICK, RecordKind.CLOSED, RecordKind.NOTE)
    chunk = frames.records([(kind, 0, b"{}", 40 + kind) for kind in kinds])
    assert both.records(chunk) == END
    assert both.cursor[:CURSOR_BITS].tolist() == [len(chunk), 1]
    assert (both.rows["occurred_ns"][0], both.rows["received_ns"][0]) == (UNKNOWN_NS, 40 + RecordKind.TICK)
    assert both.context[[continuity.TICKS, continuity.SKIPPED, continuity.KIND_ROWS + 8]].tolist() == [1, 3, 1]


def test_a_full_block_stops_before_the_frame() -> None:
    """A frame is begun only when the largest one would fit behind it; the next call goes on at the cursor."""
    both = Compiled(capacity=SPARE_ROWS + 2)
    chunk = frames.records([(RecordKind.FRAME, 0, packed(frames.quote(number)), 5) for number in range(1, 9)])
    heard = 0
    for result in (FULL, FULL, FULL, END):
        both.cursor[CURSOR_ROWS] = 0
        assert both.records(chunk) == result
        heard += int(both.cursor[CURSOR_ROWS])
    assert heard == 16 and both.cursor[CURSOR_OFFSET] == len(chunk)


def test_a_chunk_cut_anywhere_is_damaged_there() -> None:
    """Half a header or half a payload stops the loop at the record, with everything before it kept."""
    chunk = frames.records([(RecordKind.FRAME, 0, packed(frames.quote(number)), 5) for number in (1, 2)])
    second = RECORD_HEADER_BYTES + len(packed(frames.quote(1)))
    for cut in range(1, len(chunk)):
        both = Compiled()
        whole = cut >= second
        assert both.records(chunk[:cut]) == (END if cut == second else DAMAGED)
        assert both.cursor[:CURSOR_BITS].tolist() == [second if whole else 0, 2 if whole else 0]
    assert Compiled().records(b"") == END


def test_a_record_with_an_absurd_length_is_damaged() -> None:
    """A length of four gigabytes is no reason to read beyond the chunk."""
    both = Compiled()
    header: Any = RECORD_HEADER.pack(2**32 - 1, RecordKind.FRAME, 0, 0, 5, 1, 0)
    assert both.records(header + packed(frames.quote(1))) == DAMAGED


class Passage:
    """An engine behind the compiled loop, and the same engine behind the twin's."""

    def __init__(self, both: Compiled) -> None:
        self.compiled, self.twin = Memory(len(INSTRUMENTS)), Memory(len(INSTRUMENTS))
        both.context[continuity.ENGINE] = address_of(self.compiled.engine)
        both.passage = self  # addresses keep nothing alive

    def through(self, rows: list[list[int]]) -> int:
        """The twin's rows into the twin's engine; its wake bits."""
        array = empty_rows(len(rows))
        for place, (kind, flags, side, *words) in enumerate(rows):
            array[place] = (kind, flags, side, 0, *words)
        return self.twin.advance(array)[1]


@pytest.mark.parametrize("seed", range(4))
def test_hear_through_is_its_twin_on_random_streams(seed: int) -> None:
    """From bytes to wake bits in one call: the number, the bits, and both states are the twin's."""
    dice, both, at = random.Random(seed), Compiled(), {}
    passage = Passage(both)
    both.chain(0, 4)
    both.chain(1, 4)
    results = set()
    for number in range(400):
        payload = random_payload(dice, at)
        received_ns = 100 + number
        found = hear_through(id(payload), received_ns, number, address_of(both.context))
        assert found == naive.hear_through(payload, received_ns, number, INSTRUMENTS, both.twin, passage.through)
        assert both.same_state() and passage.compiled.state_bytes() == passage.twin.state_bytes()
        results.add(found if found < 0 else 1 + bool(found & 0xFF))
    assert results == {HAND_OVER, IRREGULAR, 1, 2}


@pytest.mark.parametrize("seed", range(4))
def test_run_records_is_its_twin_record_by_record(seed: int) -> None:
    """With an engine behind it the loop stops where the twin does, with the same rows, bits and engine state."""
    dice, both = random.Random(seed), Compiled()
    passage = Passage(both)
    both.chain(0, 4)
    both.chain(1, 4)
    chunk = frames.records(random_records(dice, 400))
    start, results = 0, set()
    while start < len(chunk):
        rest = chunk[start:]
        both.cursor[:] = 0
        result = both.run(rest)
        expected, offset, rows, bits = naive.run_records(rest, FAR_NS, INSTRUMENTS, both.twin, passage.through)
        assert (result, both.cursor[CURSOR_OFFSET]) == (expected, offset) and both.same_state()
        if result == WOKE:
            assert both.cursor[CURSOR_ROWS:].tolist() == [len(rows), bits] and both.heard(len(rows)) == rows
        assert passage.compiled.state_bytes() == passage.twin.state_bytes()
        results.add(result)
        start += offset
        if result == PYTHON:
            start += RECORD_HEADER_BYTES + RECORD_HEADER.unpack_from(chunk, start)[0]
    assert results >= {WOKE, PYTHON}


def test_run_records_stops_before_the_time_it_is_given() -> None:
    """The first record received at ``until_ns`` or later stays where it is, and so does everything behind it."""
    both = Compiled()
    passage = Passage(both)
    chunk = frames.records([(RecordKind.TICK, 0, b"", 100 + number) for number in range(5)])
    for until_ns in (100, 102, 104):
        both.cursor[:] = 0
        state = both.twin
        expected = naive.run_records(chunk, until_ns, INSTRUMENTS, state, lambda rows: 0)
        result = both.run(chunk, until_ns)
        while result == WOKE:
            result = both.run(chunk, until_ns)
        assert (result, both.cursor[CURSOR_OFFSET]) == expected[:2] == (PAST, (until_ns - 100) * RECORD_HEADER_BYTES)
    assert passage.compiled.engine["now_ns"][0] == 103


def test_run_records_refuses_a_cut_chunk_at_its_place() -> None:
    """Half a header or half a payload is damage, wherever the cut lies, for both loops."""
    chunk = frames.records([(RecordKind.FRAME, 0, packed(frames.quote(number)), 5) for number in (1, 2)])
    for cut in (1, RECORD_HEADER_BYTES - 1, RECORD_HEADER_BYTES + 5, len(chunk) // 2 + 3, len(chunk) - 1):
        both = Compiled()
        Passage(both)
        result = both.run(chunk[:cut])
        while result == WOKE:
            result = both.run(chunk[:cut])
        expected = naive.run_records(chunk[:cut], FAR_NS, INSTRUMENTS, {}, lambda rows: 0)
        assert (result, both.cursor[CURSOR_OFFSET]) == expected[:2] and result == DAMAGED
