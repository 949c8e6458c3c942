"""What an answer other than 200 says, and who has to change something (venue reference §6, §7). Pure."""

from __future__ import annotations

import re

import orjson

from exchange.binance.weights import BAN_S, WINDOW_S
from models.error import ScalperError

BAN_TEXT = re.compile(rb"banned until (\d{13})")
SAID_MAX = 200
_LONG = re.compile(r"[A-Za-z0-9+/%=_.~-]{40,}")  # keys, signatures, listenKeys; client ids have at most 36 characters


class VenueAnswerError(ScalperError):
    """The venue answered, but not with what was asked for.

    ``blame`` says who has to change something: ``us`` (the request is wrong; never retried), ``venue`` (broken or
    overloaded; retried), ``limit`` (asked too much; wait ``retry_after_s``), ``access`` (address or region refused).
    ``status`` is the HTTP status, ``venue_code`` the venue's own code or 0.
    """

    code = "VENUE_ANSWER"
    exit_code = 5

    def __init__(
        self, message: str, *, blame: str, status: int = 0, venue_code: int = 0, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.blame = blame
        self.status = status
        self.venue_code = venue_code
        self.retry_after_s = retry_after_s


def said(body: bytes) -> tuple[int, str]:
    """(venue code or 0, text) of an error body, which may be anything: one that quotes our request back has the key and
    the signature in it, and the text goes into journal, records and log (F75).
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict):
        code = answer.get("code", 0)
        return code if isinstance(code, int) else 0, _LONG.sub("***", str(answer.get("msg", answer)))[:SAID_MAX]
    if not body.strip():
        return 0, "an empty body"
    kind = "an HTML page" if body.lstrip()[:1] == b"<" else "a body that is not JSON"
    return 0, kind


def pause_s(status: int, retry_after: str, body: bytes, now_ms: int) -> float:
    """How long to keep still after 429 or 418: Retry-After, else the ban's own end, else the next minute."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    until = BAN_TEXT.search(body)
    if until is not None:
        return max(float(int(until[1]) - now_ms) / 1e3, 1.0)
    return BAN_S if status == 418 else WINDOW_S


def refusal(where: str, status: int, retry_after: str, body: bytes, now_ms: int) -> VenueAnswerError:
    """The error for an answer other than 200 to ``where``."""
    code, text = said(body)
    what = f"{where} answered {status}" + (f" ({code})" if code else "") + f": {text}"
    if status in (418, 429):
        seconds = pause_s(status, retry_after, body, now_ms)
        return VenueAnswerError(
            f"{what}; asked too much, nothing more is asked for {seconds:.0f} s",
            blame="limit", status=status, venue_code=code, retry_after_s=seconds,
        )  # fmt: skip
    if status in (403, 451):
        why = "this address is blocked by the venue's firewall" if status == 403 else "this region is not served"
        return VenueAnswerError(f"{what}; {why}", blame="access", status=status, venue_code=code)
    if status == 408 or status >= 500:
        return VenueAnswerError(f"{what}; the venue is at fault", blame="venue", status=status, venue_code=code)
    return VenueAnswerError(f"{what}; the request is wrong", blame="us", status=status, venue_code=code)
