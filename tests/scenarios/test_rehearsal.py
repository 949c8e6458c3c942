"""A rehearsal: the live code path over real sockets, signed orders included, against the embedded exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.cold.records import FILES
from tests.interface.program import child, inside
from tests.scenarios.test_parity import settings_words


class Rehearsal:
    """Half a minute of market at twice its speed, with thresholds that trade."""

    def __init__(self, data: Path) -> None:
        self.data = data
        words = ["demo", "--mode", "rehearsal", "--for", "36s", "--speed", "4", "--seed", "7", "--json", "--quiet"]
        ran = child(data.parent, *words, *settings_words(), "--data-dir", data)
        assert ran.code == 0, ran.err
        self.summary = ran.document
        self.folder = data / "rehearsal" / "runs" / self.summary["run_id"]

    def records(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """One rehearsal for all tests of this file."""
    return Rehearsal(tmp_path_factory.mktemp("rehearsal") / "data")


def test_it_trades_and_ends_flat(rehearsal: Rehearsal) -> None:
    """At least one round trip was closed, nothing is left open, and no order was refused."""
    summary = rehearsal.summary
    assert (summary["mode"], summary["feed"]) == ("rehearsal", "EMBEDDED")
    assert summary["trades"]["count"] >= 1
    assert (summary["open_position"], summary["blocked_by"]) == ({}, {})
    assert {one["status"] for one in rehearsal.records("orders")} <= {"SUBMITTED", "ACCEPTED", "FILLED", "CANCELED"}


def test_every_entry_got_a_stop_at_the_venue(rehearsal: Rehearsal) -> None:
    """Beside each filled entry a stop was accepted, and it was taken back when the position had gone."""
    orders = rehearsal.records("orders")
    entries = {one["client_id"] for one in orders if one["purpose"] == "entry" and one["status"] == "FILLED"}
    stops = [one for one in orders if one["purpose"] == "stop"]
    assert len({one["client_id"] for one in stops if one["status"] == "ACCEPTED"}) == len(entries) > 0
    assert len({one["client_id"] for one in stops if one["status"] == "CANCELED"}) == len(entries)


def test_latencies_are_told(rehearsal: Rehearsal) -> None:
    """The first word on an order says how long deciding, sending and the answer took."""
    accepted = [one["latency_us"] for one in rehearsal.records("orders") if one["status"] == "ACCEPTED"]
    assert all(one["decide"] >= 0 and one["send"] > 0 and one["ack"] > 0 for one in accepted)


def test_a_second_run_of_the_record_is_identical(rehearsal: Rehearsal) -> None:
    """``replay --verify``: the market from the recording, the account from the journal, everything the same."""
    ran = inside("replay", rehearsal.folder, "--data-dir", rehearsal.data, "--quiet", "--verify", "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["verified"], ran.document["difference"]) == (True, None)
    assert ran.document["hashes"] == {name: rehearsal.summary["hashes"][name] for name in FILES}
