"""Parameters of requests: where they may stand, what they must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.errors import VenueError
from exchange.emulator.parameters import decoded, integer, limit, needed, window

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("query", "body", "kind", "expected"),
    [
        (b"a=1&b=2", b"", "", {"a": "1", "b": "2"}),
        (b"", b"a=1&b=2", FORM, {"a": "1", "b": "2"}),
        (b"a=1", b"a=9&b=2", FORM, {"a": "1", "b": "2"}),
        (b"a=1&a=9", b"", "", {"a": "1"}),
        (b"a=", b"", "", {"a": ""}),
        (b"s=%E6%B5%8B%E8%AF%95USDT", b"", "", {"s": "测试USDT"}),
        (b"l=%5B1%2C2%5D&t=a+b", b"", "", {"l": "[1,2]", "t": "a b"}),
        (b"a=1", b'{"b":2}', "application/json", {"a": "1"}),
        (b"", b'{"b":2}', "application/json; charset=utf-8", {}),
        (b"", b"a=1", "text/plain; charset=utf-8", {"a": "1"}),
        (b"a=%FF", b"", "", {"a": "\ufffd"}),
    ],
)
def test_parameters_come_from_query_and_form(query: bytes, body: bytes, kind: str, expected: dict[str, str]) -> None:
    """Query and form body are joined, the query wins, the first of two counts, JSON bodies are not read."""
    assert decoded(query, body, kind) == expected


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["", FORM, "application/json"]))
def test_no_bytes_break_the_decoder(query: bytes, body: bytes, kind: str) -> None:
    """Whatever arrives, texts come out."""
    assert all(isinstance(text, str) for pair in decoded(query, body, kind).items() for text in pair)


@pytest.mark.parametrize("text", ["", "1.5", "one", "-", "--1", "9" * 19, "１"])
def test_what_is_no_whole_number_is_malformed(text: str) -> None:
    """Anything but ASCII digits with one sign is -1102."""
    with pytest.raises(VenueError) as refused:
        integer({"n": text}, "n")
    assert refused.value.code == -1102


def test_numbers_limits_and_times_are_read() -> None:
    """Absent is None or the usual, present is the number; a limit outside its range is -1130."""
    assert (integer({}, "n"), integer({"n": "-5"}, "n")) == (None, -5)
    assert (limit({}, 500, 1000), limit({"limit": "7"}, 500, 1000)) == (500, 7)
    for wrong in ("0", "1001", "-1"):
        with pytest.raises(VenueError) as refused:
            limit({"limit": wrong}, 500, 1000)
        assert refused.value.code == -1130
    assert window({"startTime": "5"}) == (5, None)
    assert window({"startTime": "0", "endTime": "3599999"}, 1) == (0, 3_599_999)
    with pytest.raises(VenueError, match="More than 1 hours"):
        window({"startTime": "0", "endTime": "3600000"}, 1)


def test_a_mandatory_text_must_be_there() -> None:
    """Absent or empty it is -1102 by its name."""
    assert needed({"symbol": "BTCUSDT"}, "symbol") == "BTCUSDT"
    for params in ({}, {"symbol": ""}):
        with pytest.raises(VenueError, match="'symbol'"):
            needed(params, "symbol")
