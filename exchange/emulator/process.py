"""The embedded exchange as a process: one ready line on stdout, ends on a signal or with its parent.

With accounts the ready line has their credentials too: they are worth nothing anywhere else, but whoever reads the line
treats them as secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import orjson
import uvloop

from exchange.emulator.faults import load
from exchange.emulator.keys import HMAC
from exchange.emulator.market import Market
from exchange.emulator.server import Emulator
from exchange.emulator.sockets import Limits
from exchange.emulator.venue import AccountPlan, Venue, VenueTerms
from exchange.emulator.ws_api import PATH as WS_API_PATH
from models.error import UsageError
from models.instrument import to_e8
from utils.clock import wall_ns

_ACCOUNT = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,31})=([0-9]{1,9}(?:\.[0-9]{1,8})?)")  # up to a thousand million USDT


def host(
    market: Market,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    speed: float | None = 1.0,
    recorded: bool = False,
    limits: Limits | None = None,
    terms: VenueTerms | None = None,
    audit: Path | None = None,
) -> int:
    """Serve ``market`` until told to stop. ``recorded``: the venue's clock is the recording's, not ours. ``audit``: a
    file that gets one JSON line for everything that happens to an account.
    """
    terms = terms or VenueTerms()
    with contextlib.ExitStack() as stack:
        if audit is not None:
            terms = msgspec.structs.replace(terms, audit=stack.enter_context(audit_file(audit)))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        runner.run(_serve(market, address, port, speed, recorded, limits, terms))
    return 0


def rehearsal_terms(
    accounts: Sequence[str], *, seed: int = 0, faults: Path | None = None, orderly: bool = False
) -> VenueTerms:
    """The terms of a command line: ``main=70`` opens an account with that many USDT. Raises UsageError."""
    plans = []
    for text in accounts:
        found = _ACCOUNT.fullmatch(text)
        if found is None:
            raise UsageError(f"--account {text}: write a name and its USDT, like main=70")
        plans.append(AccountPlan(found[1], to_e8(found[2])))
    if len({plan.name for plan in plans}) != len(plans):
        raise UsageError("--account: each name once")
    return VenueTerms(plans, seed, load(faults) if faults is not None else (), orderly=orderly)


@contextlib.contextmanager
def audit_file(path: Path) -> Iterator[Callable[[dict[str, object]], None]]:
    """Append records to a file as JSON lines, each of them at once: a killed exchange has told everything."""
    try:
        file = path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"--audit {path}: {error.strerror}") from None
    with file:

        def write(record: dict[str, object]) -> None:
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

        yield write


def ready_line(exchange: Emulator) -> dict[str, object]:
    """Where the exchange is, and as whom it can be traded on: no more than a market says nothing of accounts."""
    line: dict[str, object] = {"ready": True, "rest": exchange.rest_url, "streams": exchange.stream_url}
    if exchange.venue.accounts:
        line |= {"ws_api": exchange.stream_url + WS_API_PATH, "accounts": credentials(exchange.venue)}
    return line


def credentials(venue: Venue) -> dict[str, dict[str, str]]:
    """Key and secret of every account; an asymmetric key's private half is not ours to tell."""
    return {
        key.account: {"key": key.key} | ({"secret": key.secret} if key.kind == HMAC else {})
        for key in venue.keys.keys.values()
    }


async def _serve(
    market: Market,
    address: str,
    port: int,
    speed: float | None,
    recorded: bool,
    limits: Limits | None,
    terms: VenueTerms,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(loop, stop)
    anchor_ns = None if recorded else wall_ns()
    async with Emulator(
        market, host=address, port=port, speed=speed, anchor_ns=anchor_ns, limits=limits, terms=terms
    ) as exchange:
        print(json.dumps(ready_line(exchange), separators=(",", ":")), flush=True)
        stopped = asyncio.create_task(stop.wait())
        finished = asyncio.create_task(exchange.finished())
        await asyncio.wait((stopped, finished), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if finished.done():
            finished.result()
        finished.cancel()


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when standard input ends. A file or /dev/null says nothing about a parent and is not watched."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, readable)
