"""One instrument at the simulated exchange: what happens when orders arrive and when rows touch them.

All methods take venue times; ``at_ns`` is when a report becomes visible to us, worked out by the caller or by
``_visible_ns``. Money moves only through ``Ledger``.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from core.kernels.book import LADDER_MASK, LADDER_TICKS, NO_ASK, NO_BID
from core.kernels.kernel import address_of
from exchange.simulated import filters, matching
from exchange.simulated.fees import ceil_div, fee_e8, funding_e8
from exchange.simulated.latency import Latency
from exchange.simulated.ledger import Ledger
from exchange.simulated.margin import initial_e8
from exchange.simulated.matching import walk
from exchange.simulated.orders import Arrival, Order, Pending
from exchange.simulated.queue import Place
from exchange.simulated.reports import Reports
from exchange.simulated.terms import PaperTerms
from models.event import Fill, Funding, OrderReport
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, OrderState, OrderType, Side, TimeInForce
from models.rows import FAR_NS

TRADES_KEPT = 4096  # trades while a resting order is under way: 10 s of a fast market; beyond, the oldest fill nobody
FINISHED_KEPT = 10_000  # finished orders that a query still finds; the venue keeps three days
WALK_LEVELS = 256  # levels a call of ``walk`` returns; more levels take more calls
IDS = 40  # bits of an instrument's own order and trade numbers


class Market:
    """``lane`` is this instrument's part of the compiled state, ``book`` its record of the exchange's own books."""

    def __init__(
        self,
        instrument: Instrument,
        terms: PaperTerms,
        lane: np.ndarray,
        books: np.ndarray,
        ledger: Ledger,
        reports: Reports,
    ) -> None:
        self.instrument = instrument
        self.index = instrument.index
        self.terms = terms
        self.fees = terms.fees or instrument.fees
        self.lane = lane
        self.books = books
        self.book = books[self.index : self.index + 1]
        self.ledger = ledger
        self.position = ledger.positions[self.index]
        self.reports = reports
        self.out = Latency(terms.latency_out_ns, terms.jitter_ns, terms.seed, 2 * self.index)
        self.back = Latency(terms.latency_back_ns, terms.jitter_ns, terms.seed, 2 * self.index + 1)
        self.pending = Pending()
        self.orders: dict[str, Order] = {}  # open ones, by client id
        self.finished: dict[str, Order] = {}
        self.resting: list[Order] = []
        self.stops: list[Order] = []
        self.trades: deque[tuple[int, int, int, int]] = deque(maxlen=TRADES_KEPT)
        self._last_before = 0  # last price before the first of ``trades``
        self.offset_ns = 0
        self._numbers = [(self.index + 1) << IDS, (self.index + 1) << IDS]  # orders, trades
        self._out = np.zeros((WALK_LEVELS, 2), dtype=np.int64)

    # -- what is known -------------------------------------------------------------------------------------------

    def _best(self, side: Side) -> int:
        """The tick that an order on ``side`` would meet, 0 when the book does not know."""
        if not self.book["valid"][0]:
            return 0
        best = int(self.book["best_ask" if side is Side.BUY else "best_bid"][0])
        return 0 if best in (NO_BID, NO_ASK) else best

    def mark_e8(self) -> int:
        """The mark price; before any mark row the mid, then the last trade; 0 when nothing is known."""
        mark = int(self.lane[matching.LANE_MARK_E8])
        if mark:
            return mark
        ask, bid = self._best(Side.BUY), self._best(Side.SELL)
        if ask and bid:
            return (ask + bid) * self.instrument.tick_e8 // 2
        return int(self.lane[matching.LANE_LAST]) * self.instrument.tick_e8

    def _trigger_e8(self, venue_ns: int) -> int:
        """The price that triggers stops, as of ``venue_ns``: trades heard meanwhile but made later do not count."""
        mark = int(self.lane[matching.LANE_MARK_E8])
        if self.terms.stop_price == "mark" and mark:
            return mark
        earlier = [price for price, _, _, occurred_ns in self.trades if occurred_ns <= venue_ns]
        return (earlier[-1] if earlier else self._last_before) * self.instrument.tick_e8

    def _shown(self, side: Side, tick: int) -> int:
        """Lots shown on the own side of an order: bids for a buy."""
        base = int(self.book["base"][0])
        if not self.book["valid"][0] or not base <= tick < base + LADDER_TICKS:
            return 0
        return int(self.book["bids" if side is Side.BUY else "asks"][0, tick & LADDER_MASK])

    def reserved_e8(self) -> int:
        """Initial margin that resting orders hold back."""
        worth = (
            self.instrument.notional_e8(order.wish.price, order.remaining)
            for order in self.resting
            if not order.wish.reduce_only
        )
        return sum(initial_e8(value, self.ledger.leverage) for value in worth)

    def alive(self) -> int:
        return len(self.pending) + len(self.resting) + len(self.stops) + (self.position.lots != 0)

    # -- reports -------------------------------------------------------------------------------------------------

    def _visible_ns(self, venue_ns: int, evidence_ns: int) -> int:
        """When word of something at ``venue_ns``, proved by a row received at ``evidence_ns``, reaches us."""
        return max(venue_ns - self.offset_ns + self.back.delay_ns(), evidence_ns)

    def _report(self, order: Order, state: OrderState, at_ns: int, venue_ns: int, reason: str = "") -> None:
        client_id, venue_id = order.wish.client_id, order.venue_id
        self.reports.add(OrderReport(at_ns, client_id, venue_id, state, order.filled, venue_ns, reason))

    def _move(self, order: Order, state: OrderState, at_ns: int, venue_ns: int, reason: str = "") -> None:
        """A new state of an open order, reported; a finished order leaves every list."""
        order.state = state
        self._report(order, state, at_ns, venue_ns, reason)
        if state.terminal:
            client_id = order.wish.client_id
            self.orders.pop(client_id, None)
            self.resting = [known for known in self.resting if known is not order]
            self.stops = [known for known in self.stops if known is not order]
            self.finished.pop(client_id, None)
            self.finished[client_id] = order
            if len(self.finished) > FINISHED_KEPT:
                del self.finished[next(iter(self.finished))]

    def _refuse(self, wish: ApprovedOrder, at_ns: int, venue_ns: int, reason: str) -> None:
        self.reports.add(OrderReport(at_ns, wish.client_id, 0, OrderState.REJECTED, 0, venue_ns, reason))

    def _next(self, which: int) -> int:
        self._numbers[which] += 1
        return self._numbers[which]

    def _fill(self, order: Order, price: int, lots: int, maker: bool, at_ns: int, venue_ns: int) -> None:
        rate = self.fees.maker_e8 if maker else self.fees.taker_e8
        fee = fee_e8(self.instrument.notional_e8(price, lots), rate)
        wish = order.wish
        self.ledger.book(self.index, wish.side.sign, price, lots, fee)
        order.filled += lots
        trade_id = self._next(1)
        self.reports.add(
            Fill(at_ns, wish.client_id, trade_id, self.index, wish.side, price, lots, fee, maker, venue_ns)
        )

    # -- arrivals ------------------------------------------------------------------------------------------------

    def submit(self, wish: ApprovedOrder, at_ns: int, venue_ns: int, evidence_ns: int) -> None:
        """A new order reaches the engine; the book is the one of ``venue_ns``."""
        reason = filters.DUPLICATE if wish.client_id in self.orders else self._refusal(wish, venue_ns)
        if reason:
            self._refuse(wish, at_ns, venue_ns, reason)
            return
        order = Order(wish, self._next(0), venue_ns)
        if wish.reduce_only and wish.type is not OrderType.STOP_MARKET:
            order.lots = min(order.lots, self.position.reducible(wish.side.sign))
        self.orders[wish.client_id] = order
        self._report(order, OrderState.ACCEPTED, at_ns, venue_ns)
        if wish.type is OrderType.MARKET:
            self._market(order, at_ns, venue_ns)
        elif wish.type is OrderType.LIMIT:
            self._limit(order, at_ns, venue_ns, evidence_ns)
        else:
            self.stops.append(order)
        if order.state is OrderState.ACCEPTED or order.state is OrderState.PARTIALLY_FILLED:
            self._catch_up(order, evidence_ns)

    def _refusal(self, wish: ApprovedOrder, venue_ns: int) -> str:
        sign = wish.side.sign
        mark_e8 = self.mark_e8()
        reducible = self.position.reducible(sign)
        view = filters.View(
            mark_e8=mark_e8,
            touch=self._best(wish.side),
            trigger_e8=self._trigger_e8(venue_ns),
            orders=len(self.resting),
            stops=len(self.stops),
            reducible=reducible,
            opens=max(0, wish.quantity - reducible),
            available_e8=self.ledger.available_e8(),
            leverage=self.ledger.leverage,
            taker_e8=self.fees.taker_e8,
        )
        reason = filters.refusal(self.instrument, wish, view)
        if reason or wish.type is not OrderType.LIMIT:
            return reason
        if wish.time_in_force is TimeInForce.GTX and self._meets(wish.side, 1, wish.price):
            return filters.GTX
        if wish.time_in_force is TimeInForce.FOK:
            wanted = min(wish.quantity, reducible) if wish.reduce_only else wish.quantity
            return "" if self._meets(wish.side, wanted, wish.price) >= wanted else filters.FOK
        return ""

    def _meets(self, side: Side, lots: int, limit: int) -> int:
        """How many of ``lots`` the book would give up to ``limit``, looked at and not taken."""
        room = max(lots, 1)
        room = min(room, LADDER_TICKS)
        out = np.zeros((room, 2), dtype=np.int64)
        count = walk(address_of(self.books), self.index, int(side), lots, limit, 0, address_of(out), room)
        return int(out[:count, 1].sum())

    def _taken(self, side: Side, lots: int, limit: int) -> list[tuple[int, int]]:
        """Take up to ``lots`` from the book: ``(tick, lots)`` level by level."""
        levels: list[tuple[int, int]] = []
        while lots > 0:
            books, out = address_of(self.books), address_of(self._out)
            count = walk(books, self.index, int(side), lots, limit, 1, out, WALK_LEVELS)
            part = [(int(tick), int(size)) for tick, size in self._out[:count]]
            levels += part
            lots -= sum(size for _, size in part)
            if count < WALK_LEVELS:
                break
        return levels

    def _bound(self, side: Side) -> int:
        """The last tick a market order may take: ``marketTakeBound`` around the mark (venue reference §4.3)."""
        mark_e8 = self.mark_e8()
        if mark_e8 == 0:
            return NO_ASK if side is Side.BUY else NO_BID
        take = self.terms.take_bound_e8
        low, high = filters.band(mark_e8, self.instrument.tick_e8, E8 + take, E8 - take)
        return high if side is Side.BUY else low

    def _market(self, order: Order, at_ns: int, venue_ns: int) -> None:
        side = order.wish.side
        for tick, lots in self._taken(side, order.remaining, self._bound(side)):
            self._fill(order, tick, lots, False, at_ns, venue_ns)
        if order.remaining == 0:
            self._move(order, OrderState.FILLED, at_ns, venue_ns)
        elif self.book["valid"][0]:
            self._move(order, OrderState.EXPIRED, at_ns, venue_ns, "beyond the known book or the market take bound")
        else:
            self._move(order, OrderState.EXPIRED, at_ns, venue_ns, "no valid book at arrival")

    def _limit(self, order: Order, at_ns: int, venue_ns: int, evidence_ns: int) -> None:
        wish = order.wish
        for tick, lots in self._taken(wish.side, order.remaining, wish.price):
            self._fill(order, tick, lots, False, at_ns, venue_ns)
        if order.remaining == 0:
            self._move(order, OrderState.FILLED, at_ns, venue_ns)
        elif wish.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            self._move(order, OrderState.EXPIRED, at_ns, venue_ns, "not immediately executable")
        else:
            if order.filled:
                self._move(order, OrderState.PARTIALLY_FILLED, at_ns, venue_ns)
            order.place = Place(self._shown(wish.side, wish.price), venue_ns, self.terms.queue)
            self.resting.append(order)

    def _catch_up(self, order: Order, evidence_ns: int) -> None:
        """Trades that the venue saw after this order arrived, and we before its proof."""
        for price, lots, side, occurred_ns in list(self.trades):
            if occurred_ns > order.arrived_ns:
                self._trade_at([order], price, lots, side, occurred_ns, evidence_ns)

    def cancel(self, client_id: str, at_ns: int, venue_ns: int) -> None:
        order = self.orders.get(client_id)
        if order is not None and (order in self.resting or order in self.stops):
            self._move(order, OrderState.CANCELED, at_ns, venue_ns)
        else:
            self._answer(client_id, at_ns, venue_ns, filters.UNKNOWN_ORDER, filters.UNKNOWN_ORDER)

    def query(self, client_id: str, at_ns: int, venue_ns: int) -> None:
        self._answer(client_id, at_ns, venue_ns, "", filters.NO_SUCH_ORDER)

    def _answer(self, client_id: str, at_ns: int, venue_ns: int, known: str, unknown: str) -> None:
        """The state of an order as a report; an order nobody knows is reported as refused."""
        order = self.orders.get(client_id) or self.finished.get(client_id)
        if order is None:
            self.reports.add(OrderReport(at_ns, client_id, 0, OrderState.REJECTED, 0, venue_ns, unknown))
        else:
            self._report(order, order.state, at_ns, venue_ns, known)

    def work(self, order: Order, at_ns: int, venue_ns: int) -> None:
        """A triggered stop arrives as a market order; cut to the position, and void when there is none."""
        if order.state.terminal:
            return
        if order.wish.reduce_only:
            order.lots = min(order.lots, self.position.reducible(order.wish.side.sign))
            if order.lots == 0:
                self._move(order, OrderState.EXPIRED, at_ns, venue_ns, filters.REDUCE_ONLY)
                return
        self._market(order, at_ns, venue_ns)

    # -- rows ----------------------------------------------------------------------------------------------------

    def level(self, side: int, tick: int, before: int, after: int, occurred_ns: int) -> None:
        """Depth changed a level on which one of our orders rests."""
        for order in self.resting:
            if order.wish.side == side and order.wish.price == tick and order.place:
                order.place.depth(before, after, occurred_ns)

    def frame_end(self, snapshot: bool, occurred_ns: int, received_ns: int) -> None:
        """A depth frame is complete: resting orders that it crosses fill at their own price; mids may liquidate."""
        for order in list(self.resting):
            wish = order.wish
            if snapshot and order.place:
                shown = self._shown(wish.side, wish.price)
                order.place.depth(shown, shown, occurred_ns)
            best = self._best(wish.side)
            if best and (wish.price - best) * wish.side.sign >= 0:
                lots = sum(size for _, size in self._taken(wish.side, self._fillable(order), wish.price))
                if lots and order.place:
                    order.place.front = 0
                self._fill_resting(order, lots, occurred_ns, received_ns)
        if self.lane[matching.LANE_MARK_E8] == 0:
            self._check_margin(self.mark_e8(), occurred_ns, received_ns)

    def trade(self, price: int, lots: int, side: int, occurred_ns: int, received_ns: int) -> None:
        """A market trade; ``side`` is the aggressor's."""
        if self.waits_for_trades():
            if len(self.trades) == TRADES_KEPT:
                self._last_before = self.trades[0][0]
            self.trades.append((price, lots, side, occurred_ns))
        self._trade_at([*self.resting, *self.stops], price, lots, side, occurred_ns, received_ns)

    def waits_for_trades(self) -> bool:
        """Whether an order that may rest, or a stop, is under way."""
        for arrival in self.pending:
            wish = getattr(arrival.wish, "order", None)
            if wish is not None and wish.type is not OrderType.MARKET:
                return True
        return False

    def _trade_at(
        self, orders: list[Order], price: int, lots: int, side: int, occurred_ns: int, received_ns: int
    ) -> None:
        on_trades = self.terms.stop_price == "trade" or self.lane[matching.LANE_MARK_E8] == 0
        spent = 0  # of this trade, by earlier orders of ours at the same price
        for order in orders:
            if not self._standing(order, occurred_ns):
                continue
            wish = order.wish
            if wish.type is OrderType.STOP_MARKET:
                if on_trades and (price - wish.trigger) * wish.side.sign >= 0:
                    self._trigger(order, occurred_ns, received_ns)
            elif (price - wish.price) * wish.side.sign < 0:
                self._fill_resting(order, self._fillable(order), occurred_ns, received_ns)
            elif price == wish.price and side != wish.side and order.place:
                won = min(max(0, order.place.trade(lots, occurred_ns) - spent), self._fillable(order))
                spent += won
                self._fill_resting(order, won, occurred_ns, received_ns)

    def _standing(self, order: Order, occurred_ns: int) -> bool:
        """Whether an order stood in the book at ``occurred_ns``: arrived before, and no cancel under way arrived."""
        listed = order in self.stops if order.wish.type is OrderType.STOP_MARKET else order in self.resting
        cancelled_ns = self.pending.cancelled_ns(order.wish.client_id)
        return listed and order.arrived_ns < occurred_ns <= cancelled_ns

    def _fillable(self, order: Order) -> int:
        """What a resting order may still fill: a reduce-only order never more than the position."""
        if not order.wish.reduce_only:
            return order.remaining
        return min(order.remaining, self.position.reducible(order.wish.side.sign))

    def _fill_resting(self, order: Order, lots: int, occurred_ns: int, received_ns: int) -> None:
        """Fill ``lots`` of a resting order at its own price; a reduce-only order without a position expires."""
        void = order.wish.reduce_only and self._fillable(order) == 0
        if lots == 0 and not void:
            return
        at_ns = self.back.in_order_ns(self._visible_ns(occurred_ns, received_ns))
        if lots:
            self._fill(order, order.wish.price, lots, True, at_ns, occurred_ns)
            void = order.wish.reduce_only and self._fillable(order) == 0
        if order.remaining == 0:
            self._move(order, OrderState.FILLED, at_ns, occurred_ns)
        elif void:
            self._move(order, OrderState.EXPIRED, at_ns, occurred_ns, filters.REDUCE_ONLY)
        else:
            self._move(order, OrderState.PARTIALLY_FILLED, at_ns, occurred_ns)

    def _trigger(self, order: Order, occurred_ns: int, received_ns: int) -> None:
        """The stop leaves the trigger list and goes to the engine as of the moment it was triggered."""
        self.stops.remove(order)
        visible_ns = self._visible_ns(occurred_ns, received_ns)
        self.pending.add(Arrival(occurred_ns, self.reports.number(), visible_ns, order))

    def mark(self, price_e8: int, funding_ms: int, rate_e8: int, occurred_ns: int, received_ns: int) -> None:
        """A mark row while something may care: funding, then stops on the mark, then the margin."""
        lane = self.lane
        known_ms, known_ns = int(lane[matching.LANE_FUNDING_MS]), int(lane[matching.LANE_MARK_NS])
        settled = known_ms > 0 and known_ns < known_ms * 1_000_000 <= occurred_ns
        if settled and self.position.lots:
            rate = int(lane[matching.LANE_RATE_E8])  # the last rate announced before the settlement is the one paid
            amount = funding_e8(price_e8, self.position.lots, self.instrument.lot_e8, rate)
            self.ledger.fund(amount)
            at_ns = self.back.in_order_ns(self._visible_ns(occurred_ns, received_ns))
            self.reports.add(Funding(at_ns, self.index, amount, rate, price_e8))
        lane[matching.LANE_MARK_E8] = price_e8
        lane[matching.LANE_FUNDING_MS] = funding_ms
        lane[matching.LANE_RATE_E8] = rate_e8
        lane[matching.LANE_MARK_NS] = occurred_ns
        if self.terms.stop_price == "mark":
            for order in list(self.stops):
                reached = price_e8 - order.wish.trigger * self.instrument.tick_e8
                if self._standing(order, occurred_ns) and reached * order.wish.side.sign >= 0:
                    self._trigger(order, occurred_ns, received_ns)
        self._check_margin(price_e8, occurred_ns, received_ns)

    def _check_margin(self, mark_e8: int, occurred_ns: int, received_ns: int) -> None:
        """Liquidate when the venue would: resting orders go, the position closes against the book.

        What the book does not hold closes at the mark. Taker and liquidation fee are both charged (the harsher
        reading of the reference), and a loss beyond the isolated margin is ours: there is no insurance fund here.
        """
        position = self.position
        if not position.bankrupt(mark_e8):
            return
        at_ns = self.back.in_order_ns(self._visible_ns(occurred_ns, received_ns))
        for order in list(self.resting):
            self._move(order, OrderState.CANCELED, at_ns, occurred_ns, "liquidation")
        side = Side.SELL if position.lots > 0 else Side.BUY
        lots = abs(position.lots)
        levels = self._taken(side, lots, NO_ASK if side is Side.BUY else NO_BID)
        rest = lots - sum(size for _, size in levels)
        if rest:
            tick_e8 = self.instrument.tick_e8
            tick = ceil_div(mark_e8, tick_e8) if side is Side.BUY else max(1, mark_e8 // tick_e8)
            levels.append((tick, rest))
        number = self._next(0)
        for tick, size in levels:
            worth_e8 = self.instrument.notional_e8(tick, size)
            fee = fee_e8(worth_e8, self.fees.taker_e8) + fee_e8(worth_e8, self.fees.liquidation_e8)
            self.ledger.book(self.index, side.sign, tick, size, fee)
            name, trade_id = f"autoclose-{number}", self._next(1)
            self.reports.add(
                Fill(at_ns, name, trade_id, self.index, side, tick, size, fee, False, occurred_ns, cause="liquidation")
            )

    # -- the compiled state ----------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Write into the lane what the compiled pass has to stop for."""
        lane = self.lane
        waits = matching.WATCH_TRADES if self.waits_for_trades() else 0
        if not waits:
            self.trades.clear()
        if not self.trades:
            self._last_before = int(lane[matching.LANE_LAST])
        buys = [order.wish.price for order in self.resting if order.wish.side is Side.BUY]
        sells = [order.wish.price for order in self.resting if order.wish.side is Side.SELL]
        up = [order.wish.trigger for order in self.stops if order.wish.side is Side.BUY]
        down = [order.wish.trigger for order in self.stops if order.wish.side is Side.SELL]
        lane[matching.LANE_PROOF_NS] = self.pending.proof_ns
        lane[matching.LANE_BUY_LOW] = min(buys, default=FAR_NS)
        lane[matching.LANE_BUY_HIGH] = max(buys, default=0)
        lane[matching.LANE_SELL_LOW] = min(sells, default=FAR_NS)
        lane[matching.LANE_SELL_HIGH] = max(sells, default=0)
        lane[matching.LANE_STOP_BUY] = min(up, default=FAR_NS)
        lane[matching.LANE_STOP_SELL] = max(down, default=0)
        watch = waits | (matching.WATCH_LEVELS if self.resting else 0)
        if self.position.lots or (self.stops and self.terms.stop_price == "mark"):
            watch |= matching.WATCH_MARKS
        lane[matching.LANE_MID_LOW], lane[matching.LANE_MID_HIGH] = 0, FAR_NS
        if self.position.lots and lane[matching.LANE_MARK_E8] == 0:
            watch |= matching.WATCH_MIDS
            limit = 2 * self.position.liquidation_ticks()
            if limit and self.position.lots > 0:
                lane[matching.LANE_MID_LOW] = limit + 2  # one tick early; the exact test is in Python
            elif limit:
                lane[matching.LANE_MID_HIGH] = limit - 2
        lane[matching.LANE_WATCH] = watch

    def digest(self) -> tuple[object, ...]:
        return (
            [order.digest() for order in self.orders.values()],
            [order.digest() for order in self.finished.values()],
            [order.wish.client_id for order in self.resting],
            [order.wish.client_id for order in self.stops],
            [arrival.digest() for arrival in self.pending],
            list(self.trades),
            self.out.state(),
            self.back.state(),
            self._numbers,
            self.lane.tolist(),
        )
