"""Facts other than market rows. The engine takes each through ``Engine.step``; the journal keeps each.

``at_ns`` is the time the fact enters the engine, on the run's receive clock. Facts order by (``at_ns``, class:
reports before timers, number).
"""

from __future__ import annotations

import msgspec

from models.order import OrderState, Side


class Wake(msgspec.Struct, frozen=True, tag="wake"):
    """The compiled pass stopped after a frame; ``bits`` says why (``core.kernels.state.Wake*``)."""

    at_ns: int
    instrument: int
    bits: int
    frame: int


class Timer(msgspec.Struct, frozen=True, tag="timer"):
    """A deadline the engine asked for has passed. ``at_ns`` is the deadline, not when somebody noticed."""

    at_ns: int


class OrderReport(msgspec.Struct, frozen=True, tag="order"):
    """The venue's word on an order. Quantities in lots; ``filled`` is cumulative; ``venue_ns`` is the venue's time."""

    at_ns: int
    client_id: str
    venue_id: int
    state: OrderState
    filled: int
    venue_ns: int
    reason: str = ""


class Fill(msgspec.Struct, frozen=True, tag="fill"):
    """One execution. ``price`` ticks, ``quantity`` lots, ``fee_e8`` money (positive is paid), once per ``trade_id``."""

    at_ns: int
    client_id: str
    trade_id: int
    instrument: int
    side: Side
    price: int
    quantity: int
    fee_e8: int
    maker: bool
    venue_ns: int
    cause: str = ""  # «liquidation», «adl» … for executions nobody here asked for


class Funding(msgspec.Struct, frozen=True, tag="funding"):
    """Funding booked on a position; ``amount_e8`` is what the wallet gained (negative: paid)."""

    at_ns: int
    instrument: int
    amount_e8: int
    rate_e8: int
    mark_e8: int


class StreamState(msgspec.Struct, frozen=True, tag="stream"):
    """A market stream was lost or is delivering again. ``stream`` as in the metric labels (``depth`` …)."""

    at_ns: int
    instrument: int
    stream: str
    alive: bool
    reason: str = ""


class BookInvalid(msgspec.Struct, frozen=True, tag="book"):
    """The book of an instrument lost its chain; nothing may read it until the next snapshot rows."""

    at_ns: int
    instrument: int
    reason: str


class ClockOffset(msgspec.Struct, frozen=True, tag="clock"):
    """Estimated venue clock minus our receive clock, and how far off the estimate may be."""

    at_ns: int
    offset_ns: int
    uncertainty_ns: int


class Command(msgspec.Struct, frozen=True, tag="command"):
    """An operator's word: ``stop_entries``, ``allow_entries``, ``flatten``, ``kill``; or the end of the run:
    ``shutdown`` closes what is open, ``handover`` leaves it with its stop. Both enter nothing more.
    """

    at_ns: int
    name: str
    source: str
    detail: str = ""


Event = Wake | Timer | OrderReport | Fill | Funding | StreamState | BookInvalid | ClockOffset | Command
