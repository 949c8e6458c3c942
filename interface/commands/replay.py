"""``replay``: a recorded run once more, through the same engine, compared byte for byte.

Rows come from the recording, outer facts (clock offset, streams lost, commands) from the journal; everything else must
follow. ``--verify`` exits 7 when a file, a wish or the state differs, and names the first difference.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from config.settings import Settings
from interface.progress import Progress
from models.error import RunDiffersError
from storage.cold.records import FILES, file_hash, read_records


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    import wiring

    first = wiring.Again.find(Path(settings.app.data_dir), Path(arguments.run))
    shown = Progress(arguments, "replay")
    with tempfile.TemporaryDirectory(prefix="again-", dir=first.folder.parent) as scratch:
        parts = first.parts(Path(scratch))
        state = first.drive(parts, shown.bytes)
        shown.done()
        parts.files.flush()
        difference = compare(first, parts.folder, state)
        document = {
            "v": 1,
            "run_id": first.run_id,
            "verified": difference is None,
            "difference": difference,
            "frames": parts.ear.number,
            "signals": parts.engine.signals,
            "fills": parts.engine.fills,
            "state_hash": state,
            "hashes": {name: file_hash(parts.folder / f"{name}.jsonl") for name in FILES},
        }
        for close in parts.closing:
            close()
    if difference is not None and arguments.verify:
        raise RunDiffersError(f"run {first.run_id} differs: {difference}")
    if arguments.json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    elif not arguments.quiet:
        sys.stdout.write(_text(document) + "\n")
    return 0


def compare(first: Any, folder: Path, state: str) -> str | None:
    """The first difference between a run's files and those of its second run, or None."""
    for name in FILES:
        one, two = first.folder / f"{name}.jsonl", folder / f"{name}.jsonl"
        if file_hash(one) != file_hash(two):
            return _first_difference(name, one, two)
    wishes, again = first.wishes(), first.wishes_again()
    for number, pair in enumerate(zip(wishes, again, strict=False)):
        if pair[0] != pair[1]:
            return f"wish {number + 1}: {pair[0]} then, {pair[1]} now"
    if len(wishes) != len(again):
        return f"{len(wishes)} wishes then, {len(again)} now"
    if first.finish is not None and first.finish.state != state:
        return f"state hash {first.finish.state[:16]}… then, {state[:16]}… now"
    return None


def _first_difference(name: str, one: Path, two: Path) -> str:
    records = zip(_plain(one), _plain(two), strict=False)
    for number, (then, now) in enumerate(records):
        if then != now:
            return f"{name}.jsonl record {number + 1}: {json.dumps(then)} then, {json.dumps(now)} now"
    return f"{name}.jsonl has {sum(1 for _ in _plain(one))} records then, {sum(1 for _ in _plain(two))} now"


def _plain(path: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "run_id"} for record in read_records(path)]


def _text(document: dict[str, Any]) -> str:
    verdict = "identical" if document["verified"] else f"DIFFERS: {document['difference']}"
    return (
        f"Run {document['run_id']}: {verdict}\n"
        f"  {document['frames']:,} messages, {document['signals']} signals, {document['fills']} fills, "
        f"state {document['state_hash'][:16]}…"
    )
