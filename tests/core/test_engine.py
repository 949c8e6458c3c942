"""The engine as a conversation: facts in, wishes out."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from config.settings import CEILING_EQUITY
from core.decision import PositionState
from core.kernels.state import Exit, Ready
from core.kernels.state import Wake as Bits
from core.risk.ledger import DAY_NS
from core.risk.mode import Cause
from core.strategies.strategy import Asks, Decline, View
from models.action import EDGE, Resync
from models.control import Decision
from models.event import BookInvalid, ClockOffset, Fill, Funding, StreamState, Timer
from models.instrument import E8
from models.order import ApprovedOrder, Intent, OrderState, OrderType, Purpose, Side
from models.rows import ASK, BID, FAR_NS
from tests.builders import MS, SECOND, START_NS
from tests.core.desk import INSTRUMENT, MID, UNIT_E8, Desk, cancels, ladder, notes, orders_of, settings

ACCEPTED, EXPIRED, FILLED, REJECTED = (
    OrderState.ACCEPTED,
    OrderState.EXPIRED,
    OrderState.FILLED,
    OrderState.REJECTED,
)
TWO = (INSTRUMENT, msgspec.structs.replace(INSTRUMENT, symbol="ETHUSDT", index=1, base="ETH"))
MIDNIGHT = (START_NS // DAY_NS + 1) * DAY_NS
SIDES = pytest.mark.parametrize("side", list(Side))


def ready(*overrides: str, profile: str = "owner") -> Desk:
    """A desk in a calm market, all windows full, nothing open."""
    desk = Desk(settings(profile, *overrides))
    desk.book()
    return desk


def blocked(desk: Desk) -> str:
    """The operating state and its first cause, in one word each."""
    first = desk.engine.mode.first()
    return f"{desk.engine.mode.state.value} {first[0].value if first else ''}".strip()


# -- entries --------------------------------------------------------------------------------------------------------


@SIDES
def test_a_signal_becomes_an_order(side: Side) -> None:
    """An accepted signal submits one entry and tells so in signals and orders, in this order."""
    desk = ready()
    actions = desk.signal(side)
    order = desk.sent(actions)
    assert (order.side, order.purpose, order.type, order.created_ns) == (
        side,
        Purpose.ENTRY,
        OrderType.MARKET,
        desk.now_ns,
    )
    assert [type(action).__name__ for action in actions] == ["Submit", "Note", "Note"]
    signal, told = notes(actions, "signals"), notes(actions, "orders")
    assert (signal[0]["side"], signal[0]["accepted"], signal[0]["reject_reason"]) == (
        "LONG" if side is Side.BUY else "SHORT", True, None,
    )  # fmt: skip
    assert (told[0]["client_id"], told[0]["status"]) == (order.client_id, "SUBMITTED")


REFUSALS: list[tuple[str, Any, str]] = [
    ("operator", lambda desk: desk.command("stop_entries"), "OPERATOR: test: entries stopped"),
    ("kill", lambda desk: desk.command("kill"), "KILL: test: kill switch"),
    ("shutdown", lambda desk: desk.command("shutdown"), "SHUTDOWN: test: shutdown"),
    (
        "stream",
        lambda desk: desk.step(StreamState(desk.now_ns, 0, "depth", False, "no frame for 3 s")),
        "STREAM: depth of BTCUSDT: no frame for 3 s",
    ),
    (
        "market decision",
        lambda desk: desk.book([(BID, MID - 200, 9_999), (ASK, MID + 200, 9_999)]),
        "SPREAD_WIDE: 5.19 bps > 4 bps",
    ),
    (
        "broken chain",
        lambda desk: desk.step(BookInvalid(desk.now_ns, 0, "gap")),
        "DATA_GAP: the book is not in sequence",
    ),
    ("gate", lambda desk: desk.wait(301), "P10 STALE: book age 301 ms > 300 ms"),
    ("holding", lambda desk: desk.open(), "IN_POSITION: holds 0.008"),
    ("pending", lambda desk: desk.signal(), "ORDER_PENDING: an order of this instrument is on its way"),
]


@pytest.mark.parametrize(("name", "before", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_signal_that_becomes_no_order_says_why(name: str, before: Any, reason: str) -> None:
    """Whoever refuses, the signal is recorded with the reason in words and counted under its code."""
    desk = ready()
    before(desk)
    desk.engine.refusals.clear()
    actions = desk.signal()
    record = notes(actions, "signals")[0]
    assert orders_of(actions) == []
    assert (record["accepted"], record["reject_reason"]) == (False, reason)
    assert list(desk.engine.refusals.values()) == [1]


def test_a_window_that_is_not_full_is_a_named_refusal() -> None:
    """While windows fill, a signal ends in «warming up» and not in silence."""
    desk = ready()
    desk.engine.memory.set(0, ready=Ready.VOLUME | Ready.IMBALANCE, entry_side=1, return_count=30)
    record = notes(desk.wake(Bits.ENTRY), "signals")[0]
    assert record["reject_reason"] == "WARMING_UP: momentum 30 of 120 seconds"


@pytest.mark.parametrize("ending", ["close", "gate refusal", "rejection"])
def test_a_cooldown_follows(ending: str) -> None:
    """After a close, a refusal by the gate, or an entry that came to nothing, the next 5 s take no entry."""
    desk = ready()
    if ending == "close":
        desk.open()
        desk.close()
    elif ending == "gate refusal":
        desk.wait(400).signal()
    else:
        desk.report(desk.sent(desk.signal()), REJECTED, reason="-2019 margin")
    desk.wait(4_999).book()
    desk.signal()
    desk.wait(1).book()
    accepted = desk.signal()
    assert str(desk.reasons()[-2]).startswith("COOLDOWN: 0.0 s left")
    assert desk.reasons()[-1] is None and len(orders_of(accepted)) == 1


def test_a_refusal_that_repeats_disables_entries() -> None:
    """P14: the fourth entry one way without a round trip blocks entries until a person allows them."""
    desk = ready("strategy.params.cooldown_s=0")
    for _ in range(4):
        answer = desk.signal()
        for order in orders_of(answer):
            desk.report(order, REJECTED)
        desk.wait(2_000).book()
    assert blocked(desk) == "ENTRY_BLOCKED P14"


def test_the_compiled_ceiling_halts(monkeypatch: pytest.MonkeyPatch) -> None:
    """P04: a breach of the ceiling is no refusal among others: it halts, and closes what is open elsewhere."""
    desk = Desk(instruments=TWO)
    held = desk.open(lots=1)
    desk.wait(2_000).book(instrument=1)
    monkeypatch.setitem(CEILING_EQUITY, "owner", 1.0)
    actions = desk.signal(instrument=1)
    assert blocked(desk) == "HALTED P04"
    assert [(order.instrument, order.purpose) for order in orders_of(actions)] == [(held.instrument, Purpose.EXIT)]


# -- strategies -----------------------------------------------------------------------------------------------------


class Asking:
    """A strategy that always gives one answer, or raises it."""

    name = "asking"
    asks = Asks()

    def __init__(self, answer: Intent | Decline | Exception | None) -> None:
        self.answer = answer

    def decide(self, view: View) -> Intent | Decline | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def state(self) -> dict[str, object]:
        return {}


def test_an_exception_in_a_strategy_blocks_entries_and_says_so() -> None:
    """The program goes on, entries do not, and both the transition and later refusals name strategy and error."""
    desk = ready()
    desk.engine.strategy, kept = Asking(ZeroDivisionError("no volume")), desk.engine.strategy
    actions = desk.signal()
    said = "FAULT: strategy asking raised ZeroDivisionError: no volume"
    assert [note["trigger"] for note in notes(actions, "state_transitions")] == [said]
    assert (blocked(desk), orders_of(actions)) == ("ENTRY_BLOCKED FAULT", [])
    desk.engine.strategy = kept
    desk.signal()
    assert desk.reasons() == [said]


def test_exits_go_on_after_an_exception() -> None:
    """A fault blocks entries only: the next exit condition closes the position."""
    desk = ready()
    desk.open()
    kept, desk.engine.strategy = desk.engine.strategy, Asking(RuntimeError("x"))
    desk.wake(Bits.ENTRY)
    desk.engine.strategy = kept
    assert desk.close().reduce_only
    assert desk.engine.traders[0].state is PositionState.FLAT


@pytest.mark.parametrize("answer", [None, Decline("TOO_EARLY", "wait")])
def test_a_strategy_may_have_nothing_to_say(answer: Decline | None) -> None:
    """No answer is no signal; a decline is one, with its own words."""
    desk = ready()
    desk.engine.strategy = Asking(answer)
    desk.wake(Bits.ENTRY)
    assert desk.reasons() == ([] if answer is None else ["TOO_EARLY: wait"])


class Listening(Asking):
    """A strategy that notes when and for what it was asked."""

    def __init__(self, asks: Asks) -> None:
        super().__init__(None)
        self.asks = asks
        self.asked: list[tuple[int, int]] = []

    def decide(self, view: View) -> Intent | Decline | None:
        self.asked.append((view.at_ns, view.bits))
        return None


def test_a_strategy_is_asked_by_the_clock_as_it_wants() -> None:
    """Every 400 ms and at the close of 1 s bars, at the multiples of both, from the first known price on."""
    start_ns = START_NS // SECOND * SECOND
    listening = Listening(Asks(on_trigger=False, every_ns=400 * MS, bar_ns=(SECOND,)))
    desk = Desk(settings(), strategy=listening, at_ns=start_ns)
    assert desk.engine.timer_ns == FAR_NS
    desk.book()
    desk.timers(2)
    step, bar = Bits.ASK, Bits.ASK | Bits.BAR
    steps = [(400, step), (800, step), (1_000, bar), (1_200, step), (1_600, step), (2_000, bar)]
    assert [(at // MS * MS, bits) for at, bits in listening.asked] == [(start_ns + at * MS, bits) for at, bits in steps]
    desk.signal()
    assert len(listening.asked) == len(steps)  # not on trigger


def test_a_strategy_may_be_asked_after_each_frame() -> None:
    """``every_frame`` asks at every frame of its contract, whatever it brought."""
    listening = Listening(Asks(on_trigger=False, every_frame=True))
    desk = Desk(settings(), strategy=listening)
    for _ in range(3):
        desk.wait(100).book()
    assert len(listening.asked) == 3 and all(bits & Bits.ASK for _, bits in listening.asked)


def test_an_exit_without_a_position_is_nothing() -> None:
    """A strategy that wants to close what is not there sends no order."""
    desk = ready()
    desk.engine.strategy = Asking(Intent(0, Side.SELL, Purpose.EXIT, "nerves"))
    assert desk.wake(Bits.ASK) == []


# -- exits ----------------------------------------------------------------------------------------------------------


@SIDES
def test_an_exit_closes_the_whole_position(side: Side) -> None:
    """A fired condition sends one reduce-only market order of the open lots, with its reason in the record."""
    desk = ready()
    desk.open(side, lots=5)
    actions = desk.exit_fires(Exit.REVERSAL)
    order = desk.sent(actions)
    assert (order.side, order.quantity, order.reduce_only, order.type) == (side.other, 5, True, OrderType.MARKET)
    assert notes(actions, "orders")[0]["reason"] == "book_reversal"


def test_one_exit_at_a_time() -> None:
    """While an exit is on its way, another condition sends no second one."""
    desk = ready()
    desk.open()
    desk.sent(desk.exit_fires(Exit.FADE))
    assert orders_of(desk.exit_fires(Exit.STOP)) == []


@pytest.mark.parametrize("word", [REJECTED, EXPIRED, OrderState.CANCELED])
def test_an_exit_is_tried_again_until_flat(word: OrderState) -> None:
    """An exit is a goal and no call (F19): each that comes to nothing is sent again after 200 ms under a new id, for
    what is left and with the first reason, until the position is flat and no deadline remains."""
    desk = ready()
    desk.open()
    order = desk.sent(desk.exit_fires(Exit.REVERSAL))
    ids, left = [order.client_id], 8
    for attempt in range(20):
        if attempt == 9:
            desk.fill(order, lots=3)
            left = 5
        desk.report(order, word, 3 if attempt == 9 else 0)
        assert desk.engine.timer_ns <= desk.now_ns + 1_000 * MS
        order = desk.next_order()
        assert (order.quantity, order.reduce_only) == (left, True)
        assert notes(desk.log, "orders")[-1]["reason"] == "book_reversal"
        ids.append(order.client_id)
    assert len(set(ids)) == 21
    actions = desk.fill(order)
    desk.report(order, FILLED, left)
    desk.confirm(actions)
    assert notes(actions, "trades")[0]["exit_reason"] == "book_reversal"
    assert not desk.engine.account.unfinished()
    desk.timers(301)  # so long do rejections keep entries waiting (P19)
    assert desk.engine.timer_ns == FAR_NS


def test_a_retry_waits_200_milliseconds() -> None:
    """The wait keeps a refused exit from becoming a storm of messages."""
    desk = ready()
    desk.open()
    desk.report(desk.sent(desk.exit_fires(Exit.FADE)), REJECTED)
    assert desk.engine.timer_ns == desk.now_ns + 200 * MS


def test_a_new_exit_condition_does_not_wait_for_the_retry() -> None:
    """A stop that fires while an exit waits for its next try is sent at once, and the retry is off."""
    desk = ready()
    desk.open()
    desk.report(desk.sent(desk.exit_fires(Exit.FADE)), REJECTED)
    order = desk.sent(desk.wait(10).exit_fires(Exit.STOP))
    assert order.quantity == 8
    desk.timers(1)
    assert len(orders_of(desk.log, Purpose.EXIT)) == 2


@pytest.mark.parametrize("cause", list(Cause))
def test_no_cause_stops_an_exit(cause: Cause) -> None:
    """P34: whatever holds entries back, an exit that fires is sent."""
    desk = ready()
    desk.open()
    desk.engine.mode.block(cause, "test")
    assert desk.sent(desk.exit_fires(Exit.FADE)).reduce_only


def test_no_count_of_messages_stops_an_exit() -> None:
    """P34: with every message window used up, the exit goes out all the same."""
    desk = ready()
    desk.open()
    for _ in range(200):
        desk.engine.ledger.message(desk.now_ns)
    assert desk.sent(desk.exit_fires(Exit.FADE)).reduce_only


@pytest.mark.parametrize(("bit", "acts"), [(Exit.FADE, False), (Exit.REVERSAL, False), (Exit.STOP, True)])
def test_halted_market_lets_only_the_stop_through(bit: int, acts: bool) -> None:
    """While the market decision is HALTED ordinary exits wait and the stop does not."""
    desk = ready()
    desk.open()
    desk.step(BookInvalid(desk.now_ns, 0, "gap"))
    assert bool(orders_of(desk.exit_fires(bit))) is acts


def test_an_exit_held_back_fires_again() -> None:
    """When the halt ends, conditions that fired meanwhile may fire anew: the compiled bits are cleared."""
    desk = ready()
    desk.open()
    desk.step(BookInvalid(desk.now_ns, 0, "gap"))
    desk.exit_fires(Exit.REVERSAL)
    desk.wait(500).book()
    desk.timers(2)
    assert desk.engine.traders[0].machine.now.decision is Decision.ALLOWED
    assert desk.engine.memory.view(0).get("exit_bits") == 0


# -- protection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "tick"), [(Side.BUY, 731_500), (Side.SELL, 808_500)])
def test_the_first_fill_rests_the_stop(side: Side, tick: int) -> None:
    """With the first lot a reduce-only stop for the whole entry goes to the venue, 5 % from the average entry, and the
    compiled exit conditions are armed with the same tick."""
    desk = ready()
    entry = desk.sent(desk.signal(side))
    stop = desk.sent(desk.fill(entry, MID, 3))
    assert (stop.type, stop.side, stop.quantity, stop.trigger) == (OrderType.STOP_MARKET, side.other, 8, tick)
    assert (stop.reduce_only, stop.purpose) == (True, Purpose.STOP)
    view = desk.engine.memory.view(0)
    assert (view.get("position_side"), view.get("stop_tick")) == (side.sign, tick)


def test_a_later_fill_moves_the_compiled_stop_only() -> None:
    """The second fill changes the average entry: the armed tick follows, no second stop goes out."""
    desk = ready()
    entry = desk.sent(desk.signal())
    desk.fill(entry, MID, 4)
    assert orders_of(desk.fill(entry, MID + 200, 4)) == []
    assert desk.engine.memory.view(0).get("stop_tick") == 731_595


def test_a_close_takes_the_stop_away() -> None:
    """No stop outlives its position: the closing fill cancels it and disarms the compiled conditions."""
    desk = ready()
    desk.open()
    stop = desk.engine.traders[0].stop_id
    order = desk.sent(desk.exit_fires(Exit.FADE))
    assert cancels(desk.fill(order)) == [stop]
    assert desk.engine.memory.view(0).get("position_side") == 0


def test_the_stop_at_the_venue_closes_the_trip() -> None:
    """A stop that the venue executed ends the round trip with its own reason."""
    desk = ready()
    desk.open()
    stop = orders_of(desk.log, Purpose.STOP)[0]
    record = notes(desk.fill(stop, 731_400), "trades")[0]
    assert (record["exit_reason"], record["exit"], record["pnl_net"]) == ("stoploss_on_exchange", "73140", "-30.88")


def test_a_liquidation_is_booked_under_its_name() -> None:
    """An execution that nobody here asked for changes position and money like any other, and names its cause."""
    desk = ready()
    desk.open()
    fill = Fill(desk.now_ns, "autoclose-1", 99, 0, Side.SELL, 700_000, 8, 2 * E8, False, desk.now_ns, "liquidation")
    record = notes(desk.step(fill), "trades")[0]
    assert (record["exit_reason"], record["pnl_net"]) == ("liquidation", "-58")
    assert desk.engine.ledger.wallet_e8 == 12 * E8


# -- money ----------------------------------------------------------------------------------------------------------


def test_a_fill_counts_once() -> None:
    """The same execution heard twice changes position, wallet and records once."""
    desk = ready()
    entry = desk.sent(desk.signal())
    fill = Fill(desk.now_ns, entry.client_id, 1, 0, Side.BUY, MID, 8, 5_000, False, desk.now_ns)
    desk.step(fill)
    wallet = desk.engine.ledger.wallet_e8
    assert desk.step(fill) == []
    assert (desk.engine.ledger.wallet_e8, desk.engine.traders[0].position.lots) == (wallet, 8)


def test_a_fill_of_nobody_changes_nothing() -> None:
    """An execution of an unknown order without a cause is counted as strange and books nothing."""
    desk = ready()
    assert desk.step(Fill(desk.now_ns, "other", 1, 0, Side.BUY, MID, 8, 5_000, False, desk.now_ns)) == []
    assert (desk.engine.orders.strange_fills, desk.engine.ledger.wallet_e8) == (1, 70 * E8)


def test_equity_is_wallet_plus_open_profit() -> None:
    """At a mid 50 ticks above the entry, 8 lots are worth 8 · 50 units more than the wallet says."""
    desk = ready()
    desk.open(fee_e8=7)
    desk.wait(100).book(ladder(MID + 50))
    assert desk.engine.account.equity_e8() == 70 * E8 - 7 + 400 * UNIT_E8


def test_funding_reaches_wallet_and_trip() -> None:
    """Funding paid on an open position is gone from the wallet and part of the trip's net result."""
    desk = ready()
    desk.open(lots=1)
    desk.step(Funding(desk.now_ns, 0, -3_000, 10_000, MID * INSTRUMENT.tick_e8))
    desk.close(MID + 100)
    record = notes(desk.log, "trades")[0]
    assert (record["funding"], record["pnl_net"]) == ("-0.00003", "0.00997")
    assert desk.engine.ledger.wallet_e8 == 70 * E8 + 100 * UNIT_E8 - 3_000


# -- limits over time -----------------------------------------------------------------------------------------------

FREE = ("strategy.params.cooldown_s=0", "risk.fee_budget_pct=100")


def fall(desk: Desk, ticks: int) -> None:
    """The market falls below the entry, further than a stop would let it, and a second passes."""
    desk.engine.memory.set(0, stop_tick=0)
    desk.wait(100).book(ladder(MID - ticks))
    desk.timers(1)


def lose(desk: Desk, loss_e8: int, how: str) -> None:
    """A loss of ``loss_e8`` on one lot: realised, as fees, as funding, or still open at the last mid."""
    ticks, rest = divmod(loss_e8, UNIT_E8)
    assert rest == 0
    if how == "realised":
        desk.trip(MID - ticks)
    elif how == "fees":
        desk.trip(MID, fee_e8=loss_e8)
    elif how == "funding":
        desk.open(lots=1)
        desk.step(Funding(desk.now_ns, 0, -loss_e8, 0, 0))
        desk.timers(1)
    else:
        desk.open(lots=1)
        fall(desk, ticks)


HOWS = pytest.mark.parametrize("how", ["realised", "fees", "funding", "open"])


@HOWS
@pytest.mark.parametrize(("loss_e8", "state"), [(3_499_990_000, "NORMAL"), (3_500_000_000, "ENTRY_BLOCKED P21_SOFT")])
def test_the_soft_daily_loss_blocks_entries(how: str, loss_e8: int, state: str) -> None:
    """P21: 50 % of the day's equity lost, in whatever form, stops entries and closes nothing; a tick less passes."""
    desk = ready("risk.daily_loss_soft_pct=50", *FREE)
    lose(desk, loss_e8, how)
    assert blocked(desk) == state
    assert desk.engine.traders[0].state is (PositionState.OPEN if how in ("funding", "open") else PositionState.FLAT)


@HOWS
@pytest.mark.parametrize(("loss_e8", "state"), [(3_849_990_000, "NORMAL"), (3_850_000_000, "HALTED P21")])
def test_the_hard_daily_loss_closes_and_halts(how: str, loss_e8: int, state: str) -> None:
    """P21: at 55 % of the day's equity, in whatever form, the position is closed and the program halts."""
    desk = ready("risk.drawdown_max_pct=99", *FREE)
    lose(desk, loss_e8, how)
    assert blocked(desk) == state
    held = how in ("funding", "open")
    after = PositionState.EXITING if state != "NORMAL" else PositionState.OPEN
    assert desk.engine.traders[0].state is (after if held else PositionState.FLAT)


def test_the_cautious_profile_blocks_at_5_and_halts_at_10_percent() -> None:
    """P21 by the catalogue: 3.50 USDT of 70 stop entries, 7.00 USDT halt; the sentences carry both numbers."""
    desk = ready(*FREE, profile="cautious")
    desk.open(lots=1)
    fall(desk, 35_000)
    assert desk.engine.mode.causes == {Cause.DAILY_LOSS_SOFT: "day loss 5.00 % of equity >= 5.0 %"}
    fall(desk, 70_000)
    assert desk.engine.mode.first() == (Cause.DAILY_LOSS_HARD, "day loss 10.00 % of equity >= 10.0 %")


@pytest.mark.parametrize(("fallen", "state"), [(3_919_990_000, "NORMAL"), (3_920_000_000, "HALTED P22")])
def test_drawdown_is_measured_from_the_peak(fallen: int, state: str) -> None:
    """P22: after 28 USDT won, 40 % below the peak of 98 halts, though the day has lost less than its limit."""
    desk = ready("risk.drawdown_max_pct=40", *FREE)
    desk.trip(MID + 280_000)
    assert desk.engine.ledger.peak_e8 == 98 * E8
    lose(desk, fallen, "realised")
    assert blocked(desk) == state


@pytest.mark.parametrize(("fee_e8", "state"), [(699_999_999, "NORMAL"), (700_000_000, "ENTRY_BLOCKED P23")])
def test_the_fee_budget_of_a_day(fee_e8: int, state: str) -> None:
    """P23: fees of 10 % of equity in a day stop entries, whatever was earned meanwhile."""
    desk = ready("strategy.params.cooldown_s=0")
    desk.trip(MID + 500_000, fee_e8)
    assert blocked(desk) == state


def test_a_losing_streak_pauses_then_needs_a_person() -> None:
    """P24: the fifth loss in a row pauses entries for 15 minutes, each further one anew; the eighth stays blocked."""
    desk, seen = ready("risk.repeat_entries_max=99"), []
    for _ in range(8):
        desk.trip(MID - 10)
        seen.append(blocked(desk))
        if seen[-1].endswith("PAUSE"):
            assert desk.engine.timer_ns == desk.now_ns - 5 * SECOND + 15 * 60 * SECOND
            desk.timer()
            assert blocked(desk) == "NORMAL"
    assert seen == ["NORMAL"] * 4 + ["ENTRY_BLOCKED P24_PAUSE"] * 3 + ["ENTRY_BLOCKED P24"]
    assert desk.engine.timer_ns == FAR_NS


def test_a_win_ends_the_streak() -> None:
    """P24: four losses, a win and four losses are no streak."""
    desk = ready()
    for ticks in (-10, -10, -10, -10, 10, -10, -10, -10, -10):
        desk.trip(MID + ticks)
    assert blocked(desk) == "NORMAL"


def test_a_new_day_lifts_what_belongs_to_the_day() -> None:
    """P21: a soft daily block ends at UTC midnight with the position still open, counted from its equity then."""
    desk = ready("risk.daily_loss_soft_pct=20", *FREE)
    desk.open(lots=1)
    fall(desk, 140_000)
    assert blocked(desk) == "ENTRY_BLOCKED P21_SOFT"
    desk.now_ns = (START_NS // DAY_NS + 1) * DAY_NS
    desk.step(Timer(desk.now_ns))
    assert blocked(desk) == "NORMAL"


def test_open_profit_is_looked_at_once_a_second() -> None:
    """With a position open the loss limits have a deadline each second; flat they have none."""
    desk = ready()
    desk.open()
    deadlines = [desk.engine.timer_ns]
    for _ in range(3):
        desk.timer()
        deadlines.append(desk.engine.timer_ns)
    assert deadlines == [START_NS + number * SECOND for number in range(1, 5)]
    desk.close()
    assert desk.engine.timer_ns == FAR_NS


# -- operating state ------------------------------------------------------------------------------------------------


def test_stop_and_allow() -> None:
    """An operator's stop blocks entries, is told once, and is lifted by the operator's word alone."""
    desk = ready()
    told = [
        note["trigger"]
        for name in ("stop_entries", "stop_entries", "allow_entries")
        for note in notes(desk.command(name), "state_transitions")
    ]
    assert told == ["OPERATOR: test: entries stopped", "RECOVERED: OPERATOR lifted"]
    assert blocked(desk) == "NORMAL"


@pytest.mark.parametrize(("name", "state"), [("shutdown", "REDUCING SHUTDOWN"), ("kill", "HALTED KILL")])
def test_the_end_cancels_entries_and_closes(name: str, state: str) -> None:
    """Shutdown and kill cancel an entry on its way and close an open position, reduce-only, each in one step."""
    desk = Desk(instruments=TWO)
    desk.open(lots=1)
    desk.wait(2_000).book(instrument=1)
    waiting = desk.sent(desk.signal(instrument=1))
    actions = desk.command(name)
    assert (blocked(desk), cancels(actions)) == (state, [waiting.client_id])
    assert [(order.instrument, order.reduce_only) for order in orders_of(actions)] == [(0, True)]


def test_shutdown_closes_what_a_cancelled_entry_had_filled() -> None:
    """An entry that filled in part before its cancel arrived is closed as soon as its end is known."""
    desk = ready()
    entry = desk.sent(desk.signal())
    desk.report(entry, ACCEPTED)
    desk.command("shutdown")
    desk.fill(entry, lots=3)
    exit_order = desk.sent(desk.report(entry, OrderState.CANCELED, 3))
    assert (exit_order.purpose, exit_order.quantity) == (Purpose.EXIT, 3)
    actions = desk.fill(exit_order)
    desk.report(exit_order, FILLED, 3)
    assert desk.engine.account.unfinished()  # its stop still rests at the venue
    desk.confirm(actions)
    assert not desk.engine.account.unfinished()


def test_shutdown_finishes_when_exits_fail() -> None:
    """The close of a shutdown is tried again like any exit, until nothing is left."""
    desk = ready()
    desk.open()
    order = desk.sent(desk.command("shutdown"))
    desk.report(order, REJECTED)
    assert desk.engine.account.unfinished()
    last = desk.next_order()
    actions = desk.fill(last)
    desk.report(last, FILLED, last.quantity)
    desk.confirm(actions)
    assert not desk.engine.account.unfinished()
    assert notes(desk.log, "trades")[0]["exit_reason"] == "force_exit"


def test_a_handover_leaves_the_position_with_its_stop() -> None:
    """A stop that protects blocks entries and cancels one on its way; the open position and its stop stay."""
    desk = Desk(instruments=TWO)
    desk.open(lots=1)
    desk.wait(2_000).book(instrument=1)
    waiting = desk.sent(desk.signal(instrument=1))
    actions = desk.command("handover")
    assert (blocked(desk), cancels(actions), orders_of(actions)) == ("ENTRY_BLOCKED HANDOVER", [waiting.client_id], [])
    assert len(desk.engine.orders.alive(0, Purpose.STOP)) == 1


@pytest.mark.parametrize(("uncertainty_ms", "state"), [(800, "NORMAL"), (801, "ENTRY_BLOCKED P11")])
def test_an_uncertain_clock_blocks_entries(uncertainty_ms: int, state: str) -> None:
    """P11: a clock known worse than 800 ms blocks entries, until an estimate is good enough again."""
    desk = ready()
    desk.step(ClockOffset(desk.now_ns, 0, uncertainty_ms * MS))
    assert blocked(desk) == state
    desk.step(ClockOffset(desk.now_ns, 0, 10 * MS))
    assert blocked(desk) == "NORMAL"


def test_the_cautious_profile_trades_by_the_strategys_own_stop() -> None:
    """P06 judges by the stop that an entry will get, 0.5 %: three lots, not the two of the widest stop allowed."""
    desk = ready(profile="cautious")
    assert desk.sent(desk.signal()).quantity == 3


def test_flatten_closes_and_keeps_entries_off() -> None:
    """Flatten closes what is open and blocks entries until the operator allows them."""
    desk = ready()
    desk.open()
    assert desk.sent(desk.command("flatten")).purpose is Purpose.EXIT
    assert blocked(desk) == "ENTRY_BLOCKED OPERATOR"


def test_flatten_closes_what_an_entry_under_way_still_fills() -> None:
    """A market entry sent before the flatten may fill after it; what it filled is closed as soon as it has ended."""
    desk = ready()
    entry = desk.sent(desk.signal())
    assert cancels(desk.command("flatten")) == [entry.client_id]
    desk.command("allow_entries")  # whatever is allowed meanwhile: to be flat was wanted
    desk.report(entry, ACCEPTED)
    actions = desk.fill(entry) + desk.report(entry, FILLED, entry.quantity)
    assert [(order.purpose, order.reduce_only) for order in orders_of(actions) if order.purpose is Purpose.EXIT] == [
        (Purpose.EXIT, True)
    ]


def test_a_flatten_concerns_the_entry_under_way_only() -> None:
    """An entry that filled nothing takes the wish to be flat with it: the next position is held."""
    desk = ready("strategy.params.cooldown_s=0")
    entry = desk.sent(desk.signal())
    desk.command("flatten")
    desk.command("allow_entries")
    desk.report(entry, REJECTED)
    desk.wait(2_000)
    desk.open()
    assert desk.engine.traders[0].state is PositionState.OPEN


def test_a_kill_is_left_by_rearm_alone() -> None:
    """allow_entries does not end a kill; rearm does, and leaves what the operator blocked beside it."""
    desk = ready()
    for name in ("stop_entries", "kill", "allow_entries"):
        desk.command(name)
    assert blocked(desk) == "HALTED KILL"
    desk.command("stop_entries")
    desk.command("rearm")
    assert blocked(desk) == "ENTRY_BLOCKED OPERATOR"


def test_a_lost_stream_blocks_until_all_are_back() -> None:
    """Entries stay blocked while any stream of any contract is lost."""
    desk, seen = Desk(instruments=TWO), []
    for instrument, stream, alive in (
        (0, "depth", False),
        (1, "trades", False),
        (0, "depth", True),
        (1, "trades", True),
    ):
        desk.step(StreamState(desk.now_ns, instrument, stream, alive, "silent"))
        seen.append(blocked(desk))
    assert seen == ["ENTRY_BLOCKED STREAM"] * 3 + ["NORMAL"]


def test_a_crossed_book_is_fetched_anew() -> None:
    """An impossible book halts the decision and asks for a new one."""
    desk = ready()
    actions = desk.wait(100).book([(BID, MID + 5, 9), (ASK, MID - 5, 9)])
    assert [action.instrument for action in actions if isinstance(action, Resync)] == [0]
    assert notes(actions, "decisions")[0]["reason"] == "DATA_CROSSED: bid 770005 >= ask 769995 ticks"


def test_the_edge_of_the_proven_range_wants_a_snapshot() -> None:
    """F11: near the end of what the snapshot proved a new one is asked for, and trading goes on."""
    desk = ready()
    assert desk.wake(Bits.EDGE) == [Resync(desk.now_ns, 0, EDGE)]
    assert len(orders_of(desk.signal())) == 1


def test_a_broken_chain_halts_until_the_next_snapshot() -> None:
    """From the break on nothing reads the book; a snapshot ends it after the wait."""
    desk = ready()
    actions = desk.step(BookInvalid(desk.now_ns, 0, "gap"))
    assert notes(actions, "decisions")[0]["action"] == "HALT"
    assert desk.step(BookInvalid(desk.now_ns, 0, "gap")) == []
    desk.wait(500).book()
    assert desk.engine.traders[0].machine.now.decision is Decision.HALTED
    actions = desk.timer()
    assert notes(actions, "decisions")[0]["action"] == "RESUME"
    assert desk.now_ns == START_NS + 1_500 * MS


def test_the_depth_condition_begins_with_the_first_price() -> None:
    """20,000 USDT near the touch are 259 lots at 77,000 USDT: from the first book on they are compared in lots."""
    assert ready().engine.memory.view(0).get("depth_limit_lots") == 259


def test_the_clocks_offset_corrects_the_feeds_lag() -> None:
    """A venue clock 200 ms ahead of ours makes frames that much later than they look."""
    desk = ready()
    desk.step(ClockOffset(desk.now_ns, 200 * MS, 0))
    desk.wait(100).book()
    assert desk.engine.memory.view(0).get("event_lag_ns") == 200 * MS


def test_finish_closes_the_record_of_every_contract() -> None:
    """At the end each contract's standing decision is written once more, marked as closing, with its duration."""
    desk = Desk(instruments=TWO)
    desk.book()
    records = notes(desk.engine.finish(START_NS + 2 * SECOND), "decisions")
    assert [(record["symbol"], record["action"], record["closing"]) for record in records] == [
        ("BTCUSDT", "ALLOWED", True),
        ("ETHUSDT", "HALT", True),
    ]
    assert records[0]["duration_ms"] == 2_000.0


# -- walks ----------------------------------------------------------------------------------------------------------


class Walk:
    """A random conversation with an honest venue: it fills, refuses, repeats itself and is late, but never lies.

    The entry's fills and its end come together, as a market order's do.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.desk = ready("strategy.params.cooldown_s=1", "risk.streak_pause_min=1", "risk.repeat_entries_max=50")
        self.alive: dict[str, ApprovedOrder] = {}
        self.stopped: set[str] = set()  # stops that were to be cancelled
        self.heard = 0  # wishes taken to the venue
        self.lots = self.cash_e8 = self.funding_e8 = 0
        self.filled: dict[str, int] = {}
        self.last: Fill | None = None
        self.mid = MID

    def step(self) -> None:
        """One random fact."""
        often = [self.market] * 4 + [self.signal] * 6 + [self.fire] * 3 + [self.answer] * 9 + [self.timer] * 2
        moves = [*often, self.repeat, self.word, self.stream, self.gap, self.fund]
        free = self.desk.engine.mode.first() is None
        allowed = self.desk.engine.traders[0].machine.now.decision is Decision.ALLOWED
        before = len(self.desk.log)
        self.chance.choice(moves)()
        self.hear()
        if orders_of(self.desk.log[before:], Purpose.ENTRY):
            assert free and allowed

    def hear(self) -> None:
        """Take the engine's new wishes to the venue."""
        actions, self.heard = self.desk.log[self.heard :], len(self.desk.log)
        for order in orders_of(actions):
            assert order.client_id not in self.filled
            if order.purpose is Purpose.EXIT:
                assert order.reduce_only and order.quantity == abs(self.lots)
                assert order.side.sign * self.lots < 0
            self.alive[order.client_id] = order
            self.filled[order.client_id] = 0
        for client_id in cancels(actions):
            self.stopped.add(client_id)

    def market(self) -> None:
        self.desk.wait(self.chance.choice((20, 100, 250, 1_000, 4_000)))
        self.mid += self.chance.randrange(-60, 61)
        self.desk.book(ladder(self.mid))

    def signal(self) -> None:
        self.desk.signal(self.chance.choice(list(Side)))

    def fire(self) -> None:
        self.desk.exit_fires(self.chance.choice((Exit.FADE, Exit.REVERSAL, Exit.STOP)))

    def timer(self) -> None:
        if self.desk.engine.timer_ns < FAR_NS:
            self.desk.timer()

    def repeat(self) -> None:
        """The venue says its last execution again."""
        if self.last is not None:
            assert self.desk.step(self.last) == []

    def word(self) -> None:
        self.desk.command(self.chance.choice(("allow_entries",) * 6 + ("stop_entries", "flatten")))

    def stream(self) -> None:
        alive = self.chance.random() < 0.8
        self.desk.step(StreamState(self.desk.now_ns, 0, "depth", alive, "silent"))

    def gap(self) -> None:
        if self.chance.random() < 0.2:
            self.desk.step(BookInvalid(self.desk.now_ns, 0, "gap"))

    def fund(self) -> None:
        amount = self.chance.randrange(-10_000, 10_000)
        self.funding_e8 += amount
        self.desk.step(Funding(self.desk.now_ns, 0, amount, 0, 0))

    def answer(self) -> None:
        """The venue deals with one of the orders it has."""
        if not self.alive:
            return
        order = self.alive[self.chance.choice(list(self.alive))]
        if order.client_id in self.stopped:
            self.end(order, OrderState.CANCELED)
            return
        if order.purpose is Purpose.STOP and self.chance.random() < 0.8:
            return  # it rests
        most = min(order.quantity, abs(self.lots)) if order.reduce_only else order.quantity
        if most == 0 or self.chance.random() < 0.25:
            self.end(order, self.chance.choice((REJECTED, EXPIRED)))
            return
        self.desk.report(order, ACCEPTED)
        wanted = self.chance.choice((most, self.chance.randrange(1, most + 1)))
        while self.filled[order.client_id] < wanted:
            self.execute(order, self.chance.randrange(1, wanted - self.filled[order.client_id] + 1))
        self.end(order, FILLED if wanted == order.quantity else EXPIRED)

    def execute(self, order: ApprovedOrder, lots: int) -> None:
        price, fee_e8 = self.mid + self.chance.randrange(-3, 4), self.chance.randrange(0, 60_000)
        self.desk.trades += 1
        self.last = Fill(
            self.desk.now_ns,
            order.client_id,
            self.desk.trades,
            0,
            order.side,
            price,
            lots,
            fee_e8,
            False,
            self.desk.now_ns,
        )
        self.filled[order.client_id] += lots
        self.lots += lots * order.side.sign
        self.cash_e8 -= price * lots * order.side.sign * UNIT_E8 + fee_e8
        self.desk.step(self.last)
        self.hear()

    def end(self, order: ApprovedOrder, state: OrderState) -> None:
        del self.alive[order.client_id]
        self.desk.report(order, state, self.filled[order.client_id])
        self.hear()

    def check(self) -> None:
        """What holds after every fact."""
        engine, trader = self.desk.engine, self.desk.engine.traders[0]
        assert trader.position.lots == self.lots
        worth = engine.ledger.wallet_e8 - trader.position.cost * UNIT_E8
        assert worth == 70 * E8 + self.cash_e8 + self.funding_e8
        for client_id, lots in self.filled.items():
            order = engine.orders.get(client_id)
            assert order is None or order.filled == lots <= order.approved.quantity
        purposes = [order.purpose for order in self.alive.values()]
        assert purposes.count(Purpose.ENTRY) <= 1
        if self.lots == 0:
            assert trader.state in (PositionState.FLAT, PositionState.ENTERING)
            assert all(
                order.client_id in self.stopped for order in self.alive.values() if order.purpose is Purpose.STOP
            )
        else:
            assert trader.state is not PositionState.FLAT
        signals = notes(self.desk.log, "signals")
        refused = [record["reject_reason"] for record in signals if not record["accepted"]]
        assert len(signals) == engine.signals
        assert len(signals) - len(refused) == len(orders_of(self.desk.log, Purpose.ENTRY))
        assert all(refused) and len(refused) == sum(engine.refusals.values())
        trips = notes(self.desk.log, "trades")
        assert len(trips) == engine.account.trips == engine.ledger.wins + engine.ledger.losses + engine.ledger.flats


@pytest.mark.parametrize("seed", range(30))
def test_a_random_conversation(seed: int) -> None:
    """After every fact of a random conversation: each signal ended in an order or a named refusal, no entry left while
    anything held entries back, position and money are what the venue executed, nothing rests without a position; and a
    shutdown at the end leaves nothing open."""
    walk = Walk(seed)
    for _ in range(200):
        walk.step()
        walk.check()
    walk.desk.command("shutdown")
    walk.hear()
    for _ in range(400):
        if not walk.desk.engine.account.unfinished():
            break
        walk.chance.choice((walk.timer, walk.answer, walk.market))()
        walk.hear()
        walk.check()
    assert (walk.desk.engine.account.unfinished(), walk.lots) == (False, 0)


def test_the_same_facts_give_the_same_wishes() -> None:
    """Two engines that hear the same conversation wish the same, to the last byte of every record and identifier."""
    logs = []
    for _ in range(2):
        walk = Walk(5)
        for _ in range(200):
            walk.step()
        logs.append(msgspec.json.encode(walk.desk.log))
    assert logs[0] == logs[1]
    assert len(orders_of(walk.desk.log)) > 5


# -- what a long look found ----------------------------------------------------------------------------------


def test_a_daily_block_ends_at_midnight_although_nothing_is_open() -> None:
    """P21 soft and P23 last until midnight, and the engine asks to be woken then."""
    desk = ready("strategy.params.cooldown_s=0", "risk.daily_loss_soft_pct=20")
    desk.trip(MID - 140_000)
    assert blocked(desk) == "ENTRY_BLOCKED P21_SOFT"
    assert desk.engine.timer_ns <= MIDNIGHT
    desk.now_ns = MIDNIGHT
    desk.step(Timer(MIDNIGHT))
    assert blocked(desk) == "NORMAL"


def test_the_first_fill_of_a_day_belongs_to_it() -> None:
    """Its loss and its fee count towards the new day."""
    desk = ready("strategy.params.cooldown_s=0")
    desk.trip(MID)
    desk.now_ns = MIDNIGHT
    desk.trip(MID, fee_e8=1)
    desk.now_ns = MIDNIGHT + DAY_NS
    desk.book()
    entry = desk.sent(desk.signal())
    desk.fill(entry, fee_e8=8 * E8)
    assert blocked(desk) == "ENTRY_BLOCKED P23"


def test_a_refused_stop_is_replaced_or_the_position_closed() -> None:
    """P25: a position the venue will not protect is left at once."""
    desk = ready()
    desk.open()
    stop = orders_of(desk.log, Purpose.STOP)[0]
    actions = desk.report(stop, OrderState.REJECTED, reason="-2021")
    if desk.engine.timer_ns < FAR_NS:
        desk.timers(3)
    assert orders_of(desk.log[desk.log.index(actions[0]) :])


def test_an_entry_reported_filled_before_its_fill_is_still_open() -> None:
    """The word FILLED may come before the fill it speaks of."""
    desk = ready()
    entry = desk.sent(desk.signal())
    desk.report(entry, OrderState.FILLED, 8)
    desk.fill(entry)
    assert desk.engine.traders[0].state is PositionState.OPEN
    assert orders_of(desk.exit_fires(Exit.FADE))


def test_the_rest_of_an_entry_after_a_stop_is_not_lost() -> None:
    """A fill that comes after the position closed opens one that is protected and can be left."""
    desk = ready("execution.entry_type=maker")
    entry = desk.sent(desk.signal())
    desk.report(entry, OrderState.ACCEPTED)
    stop = orders_of(desk.fill(entry, MID - 1, 4))[0]
    actions = desk.fill(stop, 731_000, 4)
    assert entry.client_id in cancels(actions)  # no entry may outlive its position
    desk.fill(entry, 731_000, 4)  # it filled before the cancel came
    desk.report(entry, OrderState.FILLED, 8)
    assert desk.engine.traders[0].state is PositionState.OPEN or orders_of(desk.log)[-1].purpose is Purpose.EXIT


def test_a_resting_maker_entry_ends_with_its_signal() -> None:
    """It is taken back after one bar."""
    desk = ready("execution.entry_type=maker")
    entry = desk.sent(desk.signal())
    desk.report(entry, OrderState.ACCEPTED)
    if desk.engine.timer_ns < FAR_NS:
        desk.timers(60)
    assert entry.client_id in cancels(desk.log)


def test_an_exit_that_fires_while_entering_is_not_lost() -> None:
    """A condition that fired before the entry had ended may fire again."""
    desk = ready("execution.entry_type=maker")
    entry = desk.sent(desk.signal())
    desk.fill(entry, MID - 1, 4)
    desk.exit_fires(Exit.REVERSAL)
    actions = desk.report(entry, OrderState.EXPIRED, 4)
    assert orders_of(actions, Purpose.EXIT) or desk.engine.memory.view(0).get("exit_bits") == 0


def test_a_liquidation_heard_twice_counts_once() -> None:
    """By trade id, like every fill of an own order."""
    desk = ready()
    desk.open()
    fill = Fill(desk.now_ns, "autoclose-1", 99, 0, Side.SELL, 700_000, 4, 0, False, desk.now_ns, "adl")
    desk.step(fill)
    desk.step(fill)
    assert desk.engine.traders[0].position.lots == 4


def test_a_person_can_re_arm() -> None:
    """allow_entries lifts what disarms until a person decides."""
    desk = ready("strategy.params.cooldown_s=0")
    for _ in range(4):
        for order in orders_of(desk.signal()):
            desk.report(order, OrderState.REJECTED)
        desk.wait(2_000).book()
    assert blocked(desk) == "ENTRY_BLOCKED P14"
    desk.command("allow_entries")
    assert blocked(desk) == "NORMAL"


def test_funding_is_judged_at_once() -> None:
    """A limit that funding breaks acts without waiting for a fill."""
    desk = ready()
    desk.step(Funding(desk.now_ns, 0, -39 * E8, 0, 0))
    assert blocked(desk).startswith("HALTED")


def test_a_second_cause_is_told_too() -> None:
    """A fault is recorded although entries were blocked already."""
    desk = ready()
    desk.step(StreamState(desk.now_ns, 0, "depth", False, "silent"))
    desk.engine.strategy = Asking(ZeroDivisionError("x"))
    actions = desk.signal()
    assert any("ZeroDivisionError" in str(note) for note in notes(actions, "state_transitions"))


def test_cancels_are_order_messages() -> None:
    """P12 counts them."""
    desk = ready()
    desk.open()
    before = len(desk.engine.ledger.messages)
    order = desk.sent(desk.exit_fires(Exit.FADE))
    assert cancels(desk.fill(order))
    assert len(desk.engine.ledger.messages) == before + 2


def test_hourly_and_daily_counts_disarm_too() -> None:
    """P14: too many entries an hour block like too many one way."""
    desk = ready("strategy.params.cooldown_s=0", "risk.entries_per_hour=2", "risk.repeat_entries_max=99")
    for _ in range(3):
        for order in orders_of(desk.signal()):
            desk.report(order, OrderState.REJECTED)
        desk.wait(2_000).book()
    assert blocked(desk) != "NORMAL"


# -- refusals -------------------------------------------------------------------------------------------------------


def refused(desk: Desk, times: int, reason: str) -> None:
    """Entries that the venue refuses, two seconds apart."""
    for _ in range(times):
        desk.report(desk.sent(desk.signal()), REJECTED, reason=reason)
        desk.wait(2_000).book()


def test_rejections_pause_entries_and_a_second_time_stop_them() -> None:
    """P19: five refusals within a minute block entries for five minutes; again, and a person has to look."""
    desk = ready("strategy.params.cooldown_s=0", "risk.repeat_entries_max=99")
    refused(desk, 5, "-1111 bad precision")
    assert blocked(desk) == "ENTRY_BLOCKED P19"
    desk.timers(301)
    desk.book()
    assert blocked(desk) == "NORMAL"
    refused(desk, 5, "-1111 bad precision")
    assert blocked(desk) == "ENTRY_BLOCKED P19_AGAIN"
    desk.command("allow_entries")
    assert blocked(desk) == "NORMAL"


def test_want_of_margin_blocks_sooner() -> None:
    """F25: three entries refused for want of margin within a minute, and a person has to look."""
    desk = ready("strategy.params.cooldown_s=0", "risk.repeat_entries_max=99")
    refused(desk, 3, "MARGIN: -2019 Margin is insufficient.")
    assert blocked(desk) == "ENTRY_BLOCKED MARGIN"


def test_an_order_that_was_never_placed_is_no_rejection() -> None:
    """What is proven absent was refused by nobody: it does not count."""
    desk = ready("strategy.params.cooldown_s=0", "risk.repeat_entries_max=99")
    refused(desk, 6, "NOT_PLACED: the venue does not know it")
    assert blocked(desk) == "NORMAL"
