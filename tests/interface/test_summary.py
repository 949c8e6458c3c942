"""The summary: every number of a run in one document, and a text that does not flatter."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from config.version import VERSION
from core.engine import Engine
from interface.summary import results, text
from storage.cold.records import FILES, file_hash, read_records
from tests.contract import INSTRUMENT


@pytest.fixture
def folder(finished: Path) -> Path:
    """The folder of the finished run."""
    (found,) = (finished / "paper" / "runs").iterdir()
    return found


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    """Its ``summary.json``."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return found


def test_the_document_says_what_the_run_was(document: dict[str, Any], folder: Path) -> None:
    """Id, mode, feed, symbols, seed, times in µs, the dated filters and the assumptions."""
    assert (document["run_id"], document["mode"], document["feed"]) == (folder.name, "paper", "EMBEDDED")
    assert (document["symbols"], document["seed"], list(document["filters_dated"])) == (["BTCUSDT"], 7, ["BTCUSDT"])
    assert document["ended_at"] - document["started_at"] == round(document["duration_s"] * 1e6)
    assert "ms out" in document["assumptions"] and document["interrupted"] is False


def test_money_adds_up(document: dict[str, Any]) -> None:
    """Net is gross less fees and funding, and what the account has more or less; amounts are decimal strings."""
    money = {name: Decimal(value) for name, value in document["money_usdt"].items()}
    assert money["net"] == money["gross"] - money["fees"] + money["funding"]
    assert money["net"] == money["end_equity"] - money["open_profit"] - money["start_equity"]
    assert all(isinstance(value, str) for value in document["money_usdt"].values())


def test_counts_are_those_of_the_records(document: dict[str, Any], folder: Path) -> None:
    """Signals, fills, trades and feed of the summary are those of the files' lines, and the hashes are theirs."""
    lines = {name: list(read_records(folder / f"{name}.jsonl")) for name in FILES}
    assert document["fills"] == len(lines["fills"])
    assert (
        document["trades"]["count"] == len(lines["trades"]) == document["trades"]["wins"] + document["trades"]["losses"]
    )
    assert document["signals"]["accepted"] == sum(1 for one in lines["signals"] if one["accepted"])
    assert document["market"]["quarantined"] == len(lines["quarantine"])
    assert all(one["feed"] == document["feed"] for name in FILES for one in lines[name])
    assert document["hashes"] == {name: file_hash(folder / f"{name}.jsonl") for name in FILES}


def test_denials_count_limits_and_causes_by_control() -> None:
    """A refusal by a limit of the gate and one by a cause in force count under the control's id; other refusals do
    not.
    """
    engine = Engine((INSTRUMENT,), Settings(), "sc")
    engine.refusals.update({"P09 DEPTH": 2, "P09 SPREAD": 1, "P24_PAUSE": 20, "COOLDOWN": 5})
    assert results(engine)["denials_by_control"] == {"P09": 3, "P24": 20}


def test_nothing_was_lost(document: dict[str, Any]) -> None:
    """A run on a good disk has no problem to tell of."""
    names = ("recording_problem", "journal_problem", "records_problem")
    assert [document[name] for name in names] == [None, None, None]
    assert (document["recording_dropped"], document["records_lost"]) == (0, 0)


def test_the_text_tells_a_loss_as_a_loss(document: dict[str, Any]) -> None:
    """Assumptions stand above the numbers, the net result has its sign, and the files have their place."""
    lines = text(document).splitlines()
    assert lines[0] == f"Scalper {VERSION} · PAPER · EMBEDDED · BTCUSDT"
    assert lines[1].startswith("  Assumptions")
    (net,) = [line for line in lines if line.startswith("  Net")]
    assert f" {document['money_usdt']['net']} USDT" in net
    assert lines[-1].endswith(document["folder"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames_dropped": 33827}, " gaps, 33,827 dropped before the start"),
        ({"connections_lost": 2}, " gaps, 2 connections lost"),
        ({"connections_lost": 2, "tape_ended": True}, " gaps"),
        ({"trades_missing": 2165}, " gaps, 2,165 trades missing"),
        ({"frames_dropped": 0, "connections_lost": 0}, " gaps"),
    ],
)
def test_what_was_not_heard_stands_beside_what_was(
    document: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    """Frames, connections and trades known to be missing are told in the line that says how much was heard."""
    (heard,) = [line for line in text(document | change).splitlines() if line.startswith("  Heard")]
    assert heard.endswith(words)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"open_position": {"BTCUSDT": "0.008"}}, "  Left open     BTCUSDT 0.008 (open profit 0 USDT)"),
        ({"blocked_by": {"OPERATOR": "operator: entries stopped"}}, "  Blocked by    operator: entries stopped"),
        ({"unfinished": ["0001.zst: cut"]}, "  Unfinished    0001.zst: cut"),
        ({"interrupted": True}, "  Stopped       by a signal, before its end"),
        ({"recording_problem": "recording is off: x"}, "  Problem       recording is off: x"),
        ({"journal_problem": "the journal cannot grow"}, "  Problem       the journal cannot grow"),
        ({"quarantine_left_out": 1234}, "  Not written   1,234 refused frames: quarantine.jsonl is full"),
        (
            {"records_lost": 3, "records_problem": "records cannot be written"},
            "  Lost          3 records; records cannot be written",
        ),
    ],
)
def test_the_text_hides_nothing(document: dict[str, Any], change: dict[str, Any], line: str) -> None:
    """Whatever went wrong or was left has a line of its own, and no line when there is nothing to tell."""
    assert line.split("  ")[1] not in [one.strip().split("  ")[0] for one in text(document).splitlines()]
    assert line in text(document | change).splitlines()


def test_what_is_left_is_the_last_line(document: dict[str, Any]) -> None:
    """Whoever reads only the end of a run that left a position (exit code 9) reads of the position."""
    last = text(document | {"open_position": {"BTCUSDT": "0.008", "ETHUSDT": "0.1"}}).splitlines()[-1]
    assert last.startswith("  Left open     BTCUSDT 0.008, ETHUSDT 0.1 (open profit ")
