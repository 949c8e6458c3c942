"""Records of the run's files (conventions §4): plain dicts, keys in order, ``ts`` in µs of the fact's own time."""

from __future__ import annotations

from core.decision import MarketDecision, action_of
from core.execution.orders import Order
from core.execution.position import RoundTrip
from core.market.state import MarketView
from core.signals.panel import Panel, build_panel
from core.signals.signal import Features, Thresholds
from models.control import Decision, Operating
from models.event import Fill
from models.instrument import E8, Instrument, e8_text
from models.order import Side

MICRO = 1_000
STATE_WORDS = {Decision.HALTED: "HALT", Decision.RESTRICTED: "RESTRICTED", Decision.ALLOWED: "ALLOWED"}
"""Decision → the action word of a record that tells a state, not a change."""


def panel_of(view: MarketView) -> Panel:
    """The scalper's three signals as they stand in ``view``, judged in the integers of the compiled conditions."""
    get = view.get
    features = Features(
        bar_volume=get("running_lots"),
        baseline_volume=get("baseline_lots"),
        baseline_bars=get("baseline_count"),
        bid_sum=get("imbalance_bid"),
        ask_sum=get("imbalance_ask"),
        return_e8=get("momentum"),
        sigma_e8=float(get("momentum_sigma")),
        momentum_s=get("return_count"),
        return_threshold_e8=get("momentum_threshold"),
    )
    thresholds = Thresholds(
        volume_multiple_e8=get("volume_num") * E8 // get("volume_den"),
        baseline_bars=get("baseline_bars"),
        imbalance_e8=get("imbalance_entry_ppm") * 100,
        momentum_z_e8=get("momentum_threshold_num") * E8 // get("momentum_threshold_den"),
        momentum_known_s=get("momentum_samples_min"),
    )
    return build_panel(features, thresholds)


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
    """``score`` is the weakest of the three over its threshold, signed: at ±1 or beyond all three hold."""
    panel = panel_of(view)
    volume, balance, move = panel.signals
    threshold = view.get("momentum_threshold")
    return {
        "ts": at_ns // MICRO,
        "symbol": instrument.symbol,
        "side": "LONG" if view.get("entry_side") > 0 else "SHORT",
        "score": None if panel.score is None else round(panel.score, 4),
        "conditions": {
            "volume": {"value": rounded(volume.value), "threshold": round(volume.threshold, 4)},
            "imbalance": {"value": rounded(balance.value), "threshold": round(balance.threshold, 4)},
            "momentum": {
                "value": rounded(move.value),
                "threshold": round(move.threshold, 4),
                "value_bps": round(view.get("momentum") / 10_000, 4) if move.valid else None,
                "threshold_bps": round(threshold / 10_000, 4) if threshold > 0 else None,
            },
        },
        "accepted": accepted,
        "reject_reason": reason,
    }


def rounded(value: float | None) -> float | None:
    """Four places for people."""
    return None if value is None else round(value, 4)


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
        "latency_us": {
            "decide": kept.decide_ns // MICRO if kept.send_ns else None,
            "send": kept.send_ns // MICRO if kept.send_ns else None,
            "ack": acked,
        },
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
