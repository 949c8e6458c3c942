"""Errors a user can meet: each has one sentence, a stable code, and the exit code of conventions §1."""

from __future__ import annotations


class ScalperError(Exception):
    """Base of every error the program raises on purpose. Trying again helps only where a subclass says so."""

    code = "ERROR"
    exit_code = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        return str(self.args[0])


class UsageError(ScalperError):
    """The command line is wrong. Trying again the same way never helps."""

    code = "USAGE"
    exit_code = 2


class ConfigurationError(ScalperError):
    """Settings or a secret are invalid or missing; the message lists all mistakes at once."""

    code = "CONFIG"
    exit_code = 3


class PreflightError(ScalperError):
    """A check before the start failed (clock, permissions, filters). Mend it, then try again."""

    code = "PREFLIGHT"
    exit_code = 4


class VenueUnreachableError(ScalperError):
    """The venue did not answer within the start-up budget. Trying again later makes sense."""

    code = "VENUE_UNREACHABLE"
    exit_code = 5


class NotRunningError(ScalperError):
    """There is no running bot to talk to. Trying again makes sense once one was started."""

    code = "NOT_RUNNING"
    exit_code = 5


class HaltedError(ScalperError):
    """A finite run ended halted."""

    code = "HALTED"
    exit_code = 6


class RunDiffersError(ScalperError):
    """A second run of the same facts gave other bytes, or a record is damaged beyond its tail."""

    code = "DIFFERS"
    exit_code = 7


class LockedError(ScalperError):
    """Another instance holds the lock."""

    code = "LOCKED"
    exit_code = 8


class DataError(ScalperError):
    """A file, frame or answer cannot be used. The message names the place and what would be right."""

    code = "DATA"
    exit_code = 2
