"""Records in, checked rows out: nothing gets lost, whatever comes, one by one or in bulk."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from data_collector import continuity
from data_collector.hearing import BLOCK_ROWS, EVENTS_MAX, Hearing, blocks_of, instruments_from, rows_of
from data_collector.layout import FRAME_ROWS_MAX
from data_collector.quarantine import BYTES_KEPT, NAMES_MAX, Quarantined, Reason
from data_collector.streaks import OLD_NS
from models.error import DataError
from models.recording import RecordKind
from models.rows import ROW, Flag, Kind
from tests.data_collector import frames
from tests.data_collector.frames import INSTRUMENTS, packed, records
from tests.data_collector.streams import START_NS, Item, in_bulk, one_by_one, stream

SEEDS = range(6)
FRAME = RecordKind.FRAME


def new(told: list[Quarantined] | None = None) -> Hearing:
    return Hearing(INSTRUMENTS, on_quarantine=told.append if told is not None else None)


def hear(hearing: Hearing, *messages: Any, at_ns: int = START_NS, kind: int = FRAME, index: int = 0) -> list[int]:
    """Rows of each message."""
    return [hearing.hear(kind, index, packed(message), at_ns, number) for number, message in enumerate(messages, 1)]


def chained(hearing: Hearing, last: int = 9) -> Hearing:
    """With a book at update id ``last``."""
    hear(hearing, frames.snapshot(last - 1), kind=RecordKind.DEPTH_ANSWER)
    hear(hearing, frames.depth(last, last, last - 1))
    return hearing


def check_balance(hearing: Hearing) -> None:
    """Every record is in one account."""
    counts, quarantine = hearing.counts, hearing.quarantine
    assert counts.frames + counts.answers == counts.accepted + counts.quarantined
    assert counts.quarantined == sum(quarantine.reasons.values()) == sum(quarantine.streams.values())
    assert counts.fast <= counts.frames


# ---- in = accepted + quarantined ------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [0.0, 0.15, 0.9])
@pytest.mark.parametrize("seed", SEEDS)
def test_in_is_accepted_plus_quarantined(seed: int, damage: float) -> None:
    """For any stream of right, damaged, repeated, swapped and dropped messages the accounts balance after each one."""
    refused: list[Quarantined] = []
    hearing, rows = new(refused), 0
    items = stream(seed, 600, damage=damage)
    for number, (kind, connection, payload, received_ns) in enumerate(items, 1):
        before = len(refused)
        rows += hearing.hear(kind, connection, payload, received_ns, number)
        check_balance(hearing)
        assert len(refused) - before <= 1
        if len(refused) > before:
            one = refused[-1]
            assert (one.number, one.received_ns, one.payload, one.length) == (
                number,
                received_ns,
                payload,
                len(payload),
            )
            assert isinstance(one.reason, Reason) and one.detail
    counts = hearing.counts
    kinds = Counter(item[0] for item in items)
    answers = sum(kinds[kind] for kind in (RecordKind.DEPTH_ANSWER, RecordKind.TRADES_ANSWER))
    assert (counts.frames, counts.answers) == (kinds[FRAME], answers)
    assert counts.quarantined == len(refused) and sum(counts.rows.values()) == rows
    assert counts.rows["tick"] == kinds[RecordKind.TICK]
    assert damage or not counts.quarantined - counts.reasons.get("OFF_MARKET", 0)


def test_a_refused_frame_keeps_reason_and_bytes() -> None:
    """The quarantine holds what came, cut to its bound, beside why, where and when it came."""
    refused: list[Quarantined] = []
    hearing = new(refused)
    payload = packed({**frames.quote(3), "b": "NaN", "z": "x" * 5000})
    hearing.hear(FRAME, 4, payload, 55, 8)
    one = refused[0]
    assert (one.reason, one.stream, one.connection) == (Reason.BAD_NUMBER, "bookTicker", 4)
    assert (one.received_ns, one.number, one.length) == (55, 8, len(payload))
    assert one.payload == payload[:BYTES_KEPT] and "NaN" in one.detail


# ---- in bulk as one by one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_hear_chunk_tells_the_same_as_hear(seed: int) -> None:
    """Rows, lost books between them, wishes and every counter of a chunk are those of its records one by one."""
    items = stream(seed, 1200, damage=0.3)
    single, bulk = new(), new()
    assert in_bulk(bulk, records(items)) == one_by_one(single, items)
    assert bulk.counts == single.counts
    assert (bulk.snapshot_wanted, bulk.trades_wanted) == (single.snapshot_wanted, single.trades_wanted)
    assert [one.number for one in bulk.quarantine.last] == [one.number for one in single.quarantine.last]
    counts = single.counts
    assert counts.gaps and counts.snapshots > 1 and counts.snapshots_old and counts.stale and counts.trade_gaps


def test_where_a_recording_is_cut_changes_nothing() -> None:
    """The same records in many small chunks tell the same as in one."""
    items = stream(11, 800, damage=0.3)
    dice, whole, pieces, told, at = random.Random(3), new(), new(), [], 0
    while at < len(items):
        step = dice.randrange(1, 60)
        part = b"".join(records([item])[:16] + (at + place + 1).to_bytes(8, "little") + records([item])[24:]
                        for place, item in enumerate(items[at : at + step]))  # fmt: skip
        told += in_bulk(pieces, part)
        at += step
    assert told == in_bulk(whole, records(items))
    assert pieces.counts == whole.counts


def test_a_chunk_larger_than_a_block_comes_in_several() -> None:
    """More rows than a block holds come in blocks, a frame never split, a REST answer among them included."""
    levels = frames.wide(8000)
    items: list[Item] = [(RecordKind.DEPTH_ANSWER, 0, packed(frames.snapshot(0)), START_NS)]
    for number in range(1, 21):
        items.append((FRAME, 0, packed(frames.depth(number, number, number - 1, levels["b"], levels["a"])), START_NS))
    snapshot = frames.snapshot(20, levels["b"], levels["a"])
    items.append((RecordKind.DEPTH_ANSWER, 0, packed(snapshot), START_NS))
    single, bulk = new(), new()
    sizes = [len(block) for block in bulk.hear_chunk(records(items))]
    assert len(sizes) > 1 and max(sizes) <= BLOCK_ROWS and sum(sizes) == 2 + 21 * 16_000
    expected = np.concatenate(
        [single.rows[: single.hear(*item, number)].copy() for number, item in enumerate(items, 1)]
    )
    found = np.concatenate([block.copy() for block in new().hear_chunk(records(items))])
    assert np.array_equal(found, expected)


def test_a_broken_chunk_is_refused_where_it_breaks() -> None:
    """What stands before the cut is heard, then an error names the byte."""
    chunk = records([(FRAME, 0, packed(frames.quote(number)), 5) for number in (1, 2)])
    hearing, blocks = new(), []
    with pytest.raises(DataError, match=f"byte {len(chunk) // 2} of a chunk of {len(chunk) - 1}"):
        blocks += hearing.hear_chunk(chunk[:-1])
    assert hearing.counts.accepted == 1


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_bytes_like_payload_is_heard(kind: Any) -> None:
    """Rows do not depend on how the bytes are held."""
    hearing = new()
    assert hearing.hear(FRAME, 0, kind(packed(frames.quote(3))), 5, 1) == 2
    assert hearing.hear(FRAME, 0, kind(b"{"), 5, 2) == 0 and hearing.quarantine.last[0].payload == b"{"


def test_without_direct_memory_a_copy_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python's bytes cannot be read in place, frames go through a copy, with the same rows and counters."""
    items = stream(5, 500, damage=0.3)
    items.append((FRAME, 0, b" " * (2 << 20), START_NS))
    direct = new()
    expected = one_by_one(direct, items)
    monkeypatch.setattr(continuity, "DIRECT", False)
    copied = new()
    assert one_by_one(copied, items) == expected and copied.counts == direct.counts


# ---- trades ---------------------------------------------------------------------------------------------------------


def test_missing_aggregates_are_wanted_and_fill_their_gap_once() -> None:
    """A jump of the id names the missing ones; their answer brings those alone, marked as filled in, and once."""
    hearing = new()
    assert hear(hearing, frames.aggregate(10), frames.aggregate(14)) == [1, 1]
    assert hearing.trades_wanted == {0: (11, 13)}
    assert (hearing.counts.trade_gaps, hearing.counts.trades_missing) == (1, 3)
    body = [frames.aggregate(number) for number in range(9, 16)]
    assert hear(hearing, body, body, kind=RecordKind.TRADES_ANSWER) == [5, 0]
    assert hear(hearing, frames.aggregate(16)) == [1]
    filled = [frames.aggregate(number) for number in (17, 12)]
    assert hear(hearing, filled, kind=RecordKind.TRADES_ANSWER) == [1]
    assert hearing.rows["flags"][0] & Flag.FILLED and hearing.rows["sequence"][0] == 17


def test_single_trades_cannot_be_asked_for() -> None:
    """A gap of the undocumented trade stream is counted, and nothing is wanted."""
    hearing = new()
    hear(hearing, frames.trade(10), frames.trade(13))
    assert (hearing.counts.trades_missing, hearing.trades_wanted) == (2, {})


@pytest.mark.parametrize("change", [{"X": "INSURANCE_FUND"}, {"q": "0.000"}, {"p": "0", "q": "0"}], ids=str)
def test_a_print_that_is_no_trade_leaves_no_gap(change: dict[str, str]) -> None:
    """An off-market or empty print is quarantined; its id counts, so that the next trade is the next one."""
    hearing = new()
    assert hear(hearing, frames.trade(10), {**frames.trade(11), **change}, frames.trade(12)) == [1, 0, 1]
    assert (hearing.counts.trade_gaps, hearing.counts.quarantined) == (0, 1)


def test_a_damaged_trade_is_a_missing_trade() -> None:
    """A trade refused for its shape is asked for afterwards: quarantined is not traded."""
    hearing = new()
    hear(hearing, frames.aggregate(10), {**frames.aggregate(11), "p": "NaN"}, frames.aggregate(12))
    assert hearing.trades_wanted == {0: (11, 11)}
    assert hear(hearing, [frames.aggregate(11)], kind=RecordKind.TRADES_ANSWER) == [1]


def test_primed_trades_and_the_stream_meet_without_doubles() -> None:
    """What was asked for before the stream began is its beginning; live trades continue it or name the hole."""
    hearing = new()
    body = [frames.aggregate(number) for number in range(5, 10)]
    assert hear(hearing, body, kind=RecordKind.TRADES_ANSWER) == [5]
    assert hear(hearing, frames.aggregate(9), frames.aggregate(10), frames.aggregate(13)) == [0, 1, 1]
    assert hearing.trades_wanted == {0: (11, 12)} and hearing.counts.reasons == {"DUPLICATE": 1}


# ---- books ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_brings_the_waiting_diffs_with_it() -> None:
    """Snapshot rows and those of the buffered diffs come at once, all with the answer's time and number."""
    hearing = new()
    assert hear(hearing, frames.depth(5, 9, 4), frames.depth(10, 12, 9), frames.depth(13, 15, 12)) == [0, 0, 0]
    assert hearing.snapshot_wanted == {0: "START"}
    count = hearing.hear(RecordKind.DEPTH_ANSWER, 0, packed(frames.snapshot(10)), 777, 42)
    rows = hearing.rows[:count]
    assert rows["kind"].tolist() == [Kind.SNAPSHOT] * 2 + [Kind.DEPTH] * 2
    assert rows["sequence"].tolist() == [10, 10, 12, 15]
    assert set(rows["received_ns"].tolist()) == {777} and set(rows["frame"].tolist()) == {42}
    assert hearing.synced(0) and hearing.snapshot_wanted == {}


def test_instruments_have_chains_of_their_own() -> None:
    """A gap of one book leaves the other standing."""
    hearing = chained(new())
    hear(hearing, frames.snapshot(9), kind=RecordKind.DEPTH_ANSWER, index=1)
    hear(hearing, {**frames.depth(10, 11, 9), "s": "ETHUSDT"}, frames.depth(20, 21, 19))
    assert (hearing.synced(0), hearing.synced(1)) == (False, True)
    assert [(lost.instrument, lost.reason) for lost in hearing.take_invalidated()] == [(0, "GAP")]
    assert hearing.take_invalidated() == []


def test_a_bad_snapshot_is_wanted_again() -> None:
    """A body that cannot be used is quarantined and asked for once more; one for nobody asks nothing."""
    hearing = new()
    hear(hearing, {"bids": [], "asks": []}, kind=RecordKind.DEPTH_ANSWER)
    assert hearing.snapshot_wanted == {0: "SNAPSHOT_BAD"}
    hear(hearing, frames.snapshot(5), kind=RecordKind.DEPTH_ANSWER, index=7)
    assert set(hearing.snapshot_wanted) == {0} and hearing.counts.quarantined == 2


def test_a_listener_who_never_looks_costs_no_memory() -> None:
    """Of lost books nobody takes, the newest are kept."""
    hearing = new()
    for number in range(3 * EVENTS_MAX):
        hearing.invalidate(0, "TEST", number)
    assert len(hearing.invalidated) == EVENTS_MAX and hearing.invalidated[-1].at_ns == 3 * EVENTS_MAX - 1


# ---- refusals in a row ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["depth", "quote", "trade", "aggregate"])
def test_one_absurd_id_does_not_end_a_stream(event: str) -> None:
    """After an id from far ahead, or a venue that counts anew, the stream goes on once the old ids last two seconds."""
    hearing = chained(new())

    def message(number: int) -> dict[str, Any]:
        makes = {"quote": frames.quote, "trade": frames.trade, "aggregate": frames.aggregate}
        return makes[event](number) if event in makes else frames.depth(number, number, number - 1)

    hear(hearing, message(10))
    hear(hearing, {**message(10**17), "pu": 10} if event == "depth" else message(10**17))
    accepted = [hear(hearing, message(11 + step), at_ns=START_NS + step * OLD_NS // 8)[0] > 0 for step in range(12)]
    assert hearing.counts.renewed == 1
    if event == "depth":
        assert not any(accepted) and not hearing.synced(0) and hearing.snapshot_wanted == {0: "BAD_FRAMES"}
        assert hear(hearing, frames.snapshot(21), kind=RecordKind.DEPTH_ANSWER)[0] > 2 and hearing.synced(0)
    else:
        assert accepted == [False] * 9 + [True] * 3
    check_balance(hearing)


def test_a_burst_heard_twice_renews_nothing() -> None:
    """Old ids between new ones, for however long, are duplicates and no new beginning (fault F15)."""
    hearing = chained(new())
    for number in range(10, 60):
        at_ns = START_NS + number * OLD_NS
        assert hear(hearing, frames.depth(number, number, number - 1), frames.quote(number), at_ns=at_ns) == [1, 2]
        for old in range(max(10, number - 5), number + 1):
            assert hear(hearing, frames.depth(old, old, old - 1), frames.quote(old), at_ns=at_ns + old) == [0, 0]
    assert (hearing.counts.renewed, hearing.counts.gaps, hearing.synced(0)) == (0, 0, True)


# ---- other records --------------------------------------------------------------------------------------------------


def test_control_answers_go_to_their_listener() -> None:
    """An answer reaches the callback with its connection, has no rows and counts as accepted."""
    heard: list[tuple[int, dict[str, Any]]] = []
    hearing = Hearing(INSTRUMENTS, on_control=lambda connection, answer: heard.append((connection, answer)))
    assert hear(hearing, {"result": None, "id": 3}, index=1) == [0]
    assert heard == [(1, {"result": None, "id": 3})] and hearing.counts.events == {"control": 1}


def test_notes_and_unknown_kinds_are_passed_over() -> None:
    """Openings, closings, notes and kinds of a later version are no frames and no faults."""
    hearing = new()
    for kind in (RecordKind.OPENED, RecordKind.CLOSED, RecordKind.NOTE, 99, 0):
        assert hearing.hear(kind, 0, b"anything", 5, 1) == 0
    assert (hearing.counts.frames, hearing.counts.answers, hearing.counts.quarantined) == (0, 0, 0)
    assert hearing.counts.fast_share == 1.0


def test_a_tick_is_a_row_of_silence() -> None:
    """A tick has a receive time and nothing else."""
    hearing = new()
    assert hearing.hear(RecordKind.TICK, 0, b"", 5, 9) == 1
    row = hearing.rows[0]
    assert (row["kind"], row["received_ns"], row["frame"], row["flags"]) == (Kind.TICK, 5, 9, Flag.FIRST | Flag.LAST)


def test_invented_event_names_do_not_grow_the_counters() -> None:
    """Of ten thousand unknown events a bounded number is counted by name, all of them in the sum (fault F16)."""
    hearing = new()
    for number in range(10_000):
        hearing.hear(FRAME, 0, packed({"e": f"x{number}", "E": 1}), 5, number)
    events = hearing.counts.events
    assert sum(events.values()) == 10_000 and len(events) <= NAMES_MAX + 1 and events["other"] > 9_000
    assert hear(hearing, []) == [0] and hearing.counts.accepted == 10_001


def test_frames_are_counted_by_event_and_by_pass() -> None:
    """Usual frames count as fast, others not; rows count by kind."""
    hearing = chained(new())
    hear(hearing, frames.quote(3), frames.trade(4), [frames.mark()], frames.aggregate(5), frames.mark())
    counts = hearing.counts
    assert counts.events == {
        "aggTrade": 1, "bookTicker": 1, "depthUpdate": 1, "markPriceUpdate": 2, "snapshot": 1, "trade": 1,
    }  # fmt: skip
    assert (counts.frames, counts.fast, counts.answers) == (6, 5, 1) and counts.fast_share == 5 / 6
    assert {name: count for name, count in counts.rows.items() if count} == {
        "depth": 1, "snapshot": 2, "quote": 2, "trade": 2, "mark": 2,
    }  # fmt: skip


def test_the_largest_frame_fits() -> None:
    """A frame of as many levels as there may be is heard, and one more is refused."""
    hearing = chained(new())
    level = ["76914.90", "1.000"]
    assert hear(hearing, frames.depth(10, 10, 9, [level] * FRAME_ROWS_MAX, [])) == [FRAME_ROWS_MAX]
    assert hear(hearing, frames.depth(11, 11, 10, [level] * FRAME_ROWS_MAX, [level])) == [0]
    assert hearing.counts.reasons == {"TOO_LARGE": 1}


# ---- recordings -----------------------------------------------------------------------------------------------------


class Kept:
    """A recording in memory."""

    def __init__(self, chunks: list[bytes], meta: dict[str, Any]) -> None:
        self.meta = meta
        self._chunks = chunks

    def chunks(self) -> list[bytes]:
        return self._chunks


META = {"instruments": msgspec.to_builtins(INSTRUMENTS)}


def test_a_recordings_rows_are_those_of_its_chunks(tmp_path: Path) -> None:
    """``rows_of`` gives one array of every block, with instruments from the recording's own facts."""
    items = stream(2, 300, damage=0.1)
    kept = Kept([records(items[:150]), records(items[150:])], META)
    hearing = new()
    expected = np.concatenate([block.copy() for block in blocks_of(kept, hearing)])
    found = rows_of(kept)
    assert found.dtype == ROW and np.array_equal(found, expected) and len(found) > 200
    assert len(rows_of(Kept([], META))) == 0 and instruments_from(META) == INSTRUMENTS


@pytest.mark.parametrize("meta", [{}, {"instruments": 5}, {"instruments": [{"symbol": "BTCUSDT"}]}], ids=str)
def test_a_recording_without_instruments_is_refused(meta: dict[str, Any]) -> None:
    """Texts cannot become ticks without sizes, so a recording that names none is refused."""
    with pytest.raises(DataError, match="lack usable instruments"):
        instruments_from(meta)
