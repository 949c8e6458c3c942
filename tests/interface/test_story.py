"""The story of a run in the log: what happened to orders, trades and states; nothing for each tick."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wiring
from config.load import load
from interface import log
from interface.commands import outcome
from interface.drivers import virtual
from interface.story import EVENTS, Story
from models.action import Note

SIGNAL = {"symbol": "BTCUSDT", "side": "BUY", "accepted": False, "reject_reason": "COOLDOWN"}
ORDER = {"client_id": "sc1", "venue_id": None, "symbol": "BTCUSDT", "side": "BUY", "qty": "0.008", "status": "FILLED"}


class Book:
    """A started log whose lines can be read once it is closed."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.kept = log.start(form="json", stream=self._stream)

    def lines(self) -> list[dict[str, Any]]:
        self.kept.close()
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def book() -> Iterator[Book]:
    made = Book()
    yield made
    made.kept.close()


def test_an_order_is_told_by_its_state(book: Book) -> None:
    """The event's name is the order's state, its keys are the record's, and what is unknown is left out."""
    Story().note(Note(1, "orders", dict(ORDER)))
    (line,) = book.lines()
    assert (line["event"], line["logger"], line["level"]) == ("order.filled", "engine", "info")
    assert {name: line[name] for name in ORDER if name in line} == {
        name: value for name, value in ORDER.items() if value is not None
    } | {"status": "FILLED"}
    assert "venue_id" not in line


def test_a_refused_signal_is_told_with_its_reason(book: Book) -> None:
    """«Why no trade» has an answer in the log; a signal that became an order is told by that order."""
    story = Story()
    story.note(Note(1, "signals", dict(SIGNAL)))
    story.note(Note(2, "signals", SIGNAL | {"accepted": True, "reject_reason": None}))
    (line,) = book.lines()
    assert (line["event"], line["reason"]) == ("signal.refused", "COOLDOWN")


def test_what_is_no_part_of_the_story_is_not_told(book: Book) -> None:
    """Decisions and quarantined frames come by the thousand and have files of their own."""
    story = Story()
    for file in ("decisions", "quarantine"):
        story.note(Note(1, file, {"symbol": "BTCUSDT"}))
    assert book.lines() == []


def test_a_run_tells_its_trade_from_order_to_close(book: Book, tmp_path: Path) -> None:
    """The story of a real run holds order, fill and closed trade with the keys the records have."""
    settings = load(overrides=[f"app.data_dir={tmp_path}"], environment={}, folder=tmp_path).settings
    parts, source = wiring.paper_virtual(settings, seed=7, started_ns=1, observer=Story().note)
    ended_ns = virtual.drive(parts, source, 8 * 10**9)
    outcome.finish(parts, started_ns=wiring.VIRTUAL_START_NS, ended_ns=ended_ns, config="")
    events = {line["event"]: line for line in book.lines()}
    assert {"order.submitted", "order.filled", "fill", "trade.closed", "state.changed"} <= events.keys()
    for file, event in (("fills", "fill"), ("trades", "trade.closed"), ("state_transitions", "state.changed")):
        told = set(events[event]) - {"ts", "level", "event", "logger"}
        assert told <= set(EVENTS[file][1]) and len(told) >= 4
