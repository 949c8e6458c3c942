"""One instrument's part of the engine: arming, stop price, what may act now, and the words of its records."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decision import MarketDecision, PositionEvent, PositionState
from core.kernels.state import Condition, Exit
from core.market.state import Memory
from core.trader import Trader
from models.control import Decision, Reason
from models.event import Fill
from models.order import Purpose, Side
from models.rows import FAR_NS
from tests.builders import MS, SECOND, START_NS
from tests.core.desk import INSTRUMENT, MID, UNIT_E8, settings

CHOSEN = settings()


def trader(lots: int = 0, price: int = MID) -> Trader:
    """A trader with a position of ``lots`` bought or sold at ``price``, past its start."""
    memory = Memory([INSTRUMENT], CHOSEN.strategy.params, CHOSEN.hypothesis, CHOSEN.trust)
    made = Trader(INSTRUMENT, memory, 1_000 * MS)
    made.machine.violated(0, START_NS)
    if lots:
        hold(made, lots, price)
        made.move(PositionEvent.ENTRY_SENT)
        made.move(PositionEvent.ENTRY_DONE)
    return made


def hold(made: Trader, lots: int, price: int) -> None:
    """One fill of signed ``lots``."""
    side = Side.BUY if lots > 0 else Side.SELL
    made.position.apply(Fill(START_NS, "e", abs(lots) * 31 + price, 0, side, price, abs(lots), 0, False, START_NS))


def scalars(made: Trader, *names: str) -> dict[str, int]:
    """Scalars of the compiled state."""
    view = made._memory.view(0)
    return {name: view.get(name) for name in names}


@pytest.mark.parametrize(
    ("lots", "price", "stop_pct", "tick"),
    [
        (8, 770_000, 5.0, 731_500),
        (-8, 770_000, 5.0, 808_500),
        (8, 770_001, 5.0, 731_501),
        (-8, 770_001, 5.0, 808_501),
        (1, 100, 0.6, 100),
        (-1, 100, 0.6, 100),
    ],
)
def test_the_stop_lies_its_distance_away(lots: int, price: int, stop_pct: float, tick: int) -> None:
    """5 % below a long, 5 % above a short, in whole ticks rounded towards the entry: never further than told."""
    assert trader(lots, price).stop_tick(stop_pct) == tick


@given(st.integers(1, 200), st.integers(100, 10**7), st.integers(1, 200), st.integers(100, 10**7), st.booleans())
def test_the_stop_of_an_average_is_never_further_than_told(
    lots: int, price: int, more: int, other: int, long: bool
) -> None:
    """For any average entry the stop is at its distance, at most half a tick further and less than two nearer."""
    made, sign = trader(), 1 if long else -1
    hold(made, lots * sign, price)
    hold(made, more * sign, other)
    entry = Fraction(lots * price + more * other, lots + more)
    away, told = (entry - made.stop_tick(5.0)) * sign, entry * 5 / 100
    assert told - 2 < away <= told + Fraction(1, 2)


def test_arming_hands_the_position_to_the_compiled_conditions() -> None:
    """Side, time, stop and the volume at entry are written; what an earlier position left behind is cleared."""
    made = trader(8)
    made._memory.set(0, exit_bits=7, worst_mid2=5, best_mid2=9, reversal_since_ns=4)
    made.entry_baseline = (300, 20)
    made.arm(731_500, START_NS + 7)
    assert scalars(
        made, "position_side", "opened_ns", "stop_tick", "entry_baseline_lots", "entry_baseline_count", "exit_bits",
        "worst_mid2", "best_mid2", "reversal_since_ns",
    ) == {
        "position_side": 1, "opened_ns": START_NS + 7, "stop_tick": 731_500, "entry_baseline_lots": 300,
        "entry_baseline_count": 20, "exit_bits": 0, "worst_mid2": 0, "best_mid2": 0, "reversal_since_ns": -1,
    }  # fmt: skip


def test_disarming_takes_it_back() -> None:
    """After a close no exit condition looks at the market any more."""
    made = trader(8)
    made.arm(731_500, START_NS)
    made.disarm()
    assert scalars(made, "position_side", "stop_tick", "exit_bits") == {
        "position_side": 0,
        "stop_tick": 0,
        "exit_bits": 0,
    }


def test_rearming_lets_a_fired_condition_fire_again() -> None:
    """Conditions that fired while nothing could be done are told anew; the position stays armed."""
    made = trader(8)
    made.arm(731_500, START_NS)
    made._memory.set(0, exit_bits=Exit.FADE)
    made.rearm()
    assert scalars(made, "exit_bits", "stop_tick") == {"exit_bits": 0, "stop_tick": 731_500}


@pytest.mark.parametrize("bits", [Exit.FADE, Exit.REVERSAL, Exit.STOP, Exit.STOP | Exit.FADE])
@pytest.mark.parametrize("violated", [0, Condition.SPREAD, Condition.STALE])
@pytest.mark.parametrize("state", list(PositionState))
def test_when_an_exit_may_act(bits: int, violated: int, state: PositionState) -> None:
    """A fired exit acts on an open position, in HALTED only the stop; entering and exiting have their own ends."""
    made = trader(8)
    made.state = state
    made.machine.violated(violated, START_NS + 1)
    made._memory.set(0, exit_bits=bits)
    halted = violated == Condition.STALE
    expected = state is PositionState.OPEN and (not halted or bool(bits & Exit.STOP))
    assert made.wants_exit(made._memory.view(0)) is expected
    assert made.protective_only is halted


@pytest.mark.parametrize(
    ("state", "busy"),
    [
        (PositionState.FLAT, False),
        (PositionState.ENTERING, True),
        (PositionState.OPEN, False),
        (PositionState.EXITING, True),
    ],
)
def test_busy_means_an_order_on_its_way(state: PositionState, busy: bool) -> None:
    """While entering or exiting the strategy is told that an order is pending."""
    made = trader()
    made.state = state
    assert made.busy is busy


def test_the_next_deadline_is_the_earlier_of_relief_and_retry() -> None:
    """Without either there is none."""
    made = trader(8)
    seen = [made.timer_ns]
    made.retry_ns = START_NS + 3 * SECOND
    seen.append(made.timer_ns)
    made.machine.violated(Condition.SPREAD, START_NS)
    made.machine.violated(0, START_NS + SECOND)
    seen.append(made.timer_ns)
    assert seen == [FAR_NS, START_NS + 3 * SECOND, START_NS + 2 * SECOND]


def test_a_step_that_is_not_in_the_table_raises() -> None:
    """A position cannot be closed twice: that would be a fault of ours, not a state."""
    with pytest.raises(ValueError, match="cannot take CLOSED while FLAT"):
        trader().move(PositionEvent.CLOSED)


def test_own_orders_are_known_by_their_ids() -> None:
    """An id says what its order is for; an empty or a foreign id says nothing."""
    made = trader()
    made.entry_id, made.exit_id, made.stop_id = "a", "b", "c"
    assert [made.expected(name) for name in "abcd"] == [Purpose.ENTRY, Purpose.EXIT, Purpose.STOP, None]
    made.entry_id = ""
    assert made.expected("") is None


@pytest.mark.parametrize(
    ("bit", "state", "why"),
    [
        (Condition.SPREAD, {}, "25.97 bps > 4 bps"),
        (
            Condition.DEPTH,
            {"depth_lots": 90, "depth_bps": 5, "depth_limit_lots": 259},
            "90 lots in 5 bps < 259 lots",
        ),
        (Condition.CASCADE, {"liquidation_recent": 9}, "9 events/10 s > 8"),
        (
            Condition.IMBALANCE,
            {"imbalance_bid": 95, "imbalance_ask": 5, "imbalance_limit_ppm": 850_000},
            "0.9 beyond 0.85",
        ),
        (Condition.STALE, {}, "no depth for more than 2000 ms"),
        (Condition.CROSSED, {}, "bid 769000 >= ask 771000 ticks"),
        (Condition.BOOK, {}, "the book is not in sequence"),
        (0, {}, "no condition is violated"),
    ],
)
def test_each_reason_has_its_numbers(bit: int, state: dict[str, int], why: str) -> None:
    """What a decisions record says after the colon: the value and the limit it broke."""
    made = trader()
    book = made._memory.book(0)
    book["best_bid"], book["best_ask"] = 769_000, 771_000
    made._memory.set(0, **state)
    made.machine.violated(bit, START_NS + 1)
    assert made.why(made._memory.view(0)) == why


def decided(made: Trader, bits: int, at_ns: int) -> dict[str, object] | None:
    """A change of the market decision and its record."""
    before = made.machine.violated(bits, at_ns)
    assert isinstance(before, MarketDecision)
    return made.decision_records(before, at_ns, made._memory.view(0))


def test_a_decision_record_tells_what_ended_and_for_how_long_it_stood() -> None:
    """Action, reason with its numbers, the milliseconds of the state before, and room for the measures."""
    record = decided(trader(), Condition.STALE, START_NS + 1_500 * MS)
    assert record == {
        "ts": (START_NS + 1_500 * MS) // 1_000,
        "action": "HALT",
        "reason": "DATA_STALE: no depth for more than 2000 ms",
        "duration_ms": 1_500.0,
        "symbol": "BTCUSDT",
        "metrics": {},
    }


def test_the_time_of_each_state_is_counted_from_its_own_begin() -> None:
    """Two changes in a row: the second duration begins at the first change."""
    made = trader()
    decided(made, Condition.CASCADE, START_NS + 100 * MS)
    record: Any = decided(made, Condition.BOOK, START_NS + 350 * MS)
    assert (record["action"], record["duration_ms"]) == ("HALT", 250.0)


def test_a_change_of_trust_alone_is_no_decision() -> None:
    """When action and reason stay, no record is written: the transitions file has it."""
    made = trader()
    made.machine.violated(Condition.SPREAD, START_NS + 1)
    same = made.machine.now
    assert (same.decision, same.reason) == (Decision.RESTRICTED, Reason.SPREAD_WIDE)
    assert made.decision_records(same, START_NS + 2, made._memory.view(0)) is None


def test_a_closed_trip_has_its_reason_and_its_extremes() -> None:
    """A long that saw 10 ticks against it and 20 for it; without a reason of ours something outside closed it."""
    made = trader(1, 100_000)
    made._memory.set(0, worst_mid2=199_980, best_mid2=200_040)
    _, trip = made.position.apply(Fill(START_NS + SECOND, "x", 1, 0, Side.SELL, 100_010, 1, 0, False, START_NS))
    assert trip is not None
    record = made.closed(trip, 3, made._memory.view(0))
    assert (record["trade_id"], record["side"], record["exit_reason"]) == (3, "LONG", "external")
    assert (record["mae_bps"], record["mfe_bps"]) == (1.0, 2.0)
    assert (record["pnl_gross"], trip.gross_e8) == ("0.001", 10 * UNIT_E8)
    made.exit_reason = "book_reversal"
    assert made.closed(trip, 4, made._memory.view(0))["exit_reason"] == "book_reversal"
