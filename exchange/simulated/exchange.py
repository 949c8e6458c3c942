"""The simulated exchange: orders and market rows in, the venue's reports out.

Two times (design §6): the exchange lives in ``occurred_ns`` (venue clock), we live in ``received_ns``. An order that
arrives at a executes on all depth with ``occurred_ns`` ≤ a, once a later frame proves that nothing earlier can come,
and before that frame is applied. Its reports are visible at max(a + latency back, receipt of the proof).

The driver follows all rows received up to a moment, takes the reports due, steps its engine, and executes what the
engine wants. While ``ALIVE`` is 0 it may follow late and in bulk: same reports, same hash.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Sequence

import numpy as np

from core.kernels.kernel import address_of
from exchange.simulated import filters, matching
from exchange.simulated.ledger import AccountState, Ledger, PositionState
from exchange.simulated.market import Market
from exchange.simulated.matching import follow as follow_rows
from exchange.simulated.orders import Arrival, Order
from exchange.simulated.reports import Report, Reports
from exchange.simulated.terms import PaperTerms
from models.account import AccountShape
from models.action import Cancel, Submit, Wish
from models.error import ConfigurationError, DataError
from models.event import OrderReport
from models.instrument import Instrument
from models.order import OrderState
from models.rows import FAR_NS, INDEX_MASK, ROW_BYTES, Kind

_ROW = struct.Struct("=8q")


class SimulatedExchange:
    """A pure machine: no task, socket, clock or chance; the same facts give the same reports.

    Raises ConfigurationError without instruments, when the account is not isolated one-way, or when an instrument does
    not stand at the place its index says.
    """

    def __init__(self, instruments: Sequence[Instrument], account: AccountShape, terms: PaperTerms) -> None:
        if not instruments:
            raise ConfigurationError("the simulated exchange needs at least one instrument")
        if account.hedge or not account.isolated:
            raise ConfigurationError("the simulated exchange holds one-way positions with isolated margin only")
        for place, instrument in enumerate(instruments):
            if instrument.index != place:
                raise ConfigurationError(f"{instrument.symbol} has index {instrument.index}, it stands at {place}")
        self.terms = terms
        count = len(instruments)
        self.words = np.zeros(matching.HEADER_WORDS + count * matching.LANE_WORDS, dtype=np.int64)
        self._books = matching.empty_books(count)
        self.words[matching.COUNT] = count
        self.words[matching.BOOKS] = address_of(self._books)
        self.words[matching.LAG_BOUND_NS] = terms.lag_bound_ns
        self.address = address_of(self.words)
        self.words = self.words
        self._reports = Reports()
        self.ledger = Ledger(tuple(instruments), account.equity_e8, account.leverage)
        lanes = self.words[matching.HEADER_WORDS :].reshape(count, matching.LANE_WORDS)
        self.markets = tuple(
            Market(instrument, terms, lanes[instrument.index], self._books, self.ledger, self._reports)
            for instrument in instruments
        )
        self._watch()

    # -- what a driver looks at ----------------------------------------------------------------------------------

    @property
    def due_ns(self) -> int:
        """Earliest time a report becomes visible to us, FAR_NS when none; exact reports count unproven arrivals."""
        return int(self.words[matching.DUE_NS])

    @property
    def proof_ns(self) -> int:
        """Smallest venue arrival that waits for proof, FAR_NS when none."""
        return int(self.words[matching.PROOF_NS])

    @property
    def alive(self) -> int:
        """Orders under way, resting orders, stops and open positions. At 0 rows may be followed late."""
        return int(self.words[matching.ALIVE])

    @property
    def clock_offset_ns(self) -> int:
        """Venue clock minus our receive clock, as of the last ClockOffset fact."""
        return int(self.words[matching.OFFSET_NS])

    @clock_offset_ns.setter
    def clock_offset_ns(self, offset_ns: int) -> None:
        self.words[matching.OFFSET_NS] = offset_ns
        for market in self.markets:
            market.offset_ns = offset_ns

    # -- actions in ----------------------------------------------------------------------------------------------

    def execute(self, action: Wish) -> None:
        """Send an action: it leaves at ``action.at_ns`` and arrives one latency later, on the venue's clock."""
        market = self._market_of(action)
        if market is None:
            self._refuse(action)
        else:
            sent_ns = action.at_ns + self.clock_offset_ns
            venue_ns = market.out.in_order_ns(sent_ns + market.out.delay_ns())
            visible_ns = venue_ns - self.clock_offset_ns + market.back.delay_ns()
            market.pending.add(Arrival(venue_ns, self._reports.number(), visible_ns, action))
        self._watch()

    def _market_of(self, action: Wish) -> Market | None:
        if isinstance(action, Submit):
            index = action.order.instrument & INDEX_MASK
            return self.markets[index] if index < len(self.markets) else None
        for market in self.markets:
            if action.client_id in market.orders or action.client_id in market.finished:
                return market
        for market in self.markets:
            for arrival in market.pending:
                if isinstance(arrival.wish, Submit) and arrival.wish.order.client_id == action.client_id:
                    return market
        return None

    def _refuse(self, action: Wish) -> None:
        """No instrument to wait for: an answer after both latencies."""
        if isinstance(action, Submit):
            client_id, reason = action.order.client_id, filters.UNKNOWN_SYMBOL
        else:
            client_id = action.client_id
            reason = filters.UNKNOWN_ORDER if isinstance(action, Cancel) else filters.NO_SUCH_ORDER
        venue_ns = action.at_ns + self.clock_offset_ns + self.terms.latency_out_ns
        at_ns = action.at_ns + self.terms.latency_out_ns + self.terms.latency_back_ns
        self._reports.add(OrderReport(at_ns, client_id, 0, OrderState.REJECTED, 0, venue_ns, reason))

    # -- market in -----------------------------------------------------------------------------------------------

    def follow(self, rows_address: int, start: int, stop: int) -> None:
        """Consume rows ``[start, stop)`` at ``rows_address`` in received order; the cut does not matter."""
        index = start
        while True:
            index = follow_rows(self.address, rows_address, index, stop)
            if self.words[matching.REASON] == 0:
                return
            self.answer(rows_address, index)

    def answer(self, rows_address: int, index: int) -> None:
        """Do the matching that the compiled ``follow`` stopped for; then call it again from ``index``.

        For a fused loop that calls the kernel itself; ``REASON`` must not be 0.
        """
        reason = int(self.words[matching.REASON])
        before = reason & (matching.REASON_PROOF | matching.REASON_SILENCE)
        place = index if before else index - 1
        row = _ROW.unpack(ctypes.string_at(rows_address + place * ROW_BYTES, ROW_BYTES))
        head, occurred_ns, received_ns = row[0], row[1], row[2]
        if reason == matching.REASON_SILENCE:
            proven_ns = received_ns + self.clock_offset_ns - self.terms.lag_bound_ns
            self._arrive(self.markets, proven_ns + 1, received_ns)
        else:
            market = self.markets[(head >> 32) & INDEX_MASK]
            if reason == matching.REASON_PROOF:
                self._arrive((market,), occurred_ns, received_ns)
            else:
                self._touch(market, reason, row)
        self._watch()

    def _touch(self, market: Market, reason: int, row: tuple[int, ...]) -> None:
        head, occurred_ns, received_ns, price, quantity, sequence, extra, _ = row
        side = (head >> 16) & 0xFF
        if reason & matching.REASON_LEVEL:
            market.level(side, price, int(self.words[matching.BEFORE]), quantity, occurred_ns)
        if reason & matching.REASON_END:
            market.frame_end(head & 0xFF == Kind.SNAPSHOT, occurred_ns, received_ns)
        if reason & matching.REASON_TRADE:
            market.trade(price, quantity, side, occurred_ns, received_ns)
        if reason & matching.REASON_MARK:
            market.mark(price, sequence, extra, occurred_ns, received_ns)

    def _arrive(self, markets: Sequence[Market], before_ns: int, received_ns: int) -> None:
        """Execute every arrival earlier than ``before_ns``, in order; ``received_ns`` is when its proof was heard."""
        while True:
            market = min(markets, key=lambda known: known.pending.first())
            if market.pending.proof_ns >= before_ns:
                return
            self._perform(market, market.pending.pop(), received_ns)

    def _perform(self, market: Market, arrival: Arrival, received_ns: int) -> None:
        wish, venue_ns = arrival.wish, arrival.venue_ns
        exact = self.terms.reports == "exact" and not isinstance(wish, Order)
        at_ns = market.back.in_order_ns(arrival.visible_ns if exact else max(arrival.visible_ns, received_ns))
        if isinstance(wish, Submit):
            self.ledger.reserved_e8 = sum(known.reserved_e8() for known in self.markets)
            market.submit(wish.order, at_ns, venue_ns, received_ns)
        elif isinstance(wish, Order):
            market.work(wish, at_ns, venue_ns)
        elif isinstance(wish, Cancel):
            market.cancel(wish.client_id, at_ns, venue_ns)
        else:
            market.query(wish.client_id, at_ns, venue_ns)

    def invalidate(self, instrument: int) -> None:
        """The chain of depth frames broke (BookInvalid): nothing executes until the next snapshot."""
        self._books["valid"][instrument] = 0

    def _watch(self) -> None:
        """Bring the compiled state up to date with the orders; after every action and every matching."""
        words = self.words
        for market in self.markets:
            market.watch()
        words[matching.DUE_NS] = self._earliest_ns()
        words[matching.PROOF_NS] = min((market.pending.proof_ns for market in self.markets), default=FAR_NS)
        words[matching.ALIVE] = sum(market.alive() for market in self.markets)

    def _earliest_ns(self) -> int:
        due_ns = self._reports.due_ns
        if self.terms.reports == "exact":
            due_ns = min(due_ns, *(market.pending.due_ns() for market in self.markets))
        return due_ns

    # -- reports out ---------------------------------------------------------------------------------------------

    def take(self, until_ns: int) -> list[Report]:
        """Reports with ``at_ns`` ≤ ``until_ns`` by (time, number), each once.

        Raises DataError (READ_AHEAD) with exact reports when an arrival due by then is not yet proved: the driver
        must first follow rows until ``proof_ns`` lies beyond it.
        """
        if self.terms.reports == "exact":
            for market in self.markets:
                if market.pending.due_ns() <= until_ns:
                    raise DataError(
                        f"exact reports until {until_ns} need rows beyond venue time {market.pending.proof_ns}: follow "
                        'further before taking, or use reports = "horizon"',
                        code="READ_AHEAD",
                    )
        taken = self._reports.take(until_ns)
        if taken:
            self.words[matching.DUE_NS] = self._earliest_ns()
        return taken

    def account(self) -> AccountState:
        """The account as the venue would show it now, at the mark."""
        positions = []
        unrealised_e8 = 0
        for market in self.markets:
            held, mark_e8 = market.position, market.mark_e8()
            if held.lots == 0:
                continue
            result_e8 = held.unrealised_e8(mark_e8)
            unrealised_e8 += result_e8
            positions.append(
                PositionState(
                    instrument=market.index,
                    lots=held.lots,
                    cost=held.cost,
                    margin_e8=held.margin_e8,
                    unrealised_e8=result_e8,
                    maintenance_e8=held.maintenance_e8(mark_e8),
                    liquidation_ticks=held.liquidation_ticks(),
                )
            )
        ledger = self.ledger
        ledger.reserved_e8 = sum(known.reserved_e8() for known in self.markets)
        return AccountState(
            wallet_e8=ledger.wallet_e8,
            equity_e8=ledger.wallet_e8 + unrealised_e8,
            available_e8=ledger.available_e8(),
            realised_e8=ledger.realised_e8,
            fees_e8=ledger.fees_e8,
            funding_e8=ledger.funding_e8,
            positions=tuple(positions),
        )

    def state_hash(self) -> bytes:
        """A digest of all that can influence a later report: books, orders, money, reports under way."""
        digest = hashlib.blake2b(digest_size=32)
        digest.update(self._books.tobytes())
        words = [int(self.words[word]) for word in (matching.PROOF_NS, matching.DUE_NS, matching.OFFSET_NS)]
        rest = (words, self.ledger.state(), [market.digest() for market in self.markets], self._reports.digest())
        digest.update(repr(rest).encode())
        return digest.digest()
