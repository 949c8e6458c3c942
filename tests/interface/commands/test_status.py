"""`status` in words."""

from __future__ import annotations

from typing import Any

from interface.commands.status import order_text, text

STARTING = {"version": "1.2.3", "mode": "paper", "phase": "starting", "uptime_s": 1.2, "pid": 7}
ORDER = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "qty": "0.008", "status": "ACCEPTED"}
RUNNING: dict[str, Any] = {
    **STARTING,
    "phase": "running",
    "feed": "EMBEDDED",
    "operating": "ENTRY_BLOCKED",
    "blocked_by": {"OPERATOR": "socket: entries stopped"},
    "symbols": ["BTCUSDT", "ETHUSDT"],
    "quote": {"BTCUSDT": {"bid": "77755.10", "ask": "77755.20"}, "ETHUSDT": None},
    "decision": {"BTCUSDT": "ALLOWED", "ETHUSDT": "HALTED"},
    "data_trust": {"BTCUSDT": "TRUSTED", "ETHUSDT": "UNTRUSTED"},
    "hypothesis": {"BTCUSDT": "VALID", "ETHUSDT": "INVALID"},
    "position": {
        "BTCUSDT": {"side": "LONG", "qty": "0.008", "entry": "77754.3", "profit": "0.0088", "stop": "73866.60"}
    },
    "orders": [{**ORDER, "price": "73866.60"}],
    "run": {"signals": 1, "trades": 0, "wins": 0, "losses": 0, "net": "-0.3"},
    "today": {"net": "-0.3", "fees": "0.31"},
    "equity": "69.7",
    "folder": "d/paper/runs/x",
}


def test_all_of_it() -> None:
    """States with their causes, the quotes, what is held with its stop, and the money."""
    assert text(RUNNING).splitlines() == [
        "Scalper 1.2.3 · PAPER · EMBEDDED · running for 1 s, pid 7",
        "  Operating  ENTRY_BLOCKED (OPERATOR: socket: entries stopped)",
        "  Market     BTCUSDT 77755.10 / 77755.20, ALLOWED, TRUSTED, VALID",
        "  Market     ETHUSDT no book, HALTED, UNTRUSTED, INVALID",
        "  Position   BTCUSDT LONG 0.008 @ 77754.3, stop 73866.60, open profit 0.0088 USDT",
        "  Order      BTCUSDT SELL STOP_MARKET 0.008 @ 73866.60, ACCEPTED",
        "  Run        1 signals, 0 round trips (0 won, 0 lost), net -0.3 USDT",
        "  Today      net -0.3 USDT, fees 0.31 USDT",
        "  Equity     69.7 USDT",
        "  Files      d/paper/runs/x",
    ]


def test_a_run_that_starts_has_one_line() -> None:
    """Before the market is heard there is nothing to tell but that."""
    assert text(STARTING) == "Scalper 1.2.3 · PAPER · starting for 1 s, pid 7"


def test_a_position_without_its_stop_says_so() -> None:
    """No stop is no blank; nothing held is said too, and a market order has no price."""
    bare = {**RUNNING, "position": {"BTCUSDT": {**RUNNING["position"]["BTCUSDT"], "stop": None}}}
    assert "@ 77754.3, no stop, open profit" in text(bare)
    assert "  Position   none" in text({**RUNNING, "position": {}})
    assert order_text({**ORDER, "price": None}) == "BTCUSDT SELL STOP_MARKET 0.008, ACCEPTED"
