"""A run after one that was killed: what it takes over, and what the venue tells of the time between."""

from __future__ import annotations

from models.action import Remember, Submit
from models.event import ClockOffset, Fill, Inherited
from models.instrument import E8
from models.order import ApprovedOrder, OrderState, Purpose
from tests.builders import MS, SECOND
from tests.core.desk import MID
from tests.core.test_custody import Scene, stop_of


def held() -> Scene:
    """A long position of eight lots that cost a fee, its stop accepted."""
    scene = Scene().begun()
    scene.open(fee_e8=5_000)
    scene.report(stop_of(scene), OrderState.ACCEPTED)
    return scene


def entering() -> tuple[Scene, ApprovedOrder]:
    """An entry has left, and nothing has been heard of it."""
    scene = Scene().begun()
    return scene, scene.sent(scene.signal(), Purpose.ENTRY)


def left(before: Scene, *orders: ApprovedOrder, heard: tuple[tuple[str, int, int], ...] = ()) -> Inherited:
    """What ``before`` leaves when it is killed now, with orders that it has seen no end of."""
    kept = [action.survivors for action in before.log if isinstance(action, Remember)]
    return Inherited(before.now_ns, kept[-1], orders, (), heard)


def heir(before: Scene, *orders: ApprovedOrder, heard: tuple[tuple[str, int, int], ...] = ()) -> Scene:
    """The run after ``before``, which has taken over and asked for the account."""
    scene = Scene()
    scene.now_ns = before.now_ns + SECOND
    scene.step(left(before, *orders, heard=heard))
    scene.command("start")
    return scene


def test_nothing_is_remembered_before_it_is_known_what_was_left() -> None:
    """A run killed before it has taken over must not leave its own ignorance to the next."""
    scene = Scene()
    scene.step(ClockOffset(scene.now_ns, 0, MS))
    assert not [action for action in scene.log if isinstance(action, Remember)]
    scene.command("start")
    assert [action for action in scene.log if isinstance(action, Remember)]


def test_marks_are_kept_before_anything_leaves() -> None:
    """A fill's wishes begin with what a restart must not forget: a death between the two loses nothing."""
    scene = Scene().begun()
    mark = len(scene.log)
    scene.open()
    names = [type(action).__name__ for action in scene.log[mark:] if isinstance(action, Remember | Submit)]
    assert names[-2:] == ["Remember", "Submit"]  # the marks, then the stop


def test_a_round_trip_over_a_restart_has_all_its_fees() -> None:
    """What the run before paid for the position counts: a trip that lost is no win."""
    before = held()
    fee_e8 = before.engine.traders[0].position.fee_e8
    assert fee_e8 > 0
    scene = heir(before)
    scene.read(lots=8, wallet_e8=before.engine.ledger.wallet_e8)
    assert scene.engine.traders[0].position.fee_e8 == fee_e8


def test_an_entry_that_filled_unheard_has_its_fee() -> None:
    """The execution told after the position was taken over moves nothing but its fee; told twice, it counts once."""
    before, entry = entering()
    scene = heir(before, entry)
    scene.read(lots=8)
    fees_e8 = scene.engine.ledger.day_fees_e8
    for _ in range(2):
        fill = Fill(scene.now_ns, entry.client_id, 77, 0, entry.side, MID, 8, 5_000, False, before.now_ns)
        scene.step(fill)
    position = scene.engine.traders[0].position
    assert (position.lots, position.fee_e8) == (8, 5_000)
    assert scene.engine.ledger.day_fees_e8 == fees_e8 + 5_000


def test_an_execution_of_before_is_no_position_before_the_account_is_read() -> None:
    """A query may answer before the first reading: the position comes from the reading alone."""
    before, entry = entering()
    scene = heir(before, entry)
    scene.step(Fill(scene.now_ns, entry.client_id, 77, 0, entry.side, MID, 8, 5_000, False, before.now_ns))
    assert scene.engine.traders[0].position.lots == 0
    scene.read(lots=8)
    position = scene.engine.traders[0].position
    assert (position.lots, position.fee_e8) == (8, 5_000)


def test_an_execution_that_was_booked_before_is_no_news() -> None:
    """The heir of an order knows which executions its forerunner had booked: their fees count once."""
    before = held()
    entry = next(action.order for action in before.log if isinstance(action, Submit))
    scene = heir(before, entry, heard=((entry.client_id, 77, 8),))
    scene.read(lots=8, wallet_e8=before.engine.ledger.wallet_e8)
    fees_e8 = scene.engine.ledger.day_fees_e8
    scene.step(Fill(scene.now_ns, entry.client_id, 77, 0, entry.side, MID, 8, 5_000, False, before.now_ns))
    assert scene.engine.ledger.day_fees_e8 == fees_e8


def test_a_position_closed_while_nobody_looked_counts_as_a_round_trip() -> None:
    """A stop that filled between two runs was a loss: the streak goes on, and counts it once."""
    before = held()
    scene = heir(before)
    for _ in range(2):
        scene.read(lots=0, wallet_e8=before.engine.ledger.wallet_e8 - 3 * E8)
    assert (scene.engine.ledger.losses, scene.engine.ledger.losses_in_row) == (1, 1)


def test_a_run_killed_before_its_first_reading_hands_on_what_it_was_left() -> None:
    """Lots, fees and executions told late survive a second kill: the third run's round trip is whole."""
    before, entry = entering()
    second = heir(before, entry)
    second.step(Fill(second.now_ns, entry.client_id, 77, 0, entry.side, MID, 8, 5_000, False, before.now_ns))
    third = heir(second, entry, heard=((entry.client_id, 77, 8),))
    third.read(lots=8)
    assert third.engine.traders[0].position.fee_e8 == 5_000
    first = held()
    again = heir(heir(first))
    again.read(lots=0, wallet_e8=first.engine.ledger.wallet_e8 - 3 * E8)
    assert again.engine.ledger.losses_in_row == 1
