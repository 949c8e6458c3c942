"""Refusals: the venue's codes with the venue's texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.emulator.trading.refusals import TEXTS, refusal
from tests.exchange.emulator.shape import golden

FILLED_IN = {-4016: ("80762.80",), -4024: ("73071.10",), -4028: (200,), -4164: (50,)}


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_is_the_venues(code: int, wire: Path) -> None:
    """Code, text and HTTP status are those of the venue's catalogue, wherever it has the code."""
    rows = {row["code"]: row for row in golden(wire, "errors-catalog")}
    refused = refusal(code, *FILLED_IN.get(code, ("LIMIT",)))
    assert refused.status == 400 and refused.body["code"] == code
    if code in rows:
        assert str(refused).rstrip(".") == rows[code]["msg"].rstrip(".")


def test_golden_errors_come_out(wire: Path) -> None:
    """The two golden error bodies are ours."""
    assert refusal(-1121).body == golden(wire, "error-1121")
    assert refusal(-4120).body == golden(wire, "error-4120")
