"""Joins the parts of a real venue: one call for whoever has instruments, a signer and somewhere to tell facts.

Everything that touches the outside is given: connections (``connect`` for REST, ``open_socket`` for WebSockets), clocks
and dice. With connections in memory and a virtual loop the same parts run in a simulation.
"""

from __future__ import annotations

import random as dice
import time
from collections.abc import Callable, Sequence

import msgspec

from exchange.binance.account_rest import AccountRest, CallLimits
from exchange.binance.ids import Ids
from exchange.binance.order_line import Connect, connector
from exchange.binance.order_lines import LineLimits, OpenLine, OrderLines, http_lines
from exchange.binance.pace import Attempts, Pace
from exchange.binance.quota import Quota
from exchange.binance.reader import Reader
from exchange.binance.requests import OrderRequests, RestRequests, Terms
from exchange.binance.server_time import VenueClock
from exchange.binance.signing import Signer
from exchange.binance.user_events import UserEvents, usable
from exchange.binance.user_stream import OpenSocket, StreamLimits, UserStream
from exchange.binance.venue import BinanceVenue, Joints, VenueLimits
from exchange.binance.weights import WeightLedger
from exchange.binance.ws_api import WsRequests, socket_lines
from models.error import ConfigurationError
from models.event import Event
from models.instrument import Instrument

ORDER_LINES = 2
READ_LINES = 3
"""Seven reads make an account; three lines take them in three round trips."""
LINE_ATTEMPTS = 60
"""Connections in five minutes for all lines together: a fifth of what the venue allows an address. Every answer that
does not come costs a line, so five lines with the budget of one stream would leave the account unread after a handful
of them."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the venue is: ``rest`` like ``https://fapi.binance.com``, ``private`` like
    ``wss://fstream.binance.com/private``, ``ws_api`` like ``wss://ws-fapi.binance.com/ws-fapi/v1``.
    """

    rest: str
    private: str
    ws_api: str = ""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """All limits of the parts; the defaults are for the venue itself, tests shorten them."""

    lines: LineLimits = LineLimits()
    calls: CallLimits = CallLimits()
    stream: StreamLimits = StreamLimits()
    venue: VenueLimits = VenueLimits()


def binance_venue(
    instruments: Sequence[Instrument],
    signer: Signer,
    addresses: Addresses,
    tell: Callable[[Event], None],
    now_ns: Callable[[], int],
    open_socket: OpenSocket,
    owns: Callable[[str], bool],
    *,
    transport: str = "rest",
    terms: Terms | None = None,
    bounds: Bounds | None = None,
    connect: Connect | None = None,
    ledger: WeightLedger | None = None,
    record: Callable[[bytes, int], None] | None = None,
    refresh: Callable[[int], None] = lambda instrument: None,
    monotonic_s: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = dice.random,
) -> BinanceVenue:
    """A venue that is not connected yet (``await venue.start()``).

    ``tell`` takes facts in callbacks of the loop; ``owns`` knows the client ids of this program; ``transport`` (rest,
    ws) is the way of orders; ``ledger`` is shared with whoever asks the same host; ``record`` keeps private frames.
    Raises ConfigurationError for what cannot work.
    """
    usable(instruments)
    terms, bounds = terms or Terms(), bounds or Bounds()
    clock, ids = VenueClock(now_ns), Ids()
    quota = Quota(ledger or WeightLedger(), monotonic_s)
    quota.weights.left_s = clock.minute_left_s
    requests = RestRequests(addresses.rest, signer, instruments, terms)
    http = http_lines(connect or connector(addresses.rest))
    pace = Pace(Attempts(LINE_ATTEMPTS), random)

    build: OrderRequests = requests
    way = http
    if _over_sockets(transport, addresses):
        build, way = WsRequests(signer, instruments, terms), socket_lines(open_socket, addresses.ws_api, random=random)
    orders = _lines(way, build.probe, ORDER_LINES, bounds.lines, pace, quota)
    reads = _lines(http, requests.probe, READ_LINES, bounds.lines, pace, quota)
    account = AccountRest(
        reads, requests, clock, quota=quota, limits=bounds.calls, random=random,
        access=lambda answered, reason: venue.access(answered, reason),
    )  # fmt: skip
    parts = Joints(
        instruments=tuple(instruments), build=build, lines=orders, reads=reads, account=account, clock=clock, ids=ids,
        quota=quota, recv_window_ms=terms.recv_window_ms,
    )  # fmt: skip
    venue = BinanceVenue(parts, tell, limits=bounds.venue, refresh=refresh)
    events = UserEvents(
        instruments, ids, venue.tell, now_ns, owns, venue.doubt,
        named=lambda client_id: stream.named(client_id), expired=lambda key: stream.expired(key),
    )  # fmt: skip
    stream = UserStream(
        account, open_socket, addresses.private, events.take, venue.stream_lost, venue.doubt, record=record,
        limits=bounds.stream, random=random,
    )  # fmt: skip
    venue.attach(Reader(account, instruments, ids, events, venue.tell), events, stream)
    return venue


def _over_sockets(transport: str, addresses: Addresses) -> bool:
    """Whether orders go over the WebSocket API. Raises ConfigurationError when that cannot be."""
    if transport not in ("rest", "ws"):
        raise ConfigurationError(f"execution.transport is {transport!r}; it is rest or ws")
    if transport == "ws" and not addresses.ws_api:
        raise ConfigurationError("execution.transport is ws, and no address of the WebSocket API is given")
    return transport == "ws"


def _lines(
    open_line: OpenLine, probe: bytes, count: int, limits: LineLimits, pace: Pace, quota: Quota
) -> OrderLines:  # fmt: skip
    return OrderLines(
        open_line, probe=probe, count=count, limits=limits, pace=pace,
        heed=lambda answer: quota.heed(answer.headers), quiet=lambda: quota.quiet,
    )  # fmt: skip
