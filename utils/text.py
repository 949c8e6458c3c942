"""Text a person types or reads: the nearest known name, and durations such as ``60s``, ``5m``, ``1h30m``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_UNITS_NS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|d|h|m|s)")
DURATION_MAX_NS = 366 * _UNITS_NS["d"]  # one leap year: longer is a typing mistake, and keeps sums inside int64


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is near (ratio below 0.6)."""
    candidates = list(known)
    lowered = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def duration_ns(text: str) -> int:
    """``60s``, ``250ms``, ``1h30m`` as ns. A bare number is refused: its unit would be a guess. Raises ValueError."""
    parts = _PART.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration; write it like 60s, 250ms, 5m or 1h30m")
    total = 0
    for number, unit in parts:
        whole, _, fraction = number.partition(".")
        scale = _UNITS_NS[unit]
        total += int(whole) * scale
        if fraction:
            total += int(fraction) * scale // 10 ** len(fraction)
    if total > DURATION_MAX_NS:
        raise ValueError(f"{text!r} is longer than a year (366d), the longest duration")
    return total


def duration_text(ns: int) -> str:
    """ns as an exact text of the same form: 90_000_000_000 → ``1m30s``; negative with a leading minus."""
    if ns == 0:
        return "0s"
    sign, rest, parts = ("-" if ns < 0 else ""), abs(ns), []
    for unit, scale in _UNITS_NS.items():
        count, rest = divmod(rest, scale)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)
