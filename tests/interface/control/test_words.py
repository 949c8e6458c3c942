"""What the commands say."""

from __future__ import annotations

from typing import Any

import pytest

from interface.control.words import left_text, seconds

HELD = {"BTCUSDT": {"side": "LONG", "qty": "0.008"}}
ORDER = {
    "client_id": "sc1", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "qty": "0.008",
    "status": "ACCEPTED",
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            {"position": HELD, "orders": [ORDER], "operating": "HALTED", "phase": "running"},
            "left are BTCUSDT LONG 0.008, order sc1 (BTCUSDT SELL STOP_MARKET 0.008, ACCEPTED); HALTED",
        ),
        (
            {"position": {}, "orders": [], "phase": "starting"},
            "the run is starting, and nobody has read back yet that nothing is open",
        ),
    ],
)
def test_what_is_left(document: dict[str, Any], text: str) -> None:
    """Every position and order by name; and when none is known, that flat is not proven all the same."""
    assert left_text(document) == text


def test_how_long_to_wait() -> None:
    """The option in ns, else the command's own time."""
    assert (seconds(None, 30.0), seconds(1_500_000_000, 30.0)) == (30.0, 1.5)
