"""What a journal leaves to the next run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from models.action import Remember, Submit
from models.event import Inherited, OrderReport
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce
from models.survivors import Survivors
from storage.cold.inheritance import DAY_NS, left_behind, newest_journal
from storage.cold.journal import Journal
from storage.cold.journal_reader import JournalDamagedError
from storage.cold.keeper import JournalKeeper

NOW_NS = 1_795_262_400_000_000_000
SURVIVORS = Survivors(7, 7, 7, 1, 7, 0, 2, 0, {"KILL": "a test"}, 9, 9, False)


def order(number: int, purpose: Purpose = Purpose.ENTRY, at_ns: int = NOW_NS) -> ApprovedOrder:
    return ApprovedOrder(
        f"scabcdefgh{purpose.value}{number:06d}", 0, Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, 8, 0, False,
        purpose, at_ns,
    )  # fmt: skip


def report(wish: ApprovedOrder, state: OrderState) -> OrderReport:
    return OrderReport(NOW_NS, wish.client_id, 1, state, 0, NOW_NS)


class Run:
    """A journal being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal(path, {"version": "test"})
        self.keeper = JournalKeeper(self.journal)

    def submit(self, wish: ApprovedOrder, *states: OrderState) -> None:
        self.keeper.action(Submit(wish.created_ns, wish), 0)
        for state in states:
            self.keeper.event(report(wish, state), 0)

    def left(self) -> Inherited:
        self.journal.close()
        return left_behind(self.path, NOW_NS)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "20261127T120000Z-testnet-0000.journal")


def test_orders_without_an_end_are_left(run: Run) -> None:
    """Sent, accepted or unknown is open; filled, cancelled, expired or refused is not."""
    ends = [OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED]
    for number, state in enumerate(ends):
        run.submit(order(number), OrderState.ACCEPTED, state)
    run.submit(order(7))
    run.submit(order(8), OrderState.ACCEPTED)
    run.submit(order(9, Purpose.STOP), OrderState.UNKNOWN)
    assert [one.client_id[-1] for one in run.left().orders] == ["7", "8", "9"]


def test_the_newest_survivors_count(run: Run) -> None:
    """Of several only the last word is left; without any there is none."""
    run.keeper.action(Remember(NOW_NS, msgspec.structs.replace(SURVIVORS, causes={})), 0)
    run.keeper.action(Remember(NOW_NS, SURVIVORS), 0)
    assert run.left().survivors == SURVIVORS


def test_entries_of_the_last_day_are_left(run: Run) -> None:
    """Entries count for a day, exits never."""
    run.submit(order(1, at_ns=NOW_NS - DAY_NS), OrderState.FILLED)
    run.submit(order(2, at_ns=NOW_NS - DAY_NS + 1), OrderState.FILLED)
    run.submit(order(3, Purpose.EXIT), OrderState.FILLED)
    assert run.left().entries == ((NOW_NS - DAY_NS + 1, 0, 0, 0, 8),)


def test_what_a_run_inherited_itself_goes_on(run: Run) -> None:
    """A run that was killed before it saw the end of what it had taken over leaves that too."""
    old, ended = order(1), order(2)
    run.keeper.event(Inherited(NOW_NS, SURVIVORS, (old, ended), ((NOW_NS - 5, 0, 1, 0, 3),)), 0)
    run.keeper.event(report(ended, OrderState.FILLED), 0)
    left = run.left()
    assert (left.survivors, left.orders, left.entries) == (SURVIVORS, (old,), ((NOW_NS - 5, 0, 1, 0, 3),))


def test_a_torn_tail_is_left_out(run: Run) -> None:
    """A kill in the middle of a record costs that record alone: the journal of a run that goes on is read."""
    run.submit(order(1))
    copy = run.path.with_name("killed.journal")
    written = run.path.read_bytes()
    used = (len(written.rstrip(b"\0")) + 7) & -8  # records begin at multiples of eight
    copy.write_bytes(written[:used] + b"\x17" * 20)
    assert [one.client_id for one in left_behind(copy, NOW_NS).orders] == [order(1).client_id]
    run.journal.close()


def test_a_damaged_middle_is_refused(run: Run) -> None:
    """A byte changed before records that were synced: no guess about orders, exit code 7."""
    for number in range(50):
        run.submit(order(number))
    run.journal.close()
    data = bytearray(run.path.read_bytes())
    data[len(data.rstrip(b"\0")) // 2] ^= 0xFF
    run.path.write_bytes(bytes(data))
    with pytest.raises(JournalDamagedError) as caught:
        left_behind(run.path, NOW_NS)
    assert caught.value.exit_code == 7


def test_the_newest_journal_is_the_last_runs(tmp_path: Path) -> None:
    """Names begin with the time of the start; an empty folder has none."""
    assert newest_journal(tmp_path) is None
    for name in ("20261127T120000Z-live-ffff", "20261127T120001Z-live-0000", "20261126T235959Z-live-aaaa"):
        (tmp_path / f"{name}.journal").touch()
    assert newest_journal(tmp_path) == tmp_path / "20261127T120001Z-live-0000.journal"
