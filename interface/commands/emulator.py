"""``emulator``: the embedded exchange as its own process on loopback, on a generated market or on a recording.

With accounts it can be traded on: the ready line then holds their keys, which are worth nothing anywhere else.
"""

from __future__ import annotations

import argparse
import errno
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.settings import Settings
from interface import log
from interface.summary import EMBEDDED
from models.error import PreflightError

REFUSED = {
    errno.EADDRINUSE: "is taken; choose another with --port, or none for any free one",
    errno.EACCES: "needs more rights than you have; choose one above 1023 with --port",
}


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Prints one JSON line on stdout when ready; ends on SIGTERM, SIGINT, or when its parent's pipe closes."""
    from exchange.emulator.process import host, rehearsal_terms

    terms = rehearsal_terms(
        arguments.account,
        seed=arguments.seed or 0,
        faults=Path(arguments.faults) if arguments.faults else None,
        orderly=arguments.orderly,
    )
    speed = None if arguments.speed == math.inf else arguments.speed
    market = tape(Path(arguments.tape)) if arguments.tape else generated(settings, arguments.seed)
    kept = log.start(  # to stderr alone: the file belongs to the run
        level=settings.app.log_level,
        form=settings.app.log_format,
        color=False if arguments.no_color else None,
        feed=EMBEDDED,
    )
    try:
        return int(
            host(
                market,
                port=arguments.port,
                speed=speed,
                recorded=bool(arguments.tape),
                terms=terms,
                audit=Path(arguments.audit) if arguments.audit else None,
            )
        )
    except OSError as error:
        if not arguments.port or error.errno not in REFUSED:
            raise
        where = f"port {arguments.port} or {arguments.port + 1} of 127.0.0.1"
        raise PreflightError(f"{where} {REFUSED[error.errno]}", code="PORT") from None
    finally:
        kept.close()


def generated(settings: Settings, seed: int | None) -> Any:
    """The seeded market, beginning now."""
    from exchange.emulator.generator import Generator
    from utils.clock import wall_ns

    return Generator(seed or 0, wall_ns(), settings.feed.symbols)


def tape(path: Path) -> Any:
    """A recording as a market: wire form, REST answers, its own clock."""
    import wiring
    from exchange.emulator.tape import Tape
    from storage.cold.recording import Recording

    recording = Recording.open(path)

    def records() -> Iterator[tuple[int, int, int, bytes]]:
        for record in Recording.open(path).records():
            yield record.received_ns, record.kind, record.connection, record.payload

    return Tape(records, wiring.recorded_instruments(recording.meta, path))
