"""``run``: the daemon. Paper trading on the venue's public streams, or on the embedded exchange."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.settings import Settings
from interface import log
from interface.commands import outcome
from interface.commands.config import effective_toml
from interface.commands.loading import loaded
from interface.progress import Progress
from interface.story import Story
from models.error import UsageError

ROOT = Path(__file__).resolve().parents[2]


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    source = arguments.feed or settings.feed.source
    tape = None
    if source.startswith("file:"):
        source, tape = "embedded", Path(source.removeprefix("file:"))
    return on_sockets(
        arguments, settings, source=source, for_ns=arguments.for_ns, speed=1.0, seed=settings.paper.seed, tape=tape
    )


def on_sockets(
    arguments: argparse.Namespace,
    settings: Settings,
    *,
    source: str,
    for_ns: int | None,
    speed: float,
    seed: int,
    tape: Path | None,
) -> int:
    """Trade on paper over real sockets; the exit code."""
    import uvloop

    if tape is not None and not tape.is_dir():
        raise UsageError(f"{tape} is no recording; import a capture with `data import raw-lines` first")
    config = effective_toml(loaded(arguments))
    kept = log.start(
        level="warning" if arguments.quiet else settings.app.log_level,
        form=settings.app.log_format,
        folder=Path(settings.app.data_dir) / "logs",
        color=False if arguments.no_color else None,
        mode="paper",
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            document = runner.run(_paper(arguments, settings, source, for_ns, speed, seed, tape, config))
    finally:
        kept.close()
        gc.unfreeze()
        gc.enable()
    return outcome.tell(document, arguments)


async def _paper(
    arguments: argparse.Namespace,
    settings: Settings,
    source: str,
    for_ns: int | None,
    speed: float,
    seed: int,
    tape: Path | None,
    config: str,
) -> dict[str, Any]:
    import wiring
    from interface.drivers import sockets
    from utils.clock import RunClock, wall_ns

    stop = _stop_on_signals()
    clock = RunClock(wall_ns(), speed)
    story = Story()
    async with contextlib.AsyncExitStack() as stack:
        venue = await wiring.choose_venue(
            stack, settings, source, clock, emulator_command(arguments, seed, speed, tape)
        )
        started_ns = clock.anchor_ns
        parts = wiring.paper_sockets(
            settings, venue, seed=seed, started_ns=started_ns, speed=speed, observer=story.note
        )
        story.bind(run_id=parts.run_id, feed=parts.feed)
        _say_start(parts, settings)
        shown = Progress(arguments, parts.feed)
        gc.collect()
        gc.freeze()
        gc.disable()
        ended_ns = await sockets.drive(
            parts,
            venue.line,
            venue.feed,
            venue.market,
            clock.now_ns,
            stop,
            rate=speed,
            duration_s=for_ns / 1e9 / speed if for_ns else None,
            prime=settings.feed.prime,
            progress=lambda: shown.text(_line(parts)),
        )
        shown.done()
        await venue.feed.stop()
    return outcome.finish(parts, started_ns=started_ns, ended_ns=ended_ns, config=config)


def emulator_command(arguments: argparse.Namespace, seed: int, speed: float, tape: Path | None) -> Sequence[str]:
    """How to start the embedded exchange with this run's settings, as a child of this process."""
    command = [sys.executable, str(ROOT / "main.py"), "emulator", "--seed", str(seed), "--speed", f"{speed:g}"]
    if tape is not None:
        command += ["--tape", str(tape)]
    for name in arguments.config or ():
        command += ["--config", str(name)]
    for text in getattr(arguments, "set", None) or ():
        command += ["--set", text]
    if arguments.data_dir:
        command += ["--data-dir", str(arguments.data_dir)]
    return command


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


def _say_start(parts: Any, settings: Settings) -> None:
    """The first lines of a run: what, where, on what terms."""
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
        f"{parts.ear.number:,} frames · {engine.signals} signals · {engine.trips} round trips · "
        f"net {(engine.ledger.wallet_e8 - engine.ledger.start_e8) / 1e8:+.2f} USDT"
    )
