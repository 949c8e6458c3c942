"""The bot, killed from inside at a numbered point, with marks of how far its start has come. Never part of the product.

``python -m tests.campaigns.crash WORDS…`` is ``main.py WORDS…`` with the functions below wrapped. ``CRASH_AT`` names a
point and how often it must come: ``sent.stop:2`` is the second stop just handed to the connection. ``CRASH_MARKS`` is a
file that gets one JSON line for each mark.

    wish.KIND     before the journal has a wish        kept.KIND   after the journal has it, before it leaves
    sent.KIND     after it was written to the socket   KIND: entry exit stop cancel query inspect remember
    heard.FACT    before the session has a fact        took.FACT   after the session has judged it
    append        before any journal record            torn        half of a journal record is written
    STAGE         a stage of the start: venue account parts opened ready
"""

from __future__ import annotations

import time

BEGUN_NS = time.monotonic_ns()  # before anything else is imported

import contextlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PURPOSES = {"e": "entry", "x": "exit", "s": "stop"}


class Points:
    """Counts what passes and ends the process at the chosen one."""

    def __init__(self, wanted: str, marks: Path) -> None:
        self.name, _, count = wanted.partition(":")
        self.count = int(count or 1)
        self._seen: Counter[str] = Counter()
        self._marks = marks.open("ab", buffering=0)

    def mark(self, name: str, **more: object) -> None:
        """A line that outlives us: which mark, both clocks, and the processor time used so far."""
        now = {"mark": name, "monotonic_ns": time.monotonic_ns(), "wall_ns": time.time_ns()}
        self._marks.write(json.dumps(now | {"cpu_s": round(time.process_time(), 4)} | more).encode() + b"\n")

    def due(self, name: str) -> bool:
        """Whether this passing of ``name`` is the chosen one."""
        self._seen[name] += 1
        return name == self.name and self._seen[name] == self.count

    def passing(self, name: str) -> None:
        if self.due(name):
            self.die(name)

    def die(self, name: str) -> None:
        self.mark("killed", point=name)
        os.kill(os.getpid(), signal.SIGKILL)


def _kind(action: Any) -> str:
    name = type(action).__name__.lower()
    return PURPOSES[action.order.purpose.value] if name == "submit" else name


def install(points: Points) -> None:
    """Wrap the places where a death hurts."""
    import wiring
    from core.custody import Custody
    from exchange.binance.venue import BinanceVenue
    from interface.drivers import sockets
    from storage.cold.journal import HEAD_BYTES, Journal
    from storage.cold.keeper import JournalKeeper
    from wiring.real import AccountSide

    _around(
        JournalKeeper, "action", points, lambda action: f"wish.{_kind(action)}", lambda action: f"kept.{_kind(action)}"
    )
    _around(BinanceVenue, "execute", points, None, lambda action: f"sent.{_kind(action)}")
    name = lambda event: type(event).__name__.lower()  # noqa: E731
    _around(AccountSide, "_told", points, lambda event: f"heard.{name(event)}", lambda event: f"took.{name(event)}")
    sockets.PRIME_PAGES = 3  # of ten: starts every few seconds use up the venue's request weight
    put = Journal._put

    def torn(self: Journal, kind: int, at_ns: int, frame: int, payload: bytes) -> int:
        points.passing("append")
        if not points.due("torn"):
            return put(self, kind, at_ns, frame, payload)
        start = self._at
        sequence = put(self, kind, at_ns, frame, payload)
        stop = start + HEAD_BYTES + len(payload)
        half = (start + stop) // 2
        self._block[half:stop] = bytes(stop - half)  # as a write that ended in the middle
        points.die("torn")
        return sequence

    Journal._put = torn  # type: ignore[method-assign]
    truth = Custody.truth

    def judged(self: Custody, event: Any) -> None:
        before = self.ready
        truth(self, event)
        if self.ready and not before:
            points.mark("ready", lots=[trader.position.lots for trader in self._traders])
            points.passing("ready")

    Custody.truth = judged  # type: ignore[method-assign]
    for module, function, stage in (
        (wiring, "choose_venue", "venue"), (wiring, "open_account", "account"),
        (AccountSide, "open", "opened"),
    ):  # fmt: skip
        _stage(module, function, stage, points)
    real = wiring.real_sockets

    def parts(*words: Any, **more: Any) -> Any:
        made = real(*words, **more)
        points.mark("parts")
        points.passing("parts")
        return made

    wiring.real_sockets = parts


def _around(
    owner: type, name: str, points: Points, before: Callable[[Any], str] | None, after: Callable[[Any], str]
) -> None:
    inner = getattr(owner, name)

    def wrapped(self: Any, subject: Any, *more: Any) -> Any:
        if before is not None:
            points.passing(before(subject))
        result = inner(self, subject, *more)
        points.passing(after(subject))
        return result

    setattr(owner, name, wrapped)


def _stage(owner: Any, name: str, stage: str, points: Points) -> None:
    inner = getattr(owner, name)

    async def wrapped(*words: Any, **more: Any) -> Any:
        points.mark(f"before {stage}")
        result = await inner(*words, **more)
        points.mark(stage)
        points.passing(stage)
        return result

    setattr(owner, name, wrapped)


def main() -> int:
    sys.path.insert(0, str(ROOT))
    points = Points(os.environ.get("CRASH_AT", ""), Path(os.environ["CRASH_MARKS"]))
    points.mark("begun", begun_ns=BEGUN_NS)
    from interface.commands.dispatch import main as product

    install(points)
    points.mark("imported")
    code = product(sys.argv[1:])
    with contextlib.suppress(OSError):
        points.mark("ended", code=code)
    return code


if __name__ == "__main__":
    sys.exit(main())
