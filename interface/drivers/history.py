"""Recorded markets: chunks of a recording through the same ear, in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from interface.drivers.parts import Parts
from interface.drivers.virtual import never
from models.event import Command
from models.rows import FAR_NS


def drive(
    parts: Parts,
    chunks: Iterable[bytes],
    progress: Callable[[int], None] | None = None,
    *,
    from_ns: int = 0,
    until_ns: int = FAR_NS,
    stop: Callable[[], bool] = never,
) -> int:
    """Run all records received before ``until_ns``; entries begin at ``from_ns``, what is before fills the windows.

    Ends after the chunk during which ``stop`` became true. Returns the time after the last fact.
    """
    session = parts.session
    if from_ns > 0:
        session.agenda.append(Command(1, "stop_entries", "run", "before --from"))
        session.agenda.append(Command(from_ns, "allow_entries", "run"))
    done = 0
    for chunk in chunks:
        going = parts.ear.chunk(chunk, until_ns)
        done += len(chunk)
        if progress is not None:
            progress(done)
        if not going or stop():
            break
    end_ns = parts.engine.memory.now_ns + 1
    session.time(end_ns)
    return end_ns
