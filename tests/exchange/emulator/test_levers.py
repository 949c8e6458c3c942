"""The levers as a list: documented, with sound defaults; and the small functions they are made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange.emulator import levers
from exchange.emulator.faults import Fault
from exchange.emulator.hands import Hands
from exchange.emulator.levers import (
    ACCOUNT,
    BUSY,
    CALL,
    LEVERS,
    SOCKET,
    STREAM,
    CallPlan,
    closing,
    edited,
    edited_frame,
)
from tests.exchange.emulator.shape import golden

ROW = re.compile(r"^(\w+) +(call|stream|socket|account)  +(.+?)  +((?:F\d\d ?)+)$")


def table() -> dict[str, tuple[str, str, list[str]]]:
    """The table of the module's docstring: lever → kind, text, faults; continued lines belong to the lever above."""
    rows: dict[str, tuple[str, str, list[str]]] = {}
    last = ""
    for line in (levers.__doc__ or "").splitlines():
        found = ROW.match(line)
        if found:
            last = found[1]
            rows[last] = (found[2], found[3], found[4].split())
        elif last and line.startswith("   "):
            kind, text, faults = rows[last]
            rest = re.sub(r"F\d\d", "", line).strip()
            rows[last] = kind, f"{text} {rest}".strip(), faults + re.findall(r"F\d\d", line)
    return rows


def test_every_lever_is_in_the_table() -> None:
    """The table lists exactly the levers there are, each under its kind and with the faults it serves."""
    rows = table()
    assert {name: row[0] for name, row in rows.items()} == {name: lever.kind for name, lever in LEVERS.items()}
    assert all(row[2] for row in rows.values())


def test_every_argument_is_in_the_table() -> None:
    """The arguments in brackets are the lever's; an address is left out, there is one."""
    for name, (_, text, _) in table().items():
        brackets = re.findall(r"\(([^)]+)\)", text)
        listed = set(re.split(r", ", brackets[-1])) if brackets else set()
        assert listed == LEVERS[name].args.keys() - {"address"}, name


def test_the_exchanges_faults_are_served() -> None:
    """Each fault of the catalogue that the exchange can cause has a lever; the others are the process's own."""
    process = {"F07", "F24", "F45", "F46", "F47", "F52", "F55", "F58", "F59"}  # SIGKILL, rules of the desk, own tests
    wanted = {f"F{number:02d}" for number in range(1, 60)} - process
    served = {fault for _, _, faults in table().values() for fault in faults}
    assert wanted <= served, sorted(wanted - served)


def test_every_kind_of_lever_is_carried_out() -> None:
    """Call levers have an act or a byte, account levers a hand; the names are the same on both sides."""
    acts = {name for name, lever in LEVERS.items() if lever.kind == CALL and lever.act is None}
    assert acts == {"cut_request"}
    stage: Any = None
    assert Hands(stage).levers == {name for name, lever in LEVERS.items() if lever.kind == ACCOUNT}
    assert {lever.kind for lever in LEVERS.values()} == {CALL, STREAM, SOCKET, ACCOUNT}


def test_levers_begin_with_a_plan_that_does_nothing() -> None:
    """Two plans share nothing."""
    one, other = CallPlan(), CallPlan()
    one.headers["a"] = "b"
    one.edits.append(lambda body: None)
    assert other == CallPlan() and not other.headers and other.placed


def test_the_busy_texts_are_the_golden_ones(wire: Path) -> None:
    """Each 503 of the golden file is one of ours, body by body."""
    bodies = [one["body"] for one in golden(wire, "errors-http-503")]
    assert sorted(map(orjson.dumps, bodies)) == sorted(map(orjson.dumps, BUSY.values()))


@pytest.mark.parametrize(
    ("params", "exempt"),
    [
        ({}, False),
        ({"side": "SELL"}, False),
        ({"reduceOnly": "true"}, True),
        ({"reduceOnly": "false"}, False),
        ({"closePosition": "true"}, True),
        ({"positionSide": "LONG", "side": "SELL"}, True),
        ({"positionSide": "SHORT", "side": "BUY"}, True),
        ({"positionSide": "LONG", "side": "BUY"}, False),
        ({"positionSide": "BOTH", "side": "SELL"}, False),
    ],
)
def test_closing_orders_are_exempt_from_throttling(params: dict[str, str], exempt: bool) -> None:
    """Reduce-only, close-position and the closing sides of hedge mode."""
    assert closing(params) is exempt


@pytest.mark.parametrize(
    ("body", "changes", "gone", "expected"),
    [
        ({"a": 1}, {"a": "1"}, [], {"a": "1"}),
        ({"a": 1, "b": 2}, {}, ["a"], {"b": 2}),
        ({"o": {"X": "NEW", "i": 1}}, {"o.X": "?"}, ["o.i"], {"o": {"X": "?"}}),
        ({}, {"o.p.q": 1}, ["x", "y.z"], {"o": {"p": {"q": 1}}}),
        ([{"a": 1}, {"a": 2}], {"a": 0}, [], [{"a": 0}, {"a": 0}]),
        ("text", {"a": 1}, [], "text"),
    ],
)
def test_bodies_are_edited(body: Any, changes: Any, gone: Any, expected: Any) -> None:
    """Fields are set and taken away at any depth, in each item of a list, and the original stays as it was."""
    before = orjson.dumps(body)
    assert edited(body, changes, gone) == expected
    assert orjson.dumps(body) == before


def test_frames_are_edited_inside_their_envelope() -> None:
    """A raw event, an enveloped one, and what is no JSON."""
    assert edited_frame(b'{"e":"x","E":1}', {"E": "1"}, []) == b'{"e":"x","E":"1"}'
    assert edited_frame(b'{"stream":"s","data":{"E":1}}', {}, ["E"]) == b'{"stream":"s","data":{}}'
    assert edited_frame(b"{", {"E": 1}, []) == b"{"


def test_every_lever_can_be_armed_without_arguments() -> None:
    """The defaults of each lever are a fault."""
    assert [Fault(name).lever for name in LEVERS] == list(LEVERS)
