"""The market row's layout."""

from __future__ import annotations

import numpy as np
import pytest

from models import rows as layout
from models.rows import KIND_NAMES, ROW, Flag, Kind, empty_rows, words


def test_a_row_is_eight_words() -> None:
    """64 bytes, a cache line: as many as eight int64."""
    assert (ROW.itemsize, ROW.isalignedstruct) == (64, True)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("occurred_ns", layout.WORD_OCCURRED),
        ("received_ns", layout.WORD_RECEIVED),
        ("price", layout.WORD_PRICE),
        ("quantity", layout.WORD_QUANTITY),
        ("sequence", layout.WORD_SEQUENCE),
        ("extra", layout.WORD_EXTRA),
        ("frame", layout.WORD_FRAME),
    ],
)
def test_each_field_is_its_word(field: str, word: int) -> None:
    """Kernels read words by number: each number is the place of its field, sign and all 64 bits included."""
    made = empty_rows(2)
    made[field] = (-(2**63), 2**63 - 1)
    assert words(made)[:, word].tolist() == [-(2**63), 2**63 - 1]


def test_the_head_word_packs_kind_flags_side_and_instrument() -> None:
    """Kind in bits 0–7, flags from 8, side from 16, instrument from 32: the shifts that every kernel uses."""
    made = empty_rows(1)
    made[0] = (Kind.TRADE, Flag.FIRST | Flag.LAST, 1, 0, 5 | 3 << 16, 0, 0, 0, 0, 0, 0, 0)
    assert int(words(made)[0, layout.WORD_HEAD]) == 4 | 3 << 8 | 1 << 16 | 5 << 32 | 3 << 48


def test_words_are_the_same_memory() -> None:
    """A word written is a field changed: no copy."""
    made = empty_rows(1)
    words(made)[0, layout.WORD_PRICE] = 77
    assert int(made["price"][0]) == 77


@pytest.mark.parametrize(
    "wrong", [np.zeros(4, dtype=np.int64), empty_rows(4)[::2]], ids=["another type", "not contiguous"]
)
def test_other_arrays_have_no_words(wrong: np.ndarray) -> None:
    """An array that is no block of rows is refused instead of being read as something else."""
    with pytest.raises(ValueError, match="C-contiguous array of dtype"):
        words(wrong)


def test_every_kind_has_a_name_and_fits_its_byte() -> None:
    """Kinds are small, differ, and each has a word for people; zero, an empty row, is none of them."""
    kinds = [value for name, value in vars(Kind).items() if name.isupper()]
    assert sorted(KIND_NAMES) == sorted(kinds) == list(range(1, len(kinds) + 1))


def test_flags_are_single_bits() -> None:
    """Flags combine by «or» without touching each other."""
    flags = [value for name, value in vars(Flag).items() if name.isupper()]
    assert sorted(flags) == [1 << bit for bit in range(len(flags))]


def test_missing_values_are_no_real_values() -> None:
    """«No level», «unknown time» and «later than everything» lie outside what a venue can say."""
    assert (layout.NO_LEVEL < 0, layout.UNKNOWN_NS < 0, layout.FAR_NS) == (True, True, np.iinfo(np.int64).max)
