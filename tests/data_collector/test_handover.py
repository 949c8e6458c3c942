"""One stream over two connections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.handover import UNNUMBERED, Handover, order_of
from data_collector.routes import streams_for

STREAMS = streams_for([(0, "BTCUSDT")], ["depth@100ms", "bookTicker", "forceOrder"])
DEPTH, QUOTE, FORCED = 0, 1, 2


def depth(number: int) -> bytes:
    return b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":5,"U":1,"u":%d,"pu":%d}}' % (number, 99)


def test_pu_is_not_taken_for_u() -> None:
    """The number of a depth frame is its own last id, wherever ``pu`` stands."""
    assert order_of(b'{"pu":7,"U":8,"u":9}', b'"u":') == 9


@pytest.mark.parametrize("payload", [b"", b'{"u":', b'{"u":"9"}', b'{"u":-1}', b"{}"])
def test_a_frame_without_its_number_is_unnumbered(payload: bytes) -> None:
    """Broken or strange frames have no number and raise nothing."""
    assert order_of(payload, b'"u":') == UNNUMBERED


def test_an_absurd_number_is_read_in_bounded_time() -> None:
    """At most twenty digits are looked at."""
    assert order_of(b'{"u":' + b"9" * 100_000, b'"u":') == int("9" * 20)


def test_the_new_connection_waits_until_the_old_one_caught_up() -> None:
    """While the new one is ahead, its frames are held back; it joins once all of them came through the old one."""
    handover = Handover(STREAMS)
    assert handover.from_old(DEPTH, depth(10))
    assert not handover.from_new(DEPTH, depth(12))
    assert handover.from_old(DEPTH, depth(11)) and handover.from_old(DEPTH, depth(12))
    assert handover.from_new(DEPTH, depth(13))
    assert not handover.from_old(DEPTH, depth(13))


def test_frames_without_a_number_pass() -> None:
    """What cannot be ordered is the decoder's to judge; it is not swallowed here."""
    handover = Handover(STREAMS)
    assert handover.from_old(DEPTH, b"{}") and handover.from_new(DEPTH, b"{}")


def test_complete_needs_every_stream_that_speaks() -> None:
    """The old connection may go when every stream that may not be silent continues on the new one."""
    handover = Handover(STREAMS)
    handover.from_new(QUOTE, b'{"u":5}')
    handover.from_old(DEPTH, depth(1))
    assert not handover.complete
    handover.from_new(DEPTH, depth(1))
    assert handover.complete


def test_a_new_connection_that_was_behind_repeats_nothing() -> None:
    """After the old connection went, what it had delivered already is still held back, until the new one is past it."""
    handover = Handover(STREAMS)
    assert handover.from_old(DEPTH, depth(12)) and handover.from_new(QUOTE, b'{"u":5}')
    handover.old_gone()
    assert [handover.from_new(DEPTH, depth(number)) for number in (10, 11)] == [False, False]
    assert not handover.caught_up
    assert [handover.from_new(DEPTH, depth(number)) for number in (12, 13)] == [False, True]
    assert handover.caught_up


def test_nothing_is_held_back_when_the_old_connection_died() -> None:
    """A new connection that was ahead goes on at once; the gap is the book's to find."""
    handover = Handover(STREAMS)
    assert handover.from_old(DEPTH, depth(10)) and not handover.from_new(DEPTH, depth(12))
    handover.old_gone()
    assert handover.from_new(DEPTH, depth(13))


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 30), st.integers(1, 30))
def test_a_chain_passes_once_and_without_a_gap(turns: list[bool], old_next: int, new_next: int) -> None:
    """However the two connections interleave, the frames that pass are consecutive numbers, each once."""
    handover, passed = Handover(STREAMS), []
    for from_new in turns:
        if from_new:
            if handover.from_new(DEPTH, depth(new_next)):
                passed.append(new_next)
            new_next += 1
        else:
            if handover.from_old(DEPTH, depth(old_next)):
                passed.append(old_next)
            old_next += 1
    assert passed == list(range(passed[0], passed[0] + len(passed))) if passed else True


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=100))
def test_newest_wins_streams_never_run_backward(frames: list[tuple[bool, int]]) -> None:
    """Where the newest simply wins, passed numbers strictly rise whatever order frames come in."""
    handover, passed = Handover(STREAMS), []
    for from_new, number in frames:
        payload = b'{"u":%d}' % number
        if handover.from_new(QUOTE, payload) if from_new else handover.from_old(QUOTE, payload):
            passed.append(number)
    assert passed == sorted(set(passed))
