"""`doctor`: can this machine trade with these settings, and what the account's numbers mean. A fix per failed row."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import locale
import os
import shutil
import socket
import stat
import sys
import threading
import time
import urllib.request
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import msgspec

from config.settings import Settings
from config.venue import example_price, shipped_instruments
from config.version import VERSION
from interface.commands import environment, preflight
from interface.commands.dispatch import ROOT
from interface.commands.loading import loaded
from interface.economics import Economics, reckon, sentences
from models.error import ConfigurationError, DataError, PreflightError
from models.instrument import Instrument, e8_text

OK, WARN, FAIL, INFO = "ok", "warn", "FAIL", "info"
DISK_BYTES_MIN = 1 << 30  # a journal block, a compile cache and an hour of recording fit into 1 GB
VENUE_SECONDS = 2.0  # a healthy venue answers in 0.3 s; doctor should not keep anybody waiting
OFFSET_WARN_MS, OFFSET_FAIL_MS = 250, 1_000  # P11 warns at 250; the venue refuses orders 1 s ahead of its clock
YEAR_MIN_NS = 1_767_225_600_000_000_000  # 2026-01-01: this version is younger


class Row(msgspec.Struct, frozen=True):
    """One finding; ``fix`` says what to do when ``state`` is FAIL or warn."""

    name: str
    state: str
    detail: str
    fix: str = ""


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """Print every row. Raises PreflightError (exit 4) when one failed, after telling all of them."""
    rows: list[Row] = [_python(), _packages()]
    settings, row = _settings(arguments)
    rows += [row, *_machine(settings), _clock(), *_venue(settings)]
    economics = []
    for found, lines in _account(settings):
        rows += lines
        economics += [found] if found else []
    if arguments.contract:
        rows += _contract(arguments, settings)
    failed = [row for row in rows if row.state == FAIL]
    if arguments.json:
        document = {
            "ok": not failed,
            "version": VERSION,
            "rows": msgspec.to_builtins(rows),
            "economics": msgspec.to_builtins(economics),
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return PreflightError.exit_code if failed else 0
    width = max(len(row.name) for row in rows)
    for row in rows:
        sys.stdout.write(f"{row.state:<4}  {row.name:<{width}}  {row.detail}\n")
        if row.fix and row.state in (WARN, FAIL):
            sys.stdout.write(f"      {'':<{width}}  fix: {row.fix}\n")
    if failed:
        sys.stdout.flush()
        raise PreflightError(f"{len(failed)} of {len(rows)} checks failed: {', '.join(row.name for row in failed)}")
    return 0


def _contract(arguments: argparse.Namespace, settings: Settings) -> Iterator[Row]:
    """What the venue does with streams, signed calls and a stop, in the mode asked for."""
    from interface.commands.contract import findings

    if settings.app.mode not in ("rehearsal", "testnet", "live"):
        yield Row("contract", FAIL, f"mode {settings.app.mode} has no account", "add --mode rehearsal, testnet or live")
        return
    for found in findings(arguments, settings):
        fix = "" if found.ok else "do not trade until it passes; see the venue's change log"
        yield Row(found.name, OK if found.ok else FAIL, found.detail, fix)


def _python() -> Row:
    version = ".".join(map(str, sys.version_info[:3]))
    where = "own environment" if sys.prefix != sys.base_prefix else "system"
    return Row("python", OK, f"{version}, {where}")  # main.py refuses older ones before this is imported


def _packages() -> Row:
    lock = ROOT / "requirements.lock"
    absent = environment.missing([lock], sys.path)
    if absent:
        return Row("packages", WARN, f"differ from {lock.name}: {', '.join(absent[:5])}", f"install {lock.name}")
    return Row("packages", OK, f"all of {lock.name}")


def _settings(arguments: argparse.Namespace) -> tuple[Settings, Row]:
    try:
        merged = loaded(arguments)
    except ConfigurationError as error:
        return Settings(), Row("settings", FAIL, error.message, "mend them; the rows below use the defaults")
    files = ", ".join(merged.files) or "no file, defaults"
    return merged.settings, Row("settings", OK, f"{files}; {len(merged.environment)} environment variables")


def _machine(settings: Settings) -> Iterator[Row]:
    data = Path(settings.app.data_dir)
    yield _writable("data folder", data, "choose another with --data-dir, or change its owner")
    free = shutil.disk_usage(preflight.existing(data)).free
    quota = settings.recording.quota_gb if settings.feed.record else 0
    shown = f"{free / 1e9:.1f} GB free"
    if free < DISK_BYTES_MIN:
        yield Row("disk", FAIL, shown, "free at least 1 GB, or choose another disk with --data-dir")
    elif free < quota * 1e9:
        yield Row("disk", WARN, f"{shown}, recordings may take {quota:g} GB", "lower recording.quota_gb")
    else:
        yield Row("disk", OK, shown)
    cache = Path(os.environ.get("NUMBA_CACHE_DIR", data / "cache" / "numba"))
    yield _writable(
        "compile cache", cache, "set NUMBA_CACHE_DIR to a folder you may write; without it each start waits"
    )
    yield from _secrets(data)
    yield _port(settings)
    yield _time_zone(settings)
    encoding = locale.getpreferredencoding(False)
    if encoding.upper().replace("-", "") == "UTF8":
        yield Row("locale", OK, encoding)
    else:
        yield Row("locale", WARN, f"{encoding} cannot show every text", "set LANG=C.UTF-8, or PYTHONUTF8=1")


def _writable(name: str, folder: Path, fix: str) -> Row:
    problem = preflight.cannot_write(folder)
    if problem:
        return Row(name, FAIL, problem, fix)
    return Row(name, OK, f"{folder}{'' if os.path.exists(folder) else ' (will be made)'}")


def _secrets(data: Path) -> Iterator[Row]:
    folder = data / "secrets"
    if not folder.is_dir():
        yield Row("secrets", OK, "none; paper needs none")
        return
    open_ones = [path.name for path in (folder, *folder.iterdir()) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_ones:
        fix = f"chmod 700 {folder} and chmod 600 the files in it"
        yield Row("secrets", FAIL, f"readable by others: {', '.join(sorted(open_ones))}", fix)
    else:
        yield Row("secrets", OK, "readable by you alone")


def _port(settings: Settings) -> Row:
    port = settings.api.port if settings.api.enabled else 0  # the embedded exchange takes any free one
    try:
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        return Row("ports", FAIL, f"127.0.0.1:{port} cannot be bound ({error.strerror})", "set api.port to a free one")
    return Row("ports", OK, f"127.0.0.1:{port or 'any'}")


def _time_zone(settings: Settings) -> Row:
    name = settings.app.timezone
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        fix = "install the system's tzdata, or set app.timezone to a zone such as UTC"
        return Row("time zone", WARN, f"{name} is unknown here; times are shown in UTC", fix)
    return Row("time zone", OK, f"{name}, for display; records and the trading day are UTC")


def _clock() -> Row:
    fix = "switch time synchronisation on"
    if time.time_ns() < YEAR_MIN_NS:
        return Row("clock", FAIL, f"the wall clock says {time.strftime('%Y-%m-%d', time.gmtime())}", fix)
    readings = [time.monotonic_ns() for _ in range(1_000)]
    step = max(later - earlier for earlier, later in itertools.pairwise(readings))
    resolution = time.get_clock_info("monotonic").resolution
    if resolution > 1e-6:
        return Row("clock", WARN, f"monotonic clock counts in {resolution * 1e6:g} us", "expect coarse latencies")
    return Row("clock", OK, f"monotonic, largest step between two readings {step / 1e3:.1f} us")


def _venue(settings: Settings) -> Iterator[Row]:
    """Reach and clock offset, from the public time request; nothing is asked when the feed is not the venue's."""
    if settings.feed.source not in ("auto", "binance"):
        yield Row("venue", INFO, f"not asked: feed.source is {settings.feed.source}")
        return
    answer = _venue_offset_ms(settings.feed.rest_url)
    if answer is None:
        detail = f"{settings.feed.rest_url} does not answer within {VENUE_SECONDS:g} s"
        if settings.feed.source == "binance":
            yield Row("venue", FAIL, detail, "check the network, or take --feed embedded")
        else:
            yield Row("venue", WARN, f"{detail}; paper runs on the embedded exchange", "check the network if unwanted")
        return
    offset, half = answer
    yield Row("venue", OK, f"{settings.feed.rest_url} answers in {2 * half:.0f} ms")
    shown, distance = f"{offset:+.0f} ms against the venue (within {half:.0f} ms)", abs(offset) - half
    state = FAIL if distance > OFFSET_FAIL_MS else WARN if distance > OFFSET_WARN_MS else OK
    yield Row("clock offset", state, shown, "switch time synchronisation on")


def _venue_offset_ms(rest_url: str) -> tuple[float, float] | None:
    """Venue clock minus ours and half the round trip, ms; None without an answer in time."""
    found: list[tuple[float, float]] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            begin = time.time_ns()
            with urllib.request.urlopen(f"{rest_url}/fapi/v1/time", timeout=VENUE_SECONDS) as answer:
                venue_ms = int(json.loads(answer.read(4_096))["serverTime"])
            end = time.time_ns()
            found.append((venue_ms - (begin + end) / 2e6, (end - begin) / 2e6))

    thread = threading.Thread(target=ask, daemon=True)  # name look-ups know no time-out of their own
    thread.start()
    thread.join(VENUE_SECONDS + 0.5)
    return found[0] if found else None


def _account(settings: Settings) -> Iterator[tuple[Economics | None, list[Row]]]:
    for symbol in settings.feed.symbols:
        try:
            instrument = shipped_instruments([symbol])[0]
        except DataError as error:
            yield None, [Row(f"contract {symbol}", WARN, error.message, "its filters must come from the venue")]
            continue
        facts = reckon(settings, instrument, example_price(symbol))
        yield facts, list(_judged(settings, instrument, facts))


def _judged(settings: Settings, instrument: Instrument, facts: Economics) -> Iterator[Row]:
    size, edge, stop, liquidation, budget = sentences(facts, instrument, settings.risk.equity_usdt)
    size = f"{size} (example price; filters of {instrument.dated})"
    if facts.lots:
        yield Row("minimum order", OK, size)
    else:
        fix = "raise risk.equity_usdt or the limits of the profile, or trade a contract with a smaller minimum"
        least = f"the smallest entry, {e8_text(facts.notional_min_e8)} USDT, breaks a limit"
        yield Row("minimum order", FAIL, f"{size}; {least}", fix)
    yield Row("break-even", INFO, edge)
    yield Row("stop", INFO, stop)
    needed = settings.risk.liquidation_multiple_min
    if facts.liquidation_pct >= needed * facts.stop_pct:
        yield Row("liquidation", OK, liquidation)
    else:
        fix = "lower risk.leverage or strategy.params.stop_pct"
        yield Row("liquidation", FAIL, f"{liquidation}; {needed:g} times is required (P07)", fix)
    yield Row("fee budget", INFO, budget)
