"""``demo``: a finite paper run on the embedded exchange, with no network and no keys."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from config.settings import Settings
from interface.commands import outcome
from interface.commands.config import effective_toml
from interface.commands.loading import loaded
from interface.progress import Progress

DEFAULT_SEED = 7


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.speed == math.inf:
        return _virtual(arguments, settings)
    from interface.commands.run import on_sockets

    return on_sockets(
        arguments,
        settings,
        source="embedded",
        for_ns=arguments.for_ns,
        speed=arguments.speed,
        seed=_seed(arguments),
        tape=Path(arguments.tape) if arguments.tape else None,
    )


def _seed(arguments: argparse.Namespace) -> int:
    return DEFAULT_SEED if arguments.seed is None else int(arguments.seed)


def _virtual(arguments: argparse.Namespace, settings: Settings) -> int:
    """Virtual time: the frames of the market, or of the tape, as fast as they can be taken."""
    import wiring
    from interface.drivers import history, virtual
    from utils.clock import wall_ns

    config = effective_toml(loaded(arguments))
    started_ns = wall_ns()
    shown = Progress(arguments, "demo")
    if arguments.tape:
        parts, recordings = wiring.history(settings, [Path(arguments.tape)], mode="paper", started_ns=started_ns)
        first_ns = recordings[0].index.files[0].first_received_ns
        until_ns = first_ns + arguments.for_ns
        ended_ns = history.drive(parts, recordings[0].chunks(), shown.bytes, until_ns=until_ns)
    else:
        parts, source = wiring.paper_virtual(settings, seed=_seed(arguments), started_ns=started_ns)
        first_ns = wiring.VIRTUAL_START_NS
        ended_ns = virtual.drive(
            parts, source, arguments.for_ns, lambda done: shown.share(done, arguments.for_ns), prime=settings.feed.prime
        )
    shown.done()
    document = outcome.finish(parts, started_ns=first_ns, ended_ns=ended_ns, config=config)
    return outcome.tell(document, arguments)
