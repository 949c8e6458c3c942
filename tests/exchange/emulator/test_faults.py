"""When a fault meets something: times, counts, chances, files, and that one seed decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.faults import Fault, Faults, load
from models.error import UsageError

ORDER = "POST /fapi/v1/order"


class Scene:
    def __init__(self, seed: int = 1, plan: tuple[Fault, ...] = ()) -> None:
        self.now_s = 0.0
        self.acted: list[tuple[str, dict[str, Any]]] = []
        self.faults = Faults(seed, lambda: self.now_s, plan)
        self.faults.act = lambda lever, args: self.acted.append((lever, args))

    def delays(self, count: int, call: str = ORDER, **params: str) -> list[float]:
        """What ``delay`` levers do to some calls."""
        return [self.faults.call((call,), lambda: params).delay_s for _ in range(count)]


def test_without_faults_a_call_is_left_alone() -> None:
    """The plan of a call is the one that does nothing."""
    plan = Scene().faults.call((ORDER,), dict)
    assert plan.placed and plan.outcome is None and not plan.before


def test_a_fault_meets_the_next_call_once() -> None:
    """By default it disturbs one call and is over."""
    scene = Scene()
    armed = scene.faults.arm("delay", ORDER, s=2)
    assert scene.delays(3) == [2, 0, 0] and armed.over
    scene.faults.tick()
    assert not scene.faults.armed["call"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"nth": 3}, [0, 0, 1, 0, 0]),
        ({"count": 2}, [1, 1, 0, 0, 0]),
        ({"nth": 2, "count": 2}, [0, 1, 1, 0, 0]),
        ({"count": 0}, [1, 1, 1, 1, 1]),
        ({"nth": 4, "count": 0}, [0, 0, 0, 1, 1]),
        ({"probability": 0.0, "count": 0}, [0, 0, 0, 0, 0]),
    ],
)
def test_which_calls_are_disturbed(options: dict[str, Any], expected: list[int]) -> None:
    """The n-th, so many, all, or none by chance."""
    scene = Scene()
    scene.faults.arm("delay", ORDER, s=1, **options)
    assert scene.delays(5) == expected


@pytest.mark.parametrize(
    ("when", "call", "meets"),
    [
        ("", ORDER, True),
        (ORDER, ORDER, True),
        ("POST *", ORDER, True),
        ("* /fapi/v1/order", "DELETE /fapi/v1/order", True),
        (ORDER, "GET /fapi/v1/order", False),
        ("ws order.*", ORDER, False),
    ],
)
def test_calls_are_met_by_their_names(when: str, call: str, meets: bool) -> None:
    """A name, a pattern, or every call."""
    scene = Scene()
    scene.faults.arm("delay", when, s=1)
    assert scene.delays(1, call) == [1 if meets else 0]


def test_calls_are_met_by_their_parameters() -> None:
    """``where`` narrows to calls whose parameters fit; others are not even counted."""
    scene = Scene()
    scene.faults.arm("delay", ORDER, where={"side": "SELL", "newClientOrderId": "x-*"}, s=1, nth=2)
    assert scene.delays(2, side="BUY") == [0, 0]
    assert scene.delays(2, side="SELL", newClientOrderId="x-1") == [0, 1]


def test_a_fault_has_a_beginning_and_an_end() -> None:
    """Before ``at_s`` and ``for_s`` after it nothing is met."""
    scene = Scene(plan=(Fault("delay", ORDER, at_s=10, for_s=5, count=0, args={"s": 1}),))
    seen = []
    for now_s in (0.0, 9.9, 10.0, 14.9, 15.0):
        scene.now_s = now_s
        seen += scene.delays(1)
    assert seen == [0, 0, 1, 1, 0]
    scene.faults.tick()
    assert not scene.faults.armed["call"]


def test_several_faults_add_up() -> None:
    """Two levers on one call both act."""
    scene = Scene()
    scene.faults.arm("delay", s=1)
    scene.faults.arm("delay", s=2)
    scene.faults.arm("hide", s=3)
    plan = scene.faults.call((ORDER,), dict)
    assert (plan.delay_s, plan.hide_ms) == (3, 3000)


def test_clearing_lets_go_of_everything() -> None:
    """After ``clear`` no call is disturbed and nothing acts."""
    scene = Scene(plan=(Fault("ban", at_s=1),))
    scene.faults.arm("delay", count=0)
    scene.faults.clear()
    scene.now_s = 2
    scene.faults.tick()
    assert scene.delays(2) == [0, 0] and not scene.acted


def test_account_levers_act_at_their_time_once() -> None:
    """At the first tick after ``at_s``, never again; what was pulled is remembered."""
    scene = Scene(plan=(Fault("deposit", at_s=5, args={"amount": "-3"}),))
    scene.faults.tick()
    assert not scene.acted
    scene.now_s = 5.5
    scene.faults.tick()
    scene.faults.tick()
    assert scene.acted == [("deposit", {"account": "main", "amount": "-3"})]
    assert scene.faults.pulled == [(5.5, "deposit")]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_account_levers_act_around_a_call(moment: str) -> None:
    """With ``when`` they wait for that call and come before or after it."""
    scene = Scene()
    scene.faults.arm("fill", "DELETE /fapi/v1/order", moment=moment, lots=2)
    scene.faults.tick()
    plan = scene.faults.call(("DELETE /fapi/v1/order",), dict)
    assert not scene.acted
    for act in plan.before if moment == "before" else plan.after:
        act()
    assert scene.acted == [("fill", {"account": "main", "client_id": "", "lots": 2})]


def test_a_request_is_cut_by_its_line() -> None:
    """``cut_request`` gives byte and kind of end once, and leaves the plan of the call alone."""
    scene = Scene()
    scene.faults.arm("cut_request", ORDER, at_byte=7, reset=False)
    assert scene.faults.call((ORDER,), dict).cut_at is None
    assert scene.faults.cut("GET /fapi/v1/order") is None
    assert scene.faults.cut(ORDER) == (7, False)
    assert scene.faults.cut(ORDER) is None


@given(st.integers(0, 2**40), st.integers(-5, 5), st.integers(0, 10), st.floats(0, 1), st.floats(0, 4))
def test_drawn_arguments_lie_in_their_range(seed: int, low: int, more: int, start: float, length: float) -> None:
    """Whole numbers include both ends, others lie between them, and the seed decides."""
    fault = Fault("cut_reply", args={"at_byte": [low, low + more]})
    drawn = [Scene(seed).faults.arguments(fault)["at_byte"] for _ in range(2)]
    assert drawn[0] == drawn[1] and low <= drawn[0] <= low + more and isinstance(drawn[0], int)
    slow = Scene(seed).faults.arguments(Fault("delay", args={"s": [start, start + length]}))["s"]
    assert start <= slow <= start + length


def test_chances_come_true_at_their_rate() -> None:
    """Of two thousand calls about a third is disturbed at a third, and the same ones with the same seed."""
    hits = []
    for _ in range(2):
        scene = Scene(9)
        scene.faults.arm("delay", s=1, count=0, probability=1 / 3)
        hits.append(scene.delays(2000))
    assert hits[0] == hits[1] and 560 < sum(hits[0]) < 770


@pytest.mark.parametrize(
    ("lever", "options", "said"),
    [
        ("explode", {}, "no lever 'explode'"),
        ("delay", {"args": {"ms": 1}}, r"takes \['s'\], not \['ms'\]"),
        ("fill", {"moment": "during"}, "before or after"),
    ],
)
def test_mistakes_are_told(lever: str, options: dict[str, Any], said: str) -> None:
    """An unknown lever, argument or moment is a usage error that says what there is."""
    with pytest.raises(UsageError, match=said):
        Fault(lever, **options)


TOML = """
[[fault]]
lever = "delay"
when = "POST /fapi/v1/order"
at_s = 1.5
args = { s = [0.1, 5] }

[[fault]]
lever = "stall"
when = "btcusdt@depth*"
for_s = 30
count = 0
"""
JSON = """[{"lever": "delay", "when": "POST /fapi/v1/order", "at_s": 1.5, "args": {"s": [0.1, 5]}},
{"lever": "stall", "when": "btcusdt@depth*", "for_s": 30, "count": 0}]"""


@pytest.mark.parametrize(("name", "text"), [("f.toml", TOML), ("f.json", JSON)])
def test_faults_are_read_from_a_file(tmp_path: Path, name: str, text: str) -> None:
    """TOML and JSON give the same faults."""
    (tmp_path / name).write_text(text)
    assert load(tmp_path / name) == [
        Fault("delay", ORDER, at_s=1.5, args={"s": [0.1, 5]}),
        Fault("stall", "btcusdt@depth*", for_s=30, count=0),
    ]


@pytest.mark.parametrize(
    "text", ["{", '[{"lever": 5}]', '[{"when": "x"}]', '[{"lever": "delay", "what": 1}]', '[{"lever": "boom"}]', "5"]
)
def test_a_bad_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """Broken JSON, wrong types, unknown fields and levers are told; so is a file that is not there."""
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        load(path)
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"lever": "delay", "probability": 7}, "probability is from 0 to 1"),
        ({"lever": "delay", "nth": 0}, "nth is 1 at least"),
        ({"lever": "delay", "count": -1}, "not below 0"),
        ({"lever": "delay", "args": {"s": "1"}}, r"s is a number or \[low, high\]"),
        ({"lever": "delay", "args": {"s": [1, 2, 3]}}, r"s is a number or \[low, high\]"),
        ({"lever": "delay", "args": {"s": True}}, r"s is a number or \[low, high\]"),
        ({"lever": "timeout", "args": {"placed": 1}}, "placed is meant to be like false"),
        ({"lever": "edit_reply", "args": {"set": []}}, "set is meant to be like {}"),
        ({"lever": "busy", "args": {"text": ["bare"]}}, 'text is meant to be like "unknown"'),
    ],
)
def test_wrong_numbers_of_a_file_are_told_before_they_act(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    """What would fail only when the lever is pulled is refused when the file is read, with the fault's place."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"lever": "ban"}, row]))
    with pytest.raises(UsageError, match=rf"fault 2 \({row['lever']}\): .*{said}"):
        load(path)
