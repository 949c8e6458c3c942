"""What every finite run does at its end: closing records, journal, files, hashes, the summary."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from interface import summary
from interface.drivers.parts import Parts
from models.control import Operating
from storage.cold.records import FILES, file_hash

EXIT_HALTED = 6
EXIT_OPEN = 9
EXIT_LOST = 1


def finish(parts: Parts, *, started_ns: int, ended_ns: int, config: str) -> dict[str, Any]:
    """Close all that a run keeps and return its summary, which is written last: it tells what went wrong at closing.

    A disk that refuses raises nothing here: the summary says so, and the run's result still reaches its reader.
    """
    with contextlib.ExitStack() as stack:
        for close in reversed(parts.closing):
            stack.callback(close)
        parts.session.carry(parts.engine.finish(ended_ns))
        if parts.keeper is not None:
            parts.keeper.finish(ended_ns, parts.engine.memory.hash())
    hashes = {name: file_hash(parts.folder / f"{name}.jsonl") for name in FILES}
    document = summary.summary(parts, started_ns=started_ns, ended_ns=ended_ns, hashes=hashes)
    try:
        parts.files.write_document("config.toml", config)
        parts.files.write_document("summary.json", document)
    except OSError as error:
        document["records_problem"] = f"the summary cannot be written: {error.strerror}"
        document["records_lost"] += 1
    return document


def tell(document: dict[str, Any], arguments: argparse.Namespace, *, stopped: bool = False) -> int:
    """Print the summary as asked; the exit code. ``stopped``: a position that is still open was left on purpose or for
    want of time, and the exit code says so; a market that simply ended (back test) leaves it as a number.
    """
    if arguments.json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(summary.text(document) + "\n")
    if document["operating"] == Operating.HALTED.value:
        return EXIT_HALTED
    if stopped and document["open_position"]:
        return EXIT_OPEN
    return EXIT_LOST if document["records_lost"] else 0


@contextlib.contextmanager
def guarded(parts: Parts) -> Iterator[None]:
    """Close the files of a run that an error ends, and remove its folder when nothing else would tell of it."""
    try:
        yield
    except BaseException:
        with contextlib.ExitStack() as stack:
            if parts.keeper is None:
                stack.callback(shutil.rmtree, parts.folder, ignore_errors=True)
            for close in reversed(parts.closing):
                stack.callback(close)
        raise
