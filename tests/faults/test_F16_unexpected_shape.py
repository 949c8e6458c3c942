"""F16: a frame does not look as it should. One is skipped and counted; the third in a row means a new beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data_collector.streaks import IN_A_ROW
from models.control import Decision
from models.recording import RecordKind
from models.rows import BID
from tests.core.desk import MID
from tests.data_collector import frames
from tests.fakes.bot import Bot

Change = Callable[[dict[str, Any]], dict[str, Any]]
BAD: dict[str, Change] = {
    "string where number was": lambda diff: {**diff, "u": str(diff["u"])},
    "number where string was": lambda diff: {**diff, "b": [[76999.9, 1.0]]},
    "empty string": lambda diff: {**diff, "b": [["", "1.000"]]},
    "NaN": lambda diff: {**diff, "a": [["NaN", "1.000"]]},
    "negative": lambda diff: {**diff, "a": [["77000.10", "-1.000"]]},
    "exponent": lambda diff: {**diff, "a": [["7.7e4", "1.000"]]},
    "object where list was": lambda diff: {**diff, "b": {"76999.90": "1.000"}},
    "missing field": lambda diff: {key: value for key, value in diff.items() if key != "U"},
    "a level of three": lambda diff: {**diff, "b": [["76999.90", "1.000", "0"]]},
    "off the tick": lambda diff: {**diff, "b": [["76999.95", "1.000"]]},
    "time as text": lambda diff: {**diff, "T": "1789478303660"},
    "ids that fall": lambda diff: {**diff, "U": diff["u"] + 1},
}


def accepted_as_before(bot: Bot) -> bool:
    """Whether the next right diff is applied."""
    lots = 1 + bot.last % 97
    bot.frame(bot.depth(bids=[(MID - 2, lots)]))
    return bot.levels().get((BID, MID - 2)) == lots and bot.decision is Decision.ALLOWED


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_bad_frame_is_counted_and_skipped(change: Change) -> None:
    """An odd frame beside the stream is quarantined with its bytes; the book stays, and the next right one counts."""
    bot = Bot().started()
    last = bot.last
    odd = change(bot.depth())
    bot.last = last  # the venue's own chain goes on without it
    bot.frame(odd).frame(odd)
    assert bot.hearing.counts.quarantined == 2 and bot.wanted == {}
    one = bot.hearing.quarantine.last[-1]
    assert one.detail and one.payload.startswith(b'{"e":"depthUpdate"') and one.stream == "depthUpdate"
    assert accepted_as_before(bot)


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_three_bad_frames_of_the_book_mean_a_resync(change: Change) -> None:
    """The third odd diff in a row invalidates the book, blocks entries and wishes a snapshot, which mends all."""
    bot = Bot().started()
    for _ in range(IN_A_ROW):
        assert bot.decision is Decision.ALLOWED and bot.wanted == {}
        bot.frame(change(bot.depth()))
    assert (bot.decision, bot.reason, bot.wanted) == (Decision.HALTED, "DATA_GAP", {0: "BAD_FRAMES"})
    assert (bot.entry() or "").startswith("DATA_GAP") and bot.hearing.counts.renewed == 1
    bot.frame(bot.depth()).snapshot()
    assert bot.hearing.synced(0) and bot.wanted == {}
    for _ in range(12):
        bot.wait(100).frame(bot.depth())
    assert bot.decision is Decision.ALLOWED and bot.entry() is None


def test_bad_frames_between_good_ones_are_no_three_in_a_row() -> None:
    """However many odd frames come, as long as the chain goes on between them the book stays."""
    bot = Bot().started()
    for _ in range(50):
        last = bot.last
        odd = {**bot.depth(), "b": None}
        bot.last = last
        bot.frame(odd).frame(odd)
        assert accepted_as_before(bot)
    assert (bot.hearing.counts.quarantined, bot.hearing.counts.renewed) == (100, 0)


def test_a_stream_that_stays_bad_stays_blocked() -> None:
    """When the venue has changed for good, snapshots included, nothing is entered and the wish stays."""
    bot = Bot().started()
    for _ in range(30):
        for _ in range(IN_A_ROW):
            bot.frame({**bot.depth(), "b": None})
        assert bot.decision is Decision.HALTED and bot.wanted
        bot.wanted.clear()  # somebody asks the venue
        bot.ear.take(RecordKind.DEPTH_ANSWER, 0, b'{"lastUpdateId":"5"}', bot.now_ns)
        assert bot.wanted == {0: "SNAPSHOT_BAD"}
    assert bot.hearing.counts.reasons == {"WRONG_TYPE": 120} and bot.hearing.counts.renewed == 1


@pytest.mark.parametrize("shape", [frames.quote(10), frames.mark(), frames.trade(10)], ids=lambda shape: shape["e"])
def test_other_streams_never_cost_the_book(shape: dict[str, Any]) -> None:
    """A hundred odd quotes, marks or trades are counted one by one, and the book stands."""
    bot = Bot().started()
    for _ in range(100):
        bot.frame({**shape, "p": None, "b": None})
    assert bot.hearing.counts.streams == {shape["e"]: 100}
    assert accepted_as_before(bot) and bot.hearing.counts.renewed == 0


def test_a_bad_trade_is_asked_for_again() -> None:
    """An aggregate trade that cannot be read is missing, and missing trades are filled in from the REST service."""
    bot = Bot().started()
    bot.frame(frames.aggregate(10)).frame({**frames.aggregate(11), "p": ""}).frame(frames.aggregate(12))
    assert bot.hearing.trades_wanted == {0: (11, 11)}


@pytest.mark.parametrize("value", [0, "x", None, True], ids=str)
def test_new_fields_are_ignored(value: Any) -> None:
    """A field nobody knows is no fault, on any stream."""
    bot = Bot().started()
    for shape in (frames.quote(10), frames.trade(10), frames.aggregate(10), frames.mark()):
        bot.frame({**shape, "new": value})
    bot.frame({**bot.depth(bids=[(MID - 2, 3)]), "new": value})
    assert bot.hearing.counts.quarantined == 0 and bot.levels()[BID, MID - 2] == 3


def test_new_fields_with_inner_structure_are_ignored() -> None:
    """Also a field that holds an object or a list is read over, by the general decoder."""
    bot = Bot().started()
    bot.frame({**bot.depth(bids=[(MID - 2, 3)]), "new": {"b": [["1", "2"]], "u": [5]}})
    assert bot.hearing.counts.quarantined == 0 and bot.levels()[BID, MID - 2] == 3


def test_unknown_events_are_counted_by_name() -> None:
    """An event type of tomorrow is accepted, has no rows, and stands in the counters under its name."""
    bot = Bot().started()
    for _ in range(3):
        bot.frame({"e": "liquidityUpdate", "E": 1, "s": "BTCUSDT", "x": []})
    assert bot.hearing.counts.events["other:liquidityUpdate"] == 3 and bot.hearing.counts.quarantined == 0
    assert accepted_as_before(bot)
