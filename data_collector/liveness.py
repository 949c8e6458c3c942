"""Is each stream of one connection delivering? Pure: fed with times, asked for verdicts; no socket, loop or clock.

A subscription is worth nothing until its first data frame (fault F02) and goes stale on our own receive time,
whatever pings say (fault F01). All transitions stand in ``TRANSITIONS``; an absent pair changes nothing.

``received_ns`` is a plain list the receive path writes into (one store a frame); ``check`` looks at it now and then,
so the hot path never makes a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from data_collector.routes import Stream

NEVER = -(2**63)
"""No frame yet. Zero is a real time."""
NS = 1_000_000_000


class Phase(Enum):
    IDLE = "idle"  # not asked for yet
    WAITING = "waiting"  # asked for, nothing came
    QUIET = "quiet"  # accepted and listed by the venue, silence is normal there
    DELIVERING = "delivering"
    LOST = "lost"


class Sign(Enum):
    ASKED = "asked"
    LISTED = "listed"  # the venue names it among our subscriptions; counts only where silence is normal
    DATA = "data"
    OVERDUE = "overdue"
    CUT = "cut"


TRANSITIONS: dict[Phase, dict[Sign, Phase]] = {
    Phase.IDLE: {Sign.ASKED: Phase.WAITING, Sign.DATA: Phase.DELIVERING, Sign.CUT: Phase.LOST},
    Phase.WAITING: {
        Sign.LISTED: Phase.QUIET,
        Sign.DATA: Phase.DELIVERING,
        Sign.OVERDUE: Phase.LOST,
        Sign.CUT: Phase.LOST,
    },
    Phase.QUIET: {Sign.DATA: Phase.DELIVERING, Sign.CUT: Phase.LOST},
    Phase.DELIVERING: {Sign.OVERDUE: Phase.LOST, Sign.CUT: Phase.LOST},
    Phase.LOST: {Sign.DATA: Phase.DELIVERING},
}
ALIVE = frozenset({Phase.QUIET, Phase.DELIVERING})


class Verdict(NamedTuple):
    """One change: stream number, its new phase, and why (``data``, ``listed``, ``no_data``, ``stale``, ``cut``)."""

    stream: int
    phase: Phase
    reason: str


class Liveness:
    """The phases of the streams of one connection.

    Times are ns of the run's receive clock; ``rate`` is that clock's rate against real time, so that the deadlines of
    ``StreamKind`` stay real seconds when a market is played faster.
    """

    def __init__(self, streams: Sequence[Stream], rate: float = 1.0) -> None:
        self.received_ns: list[int] = [NEVER] * len(streams)
        self.phases: list[Phase] = [Phase.IDLE] * len(streams)
        self._exempt = [stream.silence_normal for stream in streams]
        self._first_ns = [self._span_ns(stream.kind.first_s, rate) for stream in streams]
        self._fresh_ns = [self._span_ns(stream.kind.fresh_s, rate) for stream in streams]
        self._asked_ns = [NEVER] * len(streams)
        self._judged_ns = [NEVER] * len(streams)  # the receive time the last verdict was made from

    @staticmethod
    def _span_ns(seconds: float | None, rate: float) -> int:
        return 2**62 if seconds is None else int(seconds * NS * rate)

    def asked(self, stream: int, now_ns: int) -> None:
        """The subscription of ``stream`` was sent at ``now_ns``."""
        self._asked_ns[stream] = now_ns
        self._move(stream, Sign.ASKED)

    def listed(self, stream: int) -> Verdict | None:
        """The venue lists ``stream`` among our subscriptions."""
        return self._verdict(stream, Sign.LISTED, "listed") if self._exempt[stream] else None

    def cut(self) -> list[Verdict]:
        """The connection is gone: verdicts for all streams that were alive or awaited."""
        found = (self._verdict(stream, Sign.CUT, "cut") for stream in range(len(self.phases)))
        return [verdict for verdict in found if verdict is not None]

    def check(self, now_ns: int) -> list[Verdict]:
        """The changes since the last look, judged at ``now_ns``; at most one per stream."""
        verdicts: list[Verdict] = []
        for stream, received_ns in enumerate(self.received_ns):
            verdict = None
            if received_ns == NEVER:
                if self._asked_ns[stream] != NEVER and now_ns - self._asked_ns[stream] > self._first_ns[stream]:
                    verdict = self._verdict(stream, Sign.OVERDUE, "no_data")
            elif now_ns - received_ns > self._fresh_ns[stream]:
                verdict = self._verdict(stream, Sign.OVERDUE, "stale")
            elif received_ns != self._judged_ns[stream]:
                verdict = self._verdict(stream, Sign.DATA, "data")
            self._judged_ns[stream] = received_ns
            if verdict is not None:
                verdicts.append(verdict)
        return verdicts

    def alive(self, stream: int) -> bool:
        return self.phases[stream] in ALIVE

    @property
    def delivering(self) -> bool:
        """Every stream where silence is not normal has delivered and is fresh."""
        return all(exempt or phase is Phase.DELIVERING for exempt, phase in zip(self._exempt, self.phases, strict=True))

    @property
    def settled(self) -> bool:
        """Every stream is alive; those where silence is normal are at least listed by the venue."""
        return all(phase in ALIVE for phase in self.phases)

    def _verdict(self, stream: int, sign: Sign, reason: str) -> Verdict | None:
        return Verdict(stream, self.phases[stream], reason) if self._move(stream, sign) else None

    def _move(self, stream: int, sign: Sign) -> bool:
        phase = TRANSITIONS[self.phases[stream]].get(sign)
        if phase is None:
            return False
        self.phases[stream] = phase
        return True
