"""Who has to change something after an answer other than 200."""

from __future__ import annotations

import pytest

from exchange.binance.refusals import pause_s, refusal, said


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"code":-1121,"msg":"Invalid symbol."}', (-1121, "Invalid symbol.")),
        (b'{"msg":"Service Unavailable."}', (0, "Service Unavailable.")),
        (b'{"code":"x","msg":"y"}', (0, "y")),
        (b" <html>", (0, "an HTML page")),
        (b"", (0, "an empty body")),
        (b"[1]", (0, "a body that is not JSON")),
    ],
)
def test_an_error_body_may_be_anything(body: bytes, expected: tuple[int, str]) -> None:
    """Code and text come out of whatever a venue or a proxy sends."""
    assert said(body) == expected


@pytest.mark.parametrize(
    ("status", "header", "body", "seconds"),
    [
        (429, "17", b"", 17.0),
        (429, "x", b"", 60.0),
        (418, "", b"banned until 1700000090000", 90.0),
        (418, "", b"", 120.0),
    ],
)
def test_silence_lasts_as_long_as_the_venue_says(status: int, header: str, body: bytes, seconds: float) -> None:
    """The header counts first, then the ban's own end, then the shortest the venue gives."""
    assert pause_s(status, header, body, 1_700_000_000_000) == seconds


@pytest.mark.parametrize(
    ("status", "blame"), [(400, "us"), (401, "us"), (403, "access"), (451, "access"), (408, "venue"), (503, "venue")]
)
def test_the_blame_follows_the_status(status: int, blame: str) -> None:
    """Our mistakes, refused addresses and broken venues are told apart."""
    assert refusal("order", status, "", b"{}", 0).blame == blame


def test_what_is_quoted_back_is_masked() -> None:
    """A venue or a proxy that quotes key or signature in its error text does not bring them into records."""
    key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    body = b'{"code":-2015,"msg":"Invalid API-key ' + key.encode() + b", signature=" + b"ab" * 32 + b', IP"}'
    assert said(body) == (-2015, "Invalid API-key ***, *** IP") or key not in said(body)[1]
    assert "abab" not in said(body)[1]
