"""F61: a journal cut, zeroed or spoilt anywhere: what a restart takes from it existed once, or it is refused by name.

On files, without an exchange: what the next run inherits is all that a journal decides.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from models.action import Remember, Submit
from models.event import Inherited, OrderReport
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce
from models.survivors import Survivors
from storage.cold.inheritance import left_behind
from storage.cold.journal import Journal
from storage.cold.journal_reader import JournalDamagedError
from storage.cold.keeper import JournalKeeper

BEGIN_NS = 1_795_262_400_000_000_000
SECOND = 1_000_000_000


def order(number: int, purpose: Purpose) -> ApprovedOrder:
    stop = purpose is Purpose.STOP
    return ApprovedOrder(
        f"scabcdefgh{purpose.value}{number:06d}", 0, Side.SELL if stop else Side.BUY,
        OrderType.STOP_MARKET if stop else OrderType.MARKET, TimeInForce.GTC, 0, 8, 800 if stop else 0, stop, purpose,
        BEGIN_NS + number * SECOND,
    )  # fmt: skip


def survivors(day_loss: int, causes: dict[str, str]) -> Survivors:
    return Survivors(70, 70 - day_loss, 70, 20_000, 70, 0, day_loss, 0, causes, 0, 0, False)


def story(folder: Path) -> tuple[Path, list[Inherited]]:
    """A journal of a little life, and what each of its prefixes leaves behind, in order."""
    entry, stop = order(1, Purpose.ENTRY), order(2, Purpose.STOP)
    facts = [
        Remember(BEGIN_NS, survivors(0, {})),
        Submit(BEGIN_NS + SECOND, entry),
        OrderReport(BEGIN_NS + SECOND, entry.client_id, 5, OrderState.ACCEPTED, 0, BEGIN_NS),
        Submit(BEGIN_NS + 2 * SECOND, stop),
        OrderReport(BEGIN_NS + 2 * SECOND, entry.client_id, 5, OrderState.FILLED, 8, BEGIN_NS),
        Remember(BEGIN_NS + 3 * SECOND, survivors(7, {"P21": "hard daily loss"})),
        OrderReport(BEGIN_NS + 4 * SECOND, stop.client_id, 6, OrderState.CANCELED, 0, BEGIN_NS),
    ]
    path = folder / "whole.journal"
    left = []
    for count in range(len(facts) + 1):
        path.unlink(missing_ok=True)
        with Journal(path, {"version": "test"}, block_bytes=4096) as journal:
            keeper = JournalKeeper(journal)
            for fact in facts[:count]:
                keep = keeper.event if isinstance(fact, OrderReport) else keeper.action
                keep(fact, 0)  # type: ignore[arg-type]
        left.append(left_behind(path, BEGIN_NS))
    return path, left


def spoilt(path: Path, data: bytes) -> Inherited | None:
    """What a file with these bytes leaves behind; None when it is refused."""
    path.write_bytes(data)
    try:
        return left_behind(path, BEGIN_NS)
    except JournalDamagedError as refused:
        assert str(path) in str(refused) and refused.exit_code == 7
        return None


def test_cut_at_any_byte_it_is_an_earlier_state(tmp_path: Path) -> None:
    """Cut anywhere it leaves a state that existed, never newer with fewer bytes, or refused without a header."""
    path, left = story(tmp_path)
    data = path.read_bytes()
    newest = -1
    for size in (*range(0, len(data), 3), len(data)):
        found = spoilt(tmp_path / "cut.journal", data[:size])
        if found is None:
            assert newest == -1, f"cut at byte {size} of {len(data)}"
            continue
        assert found in left
        newest = max(newest, left.index(found))
        assert left.index(found) == newest
    assert newest == len(left) - 1


def test_a_flipped_bit_is_never_absorbed(tmp_path: Path) -> None:
    """One changed bit gives an earlier state or a refusal with the file's name: never a state that never was."""
    path, left = story(tmp_path)
    data = bytearray(path.read_bytes())
    refused = 0
    for at in range(0, len(data), 5):
        data[at] ^= 1 << at % 8
        found = spoilt(tmp_path / "bit.journal", bytes(data))
        data[at] ^= 1 << at % 8
        refused += found is None
        assert found is None or found in left
    assert refused


@pytest.mark.parametrize("start", range(0, 1024, 128))
def test_a_zeroed_stretch_is_never_absorbed(tmp_path: Path, start: int) -> None:
    """A stretch of zeros, as a lost page leaves it, gives an earlier state or a refusal."""
    path, left = story(tmp_path)
    data = path.read_bytes()
    found = spoilt(tmp_path / "zero.journal", data[:start] + bytes(128) + data[start + 128 :])
    assert found is None or found in left


def test_swapped_records_are_never_absorbed(tmp_path: Path) -> None:
    """Two stretches in each other's place: whole and checksummed each, and still no state that never was."""
    path, left = story(tmp_path)
    data = path.read_bytes()
    for at in range(64, len(data) - 256, 64):
        swapped = data[:at] + data[at + 128 : at + 256] + data[at : at + 128] + data[at + 256 :]
        found = spoilt(tmp_path / "swap.journal", swapped)
        assert found is None or found in left


def test_a_sealed_loss_limit_is_not_lost_to_a_torn_tail(tmp_path: Path) -> None:
    """The halt stays in force when only bytes after its record are torn."""
    path, left = story(tmp_path)
    data = path.read_bytes()
    halted = next(number for number, one in enumerate(left) if one.survivors and one.survivors.causes)
    whole = range(len(data) * 3 // 4, len(data), 7)
    found = [left.index(one) for size in whole if (one := spoilt(tmp_path / "t", data[:size])) is not None]
    assert halted in found or halted + 1 in found
    assert all("P21" in left[number].survivors.causes for number in found if number >= halted)  # type: ignore[union-attr]
    assert found == sorted(found)
