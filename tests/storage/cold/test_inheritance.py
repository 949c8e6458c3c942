"""What a run takes over from those before it, whenever they were killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.risk.mode import Cause
from models.action import Remember, Submit
from models.event import Inherited, OrderReport
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce
from models.survivors import Survivors
from storage.cold.inheritance import inherited
from storage.cold.journal import HEAD_BYTES, MAGIC, Journal
from storage.cold.journal_reader import JournalDamagedError
from storage.cold.keeper import JournalKeeper

NOW_NS = 1_795_000_000_000_000_000


def survivors(losses: int, repeats: int = 0) -> Survivors:
    """Marks with a losing streak, and a halt that a person lifts."""
    causes = {Cause.STREAK_HALT.value: "8 losing trades in a row"}
    return Survivors(70, 70, 70, 1, 70, 0, losses, repeats, causes, 0, 0, False)


def entry(number: int) -> ApprovedOrder:
    return ApprovedOrder(
        f"scaaaaaaaae{number:06}", 0, Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, 8, 0, False, Purpose.ENTRY, 5
    )


def journal(folder: Path, name: str, *contents: object) -> Path:
    """A journal of a killed run: not closed."""
    written = Journal(folder / f"{name}.journal", {"run_id": name}, sync="always")
    keeper = JournalKeeper(written)
    for content in contents:
        if isinstance(content, Inherited | OrderReport):
            keeper.event(content, 0)
        else:
            keeper.action(content, 0)  # type: ignore[arg-type]
    return written.path


def test_nothing_is_left_by_nobody(tmp_path: Path) -> None:
    """Without a journal there is nothing to take over."""
    assert inherited(tmp_path, NOW_NS) is None


def test_the_newest_run_that_tells_anything_counts(tmp_path: Path) -> None:
    """A run killed before it had taken over what was left to it does not hide what the run before left."""
    journal(tmp_path, "20261127T194800Z-testnet-aaaa", Remember(NOW_NS, survivors(3)))
    journal(tmp_path, "20261127T194900Z-testnet-bbbb")
    left = inherited(tmp_path, NOW_NS)
    assert left is not None
    assert left.survivors == survivors(3)


@pytest.mark.parametrize("left", [0, len(MAGIC), len(MAGIC) + HEAD_BYTES // 2])
def test_a_journal_that_was_never_begun_is_passed_over(tmp_path: Path, left: int) -> None:
    """A death while the journal was being made leaves zeros or half a header: nothing was promised in it."""
    journal(tmp_path, "20261127T194800Z-testnet-aaaa", Remember(NOW_NS, survivors(3)))
    torn = journal(tmp_path, "20261127T194900Z-testnet-bbbb")
    torn.write_bytes(torn.read_bytes()[:left] + bytes(4096))
    found = inherited(tmp_path, NOW_NS)
    assert found is not None
    assert found.survivors == survivors(3)


def test_a_lost_header_with_records_behind_it_is_damage(tmp_path: Path) -> None:
    """When a record says that the header was on the disk, the journal is refused."""
    path = journal(tmp_path, "20261127T194900Z-testnet-bbbb", Remember(NOW_NS, survivors(3)))
    data = bytearray(path.read_bytes())
    data[len(MAGIC) + 4] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamagedError):
        inherited(tmp_path, NOW_NS)


def test_of_one_second_the_later_journal_counts(tmp_path: Path) -> None:
    """Two runs begun in one second are told apart by their first records, not by the chance in their names."""
    journal(tmp_path, "20261127T194800Z-testnet-ffff", Remember(NOW_NS, survivors(3)))
    journal(tmp_path, "20261127T194800Z-testnet-0000", Remember(NOW_NS + 5, survivors(4)))
    left = inherited(tmp_path, NOW_NS)
    assert left is not None
    assert left.survivors == survivors(4)


def test_an_entry_after_the_last_mark_is_one_more_without_a_round_trip(tmp_path: Path) -> None:
    """The marks kept before an entry left do not know it: it counts as a repeat (P14), and is open."""
    marks = Remember(NOW_NS, survivors(0, 1))
    journal(
        tmp_path, "20261127T194800Z-testnet-aaaa", Submit(NOW_NS - 1, entry(1)), marks, Submit(NOW_NS + 1, entry(2))
    )
    left = inherited(tmp_path, NOW_NS + 2)
    assert left is not None and left.survivors is not None
    assert left.survivors.repeats == 2
    assert [order.client_id for order in left.orders] == [entry(1).client_id, entry(2).client_id]


def test_an_order_with_an_end_is_over(tmp_path: Path) -> None:
    """Orders count as open until a report has ended them; what the run had inherited goes on."""
    first = Inherited(NOW_NS, survivors(2), (entry(7),), ())
    over = OrderReport(NOW_NS + 2, entry(1).client_id, 5, OrderState.FILLED, 8, NOW_NS)
    journal(tmp_path, "20261127T194800Z-testnet-aaaa", first, Submit(NOW_NS + 1, entry(1)), over)
    left = inherited(tmp_path, NOW_NS + 3)
    assert left is not None
    assert left.orders == (entry(7),)
