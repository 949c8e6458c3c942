"""The operating state of the process: which causes hold it back, and which state they add up to.

A state is never set; causes are. ``NORMAL`` means that no cause is left. Sticky causes stay until an operator lifts
them, across restarts (invariant 13).
"""

from __future__ import annotations

import enum

from models.control import Operating


class Cause(enum.StrEnum):
    """Why entries are blocked, or more."""

    STARTING = "STARTING"
    OPERATOR = "OPERATOR"
    SHUTDOWN = "SHUTDOWN"
    HANDOVER = "HANDOVER"
    CLOCK = "P11"
    STREAM = "STREAM"
    DAILY_LOSS_SOFT = "P21_SOFT"
    FEE_BUDGET = "P23"
    STREAK_PAUSE = "P24_PAUSE"
    REPEATED = "P14"
    STREAK_HALT = "P24"
    FAULT = "FAULT"
    DAILY_LOSS_HARD = "P21"
    DRAWDOWN = "P22"
    CEILING = "P04"
    KILL = "KILL"
    UNKNOWN = "P18"
    UNKNOWN_LONG = "P18_LONG"
    REJECTIONS = "P19"
    REJECTIONS_AGAIN = "P19_AGAIN"
    MARGIN = "MARGIN"
    UNPROTECTED = "P25"
    MONEY = "P28"
    POSITION = "P29"
    FILL = "P30"
    SHAPE = "P31"
    EXTERNAL = "EXTERNAL"
    INSTANCE = "INSTANCE"
    BLIND = "BLIND"
    LIQUIDATED = "LIQUIDATED"
    EXIT_LATE = "EXIT_LATE"


LEVEL: dict[Cause, Operating] = {
    Cause.STARTING: Operating.ENTRY_BLOCKED,
    Cause.OPERATOR: Operating.ENTRY_BLOCKED,
    Cause.SHUTDOWN: Operating.REDUCING,
    Cause.HANDOVER: Operating.ENTRY_BLOCKED,
    Cause.CLOCK: Operating.ENTRY_BLOCKED,
    Cause.STREAM: Operating.ENTRY_BLOCKED,
    Cause.DAILY_LOSS_SOFT: Operating.ENTRY_BLOCKED,
    Cause.FEE_BUDGET: Operating.ENTRY_BLOCKED,
    Cause.STREAK_PAUSE: Operating.ENTRY_BLOCKED,
    Cause.REPEATED: Operating.ENTRY_BLOCKED,
    Cause.STREAK_HALT: Operating.ENTRY_BLOCKED,
    Cause.FAULT: Operating.ENTRY_BLOCKED,
    Cause.DAILY_LOSS_HARD: Operating.HALTED,
    Cause.DRAWDOWN: Operating.HALTED,
    Cause.CEILING: Operating.HALTED,
    Cause.KILL: Operating.HALTED,
    Cause.UNKNOWN: Operating.ENTRY_BLOCKED,
    Cause.UNKNOWN_LONG: Operating.REDUCING,
    Cause.REJECTIONS: Operating.ENTRY_BLOCKED,
    Cause.REJECTIONS_AGAIN: Operating.ENTRY_BLOCKED,
    Cause.MARGIN: Operating.ENTRY_BLOCKED,
    Cause.UNPROTECTED: Operating.REDUCING,
    Cause.MONEY: Operating.ENTRY_BLOCKED,
    Cause.POSITION: Operating.ENTRY_BLOCKED,
    Cause.FILL: Operating.ENTRY_BLOCKED,
    Cause.SHAPE: Operating.ENTRY_BLOCKED,
    Cause.EXTERNAL: Operating.ENTRY_BLOCKED,
    Cause.INSTANCE: Operating.ENTRY_BLOCKED,
    Cause.BLIND: Operating.ENTRY_BLOCKED,
    Cause.LIQUIDATED: Operating.HALTED,
    Cause.EXIT_LATE: Operating.ENTRY_BLOCKED,
}
"""Cause → the least state it demands."""

STICKY = frozenset(
    {
        Cause.OPERATOR,
        Cause.REPEATED,
        Cause.STREAK_HALT,
        Cause.DAILY_LOSS_HARD,
        Cause.DRAWDOWN,
        Cause.CEILING,
        Cause.KILL,
        Cause.REJECTIONS_AGAIN,
        Cause.UNPROTECTED,
        Cause.POSITION,
        Cause.FILL,
        Cause.LIQUIDATED,
    }
)
OF_THE_DAY = (Cause.DAILY_LOSS_SOFT, Cause.FEE_BUDGET)
"""Causes that midnight (UTC) lifts."""

PAUSES = (Cause.STREAK_PAUSE, Cause.REJECTIONS)
"""Causes that end by themselves at a time of their own."""

BY_HAND = (
    Cause.OPERATOR, Cause.REPEATED, Cause.STREAK_HALT, Cause.FAULT, Cause.REJECTIONS_AGAIN, Cause.MARGIN,
    Cause.UNPROTECTED, Cause.POSITION, Cause.FILL, Cause.EXTERNAL, Cause.MONEY,
)  # fmt: skip
"""Causes that a person lifts by allowing entries; what halts needs more."""

_ORDER = (Operating.NORMAL, Operating.ENTRY_BLOCKED, Operating.REDUCING, Operating.HALTED)


class Mode:
    """The set of causes in force; ``state`` is the severest state any of them demands."""

    def __init__(self) -> None:
        self.causes: dict[Cause, str] = {}

    @property
    def state(self) -> Operating:
        return max((LEVEL[cause] for cause in self.causes), key=_ORDER.index, default=Operating.NORMAL)

    def block(self, cause: Cause, detail: str) -> bool:
        """Add a cause; True when it was not in force before."""
        fresh = cause not in self.causes
        self.causes.setdefault(cause, detail)
        return fresh

    def lift(self, cause: Cause) -> bool:
        """Remove a cause; True when it was in force."""
        return self.causes.pop(cause, None) is not None

    def halts(self) -> list[Cause]:
        """The causes that demand HALTED, oldest first."""
        return [cause for cause in self.causes if LEVEL[cause] is Operating.HALTED]

    def first(self) -> tuple[Cause, str] | None:
        """The severest cause with its detail, the oldest among equals."""
        if not self.causes:
            return None
        cause = max(self.causes, key=lambda each: _ORDER.index(LEVEL[each]))
        return cause, self.causes[cause]
