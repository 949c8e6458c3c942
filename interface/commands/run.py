"""``run``: the daemon. Paper trading on the venue's public streams, or on the embedded exchange."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from config.settings import Settings
from config.version import VERSION
from interface import log
from interface.commands import outcome
from interface.commands.arm import arm, statement
from interface.commands.config import effective_toml
from interface.commands.loading import loaded, on_tape
from interface.drivers import sockets
from interface.drivers.keep_warm import KeepWarm, keep_warm
from interface.drivers.watchdog import Watchdog
from interface.progress import Progress
from interface.story import Story
from models.error import UsageError
from storage.cold.instance import InstanceLock
from utils.atomic import write_atomic
from utils.clock import RunClock, utc_text, wall_ns

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


class Wish(NamedTuple):
    """What a run on sockets was asked for. ``protect``: a stop leaves an open position with its stop order.

    Without ``for_ns`` a tape ends the run at its end, anything else goes on until it is stopped.
    """

    mode: str
    source: str
    for_ns: int | None
    speed: float
    seed: int
    tape: Path | None
    protect: bool


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    source = arguments.feed or settings.feed.source
    tape = None
    if source.startswith("file:"):
        source, tape = "embedded", Path(source.removeprefix("file:"))
        settings = on_tape(arguments, tape)
    protect = settings.execution.shutdown_policy == "protect" and arguments.for_ns is None
    mode = settings.app.mode
    if mode != "paper":
        only = "embedded" if mode == "rehearsal" else "binance"
        if (tape is not None or source != only) and source != "auto":
            raise UsageError(f"mode {mode} has the feed {only} only; leave --feed out, or use --feed {only}")
        source = only
    return on_sockets(
        arguments, settings, Wish(mode, source, arguments.for_ns, 1.0, settings.paper.seed, tape, protect)
    )


def on_sockets(arguments: argparse.Namespace, settings: Settings, wish: Wish) -> int:
    """Trade over real sockets; the exit code. Raises LockedError when another run uses the mode's folder."""
    import uvloop

    config = effective_toml(loaded(arguments))
    home = Path(settings.app.data_dir) / wish.mode
    with InstanceLock(home, started=utc_text(wall_ns())):
        kept = log.start(
            level="warning" if arguments.quiet else settings.app.log_level,
            form=settings.app.log_format,
            folder=Path(settings.app.data_dir) / "logs",
            color=False if arguments.no_color else None,
            mode=wish.mode,
        )
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                document = runner.run(_run(arguments, settings, wish, config, home, kept))
        finally:
            kept.close()
            gc.unfreeze()
            gc.enable()
    if document is None:
        said = "stopped before the market was heard; nothing was traded"
        if arguments.json:
            sys.stdout.write(json.dumps({"run_id": None, "stopped": said}) + "\n")
        else:
            sys.stderr.write(f"scalper: {said}\n")
        return 0
    return outcome.tell(document, arguments, stopped=True)


async def _run(
    arguments: argparse.Namespace, settings: Settings, wish: Wish, config: str, home: Path, kept: log.Log
) -> dict[str, Any] | None:
    """One run from the first connection to its summary; None when it was stopped before it began."""
    import wiring

    stop = _stop_on_signals()
    clock = RunClock(wall_ns(), wish.speed)
    story = Story()
    async with contextlib.AsyncExitStack() as stack:
        command = emulator_command(arguments, settings, wish)
        venue = await _unless(stop, wiring.choose_venue(stack, settings, wish.source, clock, command))
        if venue is None:
            return None
        if wish.tape is not None:
            venue.name = f"{venue.name} file:{wish.tape.name}"
        terms = {"seed": wish.seed, "started_ns": clock.anchor_ns, "speed": wish.speed, "observer": story.note}
        account = None
        if wish.mode == "paper":
            parts = wiring.paper_sockets(settings, venue, **terms)
        else:
            given = wiring.access(settings, venue, wish.mode)
            opened = await wiring.open_account(stack, settings, venue, given, clock, change=wish.mode != "shadow")
            arm(arguments, wish.mode, statement(settings, opened.instruments, opened.marks, opened.wallet_e8))
            if wish.mode == "shadow":
                parts = wiring.shadow_sockets(settings, venue, opened, **terms)
            else:
                account = opened.side
                parts = wiring.real_sockets(settings, venue, opened, mode=wish.mode, **terms)
        with outcome.guarded(parts):
            kept.bind(run_id=parts.run_id, feed=parts.feed)
            _say_start(parts, settings, home)
            parts.files.write_document("config.toml", config)  # a killed run has it too
            warm = wiring.keep_warm_bot(settings) if settings.execution.keep_warm else None
            started_ns = clock.now_ns()
            ended_ns = await _trade(arguments, settings, wish, venue, parts, clock, stop, warm, account)
            await venue.feed.stop()
            if wish.for_ns is not None or wish.tape is not None:
                parts.facts["interrupted"] = stop.is_set()
    return outcome.finish(parts, started_ns=started_ns, ended_ns=ended_ns, config=config)


async def _trade(
    arguments: argparse.Namespace, settings: Settings, wish: Wish, venue: Any, parts: Any, clock: RunClock,
    stop: asyncio.Event, warm: KeepWarm | None, account: Any,
) -> int:  # fmt: skip
    """Drive the run with the garbage collector off; returns the time of its end."""
    shown = Progress(arguments, parts.feed)
    gc.collect()
    gc.freeze()
    gc.disable()
    warming = asyncio.create_task(keep_warm(warm), name="keep warm") if warm is not None else None
    watchdog = Watchdog(lambda seconds: log.logger("run").critical("loop.stuck", seconds=round(seconds, 1)))
    ticking = asyncio.create_task(watchdog.keep_ticking(), name="watchdog")
    try:
        return await sockets.drive(
            parts,
            venue.line,
            venue.feed,
            venue.market,
            clock.now_ns,
            stop,
            rate=wish.speed,
            duration_s=wish.for_ns / 1e9 / wish.speed if wish.for_ns else None,
            prime=settings.feed.prime,
            protect=wish.protect,
            gone=venue.exchange.gone if wish.tape is not None else None,
            progress=lambda: shown.text(_line(parts)),
            account=account,
        )
    finally:
        watchdog.close()
        ticking.cancel()
        shown.done()
        if warming is not None:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
        await asyncio.gather(ticking, return_exceptions=True)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of ``work``; None, and ``work`` cancelled, when ``stop`` is set first."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.create_task(stop.wait(), name="run stop")
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    finally:
        waiter.cancel()


def emulator_command(arguments: argparse.Namespace, settings: Settings, wish: Wish) -> Sequence[str]:
    """How to start the embedded exchange with this run's settings, as a child of this process."""
    command = [
        sys.executable,
        str(ROOT / "main.py"),
        "emulator",
        "--seed",
        str(wish.seed),
        "--speed",
        f"{wish.speed:g}",
    ]
    if wish.tape is not None:
        command += ["--tape", str(wish.tape)]
    if wish.mode == "rehearsal":
        command += ["--account", f"main={settings.risk.equity_usdt:.8f}"]
    for name in arguments.config or ():
        command += ["--config", str(name)]
    for text in getattr(arguments, "set", None) or ():
        command += ["--set", text]
    for option, value in (("--data-dir", arguments.data_dir), ("--log-format", arguments.log_format)):
        command += [option, str(value)] if value else []
    return command + (["--no-color"] if arguments.no_color else [])


def _stop_on_signals() -> asyncio.Event:
    """SIGTERM and SIGINT ask for an orderly end; a second SIGINT skips the rest."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


def _say_start(parts: Any, settings: Settings, home: Path) -> None:
    """The first lines of a run: what, where, on what terms; and the same for other programs in ``run.json``."""
    facts = {
        "pid": os.getpid(), "run_id": parts.run_id, "started": utc_text(wall_ns()), "version": VERSION,
        "mode": parts.mode, "feed": parts.feed, "addresses": [],
    }  # fmt: skip
    write_atomic(home / "run.json", json.dumps(facts).encode() + b"\n")
    log.logger("run").info(
        "run.started",
        run_id=parts.run_id,
        feed=parts.feed,
        symbols=[one.symbol for one in parts.instruments],
        equity_usdt=settings.risk.equity_usdt,
        leverage=settings.risk.leverage,
        profile=settings.risk.profile,
        assumptions=parts.facts["assumptions"],
        folder=str(parts.folder),
    )


def _line(parts: Any) -> str:
    """The state in one line, for a terminal."""
    engine = parts.engine
    return (
        f"{parts.ear.number:,} frames · {engine.signals} signals · {engine.account.trips} round trips · "
        f"net {(engine.ledger.wallet_e8 - engine.ledger.opened_e8) / 1e8:+.2f} USDT"
    )
