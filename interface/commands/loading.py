"""What a command reads before it begins: settings from files, environment and command line, and recordings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from config.load import Loaded, load
from config.settings import Settings
from interface.commands.parser import setting_options
from models.error import DataError

if TYPE_CHECKING:
    from storage.cold.recording import Recording
    from storage.cold.selection import Selection


def loaded(arguments: argparse.Namespace) -> Loaded:
    """All layers merged. Raises ConfigurationError with every mistake."""
    return load(configs=arguments.config, overrides=arguments.set, options=setting_options(arguments))


def on_tape(arguments: argparse.Namespace, path: Path) -> Settings:
    """Settings to play the recording at ``path``: unless the user chose contracts, all that it holds.

    The choice is added to ``arguments`` as ``--set``, so that every later reading of them agrees. Raises DataError
    when there is no recording, or nothing in it.
    """
    import wiring
    from storage.cold.recording import Recording

    recording = Recording.open(path)
    span(recording)
    symbols = [one.symbol for one in wiring.recorded_instruments(recording.meta, path)]
    merged = loaded(arguments)
    if symbols and merged.origins.get("feed.symbols", "default") == "default":
        arguments.set = [*arguments.set, f"feed.symbols={','.join(symbols)}"]
        merged = loaded(arguments)
    return merged.settings


def selected(merged: Loaded, path: Path) -> Selection:
    """The contracts of the recording at ``path`` that are to be traded. Raises DataError when there are none."""
    import wiring
    from storage.cold.recording import Recording
    from storage.cold.selection import Selection

    recorded = wiring.recorded_instruments(Recording.open(path).meta, path)
    return Selection(recorded, chosen(merged, [one.symbol for one in recorded], path.name))


def chosen(merged: Loaded, held: Sequence[str], where: str) -> tuple[str, ...]:
    """The contracts of a recording to trade: all that it holds, or those of them that somebody named in feed.symbols.

    Says on stderr what is traded when the two differ. Raises DataError when none of the named is there.
    """
    origin = merged.origins.get("feed.symbols", "default")
    named = merged.settings.feed.symbols
    if origin == "default" or sorted(named) == sorted(held):
        return tuple(held)
    traded = tuple(symbol for symbol in held if symbol in named)
    differ = f"{where} holds {' '.join(held)}, feed.symbols ({origin}) names {' '.join(named)}"
    if not traded:
        raise DataError(f"{differ}: nothing to trade; name {held[0]}, or leave feed.symbols out", code="SYMBOL")
    sys.stderr.write(f"scalper: {differ}: only {' '.join(traded)} {'is' if len(traded) == 1 else 'are'} traded\n")
    return traded


def span(recording: Recording) -> tuple[int, int]:
    """When the first and the last record of a recording were received, ns. Raises DataError when it has none."""
    files = [file for file in recording.index.files if file.records]
    if not files:
        raise DataError(f"{recording.folder} holds no record; there is nothing to run", code="RECORDING_EMPTY")
    return files[0].first_received_ns, files[-1].last_received_ns
