"""The limits an entry must pass, one small function each, named by its control in the failure catalogue.

Each takes the question and answers None or a refusal with both numbers, so that the message writes itself:
``P09 SPREAD: 4.1 bps > 3.0 bps``. They see entries only: an order that can only reduce never comes here (P34).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from config.settings import CEILING_EQUITY, Risk, Trust
from core.kernels.book import NO_ASK, NO_BID
from core.risk.ledger import DAY_NS, HOUR_NS, MINUTE_NS, RiskLedger
from core.risk.sizing import loss_rate_e8, stop_budget_e8
from models.instrument import E8, Instrument
from models.order import Side

SECOND_NS = 1_000_000_000
MARK_FRESH_NS = 5 * SECOND_NS  # the mark comes once a second


class Refusal(msgspec.Struct, frozen=True):
    """Why an entry was not let through: control, stable code, and both numbers in words. ``halts`` marks a breach that
    stops the program and not this entry alone."""

    control: str
    code: str
    detail: str
    halts: bool = False

    @property
    def reason(self) -> str:
        return f"{self.control} {self.code}: {self.detail}"


class Question:
    """Everything the limits look at, computed once per intent. Prices in ticks, money at 1e-8."""

    __slots__ = (
        "alive", "alive_entries", "ask", "ask_depth", "at_ns", "bid", "bid_depth", "book_ns", "bound", "equity_e8",
        "event_lag_ns", "exposure_e8", "instrument", "last", "ledger", "lots", "mark_e8", "mark_ns", "mid_then2",
        "quote_final", "quote_gap", "quote_ns", "reserved_e8", "settings", "side", "slippage_max_bps", "stop_pct",
        "trust", "valid", "worst",
    )  # fmt: skip

    instrument: Instrument
    settings: Risk
    trust: Trust
    ledger: RiskLedger
    side: Side
    lots: int
    bound: str  # what bounds the lots: a control, or see ``sizing.Size``
    at_ns: int
    bid: int
    ask: int
    valid: bool
    worst: int  # the price to which a market order of this size walks now; 0 when the known book is too thin
    bid_depth: int  # lots on the best risk.depth_levels levels
    ask_depth: int
    book_ns: int
    event_lag_ns: int
    quote_gap: int  # ticks between the touch and the newest quote not newer than it, -1 when unknown
    quote_final: bool  # no quote on its way can change quote_gap
    quote_ns: int  # receipt of the newest quote of all
    last: int
    mark_e8: int
    mark_ns: int
    mid_then2: int  # bid + ask one second ago, 0 when unknown
    slippage_max_bps: float  # how far an order may be expected to walk
    stop_pct: float  # distance of the stop that this entry will get
    equity_e8: int
    exposure_e8: int  # value of position plus resting and unknown entries, all counted as filled
    reserved_e8: int  # margin they use
    alive: int
    alive_entries: int

    @property
    def touch(self) -> int:
        return self.ask if self.side is Side.BUY else self.bid

    @property
    def value_e8(self) -> int:
        return self.instrument.notional_e8(self.worst or self.touch, self.lots)


Limit = Callable[[Question], Refusal | None]


def _usdt(value_e8: int) -> str:
    return f"{value_e8 / E8:.2f} USDT"


def p10_book(q: Question) -> Refusal | None:
    if not q.valid or q.bid == NO_BID or q.ask == NO_ASK:
        return Refusal("P10", "NO_BOOK", "the book is not in sequence")
    if q.bid >= q.ask:
        return Refusal("P10", "CROSSED", f"bid {q.bid} >= ask {q.ask} ticks")
    return None


def p10_age(q: Question) -> Refusal | None:
    age_ms = (q.at_ns - q.book_ns) / 1e6
    if age_ms > q.trust.fresh_ms:
        return Refusal("P10", "STALE", f"book age {age_ms:.0f} ms > {q.trust.fresh_ms} ms")
    lag_ms = q.event_lag_ns / 1e6
    if lag_ms > q.settings.lag_max_ms:
        return Refusal("P10", "LATE", f"event lag {lag_ms:.0f} ms > {q.settings.lag_max_ms} ms")
    return None


def p10_agreement(q: Question) -> Refusal | None:
    """Quote stream and book, last and mark, now and a second ago agree.

    Quotes run ahead of the book by up to a depth frame, and in a fast market by many ticks; so the touch is compared
    with the newest quote not newer than the book. A difference counts when the quote stream has passed the book, or has
    been silent for longer than a quote can be on its way.
    """
    settled = q.quote_final or q.at_ns - q.quote_ns > q.settings.quote_gap_ms * 1_000_000
    if settled and q.quote_gap > q.settings.quote_gap_max_ticks:
        return Refusal(
            "P10", "QUOTE_GAP", f"quote and book differ by {q.quote_gap} > {q.settings.quote_gap_max_ticks} ticks"
        )
    if q.mark_e8 > 0 and q.last > 0 and q.mark_ns > q.at_ns - MARK_FRESH_NS:
        gap_pct = abs(q.last * q.instrument.tick_e8 - q.mark_e8) * 100 / q.mark_e8
        if gap_pct > q.settings.mark_gap_max_pct:
            return Refusal(
                "P10", "MARK_GAP", f"last and mark differ by {gap_pct:.3f} % > {q.settings.mark_gap_max_pct} %"
            )
    if q.mid_then2 > 0:
        move_pct = abs(q.bid + q.ask - q.mid_then2) * 100 / q.mid_then2
        if move_pct > q.settings.move_max_pct_per_s:
            return Refusal("P10", "MOVE", f"mid moved {move_pct:.2f} %/s > {q.settings.move_max_pct_per_s} %/s")
    return None


def p09_spread(q: Question) -> Refusal | None:
    spread_bps = (q.ask - q.bid) * 20_000 / (q.ask + q.bid)
    if spread_bps > q.settings.spread_max_bps:
        return Refusal("P09", "SPREAD", f"{spread_bps:.2f} bps > {q.settings.spread_max_bps} bps")
    depth = q.ask_depth if q.side is Side.BUY else q.bid_depth
    wanted = q.settings.depth_multiple_min * q.lots
    if depth < wanted:
        return Refusal("P09", "DEPTH", f"depth of {q.settings.depth_levels} levels {depth} < {wanted:.0f} lots")
    return None


def p08_collar(q: Question) -> Refusal | None:
    if q.worst == 0:
        return Refusal("P08", "BOOK_TOO_THIN", f"{q.lots} lots reach beyond the known book")
    through_bps = abs(q.worst - q.touch) * 10_000 / q.touch
    if through_bps > q.settings.collar_touch_bps:
        return Refusal("P08", "COLLAR", f"{through_bps:.2f} bps through the touch > {q.settings.collar_touch_bps} bps")
    if through_bps > q.slippage_max_bps:
        return Refusal("P08", "SLIPPAGE", f"{through_bps:.2f} bps through the touch > {q.slippage_max_bps} bps")
    from_mid_bps = abs(2 * q.worst - q.bid - q.ask) * 10_000 / (q.bid + q.ask)
    if from_mid_bps > q.settings.collar_mid_bps:
        return Refusal("P08", "COLLAR", f"{from_mid_bps:.2f} bps from mid > {q.settings.collar_mid_bps} bps")
    return None


def p02_order_value(q: Question) -> Refusal | None:
    limit_e8 = int(q.equity_e8 * q.settings.order_value_max_equity)
    if q.value_e8 > limit_e8:
        return Refusal("P02", "ORDER_VALUE", f"{_usdt(q.value_e8)} > {_usdt(limit_e8)}")
    most = q.settings.order_quantity_max.get(q.instrument.symbol)
    if most is not None and q.lots * q.instrument.lot_e8 > round(most * E8):
        return Refusal("P02", "ORDER_QUANTITY", f"{q.instrument.quantity_text(q.lots)} > {most}")
    return None


def p03_position_value(q: Question) -> Refusal | None:
    limit_e8 = int(q.equity_e8 * q.settings.position_value_max_equity)
    total_e8 = q.exposure_e8 + q.value_e8
    if total_e8 > limit_e8:
        return Refusal("P03", "POSITION_VALUE", f"{_usdt(total_e8)} > {_usdt(limit_e8)}")
    return None


def p04_ceiling(q: Question) -> Refusal | None:
    limit_e8 = int(q.equity_e8 * CEILING_EQUITY[q.settings.profile])
    total_e8 = q.exposure_e8 + q.value_e8
    if total_e8 > limit_e8:
        return Refusal("P04", "CEILING", f"{_usdt(total_e8)} > {_usdt(limit_e8)}, the compiled ceiling", halts=True)
    return None


def p05_margin(q: Question) -> Refusal | None:
    margin_e8 = q.value_e8 // q.settings.leverage
    fees_e8 = 2 * q.value_e8 * q.instrument.fees.taker_e8 // E8
    free_e8 = q.equity_e8 - q.reserved_e8 - margin_e8 - fees_e8
    floor_e8 = int(q.equity_e8 * q.settings.margin_floor_pct) // 100
    if free_e8 < floor_e8:
        return Refusal("P05", "MARGIN", f"free margin {_usdt(free_e8)} < {_usdt(floor_e8)}")
    return None


def p06_trade_risk(q: Question) -> Refusal | None:
    loss_e8 = q.value_e8 * loss_rate_e8(q.instrument, q.stop_pct) // E8
    limit_e8 = stop_budget_e8(q.settings, q.equity_e8)
    if loss_e8 > limit_e8:
        return Refusal("P06", "TRADE_RISK", f"a stop with fees costs {_usdt(loss_e8)} > {_usdt(limit_e8)}")
    return None


def p07_stop_distance(q: Question) -> Refusal | None:
    """The stop is near enough to the entry, and the liquidation price far enough behind the stop (venue ref. §9.2)."""
    if q.stop_pct > q.settings.stop_loss_pct:
        return Refusal("P07", "STOP_DISTANCE", f"{q.stop_pct} % of entry > {q.settings.stop_loss_pct} %")
    if not q.instrument.brackets:
        return Refusal("P07", "LIQUIDATION", "no leverage brackets are known")
    bracket = q.instrument.bracket_for(q.value_e8)
    rate = bracket.maintenance_e8 / E8
    margin = 1 / q.settings.leverage + bracket.cum_e8 / q.value_e8
    liquidation_pct = 100 * (margin - rate) / (1 - rate * q.side.sign)
    needed_pct = q.settings.liquidation_multiple_min * q.stop_pct
    if liquidation_pct < needed_pct:
        return Refusal("P07", "LIQUIDATION", f"{liquidation_pct:.2f} % from entry < {needed_pct:.2f} %")
    return None


def p12_messages(q: Question) -> Refusal | None:
    for window_ns, most, name in (
        (SECOND_NS, q.settings.messages_per_s, "1 s"),
        (10 * SECOND_NS, q.settings.messages_per_10s, "10 s"),
        (MINUTE_NS, q.settings.messages_per_min, "1 min"),
    ):
        count = q.ledger.messages_since(q.at_ns, window_ns) + 1
        if count > most:
            return Refusal("P12", "MESSAGES", f"{count} order messages in {name} > {most}")
    return None


def p14_repeats(q: Question) -> Refusal | None:
    since_ns = q.at_ns - q.settings.repeat_window_s * SECOND_NS
    same = sum(1 for entry in q.ledger.entries_since_trip if entry.side == q.side and entry.at_ns > since_ns)
    if same >= q.settings.repeat_entries_max:
        return Refusal(
            "P14", "REPEATED", f"{same + 1} entries one way without a round trip > {q.settings.repeat_entries_max}"
        )
    for span_ns, most, name in (
        (HOUR_NS, q.settings.entries_per_hour, "an hour"),
        (q.at_ns % DAY_NS + 1, q.settings.entries_per_day, "a UTC day"),
    ):
        count = q.ledger.entries_since(q.at_ns, span_ns) + 1
        if count > most:
            return Refusal("P14", "ENTRIES", f"{count} entries in {name} > {most}")
    return None


def p15_duplicate(q: Question) -> Refusal | None:
    wanted = (q.instrument.index, q.side, q.touch, q.lots)
    for entry in reversed(q.ledger.entries):
        age_ns = q.at_ns - entry.at_ns
        if age_ns >= q.settings.duplicate_window_ms * 1_000_000:
            return None
        if entry[1:] == wanted:
            window_ms = q.settings.duplicate_window_ms
            return Refusal("P15", "DUPLICATE", f"the same order was sent {age_ns / 1e6:.0f} ms ago < {window_ms} ms")
    return None


def p17_open_orders(q: Question) -> Refusal | None:
    if q.alive_entries >= q.settings.entry_orders_max:
        return Refusal("P17", "OPEN_ORDERS", f"{q.alive_entries + 1} entry orders > {q.settings.entry_orders_max}")
    if q.alive >= q.settings.open_orders_max:
        return Refusal("P17", "OPEN_ORDERS", f"{q.alive + 1} open orders > {q.settings.open_orders_max}")
    return None


def filters(q: Question) -> Refusal | None:
    """The venue's own rules, so that it never has to refuse us (P01, P31, F28)."""
    rules = q.instrument.filters
    if q.lots < rules.market_quantity_min or q.lots <= 0:
        least = max(1, rules.market_quantity_min)
        return Refusal("P01", "TOO_SMALL", f"{q.lots} lots < {least} lots; the size is bound by {q.bound}")
    if q.instrument.notional_e8(q.touch, q.lots) < rules.notional_min_e8:
        value, least_value = _usdt(q.instrument.notional_e8(q.touch, q.lots)), _usdt(rules.notional_min_e8)
        return Refusal("P01", "MIN_NOTIONAL", f"{value} < {least_value}; the size is bound by {q.bound}")
    if q.instrument.status != "TRADING":
        return Refusal("P31", "STATUS", f"{q.instrument.symbol} is {q.instrument.status}, not TRADING")
    return None


LIMITS: tuple[Limit, ...] = (
    p10_book, p10_age, p10_agreement, filters, p09_spread, p08_collar, p04_ceiling, p02_order_value,
    p03_position_value, p05_margin, p06_trade_risk, p07_stop_distance, p17_open_orders, p15_duplicate, p14_repeats,
    p12_messages,
)  # fmt: skip
"""In order: what makes the others meaningless first, then the cheapest."""
