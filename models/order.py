"""Orders as values: what was wished (``Intent``), what the gate let through (``ApprovedOrder``), what came of it."""

from __future__ import annotations

import enum

import msgspec


class Side(enum.IntEnum):
    """Also the ``side`` of a row: BUY takes asks, SELL takes bids."""

    BUY = 0
    SELL = 1

    @property
    def other(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(enum.StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_MARKET = "STOP_MARKET"


class TimeInForce(enum.StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"  # post only


class Purpose(enum.StrEnum):
    """Why an order exists; one letter, part of its client id, so that a restart can tell what an order is for."""

    ENTRY = "e"
    EXIT = "x"
    STOP = "s"


class OrderState(enum.StrEnum):
    """States only move forward (design §7). UNKNOWN is a state, left by proof, never by guess."""

    __hash__ = str.__hash__  # key of tables on the order path; that of Enum is Python

    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED})


class Refused(enum.StrEnum):
    """Why the venue refused an order, where it changes what we do next; ``OrderReport.reason`` begins with the word."""

    MARGIN = "MARGIN"
    REDUCE_ONLY = "REDUCE_ONLY"  # nothing to reduce, or other reducing orders use it up
    PRICE_BAND = "PRICE_BAND"  # a market order now would leave the venue's price band
    WOULD_TRIGGER = "WOULD_TRIGGER"  # the stop's condition is met already
    NOT_PLACED = "NOT_PLACED"  # proven: the order never reached the venue

    def within(self, reason: str) -> bool:
        return reason.startswith(self.value)


class Intent(msgspec.Struct, frozen=True):
    """What a strategy wishes: a direction on an instrument and why. It names no price, size or order type."""

    instrument: int
    side: Side
    purpose: Purpose
    reason: str
    horizon_ns: int = 0
    score: float = 0.0


class ApprovedOrder(msgspec.Struct, frozen=True):
    """An order the risk gate let through. Only ``core/risk/gate.py`` may construct it (a test checks that).

    ``price`` in ticks (0 for market orders), ``quantity`` in lots, ``trigger`` in ticks for stops, ``created_ns`` the
    time of the fact that caused it.
    """

    client_id: str
    instrument: int
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: int
    quantity: int
    trigger: int
    reduce_only: bool
    purpose: Purpose
    created_ns: int
