"""Reading text in compiled code: loads and stores by address, digits eight at a time, JSON strings and integers.

Everything is int64: numba turns mixed signed and unsigned integers into floats silently. A position is an address;
``end`` is the first address behind the text, and no function here reads at or beyond it. A negative result means
«not understood», never «wrong»: the general twin (``data_collector.twin``) names what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from core.kernels.kernel import kernel

QUOTE, COMMA, COLON, POINT = 0x22, 0x2C, 0x3A, 0x2E
BRACKET, BRACKET_END, BRACE, BRACE_END = 0x5B, 0x5D, 0x7B, 0x7D
ZERO, NINE, BACKSLASH, MINUS = 0x30, 0x39, 0x5C, 0x2D
WHOLE_MAX = 10  # digits before the point: 9,999,999,999 at 1e-8 stays below 2**63
PLACES_MAX = 8  # digits behind the point: the finest size of any instrument is 1e-8
INTEGER_DIGITS_MAX = 18  # 10**18 < 2**63; the longest id seen has 14 digits
TIME_MS_MAX = 9_200_000_000_000  # year 2261; 2**63 ns end in 2262
NOT_UNDERSTOOD = -1

_EIGHT_ZEROS = 0x3030303030303030
_TO_HIGH_BIT = 0x7676767676767676  # 0x76 + 10 = 0x80: adding it raises the high bit of every byte above nine
_HIGH_BITS = -0x7F7F7F7F7F7F7F80
_PAIRS = 0x000000FF000000FF


def _loader(bits: int) -> Any:
    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = builder.load(pointer, align=1)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return types.int64(types.int64), generate

    return load


load1: Callable[[int], int] = _loader(8)
load2: Callable[[int], int] = _loader(16)
load4: Callable[[int], int] = _loader(32)
load8: Callable[[int], int] = _loader(64)


@intrinsic
def store8(typing_context: Any, address: Any, value: Any) -> Any:
    """Write one int64 at ``address``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store(arguments[1], pointer, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@kernel
def _eight(word: int, mask: int) -> int:
    """The number written by the characters of ``word`` under ``mask`` (whole bytes up to the highest); negative if any
    of them is no digit.

    Three multiplications instead of eight steps: pairs, then fours, then the eight (the method of fast_float).
    """
    text = (word ^ _EIGHT_ZEROS) & mask
    if ((text + _TO_HIGH_BIT) | text) & _HIGH_BITS:
        return NOT_UNDERSTOOD
    text = text * 10 + (text >> 8)
    return ((text & _PAIRS) * 0x000F424000000064 + ((text >> 16) & _PAIRS) * 0x0000271000000001) >> 32


@kernel
def _integer(at: int, end: int) -> tuple[int, int]:
    """A JSON integer without sign: (value, position behind it); the position is negative when not understood."""
    if at + 8 <= end and load1(at) != ZERO:
        value = _eight(load8(at), -1)
        if value >= 0:
            stop = min(end, at + INTEGER_DIGITS_MAX)
            at += 8
            while at < stop:
                digit = load1(at) - ZERO
                if digit < 0 or digit > 9:
                    return value, at
                value = value * 10 + digit
                at += 1
            if at < end and (load1(at) < ZERO or load1(at) > NINE):
                return value, at
            return 0, NOT_UNDERSTOOD
    start, value = at, 0
    while at < end and at - start < 8:
        digit = load1(at) - ZERO
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        at += 1
    if at in (start, end) or (at - start > 1 and load1(start) == ZERO):
        return 0, NOT_UNDERSTOOD
    if load1(at) >= ZERO and load1(at) <= NINE:
        return 0, NOT_UNDERSTOOD
    return value, at


@kernel
def _string_end(at: int, end: int) -> int:
    """Position of the quote that closes the string whose first character is at ``at``; plain ASCII only."""
    while at < end:
        character = load1(at)
        if character == QUOTE:
            return at
        if character < 0x20 or character >= 0x7F or character == BACKSLASH:
            return NOT_UNDERSTOOD
        at += 1
    return NOT_UNDERSTOOD


@kernel
def _decimal(at: int, end: int) -> tuple[int, int, int, int]:
    """A decimal text up to its closing quote: (digits as one integer, whole digits, places, position of the quote).

    At most ``WHOLE_MAX`` digits, then nothing or a point and 1 to ``PLACES_MAX`` digits. Sign, exponent, anything
    else: the position is negative.
    """
    start, value = at, 0
    while at < end:
        digit = load1(at) - ZERO
        if digit < 0 or digit > 9:
            break
        if at - start == WHOLE_MAX:
            return 0, 0, 0, NOT_UNDERSTOOD
        value = value * 10 + digit
        at += 1
    whole = at - start
    if whole == 0 or at >= end:
        return 0, 0, 0, NOT_UNDERSTOOD
    if load1(at) == QUOTE:
        return value, whole, 0, at
    if load1(at) != POINT:
        return 0, 0, 0, NOT_UNDERSTOOD
    at += 1
    start = at
    while at < end:
        digit = load1(at) - ZERO
        if digit < 0 or digit > 9:
            break
        if at - start == PLACES_MAX:
            return 0, 0, 0, NOT_UNDERSTOOD
        value = value * 10 + digit
        at += 1
    if at == start or at >= end or load1(at) != QUOTE:
        return 0, 0, 0, NOT_UNDERSTOOD
    return value, whole, at - start, at


@kernel
def _on_grid(value: int, multiplier: int, divisor: int) -> int:
    """``value · multiplier / divisor`` when ``divisor`` divides ``value``, else negative.

    A product with the float reciprocal, rounded, then checked exactly with integers: a wrong guess can only refuse,
    never accept, and cannot happen below 2**50 (relative error 2**-51). It spares the 64-bit division.
    """
    if divisor == 1:
        return value * multiplier
    count = int(value * (1.0 / divisor) + 0.5)
    if count * divisor != value:
        return NOT_UNDERSTOOD
    return count * multiplier
