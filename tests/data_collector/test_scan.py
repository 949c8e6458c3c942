"""Reading digits, decimals, integers and strings by address: against Python's own reading of the same text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.kernel import address_of
from data_collector import scan
from data_collector.scan import INTEGER_DIGITS_MAX, NOT_UNDERSTOOD, PLACES_MAX, WHOLE_MAX
from tests.data_collector.fuzz_wire import Guarded

DIGITS = "0123456789"
ODD = st.sampled_from(['"', ".", "-", "+", "e", "E", " ", "\\", "\0", "\x1f", "\x7f", "/", ":", "٣", "é"])
TEXTS = st.lists(st.sampled_from(DIGITS) | ODD, max_size=24).map("".join)
GUARDED = Guarded(4096)


def on_edge(function: Callable[..., Any], text: bytes) -> tuple[Any, int]:
    """What ``function(at, end)`` says of a text that ends at a page nobody may touch, and where the text begins."""
    at = GUARDED.put(text, at_end=True)
    return function(at, at + len(text)), at


@settings(deadline=None)
@given(st.text(DIGITS, min_size=1, max_size=8))
def test_eight_digits_are_read_at_once(text: str) -> None:
    """The number under a mask of whole bytes is the number its digits write."""
    word = int.from_bytes(text.encode().rjust(8, b"x"), "little", signed=True)
    mask = -1 << (64 - 8 * len(text))
    assert scan._eight(word, mask) == int(text)


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=8))
def test_one_character_that_is_no_digit_is_noticed(text: bytes) -> None:
    """Eight characters are a number exactly when all of them are digits."""
    value = scan._eight(int.from_bytes(text, "little", signed=True), -1)
    assert value == (int(text) if all(48 <= character <= 57 for character in text) else NOT_UNDERSTOOD)


@settings(deadline=None)
@given(st.integers(0, 10**INTEGER_DIGITS_MAX - 1), st.sampled_from(b',}] "'))
def test_integers_are_read_to_the_character_behind_them(number: int, after: int) -> None:
    """An integer of up to eighteen digits is read exactly, and the position is that of the first other character."""
    (value, stop), at = on_edge(scan._integer, b"%d%c" % (number, after))
    assert (value, stop - at) == (number, len(str(number)))


@settings(deadline=None)
@given(TEXTS)
def test_an_integer_is_plain_or_not_understood(text: str) -> None:
    """Leading zeros, signs, more than eighteen digits and a text that ends with its digits are not understood."""
    written = text.encode()
    digits = len(written) - len(written.lstrip(DIGITS.encode()))
    plain = 0 < digits <= INTEGER_DIGITS_MAX and digits < len(written) and (digits == 1 or written[:1] != b"0")
    (value, stop), at = on_edge(scan._integer, written)
    assert (stop == at + digits and value == int(written[:digits])) if plain else stop < 0


@settings(deadline=None)
@given(st.integers(0, 10**WHOLE_MAX - 1), st.text(DIGITS, max_size=PLACES_MAX))
def test_decimals_are_read_exactly(whole: int, places: str) -> None:
    """Digits, their numbers before and behind the point, and the closing quote's place are those of the text."""
    text = f"{whole}.{places}" if places else str(whole)
    (value, wholes, count, close), at = on_edge(scan._decimal, text.encode() + b'"')
    assert (wholes, count, close - at) == (len(str(whole)), len(places), len(text))
    assert Decimal(value).scaleb(-count) == Decimal(text)


@settings(deadline=None)
@given(TEXTS)
def test_a_decimal_is_plain_or_not_understood(text: str) -> None:
    """Signs, exponents, empty parts and too many digits are not understood, wherever the text ends."""
    written = text.encode() + b'"'
    inner = written[: written.index(b'"')]
    whole, point, places = inner.partition(b".")
    plain = (
        whole.isdigit() and len(whole) <= WHOLE_MAX and (not point or places.isdigit()) and len(places) <= PLACES_MAX
    )
    for cut in range(len(written) + 1):
        (_, _, _, close), at = on_edge(scan._decimal, written[:cut])
        assert close == (at + len(inner) if plain and cut > len(inner) else NOT_UNDERSTOOD)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_string_ends_at_its_quote(text: str) -> None:
    """The end of a string is found behind plain ASCII only: no escape, no control character, nothing beyond."""
    written = text.encode("utf-8", "surrogatepass") + b'"'
    end = written.index(b'"')
    plain = all(0x20 <= character < 0x7F and character != 0x5C for character in written[:end])
    stop, at = on_edge(scan._string_end, written)
    assert stop == (at + end if plain else NOT_UNDERSTOOD)
    assert on_edge(scan._string_end, written[:end])[0] == NOT_UNDERSTOOD


@settings(deadline=None)
@given(st.integers(0, 10**18 - 1), st.sampled_from([1, 2, 3, 5, 7, 10, 25, 1000, 12_345, 10**8, 10**12]))
def test_the_grid_division_never_accepts_a_wrong_count(value: int, divisor: int) -> None:
    """A value is a count of the grid only when the divisor divides it, and below 2**50 always then."""
    for multiplier in (1, 4):
        count = scan._on_grid(value, multiplier, divisor)
        assert count in (NOT_UNDERSTOOD, value // divisor * multiplier)
        if value % divisor:
            assert count == NOT_UNDERSTOOD
        elif value < 2**50 or divisor == 1:
            assert count == value // divisor * multiplier


@settings(deadline=None)
@given(st.integers(0, 2**50 // 10**6), st.integers(1, 10**6))
def test_every_multiple_of_the_grid_is_accepted(count: int, divisor: int) -> None:
    """Each multiple below 2**50 is found, whatever the reciprocal's rounding."""
    assert scan._on_grid(count * divisor, 1, divisor) == count


@pytest.mark.parametrize(("loader", "size"), [("load1", 1), ("load2", 2), ("load4", 4), ("load8", 8)])
def test_loads_read_little_endian_words(loader: str, size: int) -> None:
    """A load takes its bytes from any address, lowest first; only the full word has a sign."""
    import numba

    load = getattr(scan, loader)
    memory = np.arange(0xF0, 0x100, dtype=np.int64).astype(np.uint8)
    read = numba.njit(lambda address: load(address))
    for offset in range(9):
        expected = int.from_bytes(memory[offset : offset + size].tobytes(), "little", signed=size == 8)
        assert read(address_of(memory) + offset) == expected


def test_a_store_writes_the_word_it_is_given() -> None:
    """What is stored at an address stands there, and beside it nothing changes."""
    import numba

    memory = np.zeros(3, dtype=np.int64)

    @numba.njit
    def write(address: int, value: int) -> None:
        scan.store8(address, value)

    write(address_of(memory) + 8, -(2**63))
    assert memory.tolist() == [0, -(2**63), 0]
