"""The compiled walk over records, beside its slow twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.kernel import address_of
from models.recording import RECORD_HEADER
from storage.cold.checksum import CHECK, SEAL, SHAPE, SUMMARY_WORDS, walk_records
from tests.naive import checksum as naive


def compiled(data: bytearray, mode: int) -> tuple[int, list[int]]:
    """The kernel with the twin's signature."""
    room = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(1, dtype=np.uint8)
    summary = np.full(SUMMARY_WORDS, 7, dtype=np.int64)
    count = int(walk_records(address_of(room), len(data), mode, address_of(summary)))
    return count, summary.tolist()


def chunk(records: list[tuple[int, bytes]]) -> bytearray:
    """Unsealed records of (kind, payload)."""
    return bytearray(
        b"".join(
            RECORD_HEADER.pack(len(payload), kind, 3, 0, 10 + number, number, 0) + payload
            for number, (kind, payload) in enumerate(records)
        )
    )


RECORDS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=70)), max_size=8)


def test_walk_records_seals_and_checks_a_chunk() -> None:
    """Sealed records pass the check, and the summary counts them by kind and knows where the last one begins."""
    data = chunk([(1, b"123456789"), (5, b""), (1, b"x" * 40)])
    assert compiled(data, SEAL)[0] == 3
    assert RECORD_HEADER.unpack_from(data, 0)[6] == 0xCBF43926  # the published check value of CRC-32
    count, summary = compiled(data, CHECK)
    assert (count, summary[0], summary[1 + 1], summary[1 + 5]) == (3, 32 + 9 + 32, 2, 1)


def test_walk_records_names_the_offset_of_a_record_that_runs_past_the_end() -> None:
    """A cut chunk is refused at the record that is not whole, in every mode."""
    data = chunk([(1, b"abc"), (1, b"defg")])[:-1]
    assert [compiled(bytearray(data), mode)[0] for mode in (SHAPE, CHECK, SEAL)] == [-1 - 35, -1, -1 - 35]


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.sampled_from([SHAPE, CHECK, SEAL]), st.data())
def test_walk_records_agrees_with_its_twin_on_damaged_chunks(
    records: list[tuple[int, bytes]], mode: int, data: st.DataObject
) -> None:
    """Sealed chunks with any byte changed and any tail cut give the same answer and the same bytes as the twin."""
    sealed = chunk(records)
    naive.walk_records(sealed, SEAL)
    if sealed and data.draw(st.booleans()):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    sealed = sealed[: data.draw(st.integers(0, len(sealed)))]
    mine, twin = bytearray(sealed), bytearray(sealed)
    assert compiled(mine, mode) == naive.walk_records(twin, mode)
    assert mine == twin
