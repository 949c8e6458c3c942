"""What every finite run does at its end: closing records, journal, files, hashes, the summary."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from interface import summary
from interface.drivers.parts import Parts
from models.control import Operating
from storage.cold.records import FILES, file_hash

EXIT_HALTED = 6


def finish(parts: Parts, *, started_ns: int, ended_ns: int, config: str) -> dict[str, Any]:
    """Write what is left of a run's files and return its summary."""
    parts.session.carry(parts.engine.finish(ended_ns))
    if parts.keeper is not None:
        parts.keeper.finish(ended_ns, parts.engine.memory.hash())
    parts.files.flush()
    hashes = {name: file_hash(parts.folder / f"{name}.jsonl") for name in FILES}
    document = summary.summary(parts, started_ns=started_ns, ended_ns=ended_ns, hashes=hashes)
    parts.files.write_document("summary.json", document)
    parts.files.write_document("config.toml", config)
    for close in parts.closing:
        close()
    return document


def tell(document: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Print the summary as asked; the exit code of a finite run."""
    if arguments.json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    elif not arguments.quiet:
        sys.stdout.write(summary.text(document) + "\n")
    return EXIT_HALTED if document["operating"] == Operating.HALTED.value else 0
