"""The short way through the gate lets nothing pass that the long way would not."""

from __future__ import annotations

import random

import msgspec
import pytest

from core.risk.exposure import Exposure
from core.risk.gate import Gate
from core.risk.ledger import DAY_NS, HOUR_NS, Entry, RiskLedger
from models.instrument import E8
from models.order import ApprovedOrder, Intent, Purpose, Side
from models.rows import ASK, BID
from tests.builders import MS, SECOND, Frames
from tests.core.desk import INSTRUMENT, MID, Desk, ladder, settings

WISH = {side: Intent(0, side, Purpose.ENTRY, "test") for side in Side}


def desk_with(book: list[tuple[int, int, int]], **risk: object) -> Desk:
    """A desk that has heard a book, under the owner's limits with changes."""
    wanted = settings()
    desk = Desk(msgspec.structs.replace(wanted, risk=msgspec.structs.replace(wanted.risk, **risk)))
    desk.hear(Frames().snapshot(desk.now_ns + MS, book))
    return desk


def both_ways(
    gate: Gate, desk: Desk, side: Side, exposure: Exposure, ledger: RiskLedger, at_ns: int
) -> tuple[int, object]:
    """Lots cleared the short way, and what the long way says."""
    lots = gate._clearances[0].clear(desk.engine.memory.address, side, exposure, ledger, at_ns)
    return lots, gate.review(WISH[side], INSTRUMENT, desk.engine.memory.view(0), exposure, ledger, at_ns)


@pytest.mark.parametrize("side", list(Side))
def test_an_ordinary_entry_goes_the_short_way(side: Side) -> None:
    """In a calm, deep market the gate approves without asking each limit, with the size of the long way."""
    desk = desk_with(ladder())
    gate, at_ns = desk.engine.gate, desk.now_ns
    lots, answer = both_ways(gate, desk, side, Exposure(70 * E8, 0, 0, 0, 0), RiskLedger(70 * E8), at_ns)
    assert isinstance(answer, ApprovedOrder)
    assert lots == answer.quantity > 0


def test_what_is_cleared_the_review_approves() -> None:
    """Over random books, money, counters and limits, whatever is cleared every limit approves, at the same size."""
    chance = random.Random(9)
    cleared = reviewed = 0
    for _ in range(60):
        lots = chance.choice((1, 5, 9, 40, 1_000))
        book = [(b, t + chance.randrange(3) * (1 if b is ASK else -1), lots) for b, t, _ in ladder(levels=30)]
        desk = desk_with(
            book,
            order_value_max_equity=chance.choice((10.0, 3.5)), position_value_max_equity=chance.choice((10.0, 5.0)),
            margin_floor_pct=chance.choice((1.0, 20.0)), trade_risk_max_pct=chance.choice((55.0, 2.0)),
            entries_per_hour=chance.choice((30, 2)), entries_per_day=chance.choice((150, 3)),
            messages_per_s=chance.choice((5, 2)), repeat_entries_max=chance.choice((3, 1)),
            profile=chance.choice(("owner", "cautious")), depth_multiple_min=chance.choice((20.0, 1.0)),
            order_quantity_max=chance.choice(({}, {"BTCUSDT": 0.003})), leverage=chance.choice((10, 5)),
        )  # fmt: skip
        gate = desk.engine.gate
        for _ in range(12):
            at_ns = desk.now_ns + chance.choice((0, 5 * MS, 400 * MS))
            ledger = RiskLedger(70 * E8)
            for age in sorted(
                (chance.choice((100 * MS, 3 * SECOND, HOUR_NS, DAY_NS)) for _ in range(chance.randrange(5))),
                reverse=True,
            ):
                ledger.message(at_ns - age)
                ledger.entry(Entry(at_ns - age, 0, chance.randrange(2), MID, 8))
            equity = chance.choice((70, 30, 400)) * E8
            exposure = Exposure(
                equity,
                chance.choice((0, 0, 100 * E8)),
                chance.choice((0, 0, 10 * E8)),
                chance.randrange(3),
                chance.choice((0, 0, 1)),
            )
            side = chance.choice(list(Side))
            lots_cleared, answer = both_ways(gate, desk, side, exposure, ledger, at_ns)
            reviewed += isinstance(answer, ApprovedOrder)
            if lots_cleared:
                cleared += 1
                assert isinstance(answer, ApprovedOrder), answer
                assert answer.quantity == lots_cleared
    assert reviewed > cleared > 40


def test_what_was_prepared_ends_with_the_next_count() -> None:
    """A message or an entry counted after the account was prepared is seen by the next clearance."""
    desk = desk_with(ladder())
    gate, at_ns, ledger = desk.engine.gate, desk.now_ns, RiskLedger(70 * E8)
    exposure = Exposure(70 * E8, 0, 0, 0, 0)
    gate.prepare(exposure, ledger)
    assert both_ways(gate, desk, Side.BUY, exposure, ledger, at_ns)[0] > 0
    ledger.entry(Entry(at_ns, 0, Side.BUY.value, MID, 8))
    assert both_ways(gate, desk, Side.BUY, exposure, ledger, at_ns + MS)[0] == 0


def test_a_cleared_entry_is_counted_like_any_other() -> None:
    """Messages and entries of cleared orders fill the same windows."""
    desk = desk_with([(BID, MID - 1, 5_000), (ASK, MID + 1, 5_000)])
    ledger = RiskLedger(70 * E8)
    gate = desk.engine.gate
    before = gate.cleared
    answer = gate.entry(
        WISH[Side.BUY], INSTRUMENT, desk.engine.memory.view(0), Exposure(70 * E8, 0, 0, 0, 0), ledger, desk.now_ns
    )
    assert isinstance(answer, ApprovedOrder)
    gate.entered(answer, desk.engine.memory.view(0), ledger)
    assert (gate.cleared, len(ledger.messages)) == (before + 1, 1)
    assert ledger.entries[-1] == Entry(desk.now_ns, 0, Side.BUY.value, MID + 1, answer.quantity)
