"""A real account: orders leave over the wire, fills come back on the private stream, the account is read back.

Rehearsal is this very path against the embedded exchange. A mode changes where the venue is and whose key signs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from config.rules import require_hosts
from config.secret import load_secret
from config.settings import Settings
from core.session import Session
from core.strategies.strategy import Strategy
from data_collector.ear import Ear
from data_collector.picows_transport import open_picows
from exchange.binance.assembly import Addresses, Bounds, binance_venue
from exchange.binance.requests import Terms
from exchange.binance.rest import premium_of
from exchange.binance.rules import RuleWatch
from exchange.binance.shape import shaped
from exchange.binance.signing import HmacSigner, Signer, signer_of
from exchange.binance.venue import BinanceVenue
from interface.drivers.parts import RUN, Parts
from models.action import Note
from models.error import DataError, UsageError
from models.event import ClockOffset, Command, Event, Inherited
from models.instrument import Instrument, to_e8
from storage.cold.inheritance import left_behind, newest_journal
from utils.clock import RunClock
from wiring.joining import Place, build
from wiring.sockets import SocketVenue
from wiring.terms import PREFIX, digest, feed_limits

ACCOUNT = "main"


class Access(NamedTuple):
    """Where an account is, and what signs for it."""

    addresses: Addresses
    signer: Signer


MakeVenue = Callable[[Callable[[Event], None]], BinanceVenue]


class AccountSide:
    """The account of one run: made before the run's parts, opened by the driver when the market is heard.

    Facts go to the session, whose journal keeps them; a measured clock goes to the ear, which records it: a second run
    takes each from where it stands.
    """

    def __init__(self, make: MakeVenue, now_ns: Callable[[], int], rules: RuleWatch) -> None:
        self._session: Session | None = None
        self._ear: Ear | None = None
        self._now_ns = now_ns
        self.left: Inherited | None = None  # by the run before
        self.unread = ""  # why nobody knows what the run before left
        self.rules = rules
        rules.tell = self._told
        self.venue = make(self._told)

    def join(self, parts: Parts) -> None:
        """From now on facts reach this run."""
        self._session, self._ear = parts.session, parts.ear  # type: ignore[assignment]

    async def open(self) -> None:
        """Open the private stream, then let the core read the account and take over what it finds."""
        if self._session is not None and self.left is not None:
            left = msgspec.structs.replace(self.left, at_ns=self._now_ns())
            self.venue.recall(left.orders)
            self._session.event(left)
        if self._session is not None and self.unread:
            self._session.event(Command(self._now_ns(), "stop_entries", "journal", self.unread))
        await self.venue.start()
        self.rules.start()
        if self._ear is not None:
            self._ear.fact(Command(self._now_ns(), "start", RUN, "the account is connected"))

    def woke(self) -> None:
        """The process stood still for a while: what was said meanwhile may be lost, so the account is read (F64)."""
        self.venue.doubt("the process stood still")

    async def close(self) -> None:
        """Nothing is told any more."""
        await self.rules.close()
        await self.venue.close()

    def _told(self, event: Event) -> None:
        if self._session is None or self._ear is None:
            return
        if isinstance(event, ClockOffset):
            self._ear.fact(event)
        else:
            self._session.event(event)


def access(settings: Settings, venue: SocketVenue, mode: str) -> Access:
    """Where the account of ``mode`` is, and its signer. Raises ConfigurationError when a secret is missing."""
    if mode == "rehearsal":
        exchange = venue.exchange
        if exchange is None or ACCOUNT not in exchange.accounts:
            raise UsageError("rehearsal trades on the embedded exchange only; leave --feed out, or use --feed embedded")
        words = exchange.accounts[ACCOUNT]
        addresses = Addresses(rest=exchange.rest_url, private=f"{exchange.stream_url}/private", ws_api=exchange.ws_api)
        return Access(addresses, HmacSigner(words["key"], words["secret"]))
    feed, execution = settings.feed, settings.execution
    require_hosts(mode, (feed.rest_url, feed.stream_url, execution.ws_api_url))
    addresses = Addresses(rest=feed.rest_url, private=f"{feed.stream_url}/private", ws_api=execution.ws_api_url)
    return Access(addresses, _signer(Path(settings.app.data_dir)))


def _signer(data_dir: Path) -> Signer:
    names = ("binance_api_key", "binance_api_secret", "binance_private_key")
    return signer_of(*[load_secret(name, data_dir, os.environ) for name in names])


class Opened(NamedTuple):
    """A connected account: its side of the run, the instruments with its terms, its wallet at 1e-8, marks in ticks."""

    side: AccountSide
    instruments: tuple[Instrument, ...]
    wallet_e8: int
    marks: tuple[int, ...]


async def open_account(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    venue: SocketVenue,
    given: Access,
    clock: RunClock,
    *,
    change: bool = True,
    bounds: Bounds | None = None,
) -> Opened:
    """Connect, prove that signed calls are understood, give the account its shape (with ``change``)."""
    limits = feed_limits(settings)
    rules = RuleWatch(venue.market.exchange_info, venue.instruments, clock.now_ns)

    def make(tell: Callable[[Event], None]) -> BinanceVenue:
        return binance_venue(
            venue.instruments,
            given.signer,
            given.addresses,
            tell,
            clock.now_ns,
            lambda url, on_frame, on_closed: open_picows(url, on_frame, on_closed, clock.now_ns, limits, None),
            lambda client_id: client_id.startswith(PREFIX),
            transport=settings.execution.transport,
            terms=Terms(
                recv_window_ms=settings.execution.recv_window_ms, working_type=settings.execution.stop_working_type
            ),
            bounds=bounds,
            refresh=rules.refresh,
            ledger=venue.market.ledger,
        )

    account = AccountSide(make, clock.now_ns, rules)
    stack.push_async_callback(account.close)
    await account.venue.connect()
    await account.venue.account.prove_signing(venue.instruments[0].symbol)
    calls = account.venue.account
    instruments = await shaped(calls, venue.instruments, settings.risk.leverage, change=change)
    assets = {row.asset: row.walletBalance for row in (await calls.account()).assets}
    marks = [
        premium_of(await venue.market.premium_index(one.symbol)).mark_e8 // one.tick_e8 for one in venue.instruments
    ]
    return Opened(account, instruments, to_e8(assets.get(instruments[0].quote, "0")), tuple(marks))


def real_sockets(
    settings: Settings,
    venue: SocketVenue,
    account: Opened,
    *,
    mode: str,
    seed: int,
    started_ns: int,
    speed: float,
    observer: Callable[[Note], None] | None,
    strategy: Strategy | None = None,
) -> Parts:
    """The live engine on a real account, recording and journal on."""
    place = Place(settings, mode, started_ns)
    before = newest_journal(place.journal.parent)
    try:
        account.side.left = None if before is None else left_behind(before, started_ns)
    except (
        DataError
    ) as error:  # the venue tells what is held; what held the run before back, a person has to tell (F69)
        account.side.unread = error.message
    parts = build(
        settings,
        account.instruments,
        place,
        feed=venue.name,
        epoch=f"{place.run_id}|{digest(settings)}",
        facts={"seed": seed, "speed": speed, "assumptions": "orders, fills, fees and funding are the venue's"},
        threaded=True,
        record=settings.feed.record,
        observer=observer,
        venue=account.side.venue,
        strategy=strategy,
    )
    account.side.join(parts)
    return parts
