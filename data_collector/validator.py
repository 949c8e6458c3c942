"""Shape and range of decoded JSON on the general path: a value of the right type, or a Refusal that names the fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_collector.quarantine import Reason
from data_collector.scan import INTEGER_DIGITS_MAX, TIME_MS_MAX
from models.rows import UNKNOWN_NS

INTEGER_MAX = 10**INTEGER_DIGITS_MAX


class Refusal(Exception):
    """A frame that is refused. Caught by the twin, never seen outside it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def field(record: dict[str, Any], name: str) -> Any:
    """The value of ``name``. Raises Refusal MISSING_FIELD."""
    try:
        return record[name]
    except KeyError:
        raise Refusal(Reason.MISSING_FIELD, f"{name} is missing") from None


def integer(value: Any, name: str) -> int:
    """A whole number from 0 below 1e18. Raises Refusal: WRONG_TYPE, NEGATIVE, BAD_NUMBER."""
    if type(value) is not int:
        if type(value) is float and abs(value) >= INTEGER_MAX:
            raise Refusal(Reason.BAD_NUMBER, f"{name} is too large")
        raise Refusal(Reason.WRONG_TYPE, f"{name} must be a whole number")
    if value < 0:
        raise Refusal(Reason.NEGATIVE, f"{name} {value} is negative")
    if value >= INTEGER_MAX:
        raise Refusal(Reason.BAD_NUMBER, f"{name} is too large")
    return value


def time_ns(record: dict[str, Any], name: str, *, required: bool = True) -> int:
    """A time of the venue, ms in the text, in ns; UNKNOWN_NS when absent and not required. Raises Refusal."""
    if not required and name not in record:
        return UNKNOWN_NS
    value = integer(field(record, name), name)
    if value >= TIME_MS_MAX:
        raise Refusal(Reason.BAD_NUMBER, f"{name} {value} is no time in milliseconds")
    return value * 1_000_000


def text(record: dict[str, Any], name: str) -> str:
    """The string ``name``. Raises Refusal."""
    value = field(record, name)
    if not isinstance(value, str):
        raise Refusal(Reason.WRONG_TYPE, f"{name} must be a string")
    return value


def truth(record: dict[str, Any], name: str) -> bool:
    """The boolean ``name``. Raises Refusal."""
    value = field(record, name)
    if not isinstance(value, bool):
        raise Refusal(Reason.WRONG_TYPE, f"{name} must be true or false")
    return value


def pairs(record: dict[str, Any], name: str) -> Sequence[tuple[Any, Any]]:
    """The list of (price, quantity) pairs ``name``, each of exactly two. Raises Refusal."""
    value = field(record, name)
    if not isinstance(value, list):
        raise Refusal(Reason.WRONG_TYPE, f"{name} must be a list of levels")
    for level in value:
        if not isinstance(level, list) or len(level) != 2:
            raise Refusal(Reason.WRONG_TYPE, f"a level of {name} must be [price, quantity]")
    return value
