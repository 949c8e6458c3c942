"""The operator's desk of one run: every word of a person reaches the engine here, whichever way it came.

Socket, signals and the KILL file end in ``give``. A word becomes a ``Command`` fact of the session, so it stands in the
journal and a second run of the record hears it again. The KILL file is the kill switch that a restart does not forget:
every kill leaves it, its presence refuses entries from the first moment on, ``rearm`` removes it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.version import VERSION
from core.risk.mode import Cause
from interface import log
from interface.control import documents
from interface.control.place import KILL_NAME
from interface.drivers.parts import Parts
from models.error import ScalperError
from models.event import Command
from utils.clock import utc_text, wall_ns

COMMANDS = ("stop_entries", "allow_entries", "flatten", "kill", "rearm")
STARTING, RUNNING, ENDING = "starting", "running", "ending"


class Desk:
    """``home`` is ``data/<mode>``, ``stop`` ends the run in order, ``now_ns`` is the run's clock.

    Nothing runs here unless somebody asks.
    """

    def __init__(self, home: Path, stop: asyncio.Event, now_ns: Callable[[], int]) -> None:
        self._kill_file = home / KILL_NAME
        self._mode = home.name
        self._stop = stop
        self._now_ns = now_ns
        self._parts: Parts | None = None
        self._waiting: list[tuple[str, str]] = []
        self._log = log.logger("control")
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._heard, self._heard_s = -1, self._started_s

    @property
    def phase(self) -> str:
        if self._parts is None:
            return ENDING if self._stop.is_set() else STARTING
        causes = self._parts.engine.mode.causes
        ending = self._stop.is_set() or Cause.SHUTDOWN in causes or Cause.HANDOVER in causes
        return ENDING if ending else RUNNING

    # -- words ------------------------------------------------------------------------------------------------

    def attach(self, parts: Parts) -> None:
        """The run is joined and hears from now on: what was said before is heard first."""
        self._parts = parts
        waiting, self._waiting = self._waiting, []
        for name, source in waiting:
            self.give(name, source)
        self.look()

    def give(self, name: str, source: str) -> int:
        """Give a command; the run's time at which it counts. Raises ScalperError when it cannot be obeyed."""
        parts, now_ns = self._parts, self._now_ns()
        if self.phase == ENDING:
            raise ScalperError("the run is ending; it enters nothing more", code="ENDING")
        if parts is None and name == "rearm":
            raise ScalperError("the run is starting; ask again when it runs", code="STARTING")
        if parts is None:
            self._waiting.append((name, source))
        else:
            parts.session.event(Command(now_ns, name, source))
        self._log.info("control.command", command=name, source=source, waits=parts is None)
        if name == "kill":
            self._mark(source)
        elif name == "rearm" and parts is not None:
            self._unmark(parts)
        elif name == "allow_entries" and parts is not None:
            _require_no_halt(parts, "rearm lifts it")
        return now_ns

    def stop(self) -> None:
        """End the run in order, as SIGTERM does."""
        self._log.info("control.command", command="stop", source="socket")
        self._stop.set()

    def signalled(self, name: str) -> None:
        """A command that came by a signal; nobody waits for an answer."""
        try:
            self.give(name, "signal")
        except ScalperError as error:
            self._log.warning("control.refused", command=name, source="signal", error=error.message)

    # -- the KILL file ----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the KILL file and at what was heard; called about once a second."""
        parts = self._parts
        if parts is None:
            return
        heard = parts.ear.hearing.counts.frames
        if heard != self._heard:
            self._heard, self._heard_s = heard, self._loop.time()
        if self._kill_file.exists() and Cause.KILL not in parts.engine.mode.causes and self.phase == RUNNING:
            self.give("kill", "file")

    def _mark(self, source: str) -> None:
        """Leave the KILL file; one that is there stays as it is."""
        try:
            descriptor = os.open(self._kill_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            self._log.error("control.kill_file", error=f"a restart will not know of the kill: {error.strerror}")
            return
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{utc_text(wall_ns())} {source}; remove it with: main.py rearm\n")

    def _unmark(self, parts: Parts) -> None:
        """Remove the KILL file when the kill is lifted. Raises ScalperError when it was not."""
        _require_no_halt(parts, "a limit is broken")
        try:
            self._kill_file.unlink(missing_ok=True)
        except OSError as error:
            raise ScalperError(
                f"{self._kill_file} cannot be removed ({error.strerror}) and kills again", code="HALTED"
            ) from None

    # -- answers ----------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        parts = self._parts
        return {
            "v": 1,
            "mode": self._mode,
            "phase": self.phase,
            "version": VERSION,
            "pid": os.getpid(),
            "uptime_s": round(self._loop.time() - self._started_s, 3),
            **(documents.status(parts) if parts is not None else {}),
        }

    def health(self) -> dict[str, Any]:
        parts, phase = self._parts, self.phase
        problems = [] if phase == RUNNING else [f"the run is {phase}"]
        if parts is not None:
            self.look()
            problems += documents.problems(parts, self._loop.time() - self._heard_s)
        state = documents.operating(parts) if parts is not None else {}
        return {
            "v": 1,
            "healthy": not problems,
            "problems": problems,
            "mode": self._mode,
            "phase": phase,
            "frames": max(self._heard, 0),
            **state,
        }

    def flat(self, since_ns: int) -> dict[str, Any]:
        """Whether flat was read back after ``since_ns``, and what is left."""
        parts = self._parts
        if parts is None:
            return {"v": 1, "flat": False, "phase": self.phase, "position": {}, "orders": []}
        flat = documents.flat_read(parts, since_ns)
        return {"v": 1, "flat": flat, "phase": self.phase, **documents.operating(parts), **documents.left(parts)}


def _require_no_halt(parts: Parts, why: str) -> None:
    """Raises ScalperError, with every halt in force, when the bot is still halted."""
    mode = parts.engine.mode
    halts = [f"{cause.value}: {mode.causes[cause]}" for cause in mode.halts()]
    if halts:
        raise ScalperError(f"still HALTED ({'; '.join(halts)}); {why}", code="HALTED")
