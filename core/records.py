"""Records of the run's files (conventions §4): plain dicts, keys in order, ``ts`` in µs of the fact's own time."""

from __future__ import annotations

from core.decision import MarketDecision, action_of
from core.execution.orders import Order
from core.execution.position import RoundTrip
from core.kernels.book import NO_ASK, NO_BID
from core.market.state import MarketView
from models.control import Operating
from models.event import Fill
from models.instrument import Instrument, e8_text, fixed_text
from models.order import Side

MICRO = 1_000


def volume_multiple(view: MarketView) -> float | None:
    """Running bar volume over the mean of the baseline bars; None without a baseline."""
    baseline, count = view.get("baseline_lots"), view.get("baseline_count")
    if baseline <= 0 or count <= 0:
        return None
    return round(view.get("running_lots") * count / baseline, 4)


def imbalance(view: MarketView) -> float | None:
    """Windowed top-N imbalance in −1..1; None when nothing rests."""
    bid, ask = view.get("imbalance_bid"), view.get("imbalance_ask")
    return round((bid - ask) / (bid + ask), 4) if bid + ask > 0 else None


def metrics(instrument: Instrument, view: MarketView, bid: int, ask: int, depth_lots: int) -> dict[str, object]:
    """The ``metrics`` object of a decisions record."""
    touch = bid != NO_BID and ask != NO_ASK
    return {
        "mid": mid_text(instrument, bid + ask) if touch else None,
        "spread_bps": round((ask - bid) * 20_000 / (ask + bid), 4) if touch else None,
        "depth_50bps": instrument.quantity_text(depth_lots) if touch else None,
        "imbalance": imbalance(view),
        "volume_x": volume_multiple(view),
        "momentum_bps": round(view.get("momentum") / 10_000, 4),
        "liq_count": view.get("liquidation_recent"),
    }


def mid_text(instrument: Instrument, mid2: int) -> str:
    """A mid given as bid + ask ticks, with one decimal more than prices."""
    return fixed_text(mid2 * instrument.tick_e8 // 2, min(8, instrument.price_places + 1))


def decision(
    at_ns: int, instrument: Instrument, before: MarketDecision, after: MarketDecision, detail: str,
    duration_ns: int, measured: dict[str, object],
) -> dict[str, object]:  # fmt: skip
    return {
        "ts": at_ns // MICRO,
        "action": action_of(before.decision, after.decision).value,
        "reason": f"{after.reason.value}: {detail}",
        "duration_ms": round(duration_ns / 1e6, 3),
        "symbol": instrument.symbol,
        "metrics": measured,
    }


def transition(at_ns: int, now: MarketDecision, operating: Operating, trigger: str) -> dict[str, object]:
    return {
        "ts": at_ns // MICRO,
        "data_trust": now.trust.value,
        "hypothesis": now.hypothesis.value,
        "decision": now.decision.value,
        "trigger": trigger,
        "operating": operating.value,
    }


def signal(
    at_ns: int, instrument: Instrument, view: MarketView, accepted: bool, reason: str | None
) -> dict[str, object]:
    """``score`` is the smallest of the three values over their thresholds: 1 is just enough."""
    volume, balance, move = volume_multiple(view), imbalance(view), view.get("momentum")
    needed = view.get("volume_num") / view.get("volume_den")
    entry = view.get("imbalance_entry_ppm") / 1e6
    threshold = view.get("momentum_threshold")
    parts = [
        volume / needed if volume is not None else 0.0,
        abs(balance) / entry if balance is not None else 0.0,
        abs(move) / threshold if threshold > 0 else 0.0,
    ]
    return {
        "ts": at_ns // MICRO,
        "symbol": instrument.symbol,
        "side": "LONG" if view.get("entry_side") > 0 else "SHORT",
        "score": round(min(parts), 4),
        "conditions": {
            "volume": {"value": volume, "threshold": round(needed, 4)},
            "imbalance": {"value": balance, "threshold": round(entry, 4)},
            "momentum": {
                "value_bps": round(move / 10_000, 4),
                "threshold_bps": round(threshold / 10_000, 4) if threshold > 0 else None,
            },
        },
        "accepted": accepted,
        "reject_reason": reason,
    }


def order(at_ns: int, instrument: Instrument, kept: Order, reason: str) -> dict[str, object]:
    wish = kept.approved
    acked = (kept.accepted_ns - wish.created_ns) // MICRO if kept.accepted_ns >= 0 else None
    return {
        "ts": at_ns // MICRO,
        "client_id": wish.client_id,
        "venue_id": kept.venue_id or None,
        "symbol": instrument.symbol,
        "side": wish.side.name,
        "type": wish.type.value,
        "tif": wish.time_in_force.value,
        "price": instrument.price_text(wish.price or wish.trigger) if wish.price or wish.trigger else None,
        "qty": instrument.quantity_text(wish.quantity),
        "reduce_only": wish.reduce_only,
        "status": kept.state.value,
        "latency_us": {"decide": None, "send": None, "ack": acked},
        "filled": instrument.quantity_text(kept.filled),
        "purpose": wish.purpose.name.lower(),
        "reason": reason or None,
    }


def fill(event: Fill, instrument: Instrument, realized_e8: int) -> dict[str, object]:
    return {
        "ts": event.at_ns // MICRO,
        "client_id": event.client_id,
        "trade_id": event.trade_id,
        "symbol": instrument.symbol,
        "side": event.side.name,
        "price": instrument.price_text(event.price),
        "qty": instrument.quantity_text(event.quantity),
        "fee": e8_text(event.fee_e8),
        "fee_asset": instrument.quote,
        "maker": event.maker,
        "realized": e8_text(realized_e8),
        "venue_ts": event.venue_ns // MICRO,
    }


def trade(
    number: int, trip: RoundTrip, instrument: Instrument, reason: str, worst2: int, best2: int
) -> dict[str, object]:
    """One closed round trip. ``worst2``/``best2`` are the extreme mids (bid + ask) while it was open."""
    entry = trip.entry_cost / trip.lots
    against = (entry - worst2 / 2) * trip.side / entry * 10_000 if worst2 > 0 else 0.0
    favour = (best2 / 2 - entry) * trip.side / entry * 10_000 if best2 > 0 else 0.0
    return {
        "ts": trip.closed_ns // MICRO,
        "trade_id": number,
        "symbol": instrument.symbol,
        "side": "LONG" if trip.side > 0 else "SHORT",
        "qty": instrument.quantity_text(trip.lots),
        "entry": average_text(instrument, trip.entry_cost, trip.lots),
        "exit": average_text(instrument, trip.exit_cost, trip.lots),
        "opened_at": trip.opened_ns // MICRO,
        "closed_at": trip.closed_ns // MICRO,
        "pnl_gross": e8_text(trip.gross_e8),
        "fee": e8_text(trip.fee_e8),
        "funding": e8_text(trip.funding_e8),
        "pnl_net": e8_text(trip.net_e8),
        "exit_reason": reason,
        "mae_bps": round(max(0.0, against), 3),
        "mfe_bps": round(max(0.0, favour), 3),
    }


def average_text(instrument: Instrument, cost: int, lots: int) -> str:
    """An average price (sum of ticks · lots over lots) at 1e-8, rounded half up, in the shortest form."""
    return e8_text((2 * cost * instrument.tick_e8 + lots) // (2 * lots))


def side_of(lots: int) -> Side:
    """The side that reduces a position of ``lots``."""
    return Side.SELL if lots > 0 else Side.BUY
