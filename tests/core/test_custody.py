"""Custody as a conversation with a venue that loses words: proof for every order, a stop for every position."""

from __future__ import annotations

import pytest

from core.custody import BARE_NS, Custody
from core.decision import PositionState
from core.kernels.book import NO_BID
from core.risk.mode import Cause
from models.action import Cancel, Inspect, Query
from models.control import Operating
from models.event import AccountTruth, Balance, Command, Fill, Held, Inherited, MarginCall, NotFound, Standing
from models.instrument import E8
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce
from tests.builders import MS, SECOND
from tests.core.desk import INSTRUMENT, MID, Desk, cancels, orders_of, settings

WALLET_E8 = 70 * E8
TICK_E8 = INSTRUMENT.tick_e8


class Scene(Desk):
    """A desk whose venue is a real one: it is asked for the account, and its clock agrees with ours."""

    def __init__(self, *overrides: str) -> None:
        super().__init__(settings("owner", *overrides), custody=True)
        assert self.engine.custody is not None
        self.custody: Custody = self.engine.custody
        self.wallet_e8 = WALLET_E8

    def begun(self) -> Scene:
        """Connected, the account read and empty, a book, entries allowed."""
        self.command("start")
        self.read()
        self.book()
        return self

    def read(self, *orders: Standing, lots: int | None = None, wallet_e8: int | None = None, **held: object) -> None:
        """The account as the venue shows it to a question asked now: by default what we believe ourselves."""
        position = self.engine.traders[0].position
        shown = position.lots if lots is None else lots
        fields = {"instrument": 0, "lots": shown, "entry_e8": MID * TICK_E8, "leverage": 10, "isolated": True, **held}
        wallet = self.engine.ledger.wallet_e8 if wallet_e8 is None else wallet_e8
        hedge = bool(fields.pop("hedge", False))
        asked_ns = self.now_ns
        self.wait(20)
        self.step(AccountTruth(self.now_ns, asked_ns, wallet, wallet, (Held(**fields),), orders, hedge))  # type: ignore[arg-type]

    def run(self, milliseconds: int) -> list[object]:
        """Let time pass, every deadline on the way."""
        mark, end_ns = len(self.log), self.now_ns + milliseconds * MS
        while self.engine.timer_ns <= end_ns:
            self.timer()
        self.now_ns = end_ns
        self.engine.memory.book(0)["received_ns"] = end_ns  # the market went on
        return list(self.log[mark:])

    def queries(self, since: int = 0) -> list[str]:
        return [action.client_id for action in self.log[since:] if isinstance(action, Query)]

    @property
    def blocked(self) -> str:
        first = self.engine.mode.first()
        return f"{self.engine.mode.state.value} {first[0].value if first else ''}".strip()


def stop_of(scene: Scene) -> ApprovedOrder:
    return scene.engine.orders.alive(0, Purpose.STOP)[0].approved


def shown(order: ApprovedOrder, client_id: str | None = None) -> Standing:
    """An own order as the venue lists it."""
    stop = order.purpose is Purpose.STOP
    name = order.client_id if client_id is None else client_id
    return Standing(name, 9, 0, order.side, order.quantity, 0, order.price, order.trigger, order.reduce_only, stop)


def held(*overrides: str) -> Scene:
    """A long position of eight lots with its stop accepted."""
    scene = Scene(*overrides).begun()
    scene.open()
    scene.report(stop_of(scene), OrderState.ACCEPTED)
    return scene


# -- the start ------------------------------------------------------------------------------------------------------


def test_nothing_is_entered_before_the_account_was_read() -> None:
    """Until the first reading a signal is refused by name; the start asks for it."""
    scene = Scene()
    scene.book()
    assert orders_of(scene.signal()) == []
    assert scene.reasons()[-1].startswith("STARTING")  # type: ignore[union-attr]
    assert Inspect(scene.now_ns) in scene.command("start")
    scene.read()
    assert scene.blocked == "NORMAL"


def test_the_wallet_is_the_venues() -> None:
    """Limits and sizes count from the wallet that the venue tells, not from the settings."""
    scene = Scene()
    scene.command("start")
    scene.read(wallet_e8=123 * E8)
    ledger = scene.engine.ledger
    assert (ledger.wallet_e8, ledger.start_e8, ledger.peak_e8, ledger.day_start_e8) == (123 * E8,) * 4


def test_a_position_found_is_protected_before_anything_is_entered() -> None:
    """A position of a run before is taken over at the venue's entry price and gets a stop; then entries are allowed."""
    scene = Scene()
    scene.book()
    scene.command("start")
    scene.read(lots=5)
    trader = scene.engine.traders[0]
    assert (trader.position.lots, trader.position.cost, trader.state) == (5, 5 * MID, PositionState.OPEN)
    stop = stop_of(scene)
    assert (stop.side, stop.quantity, stop.reduce_only, stop.type) == (Side.SELL, 5, True, OrderType.STOP_MARKET)
    assert scene.blocked == "ENTRY_BLOCKED STARTING"
    scene.report(stop, OrderState.ACCEPTED)
    scene.run(400)
    scene.read(shown(stop))
    assert scene.blocked == "NORMAL"
    assert scene.engine.ledger.wallet_e8 == WALLET_E8


def test_a_stop_found_is_kept() -> None:
    """A stop of a run before that covers the position found beside it is its stop from now on, without a second."""
    scene = Scene()
    scene.book()
    scene.command("start")
    stop = Standing("scoldrun00s000003", 7, 0, Side.SELL, 5, 0, 0, MID - 38_500, True, True)
    scene.read(stop, lots=5)
    assert orders_of(scene.log, Purpose.STOP) == []
    assert scene.engine.traders[0].stop_id == stop.client_id
    assert scene.blocked == "NORMAL"


def test_what_a_halted_run_left_open_is_protected_and_closed() -> None:
    """Halted by a run before, a position found at the start gets its stop and leaves: the halt wanted to be flat."""
    scene = Scene()
    scene.book()
    scene.command("kill")
    scene.command("start")
    scene.read(lots=5)
    assert [order.purpose for order in orders_of(scene.log)] == [Purpose.STOP, Purpose.EXIT]


def test_a_stop_of_a_run_before_stays_until_the_account_was_read() -> None:
    """F46: found by a query before the first reading, an inherited stop is kept: nobody knows yet what it protects."""
    scene = Scene()
    scene.book()
    stop = ApprovedOrder(
        "scoldrun00s000003", 0, Side.SELL, OrderType.STOP_MARKET, TimeInForce.GTC, 0, 5, MID - 38_500, True,
        Purpose.STOP, scene.now_ns,
    )  # fmt: skip
    scene.step(Inherited(scene.now_ns, None, (stop,), ()))
    scene.command("start")
    scene.report(stop, OrderState.ACCEPTED)
    assert cancels(scene.run(3_000)) == []
    scene.read(shown(stop), lots=5)
    assert (cancels(scene.log), orders_of(scene.log), scene.engine.traders[0].stop_id) == ([], [], stop.client_id)


def test_strays_of_a_run_before_are_cancelled() -> None:
    """An entry left by a run before, and a stop without a position, are taken back as what they are."""
    scene = Scene()
    scene.command("start")
    entry = Standing("scoldrun00e000002", 6, 0, Side.BUY, 5, 0, MID - 9, 0, False, False)
    stop = Standing("scoldrun00s000003", 7, 0, Side.SELL, 5, 0, 0, MID - 38_500, True, True)
    scene.read(entry, stop)
    sent = [action for action in scene.log if isinstance(action, Cancel)]
    assert [(one.client_id, one.stop) for one in sent] == [(entry.client_id, False), (stop.client_id, True)]


@pytest.mark.parametrize(
    ("shape", "word"),
    [({"hedge": True}, "hedge"), ({"isolated": False}, "cross"), ({"leverage": 20}, "20x instead of 10x")],
)
def test_an_account_of_another_shape_enters_nothing(shape: dict[str, object], word: str) -> None:
    """P31: hedge mode, cross margin or another leverage block entries until they are right."""
    scene = Scene().begun()
    scene.run(10_000)
    scene.read(**shape)
    assert scene.blocked == "ENTRY_BLOCKED P31"
    assert word in scene.engine.mode.causes[Cause.SHAPE]
    scene.read()
    assert scene.blocked == "NORMAL"


# -- orders in doubt ------------------------------------------------------------------------------------------------


def entered(scene: Scene) -> ApprovedOrder:
    return scene.sent(scene.signal())


def test_an_unknown_order_blocks_entries_and_is_asked_for() -> None:
    """P18: while nobody knows what became of an order, no other entry leaves."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.UNKNOWN, reason="timeout")
    assert scene.blocked == "ENTRY_BLOCKED P18"
    scene.run(4_000)
    assert scene.queries() == [order.client_id] * 5  # at 0, 0.2, 0.7, 1.7 and 3.7 s


def test_evidence_ends_the_doubt() -> None:
    """Found by a query: the order goes on from there, and entries are allowed."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.UNKNOWN)
    scene.report(order, OrderState.ACCEPTED)
    assert scene.blocked == "NORMAL"


def test_silence_after_sending_is_a_doubt() -> None:
    """F39: two seconds without any word on an order and it is asked for."""
    scene = Scene().begun()
    order = entered(scene)
    scene.run(1_900)
    assert scene.queries() == []
    scene.run(300)
    assert scene.queries()[0] == order.client_id
    assert scene.blocked == "ENTRY_BLOCKED P18"


def test_not_found_at_once_proves_nothing() -> None:
    """F21: inside the window in which the venue may still accept the order, «not found» is no evidence."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.UNKNOWN)
    for _ in range(3):
        scene.run(600)
        scene.step(NotFound(scene.now_ns, order.client_id, scene.now_ns))
        scene.read()
    assert scene.engine.orders.get(order.client_id).state is OrderState.UNKNOWN  # type: ignore[union-attr]


def test_absence_is_proven_by_two_answers_and_the_account() -> None:
    """Past the window, two answers half a second apart and a reading without trace: not placed, and entries go on."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.UNKNOWN)
    scene.run(2_100)
    scene.step(NotFound(scene.now_ns, order.client_id, scene.now_ns))
    scene.read()
    assert scene.engine.orders.get(order.client_id).state is OrderState.UNKNOWN  # type: ignore[union-attr]
    scene.run(600)
    mark = len(scene.log)
    scene.step(NotFound(scene.now_ns, order.client_id, scene.now_ns))
    assert any(isinstance(action, Inspect) for action in scene.log[mark:])
    scene.read()
    kept = scene.engine.orders.get(order.client_id)
    assert kept is not None and kept.state is OrderState.REJECTED
    assert (scene.blocked, scene.engine.traders[0].state) == ("NORMAL", PositionState.FLAT)


def test_a_position_nobody_explains_is_no_proof_of_absence() -> None:
    """(c): when the account holds what the order could have made, the order is not called absent."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.UNKNOWN)
    scene.run(2_100)
    for _ in range(2):
        scene.step(NotFound(scene.now_ns, order.client_id, scene.now_ns))
        scene.run(600)
    scene.read(lots=8)
    assert scene.engine.orders.get(order.client_id).state is OrderState.UNKNOWN  # type: ignore[union-attr]


def test_a_long_doubt_leaves_the_market() -> None:
    """P18: after a minute the bot works towards flat."""
    scene = Scene().begun()
    scene.report(entered(scene), OrderState.UNKNOWN)
    scene.run(61_000)
    assert scene.engine.mode.state is Operating.REDUCING


def test_a_fill_we_did_not_hear_is_asked_for() -> None:
    """The venue says that more filled than we heard: the order is queried, which brings its fills."""
    scene = Scene().begun()
    order = entered(scene)
    scene.report(order, OrderState.PARTIALLY_FILLED, 3)
    assert scene.queries() == [order.client_id]


# -- exits and cancels ----------------------------------------------------------------------------------------------


def test_an_exit_without_a_word_is_sent_again() -> None:
    """F19: an exit is a goal; after a second of silence another one leaves, and both can only reduce."""
    scene = held()
    first = scene.sent(scene.exit_fires(2), Purpose.EXIT)
    again = orders_of([action for action in scene.run(1_300) if action], Purpose.EXIT)  # type: ignore[arg-type]
    assert len(again) == 1 and again[0].client_id != first.client_id
    assert first.reduce_only and again[0].reduce_only


def test_an_exit_that_takes_two_seconds_is_told() -> None:
    """F19: a closing that does not come about is said as a cause, until the position is flat."""
    scene = held()
    scene.step(Command(scene.now_ns, "flatten", "test", ""))
    scene.command("allow_entries")
    exit_id = scene.engine.traders[0].exit_id
    scene.run(1_900)
    assert Cause.EXIT_LATE not in scene.engine.mode.causes
    scene.run(200)
    assert "not flat" in scene.engine.mode.causes[Cause.EXIT_LATE]
    position = scene.engine.traders[0].position
    scene.step(Fill(scene.now_ns, exit_id, 77, 0, Side.SELL, MID, position.lots, 0, False, scene.now_ns))
    scene.run(200)
    assert Cause.EXIT_LATE not in scene.engine.mode.causes


def test_a_refused_market_exit_becomes_a_limit_order() -> None:
    """F27: refused at market, the next try is an immediate limit order inside the band; then at market again."""
    scene = held()
    order = scene.sent(scene.exit_fires(2), Purpose.EXIT)
    kinds = []
    for _ in range(3):
        kinds.append((order.type, order.price))
        scene.report(order, OrderState.REJECTED, reason="PRICE_BAND: no counterparty")
        order = scene.next_order()
    assert kinds == [
        (OrderType.MARKET, 0), (OrderType.LIMIT, (MID - 1) * 9_950 // 10_000), (OrderType.MARKET, 0),
    ]  # fmt: skip


def test_without_a_book_an_exit_stays_at_market() -> None:
    """The limit price needs a touch: with one side of the book empty the exit goes on at market."""
    scene = held()
    order = scene.sent(scene.exit_fires(2), Purpose.EXIT)
    scene.engine.memory.book(0)["best_bid"] = NO_BID
    scene.report(order, OrderState.REJECTED, reason="PRICE_BAND: no counterparty")
    assert scene.next_order().type is OrderType.MARKET


def test_a_cancel_without_effect_is_sent_again() -> None:
    """F54: the stop of a closed position is cancelled until it is gone."""
    scene = held()
    stop = stop_of(scene)
    order = scene.sent(scene.exit_fires(2), Purpose.EXIT)
    scene.fill(order)
    scene.report(order, OrderState.FILLED, 8)
    scene.run(1_700)
    assert cancels(scene.log).count(stop.client_id) >= 3
    scene.report(stop, OrderState.CANCELED)
    assert cancels(list(scene.run(1_000))) == []  # type: ignore[arg-type]


# -- protection -----------------------------------------------------------------------------------------------------


def test_a_position_without_a_stop_is_closed_after_three_seconds() -> None:
    """P25: when no word comes on the stop, the position leaves at the hard limit, and the time is measured."""
    scene = Scene().begun()
    scene.open()
    assert orders_of(list(scene.run(2_800)), Purpose.EXIT) == []  # type: ignore[arg-type]
    exits = orders_of(list(scene.run(500)), Purpose.EXIT)  # type: ignore[arg-type]
    assert len(exits) == 1 and exits[0].reduce_only
    scene.fill(exits[0])
    scene.run(200)
    assert scene.custody.unprotected_ns >= BARE_NS


def test_a_busy_venue_does_not_put_the_watch_off() -> None:
    """P25 holds although words come more often than the watch looks."""
    scene = Scene().begun()
    entry = scene.open()
    for _ in range(70):
        scene.run(50)
        scene.report(entry, OrderState.FILLED, 8)
    assert len(orders_of(scene.log, Purpose.EXIT)) >= 1


def test_an_accepted_stop_protects() -> None:
    """With its stop accepted a position stays."""
    scene = held()
    assert orders_of(list(scene.run(8_000)), Purpose.EXIT) == []  # type: ignore[arg-type]


def test_with_a_stop_that_two_readings_do_not_show_the_position_leaves() -> None:
    """F56: the venue dropped the stop without a word."""
    scene = held()
    scene.run(1_000)
    scene.read()
    assert stop_of(scene)
    scene.run(400)
    scene.read()
    assert orders_of(scene.log, Purpose.EXIT)


@pytest.mark.parametrize(("state", "reason"), [(OrderState.REJECTED, "-4120"), (OrderState.CANCELED, "")])
def test_two_stops_refused_or_taken_away_end_the_entries(state: OrderState, reason: str) -> None:
    """F51, F56: where the venue takes or keeps no stop a second position is the last one until a person looks."""
    scene = Scene().begun()
    for count in (1, 2):
        scene.open()
        scene.report(stop_of(scene), state, reason=reason)
        leaving = scene.engine.orders.alive(0, Purpose.EXIT)[0].approved
        scene.fill(leaving)
        scene.report(leaving, OrderState.FILLED, leaving.quantity)
        assert (Cause.UNPROTECTED in scene.engine.mode.causes) == (count == 2)
        scene.wait(60_000)


@pytest.mark.parametrize("reason", ["WOULD_TRIGGER: -2021", "REDUCE_ONLY: -2022", "NOT_PLACED: busy"])
def test_a_stop_refused_for_what_the_market_did_is_not_counted(reason: str) -> None:
    """F53: the price was quicker, the position gone, or the stop never reached the venue: that says nothing of it."""
    scene = Scene().begun()
    for _ in range(2):
        scene.open()
        scene.report(stop_of(scene), OrderState.REJECTED, reason=reason)
        leaving = scene.engine.orders.alive(0, Purpose.EXIT)[0].approved
        scene.fill(leaving)
        scene.report(leaving, OrderState.FILLED, leaving.quantity)
        assert Cause.UNPROTECTED not in scene.engine.mode.causes
        scene.wait(60_000)


def test_a_stop_that_is_shown_is_not_lost() -> None:
    """A reading that shows the stop forgets an earlier one that did not."""
    scene = held()
    stop = stop_of(scene)
    for listed in ((), (shown(stop),), (), (shown(stop),)):
        scene.run(1_000)
        scene.read(*listed)
    assert orders_of(scene.log, Purpose.EXIT) == []


def given_up() -> tuple[Scene, ApprovedOrder]:
    """A position closed because two readings did not show its stop, and that stop."""
    scene = held()
    stop = stop_of(scene)
    for _ in range(2):
        scene.run(1_000)
        scene.read()
    leaving = orders_of(scene.log, Purpose.EXIT)[0]
    scene.step(Fill(scene.now_ns, leaving.client_id, 77, 0, Side.SELL, MID, 8, 0, False, scene.now_ns))
    scene.report(leaving, OrderState.FILLED, 8)
    return scene, stop


def test_a_stop_taken_for_lost_that_shows_itself_later_is_cancelled() -> None:
    """The venue may show a new order seconds late: a stop given up as lost is taken back once the position is closed,
    and again when a reading shows it."""
    scene, stop = given_up()
    scene.run(1_100)
    assert cancels(scene.log)[-1] == stop.client_id
    mark = len(scene.log)
    scene.run(1_000)
    scene.read(shown(stop))
    assert cancels(scene.log[mark:]) == [stop.client_id]


def test_a_stop_shown_after_it_was_given_up_is_read_again_soon() -> None:
    """A reading that a fill overtook cannot take the stop back; the next one comes within half a second, not ten."""
    scene, stop = given_up()
    scene.read(shown(stop))
    mark = len(scene.log)
    scene.run(500)
    assert any(isinstance(action, Inspect) for action in scene.log[mark:])


def test_a_margin_call_leaves_at_once() -> None:
    """The venue warns of a liquidation: close while we can choose how."""
    scene = held()
    actions = scene.step(MarginCall(scene.now_ns, 0, MID * TICK_E8))
    assert len(orders_of(actions, Purpose.EXIT)) == 1


# -- the venue's truth ----------------------------------------------------------------------------------------------


def test_a_difference_is_read_twice_and_then_adopted() -> None:
    """F41: somebody else closed half: after a second reading it is so, the entries wait for a person."""
    scene = held()
    stop = stop_of(scene)
    scene.run(1_000)
    scene.read(shown(stop), lots=4)
    assert scene.engine.traders[0].position.lots == 8
    scene.run(400)
    scene.read(shown(stop), lots=4)
    assert scene.engine.traders[0].position.lots == 4
    assert scene.blocked == "ENTRY_BLOCKED EXTERNAL"


def test_closed_by_hand_is_cleaned_up_and_forgotten() -> None:
    """F41: a position closed by hand is flat here too, its stop is cancelled, and entries are allowed again."""
    scene = held()
    stop = stop_of(scene)
    scene.run(1_000)
    for _ in range(2):
        scene.read(shown(stop), lots=0)
        scene.run(400)
    assert scene.engine.traders[0].state is PositionState.FLAT
    assert stop.client_id in cancels(scene.log)
    scene.report(stop, OrderState.CANCELED)
    scene.run(1_000)
    scene.read()
    assert scene.blocked == "NORMAL"


def test_opened_by_hand_is_protected() -> None:
    """F41: a position that somebody else opened gets a stop, and no entry beside it."""
    scene = Scene().begun()
    scene.run(1_000)
    for _ in range(2):
        scene.read(lots=-3)
        scene.run(400)
    assert scene.engine.traders[0].position.lots == -3
    assert (stop_of(scene).side, stop_of(scene).quantity) == (Side.BUY, 3)


def test_made_larger_by_hand_it_gets_a_larger_stop() -> None:
    """F41, P25: a stop that covers the whole is placed at once; the smaller one goes when the larger stands."""
    scene = held()
    smaller = stop_of(scene)
    scene.step(Fill(scene.now_ns, "web_1", 78, 0, Side.BUY, MID, 3, 0, False, scene.now_ns, "external"))
    larger = orders_of(scene.log, Purpose.STOP)[-1]
    assert (larger.quantity, larger.side) == (11, smaller.side)
    scene.run(400)
    assert cancels(scene.log) == []
    scene.report(larger, OrderState.ACCEPTED)
    scene.run(400)
    assert cancels(scene.log) == [smaller.client_id]


def test_made_smaller_by_hand_it_keeps_its_stop() -> None:
    """A stop that only reduces may be larger than what it closes."""
    scene = held()
    stop = stop_of(scene)
    scene.step(Fill(scene.now_ns, "web_1", 78, 0, Side.SELL, MID, 3, 0, False, scene.now_ns, "external"))
    assert orders_of(scene.log, Purpose.STOP) == [stop] and cancels(scene.log) == []


def test_a_reading_that_our_own_orders_overtook_judges_nothing() -> None:
    """A fill between question and answer is no difference."""
    scene = Scene().begun()
    scene.run(1_000)
    asked_ns = scene.now_ns
    scene.open()
    truth = AccountTruth(scene.now_ns, asked_ns, WALLET_E8, WALLET_E8, (Held(0, 0, 0, 10, True),), (), False)
    scene.step(truth)
    scene.step(truth)
    assert scene.engine.traders[0].position.lots == 8


def test_a_foreign_order_is_seen() -> None:
    """An order of somebody else on our instrument blocks entries, and is left alone."""
    scene = Scene().begun()
    scene.run(1_000)
    foreign = Standing("web_abc", 9, 0, Side.BUY, 5, 0, MID - 900, 0, False, False)
    scene.read(foreign)
    assert scene.blocked == "ENTRY_BLOCKED EXTERNAL"
    assert cancels(scene.log) == []
    scene.run(10_000)
    scene.read()
    assert scene.blocked == "NORMAL"


def test_an_order_of_another_instance_is_refused_company() -> None:
    """F63: while we run, an order with our prefix and another epoch is another instance: we enter nothing."""
    scene = Scene().begun()
    scene.run(1_000)
    scene.read(Standing("scotherrune000001", 9, 0, Side.BUY, 5, 0, MID - 900, 0, False, False))
    assert scene.blocked == "ENTRY_BLOCKED INSTANCE"
    assert cancels(scene.log) == []


def test_a_liquidation_halts() -> None:
    """F42: closed by force: booked, told, and halted until a person looks."""
    scene = held()
    scene.step(Fill(scene.now_ns, "autoclose-1", 99, 0, Side.SELL, 700_000, 8, 0, False, scene.now_ns, "liquidation"))
    assert scene.engine.traders[0].position.lots == 0
    assert scene.engine.mode.state is Operating.HALTED
    assert Cause.LIQUIDATED in scene.engine.mode.causes


def test_an_account_nobody_can_read_blocks_entries() -> None:
    """F30: half a minute without a reading: blind, and asked for again and again."""
    scene = Scene().begun()
    mark = len(scene.log)
    scene.run(45_000)
    assert Cause.BLIND in scene.engine.mode.causes
    assert sum(isinstance(action, Inspect) for action in scene.log[mark:]) >= 5
    scene.read()
    assert scene.blocked == "NORMAL"


def test_flat_is_read_back() -> None:
    """A kill is over when a reading asked after it shows nothing of ours."""
    scene = held()
    stop = stop_of(scene)
    order = scene.sent(scene.command("kill"), Purpose.EXIT)
    before = scene.now_ns
    scene.fill(order)
    scene.report(order, OrderState.FILLED, 8)
    scene.report(stop, OrderState.CANCELED)
    scene.run(1_100)
    scene.read()
    assert scene.custody.flat_read_ns > before


@pytest.mark.parametrize("name", ["flatten", "kill"])
def test_a_kill_of_a_flat_account_is_read_back_at_once(name: str) -> None:
    """With nothing open the account is read at the word itself, not at the next round."""
    scene = Scene().begun()
    scene.run(1_000)
    scene.read()
    before = scene.now_ns
    assert any(isinstance(action, Inspect) for action in scene.command(name))
    scene.read()
    assert scene.custody.flat_read_ns >= before


# -- money ----------------------------------------------------------------------------------------------------------


def test_the_same_gap_twice_blocks_entries() -> None:
    """P28: a wallet that is not what our books say, twice in a row."""
    scene = Scene().begun()
    scene.run(1_000)
    scene.read(wallet_e8=WALLET_E8 - 1)
    assert scene.blocked == "NORMAL"
    scene.run(1_000)
    scene.read(wallet_e8=WALLET_E8 - 1)
    assert scene.blocked == "ENTRY_BLOCKED P28"
    scene.run(1_000)
    scene.read()
    assert scene.blocked == "NORMAL"


def test_a_deposit_is_neither_profit_nor_loss() -> None:
    """Money moved in changes the wallet and every mark the limits count from."""
    scene = Scene().begun()
    scene.step(Balance(scene.now_ns, 90 * E8, 20 * E8, "DEPOSIT", ()))
    ledger = scene.engine.ledger
    assert (ledger.wallet_e8, ledger.peak_e8, ledger.day_start_e8) == (90 * E8,) * 3
    assert ledger.moved_e8 == 20 * E8


def test_the_venues_own_result_is_booked() -> None:
    """The wallet moves by the venue's figure of a fill's result, which may round otherwise than ours."""
    scene = held()
    order = scene.sent(scene.exit_fires(2), Purpose.EXIT)
    before = scene.engine.ledger.wallet_e8
    scene.step(Fill(scene.now_ns, order.client_id, 77, 0, order.side, MID, 8, 5, False, scene.now_ns, realised_e8=-3))
    assert scene.engine.ledger.wallet_e8 == before - 8


def test_time_passes_quietly_when_all_is_well() -> None:
    """Flat and read: one question every ten seconds, nothing else."""
    scene = Scene().begun()
    mark = len(scene.log)
    for _ in range(6):
        scene.run(10_000)
        scene.read()
    wishes = [action for action in scene.log[mark:] if isinstance(action, Inspect | Query | Cancel)]
    assert wishes and all(isinstance(action, Inspect) for action in wishes) and len(wishes) == 6
    assert scene.now_ns > 60 * SECOND


# -- fills that cannot be (P30) -------------------------------------------------------------------------------------


def test_a_fill_of_an_order_never_sent_blocks_entries() -> None:
    """An id of ours that nobody here knows is somebody else with our prefix, or a mistake of ours."""
    scene = Scene().begun()
    ghost = Fill(scene.now_ns, "scabcdefghe999999", 1, 0, Side.BUY, MID, 1, 0, False, scene.now_ns)
    scene.step(ghost)
    assert scene.blocked == "ENTRY_BLOCKED P30"


@pytest.mark.parametrize(("per_mille", "blocked"), [(6, True), (4, False)])
def test_an_entry_filled_far_from_the_market_blocks_entries(per_mille: int, blocked: bool) -> None:
    """More than 50 bps from the mid is no price that an entry of ours may get."""
    scene = Scene().begun()
    scene.open(price=MID + MID * per_mille // 1_000)
    assert (Cause.FILL in scene.engine.mode.causes) is blocked


def test_a_stop_may_fill_far_away() -> None:
    """What reduces is not held to the collar: the market may have run."""
    scene = held()
    scene.fill(stop_of(scene), price=MID - MID // 20)
    assert Cause.FILL not in scene.engine.mode.causes


def test_a_fee_of_over_twice_the_rate_blocks_entries() -> None:
    """A schedule that changed, or fees in another asset: no entry before a person has looked."""
    for times, blocked in ((2, False), (3, True)):
        scene = Scene().begun()
        due_e8 = INSTRUMENT.notional_e8(MID, 8) * INSTRUMENT.fees.taker_e8 // E8
        scene.open(lots=8, fee_e8=times * due_e8)
        assert (Cause.FILL in scene.engine.mode.causes) is blocked
