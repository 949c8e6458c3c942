"""``health``: whether the running bot does its work. For container health checks, so it answers within 3 s.

Exit code 0 when it does, 1 when it does not or does not answer, 5 when nothing runs. A bot that a person or a limit has
halted is healthy: it does what it should, and ``operating`` says so.
"""

from __future__ import annotations

import argparse

from interface.control.client import connected
from interface.control.place import folder_of
from interface.control.words import tell

EXIT_UNHEALTHY = 1


def run(arguments: argparse.Namespace, settings: None) -> int:
    with connected(folder_of(arguments)) as line:
        document = line.ask("health")
    problems = "; ".join(document["problems"])
    tell(arguments, document, f"not healthy: {problems}" if problems else f"healthy; {document['operating']}")
    return 0 if document["healthy"] else EXIT_UNHEALTHY
