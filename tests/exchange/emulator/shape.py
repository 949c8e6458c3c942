"""One comparer for wire payloads: the same fields and JSON types as a golden one, whatever the values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_DECIMAL = re.compile(r"-?\d+(\.\d+)?$")


def golden(wire: Path, name: str) -> Any:
    """A golden payload of ``tests/data/wire``."""
    return json.loads((wire / f"{name}.json").read_text(encoding="utf-8"))


def kind(value: Any) -> str:
    """The JSON type; a text that is a decimal number is a type of its own."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "decimal text" if _DECIMAL.match(value) else "text"
    names = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def differences(expected: Any, answer: Any, at: str = "$") -> list[str]:
    """What of ``answer`` does not have the shape of ``expected``, one line each.

    An array of one kind of value has any length; of several kinds (a kline row) it is compared place by place. An
    object in an array must have the shape of one of the objects in the golden array (the filters of a symbol).
    """
    if kind(expected) != kind(answer):
        return [f"{at}: {kind(answer)} {answer!r:.60} where the venue has {kind(expected)}"]
    if isinstance(expected, dict):
        wrong = [f"{at}.{name}: missing" for name in expected.keys() - answer.keys()]
        wrong += [f"{at}.{name}: not at the venue" for name in answer.keys() - expected.keys()]
        for name in sorted(expected.keys() & answer.keys()):
            wrong += differences(expected[name], answer[name], f"{at}.{name}")
        return wrong
    if isinstance(expected, list):
        return _array_differences(expected, answer, at)
    return []


def _array_differences(expected: list[Any], answer: list[Any], at: str) -> list[str]:
    if not expected:
        return [] if not answer else [f"{at}: {len(answer)} values where the venue has none"]
    if len({kind(value) for value in expected}) > 1:
        if len(expected) != len(answer):
            return [f"{at}: {len(answer)} places where the venue has {len(expected)}"]
        pairs = enumerate(zip(expected, answer, strict=True))
        return [line for place, (one, other) in pairs for line in differences(one, other, f"{at}[{place}]")]
    wrong = []
    for place, value in enumerate(answer):
        found = [differences(one, value, f"{at}[{place}]") for one in expected]
        wrong += min(found, key=len)
    return wrong


def expect_shape(expected: Any, answer: Any) -> None:
    """Fail with every difference."""
    wrong = differences(expected, answer)
    assert not wrong, "\n".join(wrong)
