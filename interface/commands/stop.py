"""``stop``: end the running bot in order; returns when its process has ended. ``--entries`` only blocks entries.

Exit code 0 when it ended flat, 9 when it left a position with its stop, 1 when it has not ended in time or ended
without its summary.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from interface.control.client import connected, ended_within, silent
from interface.control.place import folder_of
from interface.control.words import seconds, simple, tell
from models.error import ScalperError

STOP_WAIT_S = 45.0  # as the container's grace period; a run takes at most 30 s to close
EXIT_OPEN = 9


def run(arguments: argparse.Namespace, settings: None) -> int:
    if arguments.entries:
        return simple(arguments, "stop_entries", "entries are blocked")
    folder, wait_s = folder_of(arguments), seconds(arguments.wait_ns, STOP_WAIT_S)
    with connected(folder) as line:
        process = line.process()
        stopped = line.ask("stop")
    try:
        if not ended_within(folder, process, wait_s):
            raise silent(
                folder, f"has not ended within {wait_s:g} s; it goes on ending, or SIGKILL ends it", "STOP_LATE"
            )
    finally:
        if process >= 0:
            os.close(process)
    document = _outcome(stopped)
    left = ", ".join(f"{symbol} {quantity}" for symbol, quantity in document["open_position"].items())
    tell(arguments, document, f"stopped; left open, with its stop: {left}" if left else "stopped, flat")
    return EXIT_OPEN if left else 0


def _outcome(stopped: dict[str, Any]) -> dict[str, Any]:
    """What the run's own summary says. Raises ScalperError when it left none: it did not end in order."""
    if stopped["folder"] is None:
        return {"run_id": None, "open_position": {}, "operating": None}  # it had not begun to trade
    path = Path(stopped["folder"]) / "summary.json"
    try:
        summary = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise ScalperError(f"it ended, but not in order: {path} is missing", code="NO_SUMMARY") from None
    return {name: summary[name] for name in ("run_id", "open_position", "operating", "money_usdt", "folder")}
