"""The parser of answers: whole ones in any pieces, and nothing else."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.http_answers import HEAD_BYTES_MAX, AnswerParser, BrokenAnswer, HttpAnswer
from tests.fakes.order_server import http

BODY = b'{"orderId":7}'
CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ord\r\n8;x=y\r\nerId":7}\r\n0\r\nX-Trailer: 1\r\n\r\n'
)


def _bodies(data: bytes) -> list[bytes]:
    return [answer.body for answer in AnswerParser().feed(data)]


def test_an_answer_is_status_headers_and_body() -> None:
    """The three parts of an answer come out as sent, header names in lower case."""
    data = b"HTTP/1.1 429 Too Many\r\nX-MBX-USED-WEIGHT-1M: 12 \r\nContent-Length: 2\r\n\r\n{}"
    headers = {"x-mbx-used-weight-1m": "12", "content-length": "2"}
    assert AnswerParser().feed(data) == [HttpAnswer(429, headers, b"{}", True)]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.data())
def test_pieces_of_any_size_give_the_same_answers(bodies: list[bytes], data: st.DataObject) -> None:
    """However the bytes of several answers are cut, the same answers come out, in order."""
    stream = b"".join(http(200, body) for body in bodies) + CHUNKED
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parser = AnswerParser()
    found = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [answer.body for answer in parser.feed(stream[start:stop])]
    assert found == [*bodies, BODY]
    assert not parser.inside


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
def test_chunks_cut_at_every_byte_are_one_body(cut: int) -> None:
    """A body in chunks, cut anywhere, is whole only with its last byte."""
    parser = AnswerParser()
    assert parser.feed(CHUNKED[:cut]) == []
    assert parser.inside
    assert [answer.body for answer in parser.feed(CHUNKED[cut:])] == [BODY]


def test_a_provisional_answer_is_not_the_answer() -> None:
    """100 Continue is skipped, and what follows it counts."""
    assert _bodies(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, BODY)) == [BODY]


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    """Statuses that have no body end with their head."""
    assert _bodies(b"HTTP/1.1 %d X\r\n\r\n" % status + http(200, BODY)) == [b"", BODY]


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_an_answer_says_whether_the_line_stays(head: bytes, keep: bool) -> None:
    """The version and the header Connection decide whether another request may follow."""
    assert AnswerParser().feed(head + b"Content-Length: 0\r\n\r\n")[0].keep is keep


def test_compression_nobody_asked_for_is_undone() -> None:
    """A body in gzip comes out as it was before."""
    packed = gzip.compress(BODY, mtime=0)
    assert _bodies(http(200, packed, Content_Encoding="gzip")) == [BODY]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"<html>\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        http(200, b"\x1f\x8bnot gzip", Content_Encoding="gzip"),
        http(200, gzip.compress(BODY, mtime=0)[:-4], Content_Encoding="gzip"),
        http(200, BODY, Content_Encoding="br"),
        b"H" * (HEAD_BYTES_MAX + 1),
    ],
)
def test_doubtful_bytes_are_no_answer(data: bytes) -> None:
    """What leaves a doubt about where an answer ends, or what it holds, is refused."""
    with pytest.raises(BrokenAnswer):
        AnswerParser().feed(data)


def test_a_body_is_bounded_in_every_form() -> None:
    """Neither a length, nor chunks, nor compression brings more than the bound."""
    bomb = gzip.compress(b"x" * 5000, mtime=0)
    for data in (
        http(200, b"x" * 1001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
        http(200, bomb, Content_Encoding="gzip"),
    ):
        with pytest.raises(BrokenAnswer):
            AnswerParser(1000).feed(data)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_random_bytes_never_break_the_parser_itself(pieces: list[bytes]) -> None:
    """Any bytes are taken, or refused with ``BrokenAnswer``; nothing else is raised, and nothing is made up."""
    parser = AnswerParser(100)
    try:
        answers = [answer for piece in pieces for answer in parser.feed(piece)]
    except BrokenAnswer as broken:
        assert str(broken)
    else:
        assert not answers or b"HTTP/1." in b"".join(pieces)
