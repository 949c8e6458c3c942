"""`simulate`: what it prints, and the exit code that says whether an invariant was broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.load import load
from core.account import Account
from core.custody import Custody
from interface.commands.parser import parse
from interface.commands.simulate import EXIT_VIOLATED, run
from models.error import UsageError

SETTINGS = load(environment={}, folder=Path(__file__).parent).settings
WORDS = ("simulate", "--seeds", "1", "--first-seed", "2", "--hours", "0.03")


def test_a_clean_run_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON document with the counts of the run; exit code 0 when nothing was broken."""
    assert run(parse([*WORDS, "--json"]), SETTINGS) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["seeds"], said["first_seed"], said["violations"]) == (1, 2, {})
    assert min(said["frames"], said["intents"], said["faults"], said["tuples"]) > 0


def test_a_broken_invariant_is_named_with_seed_and_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot without stops: each violation has its seed, time and name, and the exit code is 7."""
    monkeypatch.setattr(Account, "_protect", lambda self, trader, order, fresh: None)
    monkeypatch.setattr(Custody, "_guard", lambda self, trader, now: None)
    assert run(parse(WORDS), SETTINGS) == EXIT_VIOLATED
    said = capsys.readouterr().out
    assert "seed 2 at " in said and ": protected: " in said and "violations: protected" in said


@pytest.mark.parametrize("words", [("--seeds", "0"), ("--hours", "0"), ("--hours", "nan"), ("--jobs", "x")])
def test_counts_and_hours_are_checked(words: tuple[str, str]) -> None:
    """What is no count or no time is refused in a sentence."""
    with pytest.raises(UsageError):
        parse(["simulate", *words])
