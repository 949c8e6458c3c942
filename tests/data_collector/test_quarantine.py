"""What was refused stays known: reason, first bytes, and how often."""

from __future__ import annotations

import json
from collections import Counter

from data_collector.quarantine import BYTES_KEPT, KEPT, NAMES_MAX, Quarantine, Quarantined, Reason, counted_as


def test_a_refusal_keeps_reason_and_bytes() -> None:
    """What is put in stands there as it came, and the listener is told the same."""
    told: list[Quarantined] = []
    quarantine = Quarantine(told.append)
    quarantine.put(Reason.CROSSED, b"{}", detail="why", stream="bookTicker", connection=1, received_ns=5, number=9)
    expected = Quarantined(9, 5, 1, "bookTicker", Reason.CROSSED, "why", 2, b"{}")
    assert list(quarantine.last) == told == [expected]


def test_a_long_frame_keeps_its_head_and_its_length() -> None:
    """Of ten megabytes the first 4 KiB are kept, and the length tells the rest."""
    quarantine = Quarantine()
    payload = bytes(range(256)) * 40_000
    quarantine.put(Reason.TOO_LARGE, payload)
    assert (quarantine.last[0].payload, quarantine.last[0].length) == (payload[:BYTES_KEPT], len(payload))


def test_the_ring_forgets_the_counters_do_not() -> None:
    """The newest refusals stay, the oldest leave, and every one is counted by reason and by stream."""
    quarantine = Quarantine()
    for number in range(3 * KEPT):
        quarantine.put(Reason.NOT_JSON if number % 3 else Reason.TRUNCATED, b"x", number=number)
    assert [one.number for one in quarantine.last] == list(range(2 * KEPT, 3 * KEPT))
    assert quarantine.count == sum(quarantine.reasons.values()) == sum(quarantine.streams.values()) == 3 * KEPT
    assert quarantine.reasons == {"NOT_JSON": 2 * KEPT, "TRUNCATED": KEPT}
    assert quarantine.streams == {"unknown": 3 * KEPT}


def test_invented_stream_names_do_not_grow_the_counters() -> None:
    """Beyond 64 names further ones are counted together, and the known ones go on being counted apart."""
    quarantine = Quarantine()
    for number in range(10_000):
        quarantine.put(Reason.WRONG_TYPE, b"x", stream=f"other:{number}")
    quarantine.put(Reason.WRONG_TYPE, b"x", stream="other:0")
    assert len(quarantine.streams) == NAMES_MAX + 1
    assert quarantine.streams["other"] == 10_000 - NAMES_MAX and quarantine.streams["other:0"] == 2


def test_a_name_is_counted_as_itself_while_there_is_room() -> None:
    """A known name always is, a new one only below the bound."""
    full = Counter({str(number): 1 for number in range(NAMES_MAX)})
    assert (counted_as("5", full), counted_as("new", full)) == ("5", "other")
    assert counted_as("new", Counter()) == "new"


def test_reasons_are_their_own_text() -> None:
    """Records and alert rules carry the reason's name, so text and name are one."""
    assert all(reason.value == reason.name == str(reason) for reason in Reason)


def test_a_record_shows_the_bytes_whatever_they_are() -> None:
    """The line for ``quarantine.jsonl`` is JSON with reason and bytes; what is no text is written as escapes."""
    one = Quarantined(9, 5_000_999, 1, "bookTicker", Reason.NOT_JSON, "why", 4, b'{"\xff\x00')
    assert json.loads(json.dumps(one.record())) == {
        "ts": 5000, "reason": "NOT_JSON", "detail": "why", "stream": "bookTicker", "connection": 1, "number": 9,
        "length": 4, "bytes": '{"\\xff\x00',
    }  # fmt: skip
