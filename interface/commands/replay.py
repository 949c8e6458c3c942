"""``replay``: a recorded run once more, through the same engine, compared byte for byte.

Rows come from the recording, outer facts (clock offset, streams lost, commands) from the journal; everything else must
follow. ``--verify`` exits 7 when a file, a wish or the state differs, and names the first difference.

``summary.json`` must tell the results of the second run too: hashes, counts and money.

A run that was killed has no end in its journal, and its files and its recording end at different places: they are
compared as far as all of them reach.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from config.settings import Settings
from interface import summary
from interface.commands.dispatch import document as error_document
from interface.drivers.parts import Parts
from interface.progress import Progress
from models.error import DataError, RunDiffersError
from storage.cold.recording import DAMAGED, Recording
from storage.cold.records import FILES, LINE_BYTES_MAX, file_hash

CLOSING = b'"closing":true'
RESULTS = ("signals", "denials_by_control", "fills", "trades", "money_usdt", "open_position", "operating", "market")
"""What of a summary must follow again from the facts."""
SHOWN = 300  # characters of a line without a partner


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    import wiring

    data = Path(settings.app.data_dir)
    try:
        first = wiring.Again.find(data, Path(arguments.run))
        document = once_more(first, data / "cache", Progress(arguments, "replay"), verify=arguments.verify)
    except DataError as error:
        if error.code != DAMAGED:
            raise
        raise RunDiffersError(f"the recording of {arguments.run}: {error.message}", code=DAMAGED) from None
    failed = RunDiffersError(f"run {first.run_id} differs: {document['difference']}") if arguments.verify else None
    if document["difference"] is None:
        failed = None
    if failed is not None and not arguments.json:
        raise failed
    if arguments.json:
        shown = document if failed is None else {**document, "error": error_document(failed)}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_text(document) + "\n")
    return 0 if failed is None else failed.exit_code


def once_more(first: Any, cache: Path, shown: Progress, *, verify: bool) -> dict[str, Any]:
    """Run ``first`` again in a folder below ``cache`` that is gone afterwards; what came of it."""
    cache.mkdir(parents=True, exist_ok=True)
    damage = _damage(first.recording) if verify and first.finish is not None else ""
    with tempfile.TemporaryDirectory(prefix="again-", dir=cache) as scratch, contextlib.ExitStack() as stack:
        try:
            parts = first.parts(Path(scratch))
        except (KeyError, IndexError, msgspec.ValidationError) as error:
            raise DataError(
                f"the journal of run {first.run_id} does not open as this version writes it ({error!r}); run it again "
                "with the version that recorded it",
                code="JOURNAL_VERSION",
            ) from None
        for close in parts.closing:
            stack.callback(close)
        state = first.drive(parts, shown.bytes)
        shown.done()
        parts.files.flush()
        if verify and first.finish is None and not parts.ear.number:
            raise DataError(
                f"run {first.run_id} was killed before the first part of its recording was written; there is nothing "
                "to verify it by",
                code="NOTHING_KEPT",
            )
        difference = f"its recording: {damage}" if damage else compare(first, parts, state)
        return {
            "v": 1,
            "run_id": first.run_id,
            "verified": difference is None,
            "difference": difference,
            "finished": first.finish is not None,
            "frames": parts.ear.number,
            "signals": parts.engine.signals,
            "fills": parts.engine.account.fills,
            "state_hash": state,
            "hashes": {name: file_hash(parts.folder / f"{name}.jsonl") for name in FILES},
        }


def _damage(recording: Recording) -> str:
    """Why a recording cannot give the same run again, however sound the program is; else empty."""
    lacks = f"{recording.index.dropped} records were not written" if recording.index.dropped else ""
    return recording.verify() or recording.index.problem or lacks


def compare(first: Any, again: Parts, state: str) -> str | None:
    """The first difference between a run's files and those of its second run ``again``, or None."""
    whole = first.finish is not None
    for name in FILES:
        one, two = (folder / f"{name}.jsonl" for folder in (first.folder, again.folder))
        difference = _file_difference(one, two, whole, first.feed)
        if difference is not None:
            return difference
    wishes, wishes_again = first.wishes(), first.wishes_again()
    for number, pair in enumerate(zip(wishes, wishes_again, strict=False)):
        if pair[0] != pair[1]:
            return f"wish {number + 1}: {pair[0]} then, {pair[1]} now"
    if not whole:
        return None
    if len(wishes) != len(wishes_again):
        return f"{len(wishes)} wishes then, {len(wishes_again)} now"
    if first.finish.state != state:
        return f"state hash {first.finish.state[:16]}… then, {state[:16]}… now"
    return _summary_difference(first.folder / "summary.json", again, state)


def _file_difference(one: Path, two: Path, whole: bool, feed: str) -> str | None:
    """The first line in which two record files differ, run ids and the feed's name aside."""
    if not one.is_file():
        return f"{one.name} is missing"
    pairs = itertools.zip_longest(_lines(one, whole, feed), _lines(two, whole, feed))
    for number, (then, now) in enumerate(pairs, 1):
        if then == now:
            continue
        if then is not None and now is not None:
            return f"{one.name} record {number}: {_first_key(then, now)}"
        if whole:
            ends = "ends before" if then is None else "goes on with"
            return f"{one.name} {ends} record {number}: {_shown(then if now is None else now)}"
        return None
    return None


def _lines(path: Path, whole: bool, feed: str) -> Iterator[bytes]:
    """The lines of a record file without its own run's id and feed; of a killed run neither torn nor closing ones."""
    mark, tail = b'"run_id":"%b"' % path.parent.name.encode(), b',"feed":%b}' % orjson.dumps(feed)
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX):
            if whole or (line.endswith(b"\n") and CLOSING not in line):
                body, found, end = line.rpartition(tail)
                line = body + b"}" + end if found and end in (b"\n", b"") else line
                yield line.replace(mark, b'"run_id":""', 1)


def _first_key(then: bytes, now: bytes) -> str:
    """The first key in which two lines differ, else the first byte."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        one, two = orjson.loads(then), orjson.loads(now)
        for key in [*one, *two]:
            if one.get(key, "absent") != two.get(key, "absent"):
                return f"{key} is {one.get(key, 'absent')} then, {two.get(key, 'absent')} now"
    pairs = itertools.zip_longest(then, now)
    at = next(place for place, (left, right) in enumerate(pairs) if left != right)
    return f"byte {at} is {_shown(then[at : at + 20])!r} then, {_shown(now[at : at + 20])!r} now"


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\n")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _summary_difference(path: Path, again: Parts, state: str) -> str | None:
    """Whether the summary, where there is one, tells of the run that was recorded: its hashes, counts and money."""
    if not path.is_file():
        return None
    try:
        told = orjson.loads(path.read_bytes())
        hashes = {**told["hashes"], "state": told["state_hash"]}
        then = {name: told[name] for name in RESULTS}
    except (ValueError, KeyError, TypeError) as error:
        return f"summary.json is none ({error!r})"
    found = {**{name: file_hash(again.folder / f"{name}.jsonl") for name in FILES}, "state": state}
    for name, value in found.items():
        if hashes.get(name) != value:
            return f"summary.json: the hash of {name} is {str(hashes.get(name))[:16]}… then, {value[:16]}… now"
    results = {**summary.results(again.engine), "market": summary.market(again)}
    one, two = dict(_leaves(then)), dict(_leaves({name: results[name] for name in RESULTS}))
    for key in [*one, *two]:
        if one.get(key, "absent") != two.get(key, "absent"):
            return f"summary.json: {key} is {one.get(key, 'absent')} then, {two.get(key, 'absent')} now"
    return None


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything in nested tables."""
    if not isinstance(value, dict):
        yield key, value
        return
    for name, part in value.items():
        yield from _leaves(part, f"{key}.{name}" if key else str(name))


def _text(document: dict[str, Any]) -> str:
    verdict = "identical" if document["verified"] else f"DIFFERS: {document['difference']}"
    if document["verified"] and not document["finished"]:
        verdict = "identical as far as it was kept; it did not end in order"
    return (
        f"Run {document['run_id']}: {verdict}\n"
        f"  {document['frames']:,} messages, {document['signals']} signals, {document['fills']} fills, "
        f"state {document['state_hash'][:16]}…"
    )
