"""Wishes that leave the engine. ``Session`` journals them, then lets the venue execute them."""

from __future__ import annotations

import msgspec

from models.order import ApprovedOrder


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    at_ns: int
    order: ApprovedOrder


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    at_ns: int
    client_id: str


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask the venue for the state of an order whose outcome is unknown."""

    at_ns: int
    client_id: str


EDGE = "EDGE"
"""Reason of a ``Resync`` that leaves the book valid: only its proven range is to be renewed."""


class Resync(msgspec.Struct, frozen=True, tag="resync"):
    """Somebody who hears the market must fetch a new book: this one is impossible (crossed), or near its ``EDGE``."""

    at_ns: int
    instrument: int
    reason: str


class Note(msgspec.Struct, frozen=True, tag="note"):
    """A record for one of the run's files; ``record`` holds the keys of conventions §4 in order, without v and seq."""

    at_ns: int
    file: str
    record: dict[str, object]


Action = Submit | Cancel | Query | Resync | Note
