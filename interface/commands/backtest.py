"""``backtest``: recorded markets through the live engine against the simulated exchange."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from config.settings import Settings
from interface.commands import outcome
from interface.commands.config import effective_toml
from interface.commands.loading import loaded
from interface.progress import Progress
from models.rows import FAR_NS


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    import wiring
    from interface.drivers import history
    from utils.clock import wall_ns

    config = effective_toml(loaded(arguments))
    paths = [Path(path) for path in arguments.recordings]
    parts, recordings = wiring.history(settings, paths, mode="backtest", started_ns=wall_ns())
    shown = Progress(arguments, "backtest")
    began_s = time.perf_counter()
    ended_ns = history.drive(
        parts,
        (chunk for recording in recordings for chunk in recording.chunks()),
        shown.bytes,
        from_ns=arguments.from_ns or 0,
        until_ns=arguments.to_ns or FAR_NS,
    )
    elapsed_s = time.perf_counter() - began_s
    shown.done()
    parts.facts["elapsed_s"] = round(elapsed_s, 3)
    parts.facts["rows_per_s"] = round(int(parts.engine.memory.engine[0]["rows"]) / elapsed_s)
    first_ns = recordings[0].index.files[0].first_received_ns
    document = outcome.finish(parts, started_ns=first_ns, ended_ns=ended_ns, config=config)
    return outcome.tell(document, arguments)
