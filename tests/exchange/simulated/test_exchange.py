"""The exchange as a driver sees it: arrival, proof, visibility, cuts, money."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.kernel import address_of
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.reports import Report
from exchange.simulated.terms import PaperTerms
from models.account import AccountShape
from models.action import Cancel, Query, Submit
from models.error import ConfigurationError, DataError
from models.event import Fill, Funding, OrderReport
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, Side
from models.rows import FAR_NS, Kind
from tests.exchange.simulated.scene import INSTRUMENT, MID, MS, RICH, TERMS, Scene, depth, market, order, wishes
from tests.exchange.simulated.scene import quote as quote_frame
from tests.exchange.simulated.scene import snapshot as snapshot_frame
from tests.exchange.simulated.scene import tick as tick_frame
from tests.naive import matching as naive

BUY = Side.BUY


def bought(lots: int = 8) -> Scene:
    """A scene with a market buy sent at 100 ms: it arrives at 110 ms and answers at 120 ms at the earliest."""
    return Scene().hear(snapshot_frame(lots=3)).send(100, order("a", BUY, lots))


def test_a_market_order_walks_the_book_level_by_level() -> None:
    """Eight lots against levels of three are three fills, between ACCEPTED and FILLED."""
    scene = bought().hear(depth(111))
    assert scene.words() == [
        "ACCEPTED a",
        f"fill a 3@{MID + 1}",
        f"fill a 3@{MID + 2}",
        f"fill a 2@{MID + 3}",
        "FILLED a",
    ]


def test_nothing_is_known_before_the_proof() -> None:
    """A frame at or before the arrival proves nothing: the order waits and no report is due."""
    scene = bought().hear(depth(110, (1, MID + 1, 5)), quote_frame(111, 130), tick_frame(359))
    assert (scene.exchange.proof_ns, scene.exchange.due_ns, scene.take()) == (110 * MS, FAR_NS, [])


def test_the_proving_frame_is_not_part_of_the_book() -> None:
    """Depth up to the arrival counts, however late it was heard; the later frame that proves it does not."""
    scene = bought(4).hear(depth(110, (1, MID + 1, 1), received_ms=300), depth(111, (1, MID + 2, 9), received_ms=301))
    assert scene.words()[1:3] == [f"fill a 1@{MID + 1}", f"fill a 3@{MID + 2}"]


@pytest.mark.parametrize(
    ("proof", "visible_ms"),
    [(depth(111), 120), (depth(111, received_ms=150), 150), (tick_frame(360), 360)],
)
def test_reports_become_visible_at_latency_or_proof(proof: np.ndarray, visible_ms: int) -> None:
    """A report is visible at arrival plus latency back, or when the proof was heard, whichever is later."""
    scene = bought().hear(proof)
    assert scene.exchange.due_ns == visible_ms * MS
    assert scene.take(visible_ms - 1) == []
    assert {report.at_ns for report in scene.take(visible_ms)} == {visible_ms * MS}


def test_a_quote_of_another_instrument_proves_nothing() -> None:
    """Each instrument's arrivals wait for its own frames."""
    other = Scene(instruments=(INSTRUMENT, _second())).hear(snapshot_frame(lots=3)).send(100, order("a", BUY, 1))
    assert other.hear(depth(200, (1, MID, 1), instrument=1)).take() == []


def _second() -> Instrument:
    return msgspec.structs.replace(INSTRUMENT, symbol="ETHUSDT", index=1)


def test_the_clock_offset_moves_arrivals_to_the_venue_clock() -> None:
    """With the venue's clock 1 s ahead, an order sent at 100 ms arrives at 1,110 ms and answers at 120 ms of ours."""
    scene = Scene().hear(snapshot_frame(lots=3))
    scene.exchange.clock_offset_ns = 1000 * MS
    scene.send(100, order("a", BUY, 1)).hear(depth(1110, received_ms=112), depth(1111, received_ms=113))
    first = scene.take()[0]
    assert isinstance(first, OrderReport)
    assert (first.at_ns, first.venue_ns) == (120 * MS, 1110 * MS)


def test_consumed_liquidity_stays_consumed_until_refreshed() -> None:
    """A second order does not meet the lots of the first; a depth row for the level brings them back."""
    scene = bought(3).hear(depth(111)).send(120, order("b", BUY, 3)).hear(depth(131))
    scene.send(140, order("c", BUY, 3)).hear(depth(150, (1, MID + 1, 3)), depth(151))
    fills = [word for word in scene.words() if word.startswith("fill")]
    assert fills == [f"fill a 3@{MID + 1}", f"fill b 3@{MID + 2}", f"fill c 3@{MID + 1}"]


def test_what_the_known_book_does_not_hold_expires() -> None:
    """A market order beyond the last known level fills what is there; the rest expires."""
    scene = Scene().hear(snapshot_frame(lots=3, levels=2)).send(100, order("a", BUY, 8)).hear(depth(111))
    assert scene.words()[-2:] == [f"fill a 3@{MID + 2}", "EXPIRED a beyond"]


def test_an_invalid_book_executes_nothing() -> None:
    """After a broken chain a market order expires unfilled; a snapshot brings the market back."""
    scene = bought(1)
    scene.exchange.invalidate(0)
    scene.hear(depth(111)).send(120, order("b", BUY, 1)).hear(snapshot_frame(125), depth(131))
    assert scene.words() == ["ACCEPTED a", "EXPIRED a no", "ACCEPTED b", f"fill b 1@{MID + 1}", "FILLED b"]


def test_exact_reports_need_rows_read_ahead() -> None:
    """Exact reports are due at latency alone; taking them before the proof is refused, after it they come."""
    scene = Scene(PaperTerms(reports="exact")).hear(snapshot_frame()).send(100, order("a", BUY, 1))
    assert scene.exchange.due_ns == 120 * MS
    with pytest.raises(DataError, match="follow further"):
        scene.take(120)
    scene.hear(depth(111, received_ms=500))
    assert {report.at_ns for report in scene.take(120)} == {120 * MS}


def test_a_cancel_can_lose_the_race() -> None:
    """A cancel that arrives after the fill finds no order and repeats its final state."""
    scene = bought(1).cancel(101, "a").hear(depth(112))
    assert scene.words()[-2:] == ["FILLED a", "FILLED a -2011"]


def test_unknown_orders_are_answered() -> None:
    """Cancel and query of an id nobody knows, and an order for an unknown instrument, are refused with the code."""
    scene = Scene().hear(snapshot_frame()).cancel(100, "x").query(100, "y").send(100, order("z", BUY, 1, instrument=9))
    assert scene.words() == ["REJECTED x -2011", "REJECTED y -2013", "REJECTED z -1121"]


def test_a_query_tells_the_state_at_its_arrival() -> None:
    """A query after the fill is answered with the filled order."""
    scene = bought(1).hear(depth(111)).query(200, "a").hear(depth(211))
    report = scene.take()[-1]
    assert isinstance(report, OrderReport)
    assert (report.state.value, report.filled, report.at_ns) == ("FILLED", 1, 220 * MS)


def test_wrong_set_ups_are_refused() -> None:
    """Hedge mode, cross margin, no instruments and a wrong index are each one clear error."""
    shapes = [AccountShape(E8, 10, hedge=True), AccountShape(E8, 10, isolated=False)]
    for shape in shapes:
        with pytest.raises(ConfigurationError, match="one-way"):
            SimulatedExchange([INSTRUMENT], shape, TERMS)
    with pytest.raises(ConfigurationError, match="at least one"):
        SimulatedExchange([], RICH, TERMS)
    with pytest.raises(ConfigurationError, match="has index 1"):
        SimulatedExchange([_second()], RICH, TERMS)


class Run:
    """One driven session: frames and actions of a seed, followed with chosen cuts."""

    def __init__(self, seed: int, terms: PaperTerms, cuts: random.Random | None, lazy: bool = False) -> None:
        rng = random.Random(seed)
        self.exchange = SimulatedExchange([INSTRUMENT], RICH, terms)
        self.frames = market(seed, 120)
        self.rows = np.concatenate(self.frames)
        self.sent = {wish.client_id: wish for wish in wishes(seed, 24)}
        self.reports: list[Report] = []
        self.cuts, self.lazy, self.done = cuts, lazy, 0
        queue, end = list(self.sent.values()), 0
        for body in self.frames:
            end += len(body)
            received_ns = int(body["received_ns"][0])
            if not lazy or self.exchange.alive:
                self.follow(end)
                self.reports += self.exchange.take(received_ns)
            if queue and rng.random() < 0.3:
                self.follow(end)
                self.act(rng, queue, received_ns)
        self.follow(end)
        self.reports += self.exchange.take(FAR_NS)

    def act(self, rng: random.Random, queue: list[ApprovedOrder], at_ns: int) -> None:
        wish = queue.pop(0)
        self.exchange.execute(Submit(at_ns, wish))
        if rng.random() < 0.4:
            self.exchange.execute(Cancel(at_ns, rng.choice(list(self.sent))))
        if rng.random() < 0.2:
            self.exchange.execute(Query(at_ns, rng.choice(list(self.sent))))

    def follow(self, end: int) -> None:
        address = address_of(self.rows)
        while self.done < end:
            stop = end if self.cuts is None else min(end, self.done + self.cuts.randrange(1, 9))
            self.exchange.follow(address, self.done, stop)
            self.done = stop


def terms_of(seed: int) -> PaperTerms:
    rng = random.Random(seed)
    return PaperTerms(
        latency_out_ns=rng.choice((0, 2, 10)) * MS,
        latency_back_ns=rng.choice((0, 5)) * MS,
        jitter_ns=rng.choice((0, 7)) * MS,
        seed=seed,
        queue=rng.choice(("risk_averse", "probability")),
        stop_price=rng.choice(("trade", "mark")),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_cuts_and_lateness_change_nothing(seed: int) -> None:
    """Whole frames, cuts inside frames, and following late while nothing is alive: same reports, same hash."""
    terms = terms_of(seed)
    runs = [Run(seed, terms, None), Run(seed, terms, random.Random(seed)), Run(seed, terms, None, lazy=True)]
    assert runs[0].reports == runs[1].reports == runs[2].reports
    assert len({run.exchange.state_hash() for run in runs}) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_invariants_hold_on_random_walks(seed: int) -> None:
    """Money adds up to 1e-8, ids and times only grow, states move forward, reduce-only never opens or flips."""
    run = Run(seed, terms_of(seed), None)
    fills = [report for report in run.reports if isinstance(report, Fill)]
    account = run.exchange.account()
    paid = sum(report.amount_e8 for report in run.reports if isinstance(report, Funding))
    assert account.fees_e8 == sum(fill.fee_e8 for fill in fills)
    assert account.funding_e8 == paid
    assert account.wallet_e8 == RICH.equity_e8 + account.realised_e8 - account.fees_e8 + account.funding_e8
    # Cash flow plus open cost is the realised result, whatever the order of roundings.
    cash = sum(-fill.side.sign * fill.price * fill.quantity for fill in fills) * INSTRUMENT.unit_e8
    held = run.exchange.ledger.positions[0]
    signed_cost = (held.cost if held.lots > 0 else -held.cost) * INSTRUMENT.unit_e8
    assert account.realised_e8 == cash + signed_cost
    assert [fill.trade_id for fill in fills] == sorted({fill.trade_id for fill in fills})
    assert [report.at_ns for report in run.reports] == sorted(report.at_ns for report in run.reports)
    lots = 0
    for fill in fills:
        after = lots + fill.side.sign * fill.quantity
        if run.sent[fill.client_id].reduce_only:
            assert abs(after) < abs(lots) and after * lots >= 0
        lots = after
    assert lots == held.lots
    _check_states(run)


def _check_states(run: Run) -> None:
    """Per order: one final state, filled only grows and equals the fills, nothing but answers after the end."""
    filled: dict[str, int] = {}
    final: dict[str, str] = {}
    for report in run.reports:
        if isinstance(report, Fill):
            assert report.client_id not in final
            filled[report.client_id] = filled.get(report.client_id, 0) + report.quantity
        elif isinstance(report, OrderReport) and report.venue_id:
            assert report.filled == filled.get(report.client_id, 0) <= run.sent[report.client_id].quantity
            assert final.setdefault(report.client_id, report.state.value) == report.state.value or (
                not report.state.terminal
            )
            if not report.state.terminal:
                assert final.pop(report.client_id) == report.state.value


def expected_fills(
    frames: list[np.ndarray], sent: list[tuple[int, ApprovedOrder]], terms: PaperTerms
) -> list[list[tuple[int, int]]]:
    """Fills of market orders, each order found anew: a dict book of every frame up to the arrival, the proof excluded.

    Independent of the exchange's bookkeeping: for each order in turn the frames are applied until the first one that
    is later than the arrival, and what earlier orders took is taken again on the way.
    """
    exchange = naive.Exchange([dict.fromkeys(range(32), 0)])
    exchange.lanes[0][0] = FAR_NS
    fills, at = [], 0
    for sent_ns, wish in sent:
        arrival_ns = sent_ns + terms.latency_out_ns
        while at < len(frames):
            body = frames[at]
            engine = int(body["kind"][0]) in (Kind.DEPTH, Kind.SNAPSHOT)
            heard = int(body["received_ns"][0]) > sent_ns
            silence = int(body["kind"][0]) == Kind.TICK
            late_ns = int(body["received_ns"][0]) - terms.lag_bound_ns
            if heard and ((engine and int(body["occurred_ns"][0]) > arrival_ns) or (silence and late_ns >= arrival_ns)):
                break
            naive.follow(exchange, body, 0, len(body))
            at += 1
        if at < len(frames):
            fills.append(naive.walk(exchange.books[0], int(wish.side), wish.quantity, _limit(wish), True))
    return fills


def _limit(wish: ApprovedOrder) -> int:
    return 1 << 62 if wish.side is BUY else 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_market_orders_fill_against_the_book_as_it_stood(seed: int) -> None:
    """Every market fill equals a walk over a plain book made of all depth up to the arrival."""
    rng = random.Random(seed)
    frames = [body for body in market(seed, 80) if int(body["kind"][0]) != Kind.MARK]
    scene = Scene()
    sent: list[tuple[int, ApprovedOrder]] = []
    for number, body in enumerate(frames):
        scene.hear(body)
        received_ns = int(body["received_ns"][0])
        if rng.random() < 0.2 and (not sent or sent[-1][0] < received_ns):
            wish = order(f"m{number}", rng.choice(list(Side)), rng.randrange(5, 60))
            sent.append((received_ns, wish))
            scene.exchange.execute(Submit(received_ns, wish))
    fills: dict[str, list[tuple[int, int]]] = {wish.client_id: [] for _, wish in sent}
    seen = set()
    for report in scene.take():
        seen.add(report.client_id) if isinstance(report, OrderReport) else None
        if isinstance(report, Fill):
            fills[report.client_id].append((report.price, report.quantity))
    assert [fills[wish.client_id] for _, wish in sent if wish.client_id in seen] == expected_fills(frames, sent, TERMS)


def test_the_state_hash_sees_what_differs() -> None:
    """Two exchanges with the same facts hash alike; one more lot on one level shows."""
    first, second = Scene().hear(snapshot_frame()), Scene().hear(snapshot_frame())
    assert first.exchange.state_hash() == second.exchange.state_hash()
    second.hear(depth(5, (1, MID + 1, 11)))
    assert first.exchange.state_hash() != second.exchange.state_hash()


def test_alive_counts_orders_and_positions() -> None:
    """ALIVE is 0 before an order, 1 with it under way, 1 with the position it made."""
    scene = Scene().hear(snapshot_frame())
    counts = [scene.exchange.alive]
    scene.send(100, order("a", BUY, 1))
    counts.append(scene.exchange.alive)
    scene.hear(depth(111))
    assert [*counts, scene.exchange.alive] == [0, 1, 1]
    assert scene.exchange.markets[0].orders == {}
