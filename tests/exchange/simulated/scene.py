"""Builders for tests of the simulated exchange: an instrument, frames as rows, orders, a seeded market, drivers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np

from core.kernels.kernel import address_of
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.reports import Report
from exchange.simulated.terms import PaperTerms
from models.account import AccountShape
from models.action import Cancel, Query, Submit
from models.event import Fill, OrderReport
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, OrderType, Purpose, Side, TimeInForce
from models.rows import FAR_NS, Flag, Kind, empty_rows
from tests.contract import INSTRUMENT, MID

MS = 1_000_000
TERMS = PaperTerms(latency_out_ns=10 * MS, latency_back_ns=10 * MS)
RICH = AccountShape(equity_e8=1_000_000 * E8, leverage=10)

Level = tuple[int, int, int]  # side, tick, lots


def frame(
    kind: int,
    lines: Iterable[tuple[int, int, int]],
    occurred_ns: int,
    received_ns: int,
    *,
    instrument: int = 0,
    sequence: int = 0,
    extra: int = 0,
    flags: int = 0,
) -> np.ndarray:
    """One frame of ``(side, price, quantity)`` rows."""
    body = list(lines)
    rows = empty_rows(len(body))
    for at, (side, price, quantity) in enumerate(body):
        bits = flags | (Flag.FIRST if at == 0 else 0) | (Flag.LAST if at == len(body) - 1 else 0)
        rows[at] = (kind, bits, side, 0, instrument, occurred_ns, received_ns, price, quantity, sequence, extra, 0)
    return rows


def snapshot(at_ms: int = 0, lots: int = 10, levels: int = 50, mid: int = MID, instrument: int = 0) -> np.ndarray:
    """A full book: ``levels`` ticks a side of ``lots`` each, best bid at ``mid``, best ask one tick above."""
    lines = [(0, mid - n, lots) for n in range(levels)] + [(1, mid + 1 + n, lots) for n in range(levels)]
    return frame(Kind.SNAPSHOT, lines, at_ms * MS, at_ms * MS, instrument=instrument)


def depth(at_ms: int, *lines: Level, received_ms: int | None = None, instrument: int = 0) -> np.ndarray:
    heard = at_ms if received_ms is None else received_ms
    return frame(Kind.DEPTH, lines or [(0, 0, -1)], at_ms * MS, heard * MS, instrument=instrument)


def trade(at_ms: int, price: int, lots: int, side: int, received_ms: int | None = None, flags: int = 0) -> np.ndarray:
    heard = at_ms if received_ms is None else received_ms
    return frame(Kind.TRADE, [(side, price, lots)], at_ms * MS, heard * MS, flags=flags)


def quote(at_ms: int, received_ms: int | None = None) -> np.ndarray:
    heard = at_ms if received_ms is None else received_ms
    return frame(Kind.QUOTE, [(0, MID, 1), (1, MID + 1, 1)], at_ms * MS, heard * MS)


def mark(at_ms: int, price_e8: int, funding_ms: int = 0, rate_e8: int = 0) -> np.ndarray:
    lines = [(0, price_e8, price_e8)]
    return frame(Kind.MARK, lines, at_ms * MS, at_ms * MS, sequence=funding_ms, extra=rate_e8)


def tick(at_ms: int) -> np.ndarray:
    return frame(Kind.TICK, [(0, 0, 0)], at_ms * MS, at_ms * MS)


def order(
    client_id: str,
    side: Side,
    lots: int,
    *,
    type: OrderType = OrderType.MARKET,
    price: int = 0,
    trigger: int = 0,
    tif: TimeInForce = TimeInForce.GTC,
    reduce_only: bool = False,
    instrument: int = 0,
) -> ApprovedOrder:
    purpose = Purpose.EXIT if reduce_only else Purpose.ENTRY
    return ApprovedOrder(
        client_id, instrument, side, type, tif, price, lots, trigger, reduce_only, purpose, created_ns=0
    )


def limit(client_id: str, side: Side, lots: int, price: int, **options: object) -> ApprovedOrder:
    return order(client_id, side, lots, type=OrderType.LIMIT, price=price, **options)  # type: ignore[arg-type]


def stop(client_id: str, side: Side, lots: int, trigger: int, reduce_only: bool = True) -> ApprovedOrder:
    return order(client_id, side, lots, type=OrderType.STOP_MARKET, trigger=trigger, reduce_only=reduce_only)


class Scene:
    """An exchange and everything it reported; ``send`` and ``hear`` take milliseconds."""

    def __init__(
        self,
        terms: PaperTerms = TERMS,
        account: AccountShape = RICH,
        instruments: Sequence[Instrument] = (INSTRUMENT,),
    ) -> None:
        self.exchange = SimulatedExchange(instruments, account, terms)
        self.reports: list[Report] = []

    def hear(self, *frames: np.ndarray) -> Scene:
        rows = np.concatenate(frames)
        self.exchange.follow(address_of(rows), 0, len(rows))
        return self

    def send(self, at_ms: int, wish: ApprovedOrder) -> Scene:
        self.exchange.execute(Submit(at_ms * MS, wish))
        return self

    def cancel(self, at_ms: int, client_id: str) -> Scene:
        self.exchange.execute(Cancel(at_ms * MS, client_id))
        return self

    def query(self, at_ms: int, client_id: str) -> Scene:
        self.exchange.execute(Query(at_ms * MS, client_id))
        return self

    def take(self, until_ms: int | None = None) -> list[Report]:
        taken = self.exchange.take(FAR_NS if until_ms is None else until_ms * MS)
        self.reports += taken
        return taken

    def words(self) -> list[str]:
        """All reports taken now, short: ``ACCEPTED a``, ``fill a 3@770001``, …"""
        return [short(report) for report in self.take()]


def short(report: Report) -> str:
    if isinstance(report, OrderReport):
        words = [word for word in report.reason.split() if not word.endswith(":")]
        return " ".join([report.state.value, report.client_id, *words[:1]])
    if isinstance(report, Fill):
        return f"fill {report.client_id} {report.quantity}@{report.price}"
    return f"funding {report.amount_e8}"


def market(seed: int, frames: int) -> list[np.ndarray]:
    """A seeded market with feed lag and two sockets: depth, quotes, trades, marks, silence; in received order."""
    rng = random.Random(seed)
    heard: list[tuple[int, int, np.ndarray]] = [(0, 0, snapshot(0, lots=6, levels=40))]
    venue_ms, mid = 1, MID
    for number in range(1, frames):
        venue_ms += rng.randrange(1, 12)
        mid += rng.choice((-2, -1, 0, 0, 1, 2))
        chance = rng.random()
        lag = rng.choice((0, 1, 2, 5, 30))
        if chance < 0.5:
            lines = [(0, mid + n, 0) for n in range(1, 8)] + [(1, mid + 1 - n, 0) for n in range(1, 8)]
            lines += [(0, mid - rng.randrange(6), rng.randrange(1, 8)) for _ in range(3)] + [(0, mid, 3)]
            lines += [(1, mid + 1 + rng.randrange(6), rng.randrange(1, 8)) for _ in range(3)] + [(1, mid + 1, 2)]
            heard.append((venue_ms + 5, number, depth(venue_ms, *lines, received_ms=venue_ms + 5)))
        elif chance < 0.6:
            heard.append((venue_ms + 5, number, quote(venue_ms, received_ms=venue_ms + 5)))
        elif chance < 0.85:
            price = mid + rng.randrange(-3, 5)
            body = trade(venue_ms, price, rng.randrange(1, 9), rng.randrange(2), received_ms=venue_ms + lag)
            heard.append((venue_ms + lag, number, body))
        elif chance < 0.95:
            body = mark(venue_ms, mid * INSTRUMENT.tick_e8, funding_ms=1 + venue_ms // 200 * 200 + 200, rate_e8=10_000)
            heard.append((venue_ms, number, body))
        else:
            venue_ms += 300
            heard.append((venue_ms, number, tick(venue_ms)))
    return [body for _, _, body in sorted(heard, key=lambda entry: entry[:2])]


def wishes(seed: int, count: int) -> list[ApprovedOrder]:
    """Seeded orders of every type around the mid."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        side, reduce_only = rng.choice(list(Side)), rng.random() < 0.5
        kind = rng.choice((OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET))
        price = MID + rng.randrange(-8, 9) if kind is OrderType.LIMIT else 0
        trigger = MID + side.sign * rng.randrange(2, 12) if kind is OrderType.STOP_MARKET else 0
        made.append(
            order(
                f"o{number}",
                side,
                rng.randrange(1, 20),
                type=kind,
                price=price,
                trigger=trigger,
                tif=rng.choice(list(TimeInForce)) if kind is OrderType.LIMIT else TimeInForce.GTC,
                reduce_only=reduce_only,
            )
        )
    return made
