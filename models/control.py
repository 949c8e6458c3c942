"""States and reason codes that users, records and alert rules see (conventions §4, failure catalogue)."""

from __future__ import annotations

import enum


class Operating(enum.StrEnum):
    """State of the process, independent of the market decision."""

    NORMAL = "NORMAL"
    ENTRY_BLOCKED = "ENTRY_BLOCKED"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class Trust(enum.StrEnum):
    TRUSTED = "TRUSTED"
    UNTRUSTED = "UNTRUSTED"


class Hypothesis(enum.StrEnum):
    VALID = "VALID"
    INVALID = "INVALID"


class Decision(enum.StrEnum):
    """What the market allows. RESTRICTED: no entries, ordinary exits go on. HALTED: protective exits only."""

    ALLOWED = "ALLOWED"
    RESTRICTED = "RESTRICTED"
    HALTED = "HALTED"


class DecisionAction(enum.StrEnum):
    """The ``action`` of a decisions record."""

    ALLOWED = "ALLOWED"
    RESTRICTED = "RESTRICTED"
    HALT = "HALT"
    RESUME = "RESUME"


class Reason(enum.StrEnum):
    """Stable reason codes; a detail may follow after a colon."""

    DATA_LATE = "DATA_LATE"
    DATA_CROSSED = "DATA_CROSSED"
    DATA_SPIKE = "DATA_SPIKE"
    DATA_GAP = "DATA_GAP"
    DATA_STALE = "DATA_STALE"
    QUARANTINE_RATIO = "QUARANTINE_RATIO"
    SPREAD_WIDE = "SPREAD_WIDE"
    DEPTH_THIN = "DEPTH_THIN"
    IMBALANCE = "IMBALANCE"
    LIQ_CASCADE = "LIQ_CASCADE"
    RECOVERED = "RECOVERED"
    RISK_DAILY_LOSS = "RISK_DAILY_LOSS"
    RISK_DRAWDOWN = "RISK_DRAWDOWN"
    RISK_LIMIT = "RISK_LIMIT"
    OPERATOR = "OPERATOR"
    VENUE = "VENUE"
    CLOCK = "CLOCK"
    STARTUP = "STARTUP"
    SHUTDOWN = "SHUTDOWN"
