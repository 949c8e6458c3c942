"""Recorded markets and runs: back tests, and a finished run once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.settings import Settings
from interface.drivers.keep_warm import Nowhere
from interface.drivers.parts import RUN, Parts
from models.action import Note
from models.error import DataError
from models.event import (
    AccountTruth,
    Balance,
    Command,
    Event,
    Fill,
    Funding,
    Inherited,
    MarginCall,
    NotFound,
    OrderReport,
    StreamState,
)
from models.instrument import Instrument
from storage.cold.journal_reader import check_journal
from storage.cold.keeper import ACTION, Finish, kept
from storage.cold.recording import Recording
from storage.cold.selection import Selection
from wiring.joining import Place, build
from wiring.terms import assumptions, digest


def recorded_instruments(meta: dict[str, Any], where: Path) -> tuple[Instrument, ...]:
    """The instruments a recording was made with. Raises DataError when its index does not name them."""
    try:
        found = tuple(msgspec.convert(meta["instruments"], list[Instrument]))
    except (KeyError, msgspec.ValidationError) as error:
        raise DataError(
            f"{where}: its index.json names no usable instruments ({error}); import the capture again", code="RECORDING"
        ) from None
    if not found:
        raise DataError(f"{where}: its index.json names no instruments; import the capture again", code="RECORDING")
    return found


def history(
    settings: Settings, paths: Sequence[Path], *, mode: str, started_ns: int, selection: Selection | None = None,
    observer: Callable[[Note], None] | None = None,
) -> tuple[Parts, list[Recording]]:  # fmt: skip
    """Recorded markets through the same engine against the simulated exchange; of their contracts, ``selection``'s."""
    recordings = [Recording.open(path) for path in paths]
    instruments = recorded_instruments(recordings[0].meta, paths[0])
    for path, recording in zip(paths[1:], recordings[1:], strict=True):
        others = recorded_instruments(recording.meta, path)
        if [one.symbol for one in others] != [one.symbol for one in instruments]:
            raise DataError(
                f"{path} holds {' '.join(one.symbol for one in others)}, {paths[0]} "
                f"{' '.join(one.symbol for one in instruments)}; give recordings of the same symbols",
                code="RECORDING",
            )
    names = [recording.folder.name for recording in recordings]
    parts = build(
        settings,
        instruments if selection is None else selection.instruments,
        Place(settings, mode, started_ns),
        feed=f"file:{names[0]}",
        epoch=str(recordings[0].meta.get("epoch", "|".join([*names, digest(settings)]))),
        facts={"recordings": names, "assumptions": assumptions(settings)},
        threaded=False,
        record=False,
        journal=False,
        observer=observer,
        renewed=all("run_id" in recording.meta for recording in recordings),  # a run of ours renewed its snapshots
    )
    return parts, recordings


ACCOUNT_FACTS = (OrderReport, NotFound, Fill, Funding, AccountTruth, Balance, Inherited, MarginCall)
PRIVATE_STREAMS = frozenset({"user", "account", "trading", "rules"})
"""Streams whose loss a real account tells of itself; the market's stand in the recording."""


class Again:
    """A finished run, found again: its folder, recording, journal and settings, ready to be run a second time."""

    def __init__(self, folder: Path, journal: Path, recording: Path) -> None:
        self.folder = folder
        self.run_id = folder.name
        header = check_journal(journal).header
        self._header = header
        self._recording = Recording.open(recording)
        self._again: list[Any] = []
        self._wishes: list[Any] = []
        self._outer: list[Event] = []
        self.finish: Finish | None = None
        for record, content in kept(journal):
            if isinstance(content, Finish):
                self.finish = content
            elif record.kind == ACTION:
                self._wishes.append(content)
            elif self._told(content):
                self._outer.append(content)

    @property
    def real(self) -> bool:
        """Whether it traded on an account, whose facts only the journal has."""
        return self._header.get("account") == "real"

    def _told(self, content: Any) -> bool:
        """Whether a fact came from outside: an operator's command, a word of a real account. The others stand in the
        recording or follow from it.
        """
        if isinstance(content, Command):
            return content.source != RUN
        if isinstance(content, StreamState):
            return self.real and content.stream in PRIVATE_STREAMS
        return self.real and isinstance(content, ACCOUNT_FACTS)

    @classmethod
    def find(cls, data: Path, named: Path) -> Again:
        """By the run's folder, its recording's folder, or its id. Raises DataError when a part is missing."""
        here = named.absolute()
        name = here.name
        homes = sorted(data.glob("*/"))
        if here.is_dir() and here.parent.name == "runs":
            homes = [here.parent.parent]
        elif here.is_dir() and here.parent.name == "market":
            homes = sorted(here.parent.parent.glob("*/"))
        for home in homes:
            folder, journal = home / "runs" / name, home / "journal" / f"{name}.journal"
            if folder.is_dir() and journal.is_file():
                recording = home.parent / "market" / name
                if not recording.is_dir():
                    raise DataError(
                        f"run {name} has no recording at {recording}; it ran with feed.record = false, or the quota "
                        "has removed it"
                    )
                return cls(folder, journal, recording)
        raise DataError(
            f"{named} is no run with a journal (back tests keep none: run them again); give the folder of a run, such "
            f"as {data}/paper/runs/<run id>"
        )

    @property
    def recording(self) -> Recording:
        return self._recording

    @property
    def feed(self) -> str:
        """Where its market came from, as its records say."""
        return str(self._header.get("source", ""))

    def parts(self, scratch: Path) -> Parts:
        """The same parts once more, with the first run's settings, writing to ``scratch``."""
        settings = msgspec.convert(self._header["values"], Settings)
        app = msgspec.structs.replace(settings.app, data_dir=str(scratch))
        settings = msgspec.structs.replace(settings, app=app)
        return build(
            settings,
            recorded_instruments(self._header, self.folder),
            Place(settings, str(self.run_id.split("-")[1]), 0),
            feed=str(self._header["source"]),
            epoch=str(self._header["epoch"]),
            facts={},
            threaded=False,
            record=False,
            journal=False,
            agenda=self._outer,
            keeper=_Noted(self._again),
            venue=Nowhere() if self.real else None,
        )

    def drive(self, parts: Parts, progress: Callable[[int], None] | None) -> str:
        """Message by message, as the first time; the state hash at the end."""
        done = 0
        for record in self._recording.records():
            parts.ear.take(record.kind, record.connection, record.payload, record.received_ns)
            done += len(record.payload)
            if progress is not None:
                progress(done)
        ended_ns = self.finish.at_ns if self.finish is not None else parts.engine.memory.now_ns + 1
        parts.session.time(ended_ns)
        parts.session.carry(parts.engine.finish(ended_ns))
        return parts.engine.memory.hash()

    def wishes(self) -> list[Any]:
        return self._wishes

    def wishes_again(self) -> list[Any]:
        return self._again


class _Noted:
    """A keeper that only remembers wishes, to compare them."""

    def __init__(self, wishes: list[Any]) -> None:
        self._wishes = wishes

    def event(self, event: Event, frame: int) -> None:
        """Facts are compared through what they cause."""

    def action(self, action: Any, frame: int) -> None:
        self._wishes.append(action)
