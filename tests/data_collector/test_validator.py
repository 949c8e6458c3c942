"""Shape and range of decoded JSON: the right type, or a refusal that names the fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.quarantine import Reason
from data_collector.scan import TIME_MS_MAX
from data_collector.validator import INTEGER_MAX, Refusal, field, integer, pairs, text, time_ns, truth
from models.rows import UNKNOWN_NS


def reason_of(doing: Callable[[], object]) -> Reason:
    """Why ``doing`` is refused."""
    with pytest.raises(Refusal) as caught:
        doing()
    assert str(caught.value) == caught.value.detail != ""
    return caught.value.reason


@given(st.integers(0, INTEGER_MAX - 1))
def test_whole_numbers_pass(value: int) -> None:
    """Every whole number from zero below 1e18 is taken as it is."""
    assert integer(value, "u") == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, Reason.NEGATIVE), (INTEGER_MAX, Reason.BAD_NUMBER), (1e18, Reason.BAD_NUMBER), (-1e30, Reason.BAD_NUMBER),
        (1.0, Reason.WRONG_TYPE), (0.5, Reason.WRONG_TYPE), ("1", Reason.WRONG_TYPE), (True, Reason.WRONG_TYPE),
        (None, Reason.WRONG_TYPE), ([], Reason.WRONG_TYPE),
    ],
    ids=str,
)  # fmt: skip
def test_anything_else_is_no_whole_number(value: Any, reason: Reason) -> None:
    """Signs, sizes and types have their own reasons; true is no number."""
    assert reason_of(lambda: integer(value, "u")) is reason


def test_a_missing_field_is_named() -> None:
    """The refusal says which field; a field that is there may hold anything."""
    assert field({"a": None}, "a") is None
    with pytest.raises(Refusal, match="T is missing"):
        field({}, "T")


def test_times_become_nanoseconds() -> None:
    """Milliseconds become ns; what is absent is unknown where that is allowed, and a year beyond 2261 is no time."""
    assert time_ns({"E": TIME_MS_MAX - 1}, "E") == (TIME_MS_MAX - 1) * 1_000_000 < 2**63
    assert time_ns({}, "E", required=False) == UNKNOWN_NS
    assert reason_of(lambda: time_ns({}, "E")) is Reason.MISSING_FIELD
    assert reason_of(lambda: time_ns({"E": TIME_MS_MAX}, "E")) is Reason.BAD_NUMBER
    assert reason_of(lambda: time_ns({"E": "1"}, "E", required=False)) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", [1, None, True, [], {}], ids=str)
def test_a_text_is_a_string(value: Any) -> None:
    """Nothing but a string is a text."""
    assert text({"s": ""}, "s") == ""
    assert reason_of(lambda: text({"s": value}, "s")) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", [0, 1, "true", None, []], ids=str)
def test_a_truth_is_a_boolean(value: Any) -> None:
    """Nothing but true and false is a truth."""
    assert truth({"m": False}, "m") is False
    assert reason_of(lambda: truth({"m": value}, "m")) is Reason.WRONG_TYPE


@pytest.mark.parametrize(
    "value", [None, "x", {}, [1], ["ab"], [[]], [["1"]], [["1", "2", "3"]], [["1", "2"], {}]], ids=str
)
def test_levels_are_pairs(value: Any) -> None:
    """A list of levels holds lists of exactly two; their contents are judged later."""
    assert pairs({"b": [["1", None], [2, "x"]]}, "b") == [["1", None], [2, "x"]]
    assert reason_of(lambda: pairs({"b": value}, "b")) is Reason.WRONG_TYPE
