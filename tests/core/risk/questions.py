"""A question to the limits that all of them let pass, to be bent at one place at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from core.risk.ledger import RiskLedger
from core.risk.limits import LIMITS, Question, Refusal
from models.instrument import E8
from models.order import Side
from tests.builders import START_NS
from tests.core.desk import INSTRUMENT, MID, settings

PROFILES = ("owner", "cautious")
NOW_NS = START_NS


def question(profile: str = "owner", **changes: Any) -> Question:
    """One lot long in a calm, deep market with 70 USDT, under the shipped limits of ``profile``.

    ``changes`` are fields of the question, or names of risk settings.
    """
    chosen = settings(profile)
    risk = {name: value for name, value in changes.items() if name in chosen.risk.__struct_fields__}
    q = Question()
    q.instrument, q.ledger = INSTRUMENT, RiskLedger(70 * E8)
    q.settings, q.trust = msgspec.structs.replace(chosen.risk, **risk), chosen.trust
    q.side, q.lots, q.bound, q.at_ns = Side.BUY, 1, "P05", NOW_NS
    q.bid, q.ask, q.valid, q.worst = MID - 1, MID + 1, True, 0
    q.bid_depth = q.ask_depth = 10_000
    q.book_ns, q.event_lag_ns = NOW_NS, 5_000_000
    q.quote_gap, q.quote_final, q.quote_ns = 0, True, NOW_NS
    q.last, q.mark_e8, q.mark_ns = MID, MID * INSTRUMENT.tick_e8, NOW_NS
    q.mid_then2 = 2 * MID
    q.equity_e8, q.exposure_e8, q.reserved_e8 = 70 * E8, 0, 0
    q.alive = q.alive_entries = 0
    q.slippage_max_bps = chosen.execution.max_slippage_bps
    q.stop_pct = chosen.strategy.params.stop_pct
    for name, value in changes.items():
        if name not in risk:
            setattr(q, name, value)
    q.worst = q.worst if "worst" in changes else q.touch
    return q


def first(q: Question) -> Refusal | None:
    """The first limit broken, as the gate asks them."""
    return next((refusal for limit in LIMITS if (refusal := limit(q)) is not None), None)
