"""History and the market as it happens decide alike: a session over real sockets, run again from what it kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.cold.records import FILES, NAMING
from tests.interface.program import Ran, child, inside

EAGER = (
    "strategy.params.cooldown_s=1",
    "strategy.params.volume_multiple=0.6", "strategy.params.imbalance_entry=0.25", "strategy.params.momentum_z=0.3",
    "risk.streak_pause=1000", "risk.streak_halt=1001", "risk.fee_budget_pct=100", "risk.daily_loss_soft_pct=99",
    "risk.daily_loss_hard_pct=99", "risk.drawdown_max_pct=99",
)  # fmt: skip
"""Thresholds so low that a session of minutes has enough to compare, and no limit that ends it early."""


def settings_words() -> list[str]:
    """The settings as words of a command line."""
    return [word for text in EAGER for word in ("--set", text)]


class Session:
    """A paper session over sockets at fifteen times the speed, with all that it left behind."""

    def __init__(self, data: Path) -> None:
        self.data = data
        words = ["demo", "--for", "600s", "--speed", "15", "--seed", "7", "--json", "--quiet", *settings_words()]
        ran = child(data.parent, *words, "--data-dir", data)
        assert ran.code == 0, ran.err
        self.summary = ran.document
        self.folder = data / "paper" / "runs" / self.summary["run_id"]
        self.recording = data / "market" / self.summary["run_id"]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One session for all tests of this file."""
    return Session(tmp_path_factory.mktemp("session") / "data")


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of one file of a run, without the names of run and feed."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in NAMING} for line in lines]


def again(session: Session, *words: object) -> Ran:
    """``replay`` of the session."""
    return inside("replay", session.folder, "--data-dir", session.data, "--quiet", *words)


def test_the_session_has_enough_to_compare(session: Session) -> None:
    """Over real sockets at least 20 signals came and at least 5 fills; nothing was lost or refused on the way."""
    assert session.summary["signals"]["total"] >= 20
    assert session.summary["fills"] >= 5
    assert (session.summary["feed"], session.summary["market"]["quarantined"]) == ("EMBEDDED", 0)
    assert (session.summary["recording_dropped"], session.summary["recording_problem"]) == (0, None)


def test_a_second_run_of_the_record_is_identical(session: Session) -> None:
    """``replay --verify`` finds every file, every wish and the state hash the same, to the byte."""
    ran = again(session, "--verify", "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["verified"], ran.document["difference"]) == (True, None)
    assert ran.document["signals"] == session.summary["signals"]["total"]
    assert ran.document["hashes"] == session.summary["hashes"]


def test_a_back_test_of_the_recording_trades_the_same(session: Session) -> None:
    """The recording alone, without the journal, gives the same signals, orders, fills and round trips."""
    ran = inside("backtest", session.recording, "--data-dir", session.data, "--json", "--quiet", *settings_words())
    assert ran.code == 0, ran.err
    folder = session.data / "backtest" / "runs" / ran.document["run_id"]
    for name in ("signals", "orders", "fills", "trades"):
        assert records(folder, name) == records(session.folder, name), name
    assert ran.document["money_usdt"] == session.summary["money_usdt"]


@pytest.mark.parametrize("name", [name for name in FILES if name != "quarantine"])
def test_one_changed_byte_is_found(session: Session, name: str) -> None:
    """A record that says something else than what happens again ends with exit code 7 and the first difference."""
    path = session.folder / f"{name}.jsonl"
    kept = path.read_bytes()
    at = kept.index(b'"ts":') + 8
    path.write_bytes(kept[:at] + (b"1" if kept[at : at + 1] != b"1" else b"2") + kept[at + 1 :])
    try:
        ran = again(session, "--verify")
    finally:
        path.write_bytes(kept)
    assert ran.code == 7
    assert f"{name}.jsonl" in ran.err


def test_every_record_carries_the_feed_and_its_terms(session: Session) -> None:
    """Each line says EMBEDDED, summary and recording too, with the terms: nobody takes it for the venue."""
    lines = [line for name in FILES for line in (session.folder / f"{name}.jsonl").read_text().splitlines()]
    assert len(lines) > 50 and {json.loads(line)["feed"] for line in lines} == {"EMBEDDED"}
    stored = json.loads((session.folder / "summary.json").read_text())
    assert stored["feed"] == "EMBEDDED"
    assert "paper" in stored["run_id"] and "reports horizon" in stored["assumptions"]
    assert json.loads((session.recording / "index.json").read_text())["meta"]["source"] == "EMBEDDED"
