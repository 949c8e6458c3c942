"""Errors a user can meet."""

from __future__ import annotations

import pytest

from models import error as errors
from models.error import ScalperError

EXIT_CODES = {
    "ScalperError": 1,
    "UsageError": 2,
    "ConfigurationError": 3,
    "PreflightError": 4,
    "VenueUnreachableError": 5,
    "NotRunningError": 5,
    "HaltedError": 6,
    "RunDiffersError": 7,
    "LockedError": 8,
    "DataError": 2,
}
CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}


def test_each_error_has_the_exit_code_of_the_conventions() -> None:
    """The exit code tells a supervisor whether starting again makes sense; no class is left without one."""
    assert {name: kind.exit_code for name, kind in CLASSES.items()} == EXIT_CODES


def test_codes_are_stable_words_and_differ() -> None:
    """Each class has its own code in capitals."""
    codes = [kind.code for kind in CLASSES.values()]
    assert len(set(codes)) == len(codes) and all(code.isupper() for code in codes)


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_an_error_is_one_sentence_with_a_code(kind: type[ScalperError]) -> None:
    """The message is what was said, and every error of the program is caught by its base."""
    with pytest.raises(ScalperError) as caught:
        raise kind("the disk is full")
    assert (caught.value.message, str(caught.value), caught.value.code) == ("the disk is full",) * 2 + (kind.code,)


def test_a_narrower_code_can_be_given() -> None:
    """One raise can name its own code without a class for it, and leaves the class as it was."""
    narrow = errors.DataError("0.1 is not on the grid", code="PRECISION")
    assert (narrow.code, errors.DataError.code, narrow.exit_code) == ("PRECISION", "DATA", 2)
