"""Judges a session of killed and restarted runs from the exchange's audit, the bots' journals and their records.

The audit is the truth about what happened, written by the other side. Each ``Violation`` names its rule.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from models.action import Submit
from models.event import AccountTruth, Inherited
from models.order import Purpose
from storage.cold.inheritance import left_behind
from storage.cold.journal_reader import begun
from storage.cold.keeper import kept

PREFIX = "sc"
PURPOSE_AT = 10  # sc + eight characters of the run, then the letter of the purpose
BARE_US = 3_000_000
ORPHAN_US = 2_000_000
ALARMS = ("P28", "P29", "P25", "EXTERNAL", "INSTANCE", "FAULT", "LIQUIDATED", "P04", "P18_LONG", "MARGIN", "BLIND")
"""Causes that nothing in a session of kills may bring about: nobody else trades on the account."""


class Violation(NamedTuple):
    rule: str
    detail: str


class Life(NamedTuple):
    """One process: when it ran (wall clock, ns), when it was ready (0 never), how it was to die, its run's folder."""

    number: int
    begun_ns: int
    ready_ns: int
    ended_ns: int
    way: str
    folder: Path | None


class Moment(NamedTuple):
    """What the account looked like from ``time_us`` on: lots of the position, stops alive, entries and exits alive."""

    time_us: int
    held: Decimal
    stops: dict[str, tuple[str, Decimal]]


def audit_of(path: Path) -> list[dict[str, Any]]:
    """All whole lines of an audit file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def purpose_of(client_id: str) -> str:
    return client_id[PURPOSE_AT : PURPOSE_AT + 1] if client_id.startswith(PREFIX) else ""


def moments(audit: Iterable[dict[str, Any]]) -> Iterator[Moment]:
    """The account after each record."""
    held, stops = Decimal(0), {}
    for record in audit:
        if record["kind"] == "position":
            held = Decimal(record["quantity"])
        elif record["kind"] == "algo":
            if record["status"] == "NEW":
                stops[record["client_id"]] = (record["side"], Decimal(record["quantity"]))
            elif record["status"] not in ("TRIGGERING", "TRIGGERED"):
                stops.pop(record["client_id"], None)
        else:
            continue
        yield Moment(record["time_us"], held, dict(stops))


def covered(moment: Moment) -> bool:
    """Whether a stop for at least what is held lies on the other side."""
    if not moment.held:
        return True
    other = "SELL" if moment.held > 0 else "BUY"
    return any(side == other and lots >= abs(moment.held) for side, lots in moment.stops.values())


def judge_orders(audit: list[dict[str, Any]]) -> Iterator[Violation]:
    """At most one order for an id, no entry onto a position, never across zero, never growing by an exit or a stop."""
    held, seen = Decimal(0), Counter[str]()
    for record in audit:
        if record["kind"] == "order" and not record["algo_id"] and record["cause"] == "order":
            seen[record["client_id"]] += 1
            if purpose_of(record["client_id"]) == "e" and held:
                yield Violation("double entry", f"{record['client_id']} while {held} was held")
        elif record["kind"] == "algo" and record["status"] == "NEW":
            seen[record["client_id"]] += 1
        elif record["kind"] == "position":
            now = Decimal(record["quantity"])
            if held * now < 0:
                yield Violation("flip", f"record {record['number']}: {held} to {now}")
            held = now
        elif record["kind"] == "fill":
            sign = 1 if record["side"] == "BUY" else -1
            if purpose_of(record["client_id"]) in ("x", "s") and held * sign >= 0:
                yield Violation("flip", f"{record['client_id']} {record['side']} with {held} held")
        elif record["kind"] == "liquidation":
            yield Violation("liquidation", f"record {record['number']}")
    for client_id, count in seen.items():
        if count > 1:
            yield Violation("double order", f"{client_id} was accepted {count} times")


def windows(audit: list[dict[str, Any]], wanted: Any) -> Iterator[tuple[int, int, Moment]]:
    """Spans (from µs, to µs, the first moment) in which ``wanted(moment)`` holds."""
    since: Moment | None = None
    last_us = audit[-1]["time_us"] if audit else 0
    for moment in moments(audit):
        if wanted(moment) and since is None:
            since = moment
        elif not wanted(moment) and since is not None:
            yield since.time_us, moment.time_us, since
            since = None
    if since is not None:
        yield since.time_us, last_us, since


def alive_us(lives: list[Life], start_us: int, stop_us: int, grace_us: int) -> int:
    """How much of a span lies in lives that had been ready for ``grace_us``."""
    total = 0
    for life in lives:
        if life.ready_ns:
            first = max(start_us, life.ready_ns // 1000 + grace_us)
            total += max(0, min(stop_us, life.ended_ns // 1000) - first)
    return total


def judge_protection(audit: list[dict[str, Any]], lives: list[Life]) -> Iterator[Violation]:
    """A position is covered but for windows of three seconds; a stop without a position is gone within two."""
    for start_us, stop_us, moment in windows(audit, lambda one: not covered(one)):
        if stop_us - start_us > BARE_US:
            yield Violation("unprotected", f"{moment.held} for {(stop_us - start_us) / 1e6:.2f} s from {start_us}")
    for life in lives:
        if life.ready_ns:
            now = at(audit, life.ready_ns // 1000)
            if now is not None and not covered(now):
                yield Violation("unprotected", f"life {life.number} was ready with {now.held} uncovered")
    for start_us, stop_us, moment in windows(audit, lambda one: not one.held and bool(one.stops)):
        if alive_us(lives, start_us, stop_us, 0) > ORPHAN_US:
            yield Violation("orphan", f"{sorted(moment.stops)} without a position from {start_us} to {stop_us}")


def at(audit: list[dict[str, Any]], time_us: int) -> Moment | None:
    """The account at an instant; None before anything happened, or when a record lies within a millisecond of it."""
    found = None
    for moment in moments(audit):
        if moment.time_us > time_us:
            break
        found = moment
    return found


def bare_us(audit: list[dict[str, Any]]) -> list[int]:
    """Every unprotected window."""
    return [stop_us - start_us for start_us, stop_us, _ in windows(audit, lambda one: not covered(one))]


def judge_money(audit: list[dict[str, Any]]) -> Iterator[Violation]:
    """Wallet = opening + realised − fees + funding, after every record that names it."""
    wallet = Decimal(0)
    for record in audit:
        if record["kind"] == "fill":
            wallet += Decimal(record["realised"]) - Decimal(record["fee"])
        elif record["kind"] in ("opening", "funding", "transfer"):
            wallet += Decimal(record["amount"])
        else:
            continue
        if Decimal(record["wallet"]) != wallet:
            yield Violation("money", f"record {record['number']}: {record['wallet']}, reckoned {wallet}")
            wallet = Decimal(record["wallet"])


class Run:
    """What a run's journal says, torn tail left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder.parent.parent / "journal" / f"{folder.name}.journal"
        self.begun = self.journal.is_file() and begun(self.journal)
        self.contents = [content for _, content in kept(self.journal)] if self.begun else []

    def lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        if not path.is_file():
            return []
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def judge_runs(audit: list[dict[str, Any]], runs: list[Run]) -> Iterator[Violation]:
    """Intent before wire, nothing entered before the account was read, survivors handed on, wallets as the venue's."""
    intents = {one.order.client_id for run in runs for one in run.contents if isinstance(one, Submit)}
    for record in audit:
        named = record["kind"] == "algo" or (record["kind"] == "order" and not record["algo_id"])
        if named and record.get("cause", "order") == "order" and record["client_id"] not in intents:
            yield Violation("intent before wire", f"{record['client_id']} is in no journal")
    before: Run | None = None
    for run in runs:
        yield from _judge_start(run)
        if before is not None and before.contents:
            yield from _judge_survivors(before, run)
        yield from _judge_causes(run)
        before = run if run.contents else before
    booked = Counter(line["trade_id"] for run in runs for line in run.lines("fills") if line["trade_id"] > 0)
    for trade_id, count in booked.items():
        if count > 1:
            yield Violation("fill booked twice", f"trade {trade_id}: {count} times")


def _judge_start(run: Run) -> Iterator[Violation]:
    read = False
    for content in run.contents:
        read = read or isinstance(content, AccountTruth)
        if isinstance(content, Submit) and content.order.purpose is Purpose.ENTRY and not read:
            yield Violation("blind entry", f"{content.order.client_id} before the account was read")


def _judge_survivors(before: Run, run: Run) -> Iterator[Violation]:
    """The next run goes on with what the run before had at its last record."""
    found = next((one for one in run.contents if isinstance(one, Inherited)), None)
    if found is None:
        if any(isinstance(one, AccountTruth) for one in run.contents):
            yield Violation("survivors", f"{run.folder.name} inherited nothing from {before.folder.name}")
        return
    want = left_behind(before.journal, found.at_ns)
    if (want.survivors, want.orders) != (found.survivors, found.orders):
        yield Violation("survivors", f"{run.folder.name}: {found.survivors} instead of {want.survivors}")


def _judge_causes(run: Run) -> Iterator[Violation]:
    for line in run.lines("state_transitions"):
        cause = str(line.get("trigger", "")).partition(":")[0]
        if cause in ALARMS:
            yield Violation("alarm", f"{run.folder.name}: {line['trigger'][:120]}")


def trips_of(audit: list[dict[str, Any]]) -> list[Decimal]:
    """The net result of each round trip, from flat to flat, in order."""
    trips, net, held = [], Decimal(0), Decimal(0)
    for record in audit:
        if record["kind"] == "fill":
            net += Decimal(record["realised"]) - Decimal(record["fee"])
        elif record["kind"] == "position":
            now = Decimal(record["quantity"])
            if held and not now:
                trips.append(net)
                net = Decimal(0)
            held = now
    return trips


def streak_of(trips: list[Decimal]) -> int:
    """Losses in a row at the end."""
    count = 0
    for net in reversed(trips):
        if net >= 0:
            break
        count += 1
    return count
