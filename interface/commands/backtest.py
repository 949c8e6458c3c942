"""``backtest``: recorded markets through the live engine against the simulated exchange."""

from __future__ import annotations

import argparse
import datetime
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from interface.commands import outcome, streams
from interface.commands.config import effective_toml
from interface.commands.loading import loaded, selected, span
from interface.progress import Progress
from models.error import DataError, UsageError
from models.rows import FAR_NS

if TYPE_CHECKING:
    from storage.cold.recording import Recording

EXIT_INTERRUPTED = 130  # a part of a back test is no back test: whoever waits for its code must know


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    import wiring
    from interface.drivers import history
    from storage.cold.recording import Recording
    from utils.clock import wall_ns

    from_ns, until_ns = arguments.from_ns or 0, FAR_NS if arguments.to_ns is None else arguments.to_ns
    if from_ns >= until_ns:
        raise UsageError(f"--from {_moment(from_ns)} is not before --to {_moment(until_ns)}; exchange them")
    paths = in_order([Recording.open(path) for path in arguments.recordings], from_ns, until_ns)
    merged = loaded(arguments)
    selection = selected(merged, paths[0])
    shown = Progress(arguments, "backtest")
    with streams.stoppable() as stop:
        parts, recordings = wiring.history(settings, paths, mode="backtest", started_ns=wall_ns(), selection=selection)
        with outcome.guarded(parts):
            wiring.warm(settings)  # so that the rate below is that of history, not of loading kernels
            began_s = time.perf_counter()
            chunks = selection.chunks(itertools.chain.from_iterable(recording.chunks() for recording in recordings))
            ended_ns = history.drive(parts, chunks, shown.bytes, from_ns=from_ns, until_ns=until_ns, stop=stop)
            elapsed_s = time.perf_counter() - began_s
            shown.done()
            parts.facts["elapsed_s"] = round(elapsed_s, 3)
            parts.facts["rows_per_s"] = round(int(parts.engine.memory.engine[0]["rows"]) / elapsed_s)
            parts.facts["interrupted"] = stop.asked
            parts.facts["unfinished"] = [recording.torn for recording in recordings if recording.torn]
            config, first_ns = effective_toml(merged), span(recordings[0])[0]
            document = outcome.finish(parts, started_ns=first_ns, ended_ns=ended_ns, config=config)
    code = outcome.tell(document, arguments)
    return EXIT_INTERRUPTED if stop.asked else code


def in_order(recordings: Sequence[Recording], from_ns: int, until_ns: int) -> list[Path]:
    """The folders by time. Raises DataError when two overlap, or when nothing lies between the instants."""
    spans = sorted((*span(recording), number) for number, recording in enumerate(recordings))
    folders = [recordings[number].folder for _, _, number in spans]
    for (_, ended_ns, _), (began_ns, _, _), earlier, later in zip(spans, spans[1:], folders, folders[1:], strict=False):
        if began_ns <= ended_ns:
            raise DataError(
                f"{later} begins at {_moment(began_ns)}, before {earlier} ends at {_moment(ended_ns)}; give recordings "
                "that follow each other",
                code="OVERLAP",
            )
    first_ns, last_ns = spans[0][0], spans[-1][1]
    if until_ns <= first_ns or from_ns > last_ns:
        wrong = f"--to {_moment(until_ns)}" if until_ns <= first_ns else f"--from {_moment(from_ns)}"
        raise DataError(
            f"the recordings reach from {_moment(first_ns)} to {_moment(last_ns)}; {wrong} leaves nothing of them",
            code="RANGE",
        )
    return folders


def _moment(ns: int) -> str:
    """UTC to the second."""
    try:
        return datetime.datetime.fromtimestamp(ns // 1_000_000_000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):  # outside the years 1 to 9999
        return f"{ns} ns"
