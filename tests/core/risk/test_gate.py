"""The gate: from an intent to an approved order or a named refusal."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.engine import advance
from core.kernels.kernel import address_of
from core.market.state import Memory
from core.risk.gate import Exposure, Gate, probe
from core.risk.ledger import DAY_NS, Entry, RiskLedger
from core.risk.limits import Refusal
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, Intent, OrderType, Purpose, Side, TimeInForce
from models.rows import ASK, BID
from tests.builders import MS, SECOND, START_NS, Frames, Level
from tests.core import desk
from tests.core.desk import INSTRUMENT, MID, PREFIX, ladder

BOTH = pytest.mark.parametrize("side", list(Side))


class Counter:
    """A gate with its memory, ledger and exposure, in front of a market given as frames."""

    def __init__(
        self,
        levels: list[Level] | None = None,
        profile: str = "owner",
        *overrides: str,
        instrument: Instrument = INSTRUMENT,
        stop_pct: float | None = None,
    ) -> None:
        chosen = desk.settings(profile, *overrides)
        self.instrument = instrument
        self.memory = Memory([instrument], chosen.strategy.params, chosen.hypothesis, chosen.trust)
        self.gate = Gate(self.memory, chosen.risk, chosen.trust, chosen.execution, PREFIX, stop_pct)
        self.ledger = RiskLedger(round(chosen.risk.equity_usdt * E8))
        self.exposure = Exposure(self.ledger.wallet_e8, 0, 0, 0, 0)
        self.at_ns = START_NS
        self.hear(Frames().snapshot(START_NS, levels or ladder(), update_id=1_000))

    def hear(self, frames: Frames) -> Counter:
        """Frames through the compiled pass."""
        rows, at = frames.rows(), 0
        while at < len(rows):
            at = advance(self.memory.address, address_of(rows), at, len(rows)) >> 8
        self.at_ns = self.memory.now_ns
        return self

    def ask(self, side: Side = Side.BUY) -> ApprovedOrder | Refusal:
        """One entry intent."""
        intent = Intent(0, side, Purpose.ENTRY, "test")
        view = self.memory.view(0)
        return self.gate.entry(intent, self.instrument, view, self.exposure, self.ledger, self.at_ns)

    def approved(self, side: Side = Side.BUY) -> ApprovedOrder:
        """The order of an intent that must pass, sent and counted."""
        answer = self.ask(side)
        assert isinstance(answer, ApprovedOrder), answer
        self.gate.entered(answer, self.memory.view(0), self.ledger)
        return answer

    def refused(self, side: Side = Side.BUY) -> str:
        """Control and code of an intent that must not pass."""
        answer = self.ask(side)
        assert isinstance(answer, Refusal), answer
        return f"{answer.control} {answer.code}"


@BOTH
def test_an_entry_is_a_market_order_of_the_size_that_fits(side: Side) -> None:
    """With the owner's numbers an intent becomes a market order of 8 lots, stamped with the time of the fact."""
    counter = Counter()
    assert counter.approved(side) == ApprovedOrder(
        client_id=f"{PREFIX}e000001",
        instrument=0,
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        price=0,
        quantity=8,
        trigger=0,
        reduce_only=False,
        purpose=Purpose.ENTRY,
        created_ns=counter.at_ns,
    )


@pytest.mark.parametrize(("stop_pct", "lots"), [(None, 2), (0.5, 3), (0.6, 2), (0.1, 3)])
def test_the_cautious_profile_enters(stop_pct: float | None, lots: int) -> None:
    """Tight limits make a small order and no refusal; without a stop told, the widest allowed one is assumed."""
    assert Counter(None, "cautious", stop_pct=stop_pct).approved().quantity == lots


def test_identifiers_are_prefix_purpose_and_number() -> None:
    """Ids follow from the input alone: the run's prefix, one letter for the purpose, one count for all orders."""
    counter = Counter()
    ids = [
        counter.approved().client_id,
        counter.gate.stop(0, Side.SELL, 8, 1, counter.at_ns, counter.ledger).client_id,
        counter.gate.reduce(0, Side.SELL, 8, counter.at_ns, counter.ledger).client_id,
    ]
    assert ids == [f"{PREFIX}e000001", f"{PREFIX}s000002", f"{PREFIX}x000003"]


@BOTH
def test_an_immediate_order_reaches_to_the_collar(side: Side) -> None:
    """Entry type ioc: a limit order 10 bps through the touch, in whole ticks inside it."""
    order = Counter(None, "owner", "execution.entry_type=ioc").approved(side)
    touch = MID + 1 if side is Side.BUY else MID - 1
    reach = 770  # 10 bps of 770,001 ticks are 770.001, of 769,999 ticks 769.999
    assert (order.type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert order.price == touch + reach if side is Side.BUY else order.price == touch - reach + 1


@BOTH
def test_an_immediate_order_reaches_no_further_than_the_slippage_allowed(side: Side) -> None:
    """Where execution.max_slippage_bps is tighter than the collar, it bounds the limit price."""
    order = Counter(None, "owner", "execution.entry_type=ioc", "execution.max_slippage_bps=4").approved(side)
    touch = MID + 1 if side is Side.BUY else MID - 1
    assert abs(order.price - touch) * 10_000 <= 4 * touch < (abs(order.price - touch) + 1) * 10_000


@BOTH
@pytest.mark.parametrize("collar", [1.0, 3.3])
def test_the_limit_price_keeps_the_collar_around_the_mid(side: Side, collar: float) -> None:
    """P08: however far through the touch it may reach, the limit price is inside the collar around the mid, and the
    next tick is not."""
    order = Counter(None, "owner", "execution.entry_type=ioc", f"risk.collar_mid_bps={collar}").approved(side)
    away = abs(order.price - MID)
    assert away * 10_000 <= collar * MID < (away + 1) * 10_000


@BOTH
def test_a_maker_order_joins_its_own_side(side: Side) -> None:
    """Entry type maker: a post-only order at the touch of its own side, which cannot take."""
    order = Counter(None, "owner", "execution.entry_type=maker").approved(side)
    assert (order.type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.GTX)
    assert order.price == (MID - 1 if side is Side.BUY else MID + 1)


def test_an_approval_is_counted() -> None:
    """An approved entry is an order message and an entry of its side, price and size; nothing is denied."""
    counter = Counter()
    counter.approved()
    assert list(counter.ledger.messages) == [counter.at_ns]
    assert list(counter.ledger.entries) == [Entry(counter.at_ns, 0, 0, MID + 1, 8)]
    assert counter.gate.denials == {}


def test_a_refusal_leaves_no_trace_but_its_count() -> None:
    """A refused entry is no message and no entry, takes no number, and is counted under its control."""
    counter = Counter()
    counter.exposure = Exposure(70 * E8, 0, 0, alive=5, alive_entries=0)
    assert [counter.refused(), counter.refused()] == ["P17 OPEN_ORDERS"] * 2
    assert (list(counter.ledger.messages), list(counter.ledger.entries)) == ([], [])
    assert counter.gate.denials == {"P17": 2}
    counter.exposure = Exposure(70 * E8, 0, 0, 0, 0)
    assert counter.approved().client_id.endswith("e000001")


def test_only_the_first_broken_limit_is_named() -> None:
    """With a stale book, a wide spread, no margin and too many orders at once, one refusal is given and counted."""
    counter = Counter([(BID, MID - 900, 9), (ASK, MID + 900, 9)])
    counter.at_ns += 400 * MS
    counter.exposure = Exposure(70 * E8, 900 * E8, 70 * E8, alive=5, alive_entries=1)
    assert counter.refused() == "P10 STALE"
    assert counter.gate.denials == {"P10": 1}


@pytest.mark.parametrize(
    ("levels", "control"),
    [
        ([(BID, MID - 1, 1_000)], "P10 NO_BOOK"),
        ([(BID, MID + 1, 1_000), (ASK, MID - 1, 1_000)], "P10 CROSSED"),
        ([(BID, MID - 200, 1_000), (ASK, MID + 200, 1_000)], "P09 SPREAD"),
        (ladder(lots=31), "P09 DEPTH"),
        ([(BID, MID - 1, 999), *((ASK, MID + 1 + 400 * n, (3, 999)[n > 2]) for n in range(5))], "P08 COLLAR"),
    ],
)
def test_the_market_is_read_from_the_compiled_state(levels: list[Level], control: str) -> None:
    """What the book holds at the moment of asking decides."""
    assert Counter(levels).refused() == control


def test_depth_counts_the_levels_of_its_own_setting() -> None:
    """P09 looks at risk.depth_levels levels, whatever number the strategy's imbalance looks at."""
    thin_top = [(BID, MID - 1, 999), (ASK, MID + 1, 100), (ASK, MID + 2, 999)]
    answers = {
        levels: Counter(thin_top, "owner", f"risk.depth_levels={levels}", "strategy.params.imbalance_levels=5").ask()
        for levels in (1, 2)
    }
    assert answers[1] == Refusal("P09", "DEPTH", "depth of 1 levels 100 < 160 lots")
    assert isinstance(answers[2], ApprovedOrder)


@pytest.mark.parametrize(
    ("levels", "max_slippage", "answer"),
    [(8, 10.0, "P08 COLLAR"), (8, 4.0, "P08 COLLAR"), (5, 4.0, "P08 SLIPPAGE"), (5, 10.0, "")],
)
def test_a_market_order_is_not_sent_into_a_long_walk(levels: int, max_slippage: float, answer: str) -> None:
    """An expected walk beyond execution.max_slippage_bps is no entry, also inside the collar of P08."""
    asks = [(ASK, MID + 1 + 150 * n, 1) for n in range(levels - 1)] + [(ASK, MID + 1 + 150 * (levels - 1), 999)]
    counter = Counter(
        [(BID, MID - 1, 999), *asks], "owner", f"execution.max_slippage_bps={max_slippage}", "risk.depth_levels=20"
    )
    said = counter.ask()
    assert (f"{said.control} {said.code}" if isinstance(said, Refusal) else "") == answer


def quoted(*quotes: tuple[int, int], silent_ms: int = 0) -> Counter:
    """A book of update id 1,000 after quotes ``(update id, ticks above the touch)`` 100 ms later."""
    counter = Counter()
    at_ns = START_NS + 100 * MS
    frames = Frames()
    for update_id, ticks in quotes:
        frames.quote(at_ns, MID - 1 + ticks, 5, MID + 1 + ticks, 5, update_id)
    counter.hear(frames)
    if silent_ms:  # the depth stream goes on, update by update, while the quote stream is silent
        counter.hear(Frames().depth(at_ns + silent_ms * MS, [(BID, MID - 9, 7)], update_id=1_001))
    return counter


@pytest.mark.parametrize(
    ("quotes", "silent_ms", "answer"),
    [
        ([(1_000, 0), (1_010, 40)], 0, ""),
        ([(1_000, 2), (1_010, 40)], 0, ""),
        ([(1_000, 3), (1_010, 3)], 0, "P10 QUOTE_GAP"),
        ([(990, -3)], 0, ""),
        ([(990, -3)], 500, ""),
        ([(990, -3)], 501, "P10 QUOTE_GAP"),
        ([(990, -2)], 501, ""),
    ],
    ids=["ran ahead", "two ticks", "three ticks", "on its way", "500 ms", "too long", "silent but equal"],
)
def test_quotes_and_book_must_agree(quotes: list[tuple[int, int]], silent_ms: int, answer: str) -> None:
    """P10: at the book's own update the quote stream names the same touch within 2 ticks; later quotes may have moved
    on, and an earlier one may wait 500 ms for its successor."""
    said = quoted(*quotes, silent_ms=silent_ms).ask()
    assert (f"{said.control} {said.code}" if isinstance(said, Refusal) else "") == answer


def test_a_crash_is_no_place_to_enter() -> None:
    """P10: a mid that fell by more than 0.5 % within the last second refuses, a second later it no longer does."""
    counter = Counter()
    fallen = MID - 4_000
    counter.hear(Frames().snapshot(START_NS + SECOND, ladder(fallen), update_id=1_001))
    assert counter.refused(Side.SELL) == "P10 MOVE"
    counter.hear(Frames().snapshot(START_NS + 2_100 * MS, ladder(fallen), update_id=1_002))
    assert counter.approved(Side.SELL).quantity == 8


def test_a_mark_far_from_the_last_trade_refuses() -> None:
    """P10: last trade and mark must agree within 0.25 %."""
    counter = Counter()
    counter.hear(Frames().trade(START_NS + MS, MID, 1).mark(START_NS + 2 * MS, (MID - 2_000) * INSTRUMENT.tick_e8))
    assert counter.refused() == "P10 MARK_GAP"


def test_a_late_feed_refuses() -> None:
    """P10: a book whose venue time lies 801 ms back, clocks corrected, is too late to act on."""
    counter = Counter()
    counter.memory.clock_offset_ns = 200 * MS
    counter.hear(Frames().depth(START_NS + SECOND, [(BID, MID - 9, 1)], occurred_ns=START_NS + SECOND - 601 * MS))
    assert counter.refused() == "P10 LATE"


def test_what_is_in_use_already_makes_the_order_smaller() -> None:
    """Margin of another position leaves less for this one, down to nothing."""
    counter = Counter()
    answers: list[Any] = []
    for used_usdt in (0, 35, 62, 70):
        counter.exposure = Exposure(70 * E8, 0, used_usdt * E8, 0, 0)
        answer = counter.ask()
        answers.append(answer.quantity if isinstance(answer, ApprovedOrder) else answer.detail)
        counter.at_ns += 2 * SECOND
        counter.hear(Frames().depth(counter.at_ns, [(BID, MID - 9, 1)]))
        counter.ledger.trip(0)
    assert answers == [8, 4, "0 lots < 1 lots; the size is bound by P05", "0 lots < 1 lots; the size is bound by P05"]


FINE = msgspec.structs.replace(INSTRUMENT, lot_e8=1_000, quantity_places=5)  # a lot is worth 0.77 USDT


def test_an_order_that_walks_up_is_sized_by_where_it_ends() -> None:
    """On a fine lot grid the walk through the book decides the last lots: sized at the touch, the order would break its
    own margin limit and be refused for ever."""
    asks = [(ASK, MID + 1 + 10 * n, 150) for n in range(40)]
    counter = Counter([(BID, MID - 1, 9_999), *asks], "owner", "risk.depth_multiple_min=0", instrument=FINE)
    order = counter.approved()
    worst = MID + 1 + 10 * ((order.quantity - 1) // 150)
    spent = FINE.notional_e8(worst, order.quantity)
    assert worst > MID + 1
    assert spent // 10 + 2 * spent * 50_000 // E8 <= 69.3 * E8


@given(
    profile=st.sampled_from(["owner", "cautious"]),
    contract=st.sampled_from([INSTRUMENT, FINE]),
    side=st.sampled_from(list(Side)),
    sizes=st.lists(st.integers(1, 400), min_size=30, max_size=30),
    gap=st.integers(1, 30),
    equity=st.integers(10, 500),
    used=st.integers(0, 100),
)
@settings(deadline=None, max_examples=150)
def test_whatever_is_approved_keeps_the_value_limits(
    profile: str, contract: Instrument, side: Side, sizes: list[int], gap: int, equity: int, used: int
) -> None:
    """An approved order, walked level by level through the book, keeps P02–P06 with the numbers of the catalogue."""
    levels: list[Level] = [(BID, MID - 1 - gap * n, lots) for n, lots in enumerate(sizes)]
    levels += [(ASK, MID + 1 + gap * n, lots) for n, lots in enumerate(sizes)]
    counter = Counter(levels, profile, "risk.depth_multiple_min=0", instrument=contract)
    equity_e8 = equity * E8
    counter.exposure = Exposure(equity_e8, used * equity_e8 // 20, used * equity_e8 // 200, 0, 0)
    answer = counter.ask(side)
    if isinstance(answer, Refusal):
        assert answer.control in {"P01", "P08"}, answer
        return
    number = next(n for n in range(len(sizes)) if sum(sizes[: n + 1]) >= answer.quantity)
    worst = MID + (1 + gap * number) * side.sign
    value = contract.notional_e8(worst, answer.quantity)
    order_max, position_max, floor, risk = {"owner": (10, 10, 1, 55), "cautious": (3.5, 5, 20, 2)}[profile]
    stop = {"owner": 5_100_000, "cautious": 700_000}[profile]
    assert value <= order_max * equity_e8
    assert counter.exposure.value_e8 + value <= position_max * equity_e8
    assert value // 10 + 2 * value * 50_000 // E8 + counter.exposure.margin_e8 <= equity_e8 * (100 - floor) // 100
    assert value * stop // E8 <= equity_e8 * risk // 100


@functools.cache
def anywhere() -> Counter:
    """One gate for many cases: building the memory anew for each would be most of the time."""
    return Counter()


STRAINED = st.fixed_dictionaries(
    {
        "messages": st.integers(0, 400),
        "entries": st.integers(0, 400),
        "wallet_e8": st.integers(-(10**11), 10**11),
        "losses_in_row": st.integers(0, 50),
        "day_fees_e8": st.integers(0, 10**11),
    }
)


@given(
    strain=STRAINED,
    side=st.sampled_from(list(Side)),
    lots=st.integers(1, 10**9),
    broken=st.booleans(),
    trigger=st.integers(1, 10**7),
)
@settings(deadline=None)
def test_a_reducing_order_is_never_denied(
    strain: dict[str, int], side: Side, lots: int, broken: bool, trigger: int
) -> None:
    """P34: exits and stops of any size come out of the gate reduce-only, whatever ledger, account and book say."""
    counter = anywhere()
    counter.memory.book(0)["valid"] = 0 if broken else 1
    ledger = RiskLedger(70 * E8)
    for name in ("wallet_e8", "losses_in_row", "day_fees_e8"):
        setattr(ledger, name, strain[name])
    ledger.messages.extend([counter.at_ns] * strain["messages"])
    ledger.entries.extend([Entry(counter.at_ns, 0, side.value, 1, 1)] * strain["entries"])
    exit_order = counter.gate.reduce(0, side, lots, counter.at_ns, ledger)
    stop_order = counter.gate.stop(0, side, lots, trigger, counter.at_ns, ledger)
    for order in (exit_order, stop_order):
        assert (order.reduce_only, order.side, order.quantity) == (True, side, lots)
    assert (exit_order.type, exit_order.purpose) == (OrderType.MARKET, Purpose.EXIT)
    assert (stop_order.type, stop_order.purpose, stop_order.trigger) == (OrderType.STOP_MARKET, Purpose.STOP, trigger)
    assert len(ledger.messages) == strain["messages"] + 2


def test_reducing_orders_take_their_share_of_the_messages() -> None:
    """P12 counts every order message: five exits within a second leave no room for an entry, but for a sixth exit."""
    counter = Counter()
    for _ in range(6):
        counter.gate.reduce(0, Side.SELL, 1, counter.at_ns, counter.ledger)
    assert counter.refused() == "P12 MESSAGES"


def test_repeats_are_counted_by_the_gates_own_approvals() -> None:
    """P14: the gate counts what it approved itself: a fourth entry one way without a round trip is refused."""
    counter = Counter()
    for _ in range(3):
        counter.approved()
        counter.hear(Frames().depth(counter.at_ns + 2 * SECOND, [(BID, MID - 9, 1)]))
    assert counter.refused() == "P14 REPEATED"
    assert counter.ledger.entries_since(counter.at_ns, DAY_NS) == 3


def test_the_same_order_twice_is_a_duplicate() -> None:
    """P15: the same entry again within a second is refused, another side is not."""
    counter = Counter()
    counter.approved()
    assert counter.refused() == "P15 DUPLICATE"
    assert counter.approved(Side.SELL).quantity == 8


def test_an_order_of_a_self_test_can_only_reduce() -> None:
    """The probe's stop sells with reduce-only at its trigger; the probe's entry is a market order for checks alone."""
    stop = probe("sctest00000000", Purpose.STOP, 2, 700_000, 5)
    assert (stop.side, stop.type, stop.reduce_only, stop.trigger) == (Side.SELL, OrderType.STOP_MARKET, True, 700_000)
    entry = probe("sctest00000000", Purpose.ENTRY, 2, 0, 5)
    assert (entry.type, entry.trigger, entry.client_id) == (OrderType.MARKET, 0, "sctest00000000e000001")
