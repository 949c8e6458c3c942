"""The summary of a run: what it was, what it did, what came of it. A losing run is told as a losing run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from config.version import VERSION
from core.engine import Engine
from core.risk.mode import Cause
from interface.drivers.parts import Parts
from models.instrument import e8_text

EMBEDDED = "EMBEDDED"
_CONTROL = re.compile(r"P\d\d")
PROBLEMS = ("journal_problem", "recording_problem")


def _denials(engine: Engine) -> dict[str, int]:
    """Refused signals by control (P09, P24 …), whether a limit of the gate spoke or a cause in force."""
    found: dict[str, int] = {}
    for code, count in sorted(engine.refusals.items()):
        if _CONTROL.match(code):
            found[code[:3]] = found.get(code[:3], 0) + count
    return found


def results(engine: Engine) -> dict[str, Any]:
    """Orders, trades and money of an engine, amounts as decimal strings of USDT."""
    ledger = engine.ledger
    equity = engine.account.equity_e8()
    trades = engine.account.trips
    return {
        "signals": {
            "total": engine.signals,
            "accepted": engine.signals - sum(engine.refusals.values()),
            "refused": dict(sorted(engine.refusals.items())),
        },
        "denials_by_control": _denials(engine),
        "fills": engine.account.fills,
        "trades": {
            "count": trades,
            "wins": ledger.wins,
            "losses": ledger.losses,
            "win_rate": round(ledger.wins / trades, 4) if trades else None,
        },
        "money_usdt": {
            "start_equity": e8_text(ledger.opened_e8),
            "end_equity": e8_text(equity),
            "gross": e8_text(ledger.gross_e8),
            "fees": e8_text(ledger.fees_e8),
            "funding": e8_text(ledger.funding_e8),
            "net": e8_text(ledger.wallet_e8 - ledger.opened_e8),
            "open_profit": e8_text(equity - ledger.wallet_e8),
        },
        "open_position": {
            trader.instrument.symbol: trader.instrument.quantity_text(abs(trader.position.lots))
            for trader in engine.traders
            if trader.position.lots
        },
        "operating": engine.mode.state.value,
        "blocked_by": {
            cause.value: detail
            for cause, detail in engine.mode.causes.items()
            if cause not in (Cause.SHUTDOWN, Cause.HANDOVER)  # the end of the run itself
        },
        "state_hash": engine.memory.hash(),
    }


def market(parts: Parts) -> dict[str, Any]:
    """What was heard: frames, rows, quarantine, book checks."""
    counts = parts.ear.hearing.counts
    memory = parts.engine.memory
    books = {}
    for instrument in parts.instruments:
        view, book = memory.view(instrument.index), memory.book(instrument.index)
        books[instrument.symbol] = {
            "crossed": int(book["crossed"]),
            "quotes_compared": view.get("quotes_compared"),
            "quotes_equal": view.get("quotes_equal"),
            "known": parts.engine.traders[instrument.index].depth_known,
        }
    return {
        "frames": counts.frames,
        "rows": int(memory.engine[0]["rows"]),
        "fast_share": round(counts.fast_share, 6),
        "quarantined": counts.quarantined,
        "quarantined_by_reason": counts.reasons,
        "gaps": counts.gaps,
        "books": books,
    }


def summary(parts: Parts, *, started_ns: int, ended_ns: int, hashes: Mapping[str, str]) -> dict[str, Any]:
    """The document ``summary.json``; times in µs."""
    writer, keeper, files = parts.writer, parts.keeper, parts.files
    found = results(parts.engine)
    if parts.facts.get("tape_ended"):
        found["blocked_by"].pop(Cause.STREAM.value, None)  # streams that ended with the tape were not lost
    return {
        "v": 1,
        "run_id": parts.run_id,
        "version": VERSION,
        "mode": parts.mode,
        "feed": parts.feed,
        "symbols": [instrument.symbol for instrument in parts.instruments],
        "filters_dated": {one.symbol: one.dated for one in parts.instruments if one.dated},
        "started_at": started_ns // 1000,
        "ended_at": ended_ns // 1000,
        "duration_s": round((ended_ns - started_ns) / 1e9, 3),
        **parts.facts,
        "recording_problem": (writer.problem or None) if writer is not None else None,
        "recording_dropped": writer.dropped if writer is not None else 0,
        "journal_problem": (keeper.failed or None) if keeper is not None else None,
        "records_problem": files.problem or None,
        "records_lost": files.lost,
        "quarantine_left_out": files.left_out,
        "market": market(parts),
        **found,
        "hashes": dict(hashes),
        "folder": str(parts.folder),
    }


def _heard(document: Mapping[str, Any]) -> str:
    """What was heard and what was not: every frame and trade that is known to be missing is told."""
    told = [
        f"{document['market']['frames']:,} frames in {document['duration_s']:,.1f} s",
        f"{document['market']['quarantined']} quarantined",
        f"{document['market']['gaps']} gaps",
    ]
    if document.get("frames_dropped"):
        told.append(f"{document['frames_dropped']:,} dropped before the start")
    if document.get("connections_lost") and not document.get("tape_ended"):
        told.append(f"{document['connections_lost']} connections lost")
    if document.get("trades_missing"):
        told.append(f"{document['trades_missing']:,} trades missing")
    return ", ".join(told)


def text(document: Mapping[str, Any]) -> str:
    """The summary as a person reads it: the assumptions above the numbers, and what is left open in the last line."""
    money, trades, signals = document["money_usdt"], document["trades"], document["signals"]
    refused = ", ".join(f"{code} {count}" for code, count in signals["refused"].items()) or "none"
    lines = [
        f"Scalper {document['version']} · {document['mode'].upper()} · {document['feed']} · "
        f"{' '.join(document['symbols'])}",
        f"  Assumptions   {document.get('assumptions', '')}",
        f"  Heard         {_heard(document)}",
        f"  Signals       {signals['total']}, of them {signals['accepted']} became orders; refused: {refused}",
        f"  Round trips   {trades['count']} ({trades['wins']} won, {trades['losses']} lost)",
        f"  Gross         {money['gross']} USDT",
        f"  Fees          {money['fees']} USDT",
        f"  Funding       {money['funding']} USDT",
        f"  Net           {money['net']} USDT  (equity {money['start_equity']} → {money['end_equity']} USDT)",
    ]
    unknown = [symbol for symbol, book in document["market"]["books"].items() if not book["known"]]
    if unknown:
        lines.append(f"  No book       {' '.join(unknown)}: without a snapshot and depth nothing can be decided")
    if document["blocked_by"]:
        lines.append(f"  Blocked by    {'; '.join(document['blocked_by'].values())}")
    lines += [f"  Unfinished    {torn}" for torn in document.get("unfinished", ())]
    if document.get("interrupted"):
        lines.append("  Stopped       by a signal, before its end")
    if document["records_lost"]:
        lines.append(f"  Lost          {document['records_lost']} records; {document['records_problem']}")
    if document["quarantine_left_out"]:
        lines.append(f"  Not written   {document['quarantine_left_out']:,} refused frames: quarantine.jsonl is full")
    lines += [f"  Problem       {document[name]}" for name in PROBLEMS if document[name]]
    lines.append(f"  Files         {document['folder']}")
    if document["open_position"]:
        left = ", ".join(f"{symbol} {quantity}" for symbol, quantity in document["open_position"].items())
        lines.append(f"  Left open     {left} (open profit {money['open_profit']} USDT)")
    return "\n".join(lines)
