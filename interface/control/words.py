"""How the commands that talk to a bot tell what came of it. Standard library only."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from interface.control.client import connected, flat_within
from interface.control.place import folder_of
from models.error import ScalperError

FLAT_WAIT_S = 30.0


def tell(arguments: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    """The document with ``--json``, else the text."""
    sys.stdout.write((json.dumps(document, ensure_ascii=False) if arguments.json else text) + "\n")


def seconds(wait_ns: int | None, default_s: float) -> float:
    return default_s if wait_ns is None else wait_ns / 1e9


def until_flat(arguments: argparse.Namespace, command: str) -> int:
    """Give ``command`` and wait until flat was read back. Raises ScalperError with what is left when it was not."""
    wait_s = seconds(arguments.wait_ns, FLAT_WAIT_S)
    with connected(folder_of(arguments)) as line:
        given = line.ask(command)
        flat, document = flat_within(line, given["since_ns"], wait_s)
    if not flat:
        raise ScalperError(f"not flat after {wait_s:g} s: {left_text(document)}", code="NOT_FLAT")
    tell(arguments, document, f"flat: no position, no order; {document['operating']}")
    return 0


def left_text(document: dict[str, Any]) -> str:
    """What is still open, in one line."""
    left = [f"{symbol} {held['side']} {held['qty']}" for symbol, held in document["position"].items()]
    left += [
        f"order {one['client_id']} ({one['symbol']} {one['side']} {one['type']} {one['qty']}, {one['status']})"
        for one in document["orders"]
    ]
    if not left:
        return f"the run is {document['phase']}, and nobody has read back yet that nothing is open"
    return f"left are {', '.join(left)}; {document.get('operating', document['phase'])}"


def simple(arguments: argparse.Namespace, command: str, said: str) -> int:
    """Give ``command`` and tell the operating state that it led to."""
    with connected(folder_of(arguments)) as line:
        document = line.ask(command)
    causes = document.get("blocked_by", {})
    why = f" ({'; '.join(f'{cause}: {detail}' for cause, detail in causes.items())})" if causes else ""
    tell(arguments, document, f"{said}; {document.get('operating', document['phase'])}{why}")
    return 0
