"""`data import raw-lines` and `data check`: captures become recordings, recordings are examined."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

import msgspec
import orjson

from config.settings import Settings
from config.venue import shipped_instruments, shipped_symbols
from data_collector.check import check as examine
from interface.progress import Progress
from models.error import DataError, PreflightError
from models.instrument import Instrument, e8_text
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import DAMAGED, Recording

CHECK_FAILED = "CHECK_FAILED"


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """The verb of ``data``; the exit code."""
    return {"import raw-lines": import_lines, "check": check}[arguments.verb](arguments)


def import_lines(arguments: argparse.Namespace) -> int:
    """``data import raw-lines FILE… --unit us|ns --out DIR [--clock-offset auto|MS]``."""
    shown = Progress(arguments, "import")
    imported = import_raw_lines(
        [Path(name) for name in arguments.files],
        Path(arguments.out),
        unit=arguments.unit,
        clock_offset_ms=arguments.clock_offset,
        known=_venue_copies(),
        progress=lambda count: shown.text(f"{count:,} lines"),
    )
    shown.done()
    if arguments.json:
        _write(orjson.dumps(msgspec.to_builtins(imported), option=orjson.OPT_INDENT_2).decode())
        return 0
    _write(f"{imported.folder}: {imported.frames} frames and {imported.snapshots} snapshots of {imported.lines} lines")
    _write(f"market {imported.market}, clock offset {imported.clock_offset_ns / 1e6:.3f} ms")
    for one in imported.instruments:
        origin = "inferred from the text" if one.dated == "inferred" else f"from the copy of {one.dated}"
        _write(f"{one.symbol}: tick {e8_text(one.tick_e8)}, step {e8_text(one.lot_e8)}, {origin}")
    for symbol, frames in imported.strays.items():
        what = "1 stray frame" if frames == 1 else f"{frames} stray frames"
        _write(f"{symbol}: {what} in a capture of another symbol, recorded; reading quarantines it")
    for refusal in imported.first_refusals:
        _write(f"refused: {refusal}")
    if imported.refused > len(imported.first_refusals):
        _write(f"refused: {imported.refused} lines in all, each kept in the recording as a note")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """``data check RECORDING [--bars 1m]``: 4 when it is damaged, its books do not add up, or no frame is usable."""
    shown = Progress(arguments, "check")
    try:
        recording = Recording.open(arguments.recording)
        document = examine(recording, bars_ns=arguments.bars or 0, progress=lambda count: shown.text(f"{count:,} rows"))
    except DataError as error:
        if error.code != DAMAGED:
            raise
        raise PreflightError(error.message, code=DAMAGED) from None
    shown.done()
    document["recording"] = str(arguments.recording)
    document["unfinished"] = recording.torn
    document["dropped"] = recording.index.dropped
    document["problem"] = recording.index.problem
    failure = _failure(document)
    document["ok"] = not failure
    if arguments.json:
        error = {"error": {"code": CHECK_FAILED, "message": failure}} if failure else {}
        _write(orjson.dumps({**document, **error}, option=orjson.OPT_INDENT_2).decode())
        return PreflightError.exit_code if failure else 0
    _write(_text(document))
    if failure:
        sys.stdout.flush()
        raise PreflightError(failure, code=CHECK_FAILED)
    return 0


def _failure(document: dict[str, Any]) -> str:
    """One sentence when the recording is of no use as it is, else empty."""
    where = document["recording"]
    if document["crossed_books"] or document["quotes_compared"] != document["quotes_agreed"]:
        wrong = document["quotes_compared"] - document["quotes_agreed"]
        return (
            f"the books of {where} do not add up: {document['crossed_books']} crossed, {wrong} of "
            f"{document['quotes_compared']} quotes differ; record or import it again"
        )
    if document["frames"] and document["quarantined"] >= document["frames"]:
        return f"none of the {document['frames']} frames of {where} is usable; import the capture again"
    if not document["frames"]:
        return f"{where} holds no frame; record or import it again"
    return ""


def _venue_copies() -> dict[str, Instrument]:
    """The shipped copies of contracts, by symbol: better than what a text shows."""
    return {one.symbol: one for one in shipped_instruments(shipped_symbols())}


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"{document['recording']}: {document['seconds']} s, {document['market']}, {document['frames']} frames, "
        f"{document['answers']} answers",
        _heard(document),
        f"fast pass {document['fast_share']:.4%} of the frames",
        "rows: " + ", ".join(f"{name} {count}" for name, count in document["rows"].items()),
        f"sequence gaps {document['sequence_gaps']}, trade id gaps {document['trade_id_gaps']} "
        f"({document['trades_missing']} missing), crossed books {document['crossed_books']}",
        f"quotes at equal update id: {document['quotes_compared']} compared, {document['quotes_agreed']} agree",
    ]
    for name, lag in document["feed_lag_ms"].items():
        lines.append(f"lag of {name}: " + ", ".join(f"{key} {value} ms" for key, value in lag.items()))
    for one in document["instruments"]:
        touch = f", {one['best_bid']} / {one['best_ask']}" if "best_bid" in one else ""
        lines.append(
            f"{one['symbol']}: {one['book']}{touch}, {one['snapshots']} snapshots, lost {len(one['lost'])} times"
        )
    for one in document["refusals"]:
        lines.append(f"quarantined: number {one['number']}, {one['stream']}: {one['reason']}: {one['detail']}")
    if document["lines_refused"]:
        lines.append(f"the import refused {document['lines_refused']} lines (notes in the recording)")
    if document["dropped"]:
        lines.append(f"{document['dropped']} records were dropped while it was written")
    lines += [document[name] for name in ("unfinished", "problem") if document[name]]
    if "bars" in document:
        lines.append(_table(document["bars"]))
    return "\n".join(lines)


def _table(bars: list[dict[str, Any]]) -> str:
    """Bars as CSV with a heading."""
    text = io.StringIO()
    names = ["symbol", "open_us", "open", "high", "low", "close", "volume", "trades"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(bars)
    return text.getvalue().rstrip("\n")


def _heard(document: dict[str, Any]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in document["quarantined_by_reason"].items())
    return f"accepted {document['accepted']}, quarantined {document['quarantined']}{reasons and f' ({reasons})'}"


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
