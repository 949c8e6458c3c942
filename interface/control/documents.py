"""What a running bot says of itself: state, health, what is still open. Built when somebody asks, from numbers at hand.

Keys are those of conventions §8; amounts are decimal strings of USDT, times microseconds.
"""

from __future__ import annotations

from typing import Any

from core.kernels.book import NO_ASK, NO_BID
from core.risk.mode import Cause
from core.trader import Trader
from interface.drivers.parts import Parts
from models.instrument import e8_text

SILENT_S = 5.0  # as the alert rule NoMarketData
BLINDING = (Cause.STREAM, Cause.STARTING, Cause.BLIND)
"""Causes under which data does not flow or the account is not known: a bot that is held back by them is not ready."""


def status(parts: Parts) -> dict[str, Any]:
    """States, position, orders and money, now."""
    engine, ledger = parts.engine, parts.engine.ledger
    equity, traders = engine.account.equity_e8(), engine.traders
    return {
        "feed": parts.feed,
        "run_id": parts.run_id,
        "symbols": [one.symbol for one in parts.instruments],
        **operating(parts),
        "decision": {one.instrument.symbol: one.machine.now.decision.value for one in traders},
        "data_trust": {one.instrument.symbol: one.machine.now.trust.value for one in traders},
        "hypothesis": {one.instrument.symbol: one.machine.now.hypothesis.value for one in traders},
        "quote": {one.instrument.symbol: _quote(parts, one) for one in traders},
        **left(parts),
        "equity": e8_text(equity),
        "today": {
            "net": e8_text(equity - ledger.day_start_e8),
            "fees": e8_text(ledger.day_fees_e8),
        },
        "run": {
            "signals": engine.signals,
            "fills": engine.account.fills,
            "trades": engine.account.trips,
            "wins": ledger.wins,
            "losses": ledger.losses,
            "net": e8_text(equity - ledger.start_e8 - ledger.moved_e8),
        },
        "clock": {"offset_us": engine.memory.clock_offset_ns // 1000},
        "folder": str(parts.folder.absolute()),
    }


def operating(parts: Parts) -> dict[str, Any]:
    """The operating state and every cause behind it."""
    mode = parts.engine.mode
    return {
        "operating": mode.state.value,
        "blocked_by": {cause.value: detail for cause, detail in mode.causes.items()},
    }


def left(parts: Parts) -> dict[str, Any]:
    """Open positions and living orders: nothing in either is flat."""
    return {
        "position": {one.instrument.symbol: _position(parts, one) for one in parts.engine.traders if one.position.lots},
        "orders": [_order(parts, order) for order in parts.engine.account.orders.all_alive()],
    }


def flat_read(parts: Parts, since_ns: int) -> bool:
    """Whether nothing of ours is left: by our own books, and where a venue has books of its own, by a reading of them
    that was asked for at or after ``since_ns``.
    """
    custody = parts.engine.custody
    return parts.flat and (custody is None or custody.flat_read_ns >= since_ns)


def problems(parts: Parts, silent_s: float) -> list[str]:
    """Why the bot cannot do its work: silence for ``silent_s``, data or account unknown, records that are lost."""
    found = [f"no market data for {silent_s:.0f} s"] if silent_s > SILENT_S else []
    causes = parts.engine.mode.causes
    found += [f"{cause.value}: {causes[cause]}" for cause in BLINDING if cause in causes]
    if parts.keeper is not None and parts.keeper.failed:
        found.append(f"the journal does not keep: {parts.keeper.failed}")
    if parts.files.lost:
        found.append(f"{parts.files.lost} records lost: {parts.files.problem}")
    return found


def _quote(parts: Parts, trader: Trader) -> dict[str, str] | None:
    book = parts.engine.memory.book(trader.index)
    bid, ask = int(book["best_bid"]), int(book["best_ask"])
    if bid == NO_BID or ask == NO_ASK:
        return None
    return {"bid": trader.instrument.price_text(bid), "ask": trader.instrument.price_text(ask)}


def _position(parts: Parts, trader: Trader) -> dict[str, Any]:
    position, instrument = trader.position, trader.instrument
    stop = parts.engine.account.orders.get(trader.stop_id)
    return {
        "side": "LONG" if position.lots > 0 else "SHORT",
        "qty": instrument.quantity_text(abs(position.lots)),
        "entry": e8_text(position.cost * instrument.tick_e8 // position.lots),
        "profit": e8_text(position.unrealised_e8(parts.engine.memory.view(trader.index).get("mid2"))),
        "stop": instrument.price_text(stop.approved.trigger) if stop is not None and stop.alive else None,
        "opened_at": position.opened_ns // 1000,
    }


def _order(parts: Parts, order: Any) -> dict[str, Any]:
    """One living order; ``Order`` of ``core.execution.orders``."""
    wish = order.approved
    instrument = parts.instruments[wish.instrument]
    price = wish.price or wish.trigger
    return {
        "client_id": wish.client_id,
        "symbol": instrument.symbol,
        "side": wish.side.name,
        "type": wish.type.value,
        "qty": instrument.quantity_text(wish.quantity),
        "filled": instrument.quantity_text(order.filled),
        "price": instrument.price_text(price) if price else None,
        "status": order.state.value,
    }
