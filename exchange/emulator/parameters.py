"""Request parameters: decoding query strings and form bodies, and reading what they must be."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from exchange.emulator.errors import VenueError, invalid, missing

Params = Mapping[str, str]


def decoded(query: bytes, body: bytes, content_type: str) -> dict[str, str]:
    """Every parameter of a request; the query wins over the body, and a JSON body has none (reference §4.1)."""
    found = _pairs(b"" if "json" in content_type.lower() else body)
    return found | _pairs(query)


def _pairs(text: bytes) -> dict[str, str]:
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    return dict(reversed(pairs))  # the first of two with one name counts


def integer(params: Params, name: str) -> int | None:
    """A whole number, None when it was not sent. Raises VenueError (-1102)."""
    text = params.get(name)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise missing(name)
    return int(text)


def limit(params: Params, usual: int, largest: int) -> int:
    """How many rows are wanted. Raises VenueError (-1130) outside 1 to ``largest``."""
    count = integer(params, "limit")
    if count is None:
        return usual
    if not 0 < count <= largest:
        raise invalid("limit")
    return count


def needed(params: Params, name: str) -> str:
    """A mandatory text. Raises VenueError (-1102) without it."""
    text = params.get(name, "")
    if not text:
        raise missing(name)
    return text


def window(params: Params, hours: int | None = None) -> tuple[int | None, int | None]:
    """``startTime`` and ``endTime``; ``hours`` apart at most. Raises VenueError (-1127)."""
    start_ms, end_ms = integer(params, "startTime"), integer(params, "endTime")
    if hours is not None and start_ms is not None and end_ms is not None and end_ms - start_ms >= hours * 3_600_000:
        raise VenueError(400, -1127, f"More than {hours} hours between startTime and endTime.")
    return start_ms, end_ms
