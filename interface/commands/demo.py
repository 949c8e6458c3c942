"""``demo``: a finite paper run on the embedded exchange, with no network and no keys.

A generated market is played for a minute unless ``--for`` says otherwise, a tape to its end.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from config.settings import Settings
from interface.commands import outcome, streams
from interface.commands.config import effective_toml
from interface.commands.loading import loaded, on_tape, selected, span
from interface.progress import Progress
from models.error import UsageError
from models.rows import FAR_NS

DEFAULT_SEED = 7
DEFAULT_FOR_NS = 60_000_000_000


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    tape, mode = Path(arguments.tape) if arguments.tape else None, arguments.mode or "paper"
    if tape is not None:
        settings = on_tape(arguments, tape)
    elif arguments.for_ns is None:
        arguments.for_ns = DEFAULT_FOR_NS
    if mode == "rehearsal" and arguments.speed == math.inf:
        raise UsageError("--speed max needs no sockets, and rehearsal is about sockets; leave one of both out")
    if arguments.speed == math.inf:
        return _generated(arguments, settings) if tape is None else _recorded(arguments, settings, tape)
    from interface.commands.run import Wish, on_sockets

    return on_sockets(
        arguments, settings, Wish(mode, "embedded", arguments.for_ns, arguments.speed, _seed(arguments), tape, False)
    )


def _seed(arguments: argparse.Namespace) -> int:
    return DEFAULT_SEED if arguments.seed is None else int(arguments.seed)


def _generated(arguments: argparse.Namespace, settings: Settings) -> int:
    """The seeded market in virtual time, as fast as its frames can be taken; a signal brings the end forward."""
    import wiring
    from interface.drivers import virtual
    from utils.clock import wall_ns

    config = effective_toml(loaded(arguments))
    shown = Progress(arguments, "demo")
    with streams.stoppable() as stop:
        parts, source = wiring.paper_virtual(settings, seed=_seed(arguments), started_ns=wall_ns())
        with outcome.guarded(parts):
            ended_ns = virtual.drive(
                parts,
                source,
                arguments.for_ns,
                lambda done: shown.share(done, arguments.for_ns),
                prime=settings.feed.prime,
                stop=stop,
            )
            shown.done()
            parts.facts["interrupted"] = stop.asked
            document = outcome.finish(parts, started_ns=wiring.VIRTUAL_START_NS, ended_ns=ended_ns, config=config)
    return outcome.tell(document, arguments)


def _recorded(arguments: argparse.Namespace, settings: Settings, tape: Path) -> int:
    """A recording or its first part, as fast as it can be read."""
    import wiring
    from interface.drivers import history
    from utils.clock import wall_ns

    merged = loaded(arguments)
    config, selection = effective_toml(merged), selected(merged, tape)
    shown = Progress(arguments, "demo")
    with streams.stoppable() as stop:
        parts, recordings = wiring.history(settings, [tape], mode="paper", started_ns=wall_ns(), selection=selection)
        with outcome.guarded(parts):
            first_ns, _ = span(recordings[0])
            until_ns = FAR_NS if arguments.for_ns is None else first_ns + arguments.for_ns
            chunks = selection.chunks(recordings[0].chunks())
            ended_ns = history.drive(parts, chunks, shown.bytes, until_ns=until_ns, stop=stop)
            shown.done()
            parts.facts["interrupted"] = stop.asked
            parts.facts["unfinished"] = [recordings[0].torn] if recordings[0].torn else []
            document = outcome.finish(parts, started_ns=first_ns, ended_ns=ended_ns, config=config)
    return outcome.tell(document, arguments)
