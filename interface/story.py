"""The run's story in the log: a line for each order, fill, round trip and change of state, none for each tick."""

from __future__ import annotations

from typing import Any

from interface import log
from models.action import Note

EVENTS = {
    "orders": ("order", ("client_id", "venue_id", "symbol", "side", "type", "qty", "price", "status", "reason")),
    "fills": ("fill", ("client_id", "trade_id", "symbol", "side", "price", "qty", "fee", "realized")),
    "trades": (
        "trade.closed",
        ("symbol", "side", "qty", "entry", "exit", "pnl_gross", "fee", "pnl_net", "exit_reason"),
    ),
    "state_transitions": ("state.changed", ("data_trust", "hypothesis", "decision", "operating", "trigger")),
}
"""File of a note → event name and the keys that go into the line."""


class Story:
    """Turns notes into log events. Refused signals are told too: «why no trade» is asked more than anything else."""

    def __init__(self) -> None:
        self._log = log.logger("engine")

    def note(self, note: Note) -> None:
        record: dict[str, Any] = note.record
        if note.file == "signals":
            if not record["accepted"]:
                self._log.info(
                    "signal.refused", symbol=record["symbol"], side=record["side"], reason=record["reject_reason"]
                )
            return
        known = EVENTS.get(note.file)
        if known is None:
            return
        event, keys = known
        if event == "order":
            event = f"order.{str(record['status']).lower()}"
        self._log.info(event, **{key: record[key] for key in keys if record.get(key) is not None})
