"""The contract self-test, against the embedded exchange."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interface.program import child, inside

ROWS = {"market streams", "call account", "call income", "call order/test", "private stream", "protective stop"}


def test_the_embedded_exchange_keeps_the_contract(tmp_path: Path) -> None:
    """Streams deliver, every signed call answers, and a stop is placed, read back and cancelled."""
    ran = child(tmp_path, "doctor", "--contract", "--mode", "rehearsal", "--json")
    assert ran.code == 0, ran.err
    rows = {row["name"]: row for row in ran.document["rows"]}
    assert rows.keys() >= ROWS
    assert {row["state"] for name, row in rows.items() if name in ROWS or name.startswith("call ")} == {"ok"}
    assert "placed, read back and cancelled" in rows["protective stop"]["detail"]


@pytest.mark.parametrize(("mode", "words"), [("paper", "has no account"), ("testnet", "needs the secrets")])
def test_what_cannot_be_asked_is_a_failed_row(tmp_path: Path, mode: str, words: str) -> None:
    """A mode without an account, or one whose secrets are missing, fails before anything is connected."""
    ran = inside("doctor", "--contract", "--mode", mode, "--json", "--data-dir", tmp_path)
    (row,) = [row for row in ran.document["rows"] if row["name"] == "contract"]
    assert (ran.code, row["state"]) == (4, "FAIL")
    assert words in row["detail"]
