"""The order flow of one generated symbol: trades that excite each other, sweeps, a book that leans and refills.

Every 10 ms a step: the mood moves on, orders arrive (a self-exciting count: each trade raises the arrival rate for
2.6 s, branching ratio 0.45), each takes from the best level or sweeps several, then limit orders refresh the book and
close the spread. Frames leave at the step's end. Integers only: the same seed gives the same bytes everywhere.

No draw depends on the clock, and depth, marks and running candles come at intervals counted from the beginning:
whenever a market begins, its frames are the same but for their times. Only what a candle holds and when it closes, and
the next funding time, follow the minutes and hours of the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from exchange.emulator import history as h
from exchange.emulator.contracts import Character
from exchange.emulator.draws import draws
from exchange.emulator.history import History
from exchange.emulator.ladder import Half
from exchange.emulator.market import Frame, Levels
from exchange.emulator.mood import BEFORE, STEP_MS, Mood
from exchange.emulator.payloads import Payloads, e8_fixed, rate_text

KINDS = ("depth@100ms", "bookTicker", "aggTrade", "markPrice@1s", "kline_1m", "forceOrder")
FRAME_MS = 100  # a depth diff
KLINE_MS = 250
MARK_MS = 1_000
NS_PER_MS = 1_000_000
GAP_NS = 1_000  # frames of one step leave 1 µs apart
BASE_RATE = 2_949  # of 65,536 a step: 4.5 orders a second before excitation
EXCITES = 115  # what a trade adds to the rate; times 256 steps of decay / 65,536 = 0.45 more trades
RATE_CAP = 4 << 16  # four orders a step, 400 a second
COVER_MIN, COVER_MAX, COVER_STEP = 1_400, 1_700, 80  # ticks of book kept behind the touch, levels changed a frame
FUNDING_MS = 8 * 3_600_000
MINUTES_BEFORE = 1_440  # candles made up before the start: a day
PRIMED_MS = 2_400_000  # trades made up before the start: 40 minutes, so that 30 of them can be read back
CALM_BEFORE_MS = 170_000  # no burst just before the start: the first one stands out

# Distance from the touch by a 10-bit draw: a tenth near the touch, the furthest 1,021 ticks behind it.
DISTANCES = tuple(i * i * i >> 20 for i in range(1024))
# Heavy-tailed multiples of 1/4 by a 10-bit draw: 4/√u, from 4 to 181 (tail index 2; the variance is in the tail).
TAIL = tuple(isqrt((16 << 20) // (2 * i + 1) >> 9) for i in range(1024))
# Multiples of 1/256 by a 7-bit draw, from 1/64 to 60 in even steps of their logarithm: 2 ** (3i/32 + 2), rounded down.
WIDE = tuple(isqrt(isqrt(isqrt(isqrt(isqrt(1 << 64 + 3 * i))))) for i in range(128))


class Flow:
    """One symbol's market. ``step`` makes ``stride`` times 10 ms of it at once and appends the frames to ``out``.

    A longer stride gives as many orders in fewer quotes: another market, cheaper to follow.
    """

    def __init__(self, character: Character, seed: int, start_ms: int, stride: int = 1) -> None:
        symbol = character.instrument.symbol
        self.character = character
        self.instrument = character.instrument
        self.history = History(character.instrument)
        self.now_ms = start_ms
        self.out: list[Frame] = []
        self.asks, self.bids = Half(1), Half(-1)
        self.update_id = character.first_update_id
        self.mood = Mood(draws(seed, f"{symbol}/mood").__next__)
        self._draw: Callable[[], int] = draws(seed, f"{symbol}/flow").__next__
        self._text = Payloads(character.instrument)
        name = symbol.lower()
        self.streams = tuple(f"{name}@{kind}" for kind in KINDS)
        self._rate = 0  # excitation
        self._stride, self._step = stride, 0
        self._agg_id = 3_450_000_000
        self._trade_id = character.first_trade_id
        self._diff = (0, 0)  # U of the diff being collected, u of the last one sent
        self._book_ms = start_ms
        self._quote = (0, 0, 0, 0)
        self._kline_seen = 0
        self._forced: tuple[int, bool, int, int, int] | None = None
        self._prime(start_ms)
        self._open_book()

    def stand(self, now_ms: int) -> None:
        """Time goes on to ``now_ms`` and nothing happens: no draw, no frame. Before the first step only."""
        self.now_ms = now_ms
        self.history.roll(now_ms)

    # -- before the start -------------------------------------------------------------------------------------------

    def _prime(self, start_ms: int) -> None:
        """A day of candles, then 40 minutes of trades in steps of 100 ms, ending at the opening price's vicinity."""
        draw, sweep = self._draw, self.character.sweep
        price = self.character.opening
        first_ms = start_ms - PRIMED_MS
        minute_ms = first_ms // h.MINUTE_MS * h.MINUTE_MS
        history = self.history
        for minute in range(MINUTES_BEFORE - PRIMED_MS // h.MINUTE_MS, 0, -1):
            price = self._minute(draw, minute_ms - minute * h.MINUTE_MS, price)
        name = f"{self.instrument.symbol}/before/{draw()}"
        # The trades begin in the midst of a minute, which has traded before. Its draws are its own.
        self._minute(draws(0, f"{name}/minute").__next__, minute_ms, price)
        mood = Mood(draws(0, name).__next__, BEFORE)
        mood.wake(9_000)
        calm_ms = start_ms - CALM_BEFORE_MS
        for now_ms in range(first_ms, start_ms - 99, 100):
            mood.step(10)
            if now_ms > calm_ms:
                mood.rest()
            phase = mood.phase
            rate = (BASE_RATE * mood.activity * phase.gain >> 24) + self._rate
            self._rate -= self._rate * 10 >> 8
            count, rest = divmod(min(rate, RATE_CAP) * 10, 65_536)
            r = draw()
            count += (r & 0xFFFF) < rest
            self._rate += EXCITES * count
            for number in range(count):
                r = draw()
                buy = (r & 511) < 256 + phase.lean + (mood.imbalance >> 3)
                if r >> 16 < phase.sweep:
                    k = sweep * TAIL[r >> 6 & 1023] >> 2
                    price += (k if phase.gain <= 1024 else (k + 1) // 2) * (1 if buy else -1)
                lots = self._lots(draw(), phase.size)
                self._record(price + buy, lots, now_ms + number * 99 // count, not buy)
        self._price = price
        history.roll(start_ms - 1)

    def _minute(self, draw: Callable[[], int], open_ms: int, price: int) -> int:
        """One made-up candle; answers its close. Long before the start only candles are read, no single trades."""
        r, more = draw(), draw()
        sweep = self.character.sweep
        close = price + sweep * (r % 101 + (r >> 8) % 101 - 100)
        high = max(price, close) + sweep * (r >> 16 & 31)
        low = min(price, close) - sweep * (r >> 21 & 31)
        trades = 300 + more % 500
        lots = trades * self.character.trade * (7 + (more >> 10 & 7))
        taken = lots * (100 + (more >> 13 & 63)) // 264
        middle = (high + low) // 2
        first = self._trade_id + 1
        self._trade_id += trades
        candle = [open_ms, price, high, low, close, lots, lots * middle, trades, taken, taken * middle, first]
        self.history.candles.append([*candle, self._trade_id])
        return close

    def _open_book(self) -> None:
        """A full book around the last price."""
        self.asks.best, self.bids.best = self._price + 1, self._price
        for half in (self.asks, self.bids):
            half.far = half.best - half.sign
            while half.sign * (half.far - half.best) < COVER_MIN + 100:
                self._extend(half)
            half.levels[half.best] = self._top(half, self._draw())
            half.changed.clear()
        first = self.update_id + 7
        self._diff = (first, self.update_id)
        self.update_id = first

    # -- one step ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One stride of market; its frames are appended to ``out``."""
        mood, draw, stride = self.mood, self._draw, self._stride
        mood.step(stride)
        phase = mood.phase
        excitation = self._rate
        rate = min((BASE_RATE * mood.activity * phase.gain >> 24) + excitation, RATE_CAP) * stride
        r = draw()
        count = (rate >> 16) + ((r & 0xFFFF) < (rate & 0xFFFF))
        self._rate = excitation - (excitation * stride >> 8) + EXCITES * count
        start_ms = self.now_ms
        self.now_ms = end_ms = start_ms + STEP_MS * stride
        base_ns = end_ms * NS_PER_MS
        out = self.out
        for number in range(count):
            self._order(phase.lean + (mood.imbalance >> 3), start_ms + 1 + number * 8 * stride // count)
        self._refresh(5 if count < 2 else 8)
        if self.asks.best - self.bids.best > 1 and r >> 30 == 0:
            self._close_spread(draw())
        self.update_id += 1 + (r >> 24 & 31)
        self._book_ms = end_ms - 1
        asks, bids = self.asks, self.bids
        quote = (bids.best, bids.levels[bids.best], asks.best, asks.levels[asks.best])
        if quote != self._quote:
            self._quote = quote
            out.append(
                (
                    base_ns + GAP_NS * len(out),
                    self.streams[1],
                    self._text.quote(end_ms - 1, end_ms, self.update_id, quote),
                )
            )
        self._step += stride
        played_ms = self._step * STEP_MS
        if played_ms % FRAME_MS == 0:
            self._send_depth(end_ms, base_ns)
        if played_ms % MARK_MS == 0:
            self._send_second(end_ms, base_ns)
        # Candles last: they follow the minute of the clock and must not move the other frames by a microsecond.
        if played_ms % KLINE_MS == 0 or self._minute_over(end_ms):
            self._send_kline(end_ms, base_ns)

    def _order(self, lean: int, at_ms: int) -> None:
        """An aggressive order takes from the best levels or sweeps several; a liquidation is eight times larger."""
        draw, phase = self._draw, self.mood.phase
        r = draw()
        buy = (r & 511) < 256 + lean
        lots = self._lots(draw(), phase.size)
        if phase.forced and (draw() & 0xFFFF) < phase.forced and (phase.lean == 0 or buy == (phase.lean > 0)):
            self._liquidate(buy, lots * 8, at_ms)
        elif r >> 16 < phase.sweep:
            k = self.character.sweep * TAIL[r >> 6 & 1023] >> 2
            if phase.gain > 1024:
                k = (k + 1) // 2  # many small steps make a push, not a few huge ones
            self._sweep(buy, lots, max(1, min(k, 150)), at_ms, r)
        else:
            self._take(buy, lots, at_ms)

    def _liquidate(self, buy: bool, lots: int, at_ms: int) -> None:
        """A forced order; the largest of a second is told (venue reference §2.9)."""
        filled, cost = self._take(buy, lots, at_ms)
        if self._forced is None or filled > self._forced[0]:
            self._forced = (filled, not buy, cost // filled, at_ms, 1 if buy else -1)

    def _lots(self, r: int, size: int) -> int:
        """A trade's size: a wide body and a heavy tail, now and then a block six times as large."""
        lots = max(1, self.character.trade * TAIL[r & 1023] * WIDE[r >> 10 & 127] * size >> 12)
        return lots * 6 if r >> 26 == 0 else lots

    def _take(self, buy: bool, lots: int, at_ms: int) -> tuple[int, int]:
        """Eat up to three levels from the touch; lots taken and their cost in ticks · lots."""
        half = self.asks if buy else self.bids
        filled = cost = 0
        for _ in range(3):
            price = half.best
            resting = half.levels[price]
            taken = min(lots - filled, resting)
            filled += taken
            cost += taken * price
            self._trade(price, taken, at_ms, not buy)
            half.put(price, resting - taken)
            if taken == resting:
                half.settle()
            if filled == lots:
                break
        return filled, cost

    def _sweep(self, buy: bool, lots: int, k: int, at_ms: int, r: int) -> None:
        """Clear ``k`` ticks: prints at the first, middle and last, the rest is cancelled; the other side follows."""
        hit, follow = (self.asks, self.bids) if buy else (self.bids, self.asks)
        sign, levels, start = hit.sign, hit.levels, hit.best
        for offset in (0, k >> 1, k - 1)[: min(k, 3)]:
            price = start + sign * offset
            resting = levels.get(price, 0)
            if resting:
                taken = min(resting, lots)
                self._trade(price, taken, at_ms, not buy)
        for offset in range(k):
            price = start + sign * offset
            if price in levels:
                hit.put(price, 0)
        hit.best = start + sign * k
        hit.settle()
        hit.put(hit.best, self._top(hit, r))
        # Those who follow stand one tick behind, sometimes a few more: then the spread is wide for a moment.
        gap = 1 if r & 0xE000 else 2 + (r & 3)
        end = hit.best - sign * gap
        old = follow.best
        if sign * (end - old) <= 0:
            return
        follow.put(old, self._behind(follow, self._draw()))
        for price in range(old + sign, end, sign):
            r = self._draw()
            if r & 3:
                follow.put(price, self._behind(follow, r))
        follow.put(end, self._top(follow, r))
        follow.best = end

    def _close_spread(self, r: int) -> None:
        """One side improves to one tick; which one follows the lean of the book."""
        bid_up = (r & 2047) < 1024 + self.mood.imbalance
        half, other = (self.bids, self.asks) if bid_up else (self.asks, self.bids)
        half.put(half.best, self._behind(half, r))
        half.best = other.best + half.sign
        half.put(half.best, self._top(half, r))

    def _refresh(self, count: int) -> None:
        """New and cancelled limit orders: ``count`` behind the touch, and often one at the touch."""
        draw, asks, bids = self._draw, self.asks, self.bids
        for _ in range(count):
            r = draw()
            half = asks if r & 1 else bids
            distance = DISTANCES[r >> 1 & 1023]
            price = half.best + half.sign * distance
            if distance == 0:
                half.put(price, self._top(half, r))
            elif r >> 29 == 0 and distance > 1:
                if price in half.levels:
                    half.put(price, 0)
            else:
                half.put(price, self._behind(half, r))

    def _top(self, half: Half, r: int) -> int:
        """A quantity for the best price: its mean follows the imbalance, ±30 %."""
        share = 1024 - half.sign * self.mood.imbalance
        return 1 + (self.character.top * share * (180 + (r >> 12) % 153) >> 18)

    def _behind(self, half: Half, r: int) -> int:
        """A quantity behind the touch, heavy-tailed; it leans like the top, less."""
        return 1 + (self.character.deep * TAIL[r >> 11 & 1023] * (1536 - half.sign * self.mood.imbalance) >> 14)

    def _trade(self, price: int, lots: int, at_ms: int, maker: bool) -> None:
        trade = self._record(price, lots, at_ms, maker)
        out = self.out
        out.append(
            (self.now_ms * NS_PER_MS + GAP_NS * len(out), self.streams[2], self._text.agg_trade(self.now_ms, trade))
        )

    def _record(self, price: int, lots: int, at_ms: int, maker: bool) -> h.Trade:
        """Number a trade and remember it. A large one met several makers."""
        first = self._trade_id + 1
        self._trade_id = last = first + min(lots >> 6, 5)
        self._agg_id += 1
        trade = (self._agg_id, price, lots, first, last, at_ms, maker)
        self.history.trade(trade)
        return trade

    # -- frames by the clock ----------------------------------------------------------------------------------------

    def _extend(self, half: Half) -> None:
        """Keep the far side covered: up to ``COVER_STEP`` levels are added or given up at a time."""
        covered = half.sign * (half.far - half.best)
        if covered < COVER_MIN + 100:
            for _ in range(min(COVER_STEP, COVER_MIN + 100 - covered)):
                half.far += half.sign
                r = self._draw()
                if r & 7:
                    half.put(half.far, self._behind(half, r))
        elif covered > COVER_MAX:
            for _ in range(min(COVER_STEP, covered - COVER_MAX)):
                if half.far in half.levels:
                    half.put(half.far, 0)
                half.far -= half.sign

    def _send_depth(self, now_ms: int, base_ns: int) -> None:
        self._extend(self.asks)
        self._extend(self.bids)
        first, previous = self._diff
        ids = (first, self.update_id, previous)
        payload = self._text.depth(now_ms, self._book_ms, ids, self.bids.changes(), self.asks.changes())
        self.out.append((base_ns + GAP_NS * len(self.out), self.streams[0], payload))
        # The next diff begins at once with an order nobody sees: a snapshot taken now already lies inside it.
        self._diff = (self.update_id + 1 + (self._step & 63), self.update_id)
        self.update_id = self._diff[0]

    def _send_kline(self, now_ms: int, base_ns: int) -> None:
        """The running minute each 250 ms when it traded, and a closed one once, 20 ms after its end."""
        history, out = self.history, self.out
        if self._minute_over(now_ms):
            history.roll(now_ms)
            closed = history.candles[-2]
            out.append((base_ns + GAP_NS * len(out), self.streams[4], self._text.kline(now_ms, closed, "1m", True)))
            return
        candle = history.candles[-1]
        # In the 20 ms before a minute is rolled its last trades may still stand in the old candle.
        if candle[h.LAST_ID] != self._kline_seen and now_ms - candle[h.OPEN_MS] < h.MINUTE_MS and candle[h.COUNT]:
            self._kline_seen = candle[h.LAST_ID]
            out.append((base_ns + GAP_NS * len(out), self.streams[4], self._text.kline(now_ms, candle, "1m", False)))

    def _minute_over(self, now_ms: int) -> bool:
        """Whether this is the first step that ends 20 ms after a minute or later."""
        return (now_ms - 2 * STEP_MS) % h.MINUTE_MS < STEP_MS * self._stride

    def _send_second(self, now_ms: int, base_ns: int) -> None:
        """Mark price, and the largest liquidation of the second."""
        self._mark = self._moved_mark()
        out = self.out
        next_ms = (now_ms // FUNDING_MS + 1) * FUNDING_MS
        payload = self._text.mark(now_ms, *self.marks(), next_ms)
        out.append((base_ns + GAP_NS * len(out), self.streams[3], payload))
        if self._forced is not None:
            lots, sell, price, at_ms, way = self._forced
            self._forced = None
            limit = price + way * (price >> 9)  # a liquidation order is limited 0.2 % beyond its fill
            payload = self._text.liquidation(now_ms, sell, lots, limit, price, at_ms)
            out.append((base_ns + GAP_NS * len(out), self.streams[5], payload))

    _mark: tuple[int, int, int] | None = None  # index, basis, average at 1e-8; None before the first second

    def _moved_mark(self) -> tuple[int, int, int]:
        """A second later: the index follows the middle over 4 s, the mark adds a slow basis."""
        middle = (self.asks.best + self.bids.best) * self.instrument.tick_e8 // 2
        spot = middle + middle // 1800
        index, basis, average = self._mark or (spot, 0, spot)
        index += (spot - index) // 4
        basis += (middle - index - basis) // 30
        average += (index + basis - average) // 60
        return index, basis, average

    def marks(self) -> tuple[int, int, int, int, int]:
        """Mark, its average, index, estimated settle price and funding rate, all at 1e-8. Asking changes nothing."""
        index, basis, average = self._mark or self._moved_mark()
        premium = basis * 10**8 // index
        # Interest 0.01 % clamped within 0.05 % of the premium, as the venue's formula has it; ±0.3 % at most.
        rate = max(-300_000, min(300_000, premium + max(-50_000, min(50_000, 10_000 - premium))))
        return index + basis, average, index, index + index // 1300, rate

    # -- what REST asks ---------------------------------------------------------------------------------------------

    def depth(self, limit: int) -> tuple[int, int, int, Levels, Levels]:
        """The book now: last update id, E, T, bids, asks."""
        return self.update_id, self.now_ms, self._book_ms, self.bids.top(limit), self.asks.top(limit)

    def premium(self) -> dict[str, object]:
        """The ``premiumIndex`` body."""
        mark, _, index, settle, rate = self.marks()
        return {
            "symbol": self.instrument.symbol,
            "markPrice": e8_fixed(mark),
            "indexPrice": e8_fixed(index),
            "estimatedSettlePrice": e8_fixed(settle),
            "lastFundingRate": rate_text(rate),
            "interestRate": "0.00010000",
            "nextFundingTime": (self.now_ms // FUNDING_MS + 1) * FUNDING_MS,
            "time": self.now_ms // 1000 * 1000,
        }
