"""Records of a run's files: keys in the order of the conventions, prices as text, times in µs."""

from __future__ import annotations

import pytest

from core import records
from core.decision import judge
from core.execution.orders import Order
from core.execution.position import RoundTrip
from core.kernels.state import Condition, Ready
from models.control import Operating
from models.event import Fill
from models.order import ApprovedOrder, OrderType, Purpose, Side, TimeInForce
from tests.builders import MS, START_NS
from tests.core.desk import INSTRUMENT, MID, Desk

TS = START_NS // 1_000


def view_with(**values: int) -> object:
    """The scalars of an engine with some of them set."""
    desk = Desk()
    desk.engine.memory.set(0, **values)
    return desk.engine.memory.view(0)


def order() -> Order:
    """An entry as it leaves."""
    return Order(
        ApprovedOrder(
            "scabcde000001", 0, Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, 8, 0, False, Purpose.ENTRY, START_NS
        )
    )


def test_decision_keys_stand_in_order() -> None:
    """``ts`` first, then action, reason, duration, symbol, metrics."""
    record = records.decision(START_NS, INSTRUMENT, judge(0), judge(Condition.CASCADE), "14 > 8", 1_830_200_000, {})
    assert list(record) == ["ts", "action", "reason", "duration_ms", "symbol", "metrics"]
    assert (record["ts"], record["action"], record["reason"]) == (TS, "HALT", "LIQ_CASCADE: 14 > 8")
    assert record["duration_ms"] == 1830.2


def test_transition_keys_stand_in_order() -> None:
    """Trust, hypothesis, decision, trigger, operating state."""
    record = records.transition(START_NS, judge(Condition.SPREAD), Operating.NORMAL, "SPREAD_WIDE: 6 > 4")
    assert list(record) == ["ts", "data_trust", "hypothesis", "decision", "trigger", "operating"]
    assert (record["data_trust"], record["hypothesis"], record["decision"]) == ("TRUSTED", "INVALID", "RESTRICTED")


def test_signal_tells_all_three_conditions_with_value_and_threshold() -> None:
    """Volume in multiples, imbalance as a share, momentum in σ and bps; the score is the weakest over its threshold."""
    view = view_with(
        entry_side=1, ready=Ready.ALL, running_lots=400, baseline_lots=2_000, baseline_count=20, imbalance_bid=900,
        imbalance_ask=100, momentum=63_000, momentum_sigma=21_000, momentum_threshold=42_000, return_count=200,
    )  # fmt: skip
    record = records.signal(START_NS, INSTRUMENT, view, True, None)  # type: ignore[arg-type]
    assert list(record) == ["ts", "symbol", "side", "score", "conditions", "accepted", "reject_reason"]
    assert record["side"] == "LONG"
    assert record["conditions"] == {
        "volume": {"value": 4.0, "threshold": 3.0},
        "imbalance": {"value": 0.8, "threshold": 0.6},
        "momentum": {"value": 3.0, "threshold": 2.0, "value_bps": 6.3, "threshold_bps": 4.2},
    }
    assert record["score"] == round(min(4 / 3, 0.8 / 0.6, 3 / 2), 4)


def test_a_signal_without_windows_has_no_numbers() -> None:
    """What is warming up is None, and there is no score."""
    record = records.signal(START_NS, INSTRUMENT, view_with(entry_side=-1), False, "WARMING_UP: …")  # type: ignore[arg-type]
    assert (record["side"], record["score"], record["accepted"]) == ("SHORT", None, False)
    assert record["conditions"]["momentum"]["value"] is None  # type: ignore[index]


def test_order_keys_stand_in_order() -> None:
    """The keys of the conventions first, what was added behind them; a market order has no price."""
    record = records.order(START_NS, INSTRUMENT, order(), "")
    assert list(record)[:12] == [
        "ts", "client_id", "venue_id", "symbol", "side", "type", "tif", "price", "qty", "reduce_only", "status",
        "latency_us",
    ]  # fmt: skip
    assert (record["price"], record["qty"], record["venue_id"]) == (None, "0.008", None)


def test_order_tells_how_long_the_answer_took() -> None:
    """Acknowledgement minus creation, in µs."""
    kept = order()
    kept.accepted_ns = START_NS + 45 * MS
    assert records.order(START_NS, INSTRUMENT, kept, "")["latency_us"] == {"decide": None, "send": None, "ack": 45_000}


def test_fill_is_told_in_text() -> None:
    """Price and quantity with the venue's places, money in the shortest form."""
    fill = Fill(START_NS, "scabcde000001", 5, 0, Side.SELL, MID, 8, 31_106_600, False, START_NS - MS)
    record = records.fill(fill, INSTRUMENT, 5_280_000)
    assert (record["price"], record["qty"], record["fee"], record["realized"]) == (
        "77000.0",
        "0.008",
        "0.311066",
        "0.0528",
    )
    assert record["venue_ts"] == (START_NS - MS) // 1_000


@pytest.mark.parametrize(
    ("side", "worst2", "best2", "mae", "mfe"),
    [(1, 2 * MID - 770, 2 * MID + 1_540, 5.0, 10.0), (-1, 2 * MID + 770, 2 * MID - 1_540, 5.0, 10.0)],
)
def test_trade_tells_the_worst_and_the_best(side: int, worst2: int, best2: int, mae: float, mfe: float) -> None:
    """Excursions in bps of the entry, against and in favour, mirrored for a short."""
    trip = RoundTrip(0, side, 8, 8 * MID, 8 * (MID + 10), START_NS, START_NS + 1_000, 80, 50, -5)
    record = records.trade(3, trip, INSTRUMENT, "volume_faded", 2 * MID - 770 * side, 2 * MID + 1_540 * side)
    assert (record["mae_bps"], record["mfe_bps"]) == (5.0, 10.0)
    assert (record["entry"], record["exit"], record["exit_reason"]) == ("77000", "77001", "volume_faded")
    assert record["pnl_net"] == "0.00000025"


def test_average_is_rounded_half_up() -> None:
    """7 lots at 1 tick and 1 at 2 ticks: 1.125 ticks of 0.1."""
    assert records.average_text(INSTRUMENT, 9, 8) == "0.1125"
