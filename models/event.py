"""Facts other than market rows. The engine takes each through ``Engine.step``; the journal keeps each.

``at_ns`` is the time the fact enters the engine, on the run's receive clock. Facts order by (``at_ns``, class:
reports before timers, number).
"""

from __future__ import annotations

import msgspec

from models.order import ApprovedOrder, OrderState, Side
from models.survivors import Survivors


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
    decide_ns: int = 0  # on the first answer to an order: from the fact that caused it to its hand-over …
    send_ns: int = 0  # … and from there to its last byte written


class NotFound(msgspec.Struct, frozen=True, tag="not_found"):
    """The venue does not know an order that was asked for; ``venue_ns`` is the venue's time of that answer.

    Alone it proves nothing: the venue may be late to show a new order (``core.execution.verdicts``).
    """

    at_ns: int
    client_id: str
    venue_ns: int


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
    cause: str = ""  # «liquidation», «adl», «external» … for executions nobody here asked for
    realised_e8: int | None = None  # the venue's own figure, where it tells one


class Funding(msgspec.Struct, frozen=True, tag="funding"):
    """Funding booked on a position; ``amount_e8`` is what the wallet gained (negative: paid)."""

    at_ns: int
    instrument: int
    amount_e8: int
    rate_e8: int
    mark_e8: int


class Held(msgspec.Struct, frozen=True):
    """A position as the venue holds it: signed lots, average entry price at 1e-8, and its terms."""

    instrument: int
    lots: int
    entry_e8: int
    leverage: int
    isolated: bool


class Standing(msgspec.Struct, frozen=True):
    """An order open at the venue, whoever sent it. ``stop``: a conditional order, with its own kind of id."""

    client_id: str
    venue_id: int
    instrument: int
    side: Side
    quantity: int
    filled: int
    price: int
    trigger: int
    reduce_only: bool
    stop: bool


class AccountTruth(msgspec.Struct, frozen=True, tag="truth"):
    """The account as read from the venue: all positions and open orders of the instruments traded, and its shape.

    ``asked_ns`` is when the reading began: facts heard since may be in it or not. An instrument without a position
    is in ``positions`` with 0 lots, for its leverage and margin type.
    """

    at_ns: int
    asked_ns: int
    wallet_e8: int
    available_e8: int
    positions: tuple[Held, ...]
    orders: tuple[Standing, ...]
    hedge: bool


class Balance(msgspec.Struct, frozen=True, tag="balance"):
    """The venue's word on wallet and positions after a change: a cross-check, never the writer of either.

    ``change_e8`` is what moved beside trades and fees (deposits, transfers); ``cause`` a stable word for why.
    """

    at_ns: int
    wallet_e8: int
    change_e8: int
    cause: str
    positions: tuple[Held, ...]


class Inherited(msgspec.Struct, frozen=True, tag="inherited"):
    """What a run before left behind: its ``survivors``, the orders that nobody has seen the end of, and its entries of
    the last day as (ns, instrument, side, price in ticks, lots), a price of 0 for a market order. ``heard`` are
    executions of those orders that it had booked: (client id, trade id, lots).
    """

    at_ns: int
    survivors: Survivors | None
    orders: tuple[ApprovedOrder, ...]
    entries: tuple[tuple[int, int, int, int, int], ...]
    heard: tuple[tuple[str, int, int], ...] = ()


class MarginCall(msgspec.Struct, frozen=True, tag="margin_call"):
    """The venue warns that a position is near its liquidation."""

    at_ns: int
    instrument: int
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
    """An operator's word: ``stop_entries``, ``allow_entries``, ``flatten``, ``kill``, ``rearm`` (leave HALTED); or the
    end of the run: ``shutdown`` closes what is open, ``handover`` leaves it with its stop. Both enter nothing more.
    ``start`` says that all lines to a real venue are up.
    """

    at_ns: int
    name: str
    source: str
    detail: str = ""


Event = (
    Wake
    | Timer
    | OrderReport
    | NotFound
    | Fill
    | Funding
    | AccountTruth
    | Balance
    | Inherited
    | MarginCall
    | StreamState
    | BookInvalid
    | ClockOffset
    | Command
)
