"""Wishes that leave the engine. ``Session`` journals them, then lets the venue execute them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from models.order import ApprovedOrder
from models.survivors import Survivors


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    at_ns: int
    order: ApprovedOrder


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    at_ns: int
    client_id: str
    instrument: int = 0
    stop: bool = False  # a conditional order: the venue keeps these apart


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask the venue for the state of an order whose outcome is unknown."""

    at_ns: int
    client_id: str
    instrument: int = 0
    stop: bool = False


class Inspect(msgspec.Struct, frozen=True, tag="inspect"):
    """Read the account whole: positions, open orders, stops, wallet; the answer is an ``AccountTruth``."""

    at_ns: int


class Remember(msgspec.Struct, frozen=True, tag="remember"):
    """Keep this for the run after this one; the newest counts. Only the keeper does something with it."""

    at_ns: int
    survivors: Survivors


EDGE = "EDGE"
"""Reason of a ``Resync`` that leaves the book valid: only its proven range is to be renewed."""


class Resync(msgspec.Struct, frozen=True, tag="resync"):
    """Somebody who hears the market must fetch a new book: this one is impossible (crossed), or near its ``EDGE``."""

    at_ns: int
    instrument: int
    reason: str


class Note(msgspec.Struct, tag="note"):
    """A record for one of the run's files: the keys of conventions §4 in order, without v and seq.

    ``content`` is the record, or what builds it when it is first read: after the wishes of the same fact have left, so
    that an order does not wait for the text that tells of it. What a builder reads must stand still until then.
    """

    at_ns: int
    file: str
    content: dict[str, object] | Callable[[], dict[str, object]]

    @property
    def record(self) -> dict[str, object]:
        if callable(self.content):
            self.content = self.content()
        return self.content


Wish = Submit | Cancel | Query | Inspect
"""What a venue executes."""

Action = Wish | Remember | Resync | Note
