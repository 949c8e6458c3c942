"""What a restart must not forget, as a conversation: two engines, the second goes on where the first ended."""

from __future__ import annotations

import msgspec

from core.risk.ledger import DAY_NS
from core.risk.mode import Cause
from models.action import Remember
from models.control import Operating
from models.event import Command, Inherited, Standing
from models.instrument import E8
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce
from models.survivors import Survivors
from tests.builders import SECOND
from tests.core.desk import INSTRUMENT, MID, cancels, orders_of
from tests.core.test_custody import WALLET_E8, Scene, held, stop_of

OLD_ENTRY, OLD_STOP = "scoldrun00e000001", "scoldrun00s000002"


def left_by(scene: Scene) -> Survivors:
    """What the engine wished to be remembered last."""
    return [action.survivors for action in scene.log if isinstance(action, Remember)][-1]


def order(name: str, purpose: Purpose, scene: Scene, **changes: object) -> ApprovedOrder:
    """An order of the run before, sent a second ago."""
    stop = purpose is Purpose.STOP
    kind = OrderType.STOP_MARKET if stop else OrderType.MARKET
    side = Side.SELL if stop else Side.BUY
    trigger = MID - 38_500 if stop else 0
    plain = ApprovedOrder(
        name, 0, side, kind, TimeInForce.GTC, 0, 8, trigger, stop, purpose, scene.now_ns - SECOND
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def restarted(survivors: Survivors | None = None, *orders: ApprovedOrder, scene: Scene | None = None) -> Scene:
    """A new engine that has taken over and read nothing yet."""
    scene = scene or Scene()
    scene.book()
    scene.step(Inherited(scene.now_ns, survivors, orders, ()))
    scene.command("start")
    return scene


# -- marks and causes -----------------------------------------------------------------------------------------------


def test_the_marks_of_the_day_go_on() -> None:
    """Wallet, peak, day start, fees of the day and the losing streak are those of the run before."""
    first = held()
    first.close(fee_e8=E8)
    left = left_by(first)
    second = restarted(left)
    ledger = second.engine.ledger
    assert (ledger.start_e8, ledger.peak_e8, ledger.day_start_e8) == (left.start_e8, left.peak_e8, left.day_start_e8)
    assert ledger.day_fees_e8 == left.day_fees_e8 > 0
    assert ledger.losses_in_row == left.losses_in_row
    assert ledger.opened_e8 == left.wallet_e8


def test_what_a_person_must_lift_holds_after_a_restart() -> None:
    """A kill halts the next run too; allowing entries there does not lift it."""
    first = Scene().begun()
    first.command("kill")
    second = restarted(left_by(first))
    second.read()
    assert second.engine.mode.state is Operating.HALTED
    assert second.engine.mode.causes[Cause.KILL].endswith("(of a run before)")
    second.command("allow_entries")
    assert second.engine.mode.state is Operating.HALTED


def test_what_ends_by_itself_does_not_survive() -> None:
    """A stream that was lost, or a start, holds nothing back in the next run."""
    first = Scene()
    first.command("start")
    assert left_by(first).causes == {}


def test_a_pause_goes_on_until_its_time() -> None:
    """The pause after a losing streak ends at the instant at which it would have ended."""
    scene = Scene().begun()
    until_ns = scene.now_ns + 60 * SECOND
    left = msgspec.structs.replace(
        left_by(scene), causes={Cause.STREAK_PAUSE.value: "three losses"}, pause_until_ns=until_ns
    )
    second = restarted(left)
    second.read()
    assert second.blocked == "ENTRY_BLOCKED P24_PAUSE"
    second.run(61_000)
    assert Cause.STREAK_PAUSE not in second.engine.mode.causes


def test_a_handed_over_position_is_guarded_until_a_person_allows_entries() -> None:
    """A stop that left a position makes the next run enter nothing; a stop that left none does not."""
    first = held()
    first.step(Command(first.now_ns, "handover", "run"))
    assert left_by(first).causes == {Cause.OPERATOR.value: "stopped with an open position"}
    flat = Scene().begun()
    flat.step(Command(flat.now_ns, "handover", "run"))
    assert left_by(flat).causes == {}


def test_money_lost_while_nobody_looked_is_a_loss() -> None:
    """A smaller wallet counts against the limits of the day; a larger one moves every mark and is no profit."""
    left = left_by(held())
    lost, won = restarted(left), restarted(left)
    lost.read(lots=0, wallet_e8=left.wallet_e8 - 5 * E8)
    won.read(lots=0, wallet_e8=left.wallet_e8 + 5 * E8)
    assert lost.engine.ledger.day_start_e8 - lost.engine.ledger.wallet_e8 == left.day_start_e8 - left.wallet_e8 + 5 * E8
    assert won.engine.ledger.day_start_e8 - won.engine.ledger.wallet_e8 == left.day_start_e8 - left.wallet_e8


def test_entries_of_the_last_day_still_count() -> None:
    """P14 counts entries over a restart: those since the last round trip go on."""
    scene = Scene()
    survivors = msgspec.structs.replace(left_by(Scene().begun()), repeats=2)
    entries = tuple((scene.now_ns - n * SECOND, 0, 0, MID, 8) for n in (3, 2, 1))
    scene.step(Inherited(scene.now_ns, survivors, (), entries))
    assert len(scene.engine.ledger.entries) == 3
    assert [one.at_ns for one in scene.engine.ledger.entries_since_trip] == [entries[1][0], entries[2][0]]
    assert scene.engine.ledger.entries_since(scene.now_ns, DAY_NS) == 3


# -- orders without an end ------------------------------------------------------------------------------------------


def test_an_order_without_an_end_is_asked_for_and_blocks_entries() -> None:
    """Whatever the run before had sent and not seen the end of is unknown, not failed."""
    scene = Scene()
    scene = restarted(None, order(OLD_ENTRY, Purpose.ENTRY, scene), scene=scene)
    assert Cause.UNKNOWN in scene.engine.mode.causes
    scene.run(300)
    assert OLD_ENTRY in scene.queries()


def test_a_fill_that_the_position_read_has_already_is_not_counted_twice() -> None:
    """An entry that filled before the crash: the position is read first, its fill is told afterwards."""
    scene = Scene()
    wish = order(OLD_ENTRY, Purpose.ENTRY, scene)
    scene = restarted(None, wish, scene=scene)
    filled_ns = scene.now_ns - SECOND
    scene.read(lots=8)
    scene.fill(wish, venue_ns=filled_ns)
    scene.report(wish, OrderState.FILLED, filled=8)
    assert scene.engine.traders[0].position.lots == 8
    scene.report(stop_of(scene), OrderState.ACCEPTED)
    scene.read(lots=8)
    assert (scene.custody.ready, scene.custody.adoptions) == (True, 1)


def test_a_fill_of_before_waits_for_the_reading() -> None:
    """An execution told before the account was read books nothing: the position read has it, once."""
    scene = Scene()
    wish = order(OLD_ENTRY, Purpose.ENTRY, scene)
    scene = restarted(None, wish, scene=scene)
    scene.fill(wish, venue_ns=scene.now_ns - SECOND)
    scene.report(wish, OrderState.FILLED, filled=8)
    assert scene.engine.traders[0].position.lots == 0
    scene.read(lots=8)
    scene.report(stop_of(scene), OrderState.ACCEPTED)
    scene.read(lots=8)
    assert (scene.engine.traders[0].position.lots, scene.custody.ready) == (8, True)


def test_an_inherited_stop_found_beside_its_position_is_kept() -> None:
    """The stop that the run before sent and never heard of stands at the venue: it protects, no second one is left."""
    scene = Scene()
    stop = order(OLD_STOP, Purpose.STOP, scene)
    scene = restarted(None, stop, scene=scene)
    standing = Standing(OLD_STOP, 7, 0, Side.SELL, 8, 0, 0, stop.trigger, True, True)
    scene.read(standing, lots=8)
    assert scene.engine.traders[0].stop_id == OLD_STOP
    assert orders_of(scene.log, Purpose.STOP) == []
    assert (scene.custody.ready, Cause.UNKNOWN in scene.engine.mode.causes) == (True, False)


def test_a_resting_entry_of_the_run_before_is_taken_back() -> None:
    """An inherited entry that still rests at the venue is cancelled: its signal is gone."""
    scene = Scene()
    wish = order(OLD_ENTRY, Purpose.ENTRY, scene, type=OrderType.LIMIT, price=MID - 9)
    scene = restarted(None, wish, scene=scene)
    scene.read(Standing(OLD_ENTRY, 6, 0, Side.BUY, 8, 0, MID - 9, 0, False, False))
    assert cancels(scene.log) == [OLD_ENTRY]


def test_a_position_taken_over_before_the_first_book_is_worth_its_entry() -> None:
    """Without a price open profit is nothing: no peak and no drawdown come of a book that is not there yet."""
    scene = Scene()
    scene.command("start")
    scene.read(lots=-8, entry_e8=MID * INSTRUMENT.tick_e8)
    ledger = scene.engine.ledger
    assert ledger.peak_e8 == WALLET_E8 and scene.engine.account.equity_e8() == ledger.wallet_e8
    assert Cause.DRAWDOWN not in scene.engine.mode.causes
