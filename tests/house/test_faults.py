"""The table of faults is what the tests of the faults say."""

from __future__ import annotations

from tests.faults.reasons import LIMITS
from tests.faults.table import DOCUMENT, missing, shown, text
from tests.house.sources import expect_none


def test_the_table_is_current() -> None:
    """docs/faults.md is what `python -m tests.faults.table` writes."""
    assert DOCUMENT.read_text(encoding="utf-8") == text(), "run python -m tests.faults.table"


def test_every_fault_has_a_test_or_a_reason() -> None:
    """No fault of the catalogue is left out without a word."""
    expect_none(missing())


def test_every_file_names_its_fault() -> None:
    """A test file's docstring begins with the number that its name has."""
    expect_none([one.path.name for one in shown() if not one.named])


def test_limits_are_of_faults_that_have_tests() -> None:
    """What is said beside a test needs a test."""
    expect_none(sorted(LIMITS.keys() - {one.fault for one in shown()}))
