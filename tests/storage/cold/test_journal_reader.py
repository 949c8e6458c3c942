"""Reading journals that were cut, damaged, swapped, or are none."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from models.error import DataError
from storage.cold.journal import HEAD, HEAD_BYTES, MAGIC
from storage.cold.journal_reader import JournalDamagedError, check_journal, read_journal
from tests.storage.cold.test_journal import build, overwrite, read, sample, write


def test_a_journal_cut_at_any_byte_reads_as_a_prefix(tmp_path: Path) -> None:
    """Cut anywhere behind its header, a journal gives a prefix and says that it was not closed."""
    rows = sample(15)
    whole = build(rows, 0, end=True)
    path = tmp_path / "j"
    head = len(build([], 0))
    lengths = set()
    path.write_bytes(whole)
    for size in range(len(whole) - 1, -1, -1):
        os.truncate(path, size)
        if size < head - 6:  # the header's payload is 10 bytes, padded by 6
            with pytest.raises(JournalDamagedError):
                check_journal(path)
            continue
        found = read(path)
        assert found == rows[: len(found)]
        state = check_journal(path)
        assert (state.closed, "was not closed" in state.tail) == (False, True)
        lengths.add(len(found))
    assert lengths == set(range(16))


@pytest.mark.parametrize("durable", [0, 10**6])
def test_every_changed_bit_is_found(tmp_path: Path, durable: int) -> None:
    """A flipped bit never changes a record: what was synced is refused with its place, what was not is cut and told."""
    rows = sample(12)
    whole = build(rows, durable, end=True)
    path = tmp_path / "j"
    path.write_bytes(whole)
    draw = random.Random(3)
    refused = told = 0
    for at in range(len(whole)):
        flipped = bytes([whole[at] ^ 1 << draw.randrange(8)])
        overwrite(path, max(0, at - 1), whole[:at][-1:] + flipped)  # the byte before is mended
        try:
            state = check_journal(path)
        except JournalDamagedError as error:
            assert error.exit_code == 7
            refused += 1
            continue
        found = read(path)
        assert found == rows[: len(found)]
        told += bool(state.tail)
        assert state.tail or len(found) == len(rows)  # padding between records carries nothing
    assert (refused > 0.8 * len(whole)) == bool(durable)
    assert told > 0 or durable


def test_a_damaged_middle_is_refused_with_its_place(tmp_path: Path) -> None:
    """A record that was on the disk and is not whole is named by byte and sequence."""
    write(tmp_path / "j", sample(30))
    data = bytearray((tmp_path / "j").read_bytes())
    start = len(MAGIC)
    for _ in range(10):
        start += (HEAD_BYTES + HEAD.unpack_from(data, start)[0] + 7) & -8
    data[start : start + 32] = bytes(32)
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(JournalDamagedError, match=rf"damaged at byte {start}: record 11 was on the disk") as refused:
        next(read_journal(tmp_path / "j"))
    assert (refused.value.exit_code, refused.value.code) == (7, "JOURNAL_DAMAGED")


def test_pages_lost_before_a_sync_are_a_torn_tail(tmp_path: Path) -> None:
    """After power loss a later page may be there and an earlier one zero: without a sync between, that is the tail."""
    rows = sample(200)
    data = bytearray(build(rows, 20))
    data[4096:8192] = bytes(4096)
    (tmp_path / "j").write_bytes(data + bytes(5000))
    found = read(tmp_path / "j")
    assert 20 < len(found) < len(rows)
    assert found == rows[: len(found)]
    assert "are torn and left out" in check_journal(tmp_path / "j").tail


def test_a_record_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    """Whole records swapped between two journals, or within one, break the chain."""
    rows = [(1, 5, 5, bytes([number]) * 8) for number in range(40)]
    ours = build(rows, 10**6, end=True)
    theirs = build([(2, 5, 5, b"x" * 8), *rows[1:]], 10**6, end=True)
    size, head = HEAD_BYTES + 8, len(build([], 0))
    third, fourth = slice(head + 2 * size, head + 3 * size), slice(head + 3 * size, head + 4 * size)
    for damaged in (
        ours[: third.start] + theirs[third] + ours[third.stop :],
        ours[: third.start] + ours[fourth] + ours[third] + ours[fourth.stop :],
        ours[: third.start] + ours[fourth.start :],
    ):
        (tmp_path / "j").write_bytes(damaged)
        with pytest.raises(JournalDamagedError, match=rf"damaged at byte {third.start}"):
            check_journal(tmp_path / "j")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is no journal"),
        (b"journal2" + bytes(100), "is no journal"),
        (MAGIC + bytes(100), "header record at byte 8 is not whole"),
        (build([(1, 0, 0, b"")], 0).replace(b'{"seed":7}', b'["seed",7]'), "header record at byte 8 is not whole"),
        (build([], 0, end=True) + b"more and more", "goes on at byte"),
        (build([(0, 0, 0, b"{}")], 0), "second header"),
    ],
)
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    """Another file, another version or a journal without its header is named as such."""
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(JournalDamagedError, match=sentence):
        check_journal(tmp_path / "j")


def test_a_missing_journal_is_said_so(tmp_path: Path) -> None:
    """A wrong path is an error of its own, not damage."""
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list(read_journal(tmp_path / "absent"))
    assert not os.path.exists(tmp_path / "absent")
