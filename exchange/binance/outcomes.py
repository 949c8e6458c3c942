"""What an answer means for an order: what is known, and what may be done next (venue reference §7, §8).

The direction of every doubt is UNKNOWN: a 5xx that says nothing clear, a body that cannot be read after something was
written, a 503 whose text is not one of those documented (faults F18, F33). Only the venue's own clear word makes it
anything else.
"""

from __future__ import annotations

import enum

import msgspec

from exchange.binance.order_line import Answer, Sent
from exchange.binance.refusals import pause_s, said
from models.order import Refused


class Outcome(enum.Enum):
    ACCEPTED = "ACCEPTED"  # done, or there was nothing to do
    REJECTED = "REJECTED"  # the venue will not, whoever asks again
    UNKNOWN = "UNKNOWN"  # it may have happened: ask, never send again
    NOT_EXECUTED = "NOT_EXECUTED"  # it did not happen and may be sent again
    NOT_FOUND = "NOT_FOUND"  # the venue does not know the order that was named
    LIMITED = "LIMITED"  # it did not happen: too much was asked


class Meaning(msgspec.Struct, frozen=True):
    """``reason`` begins with a word of ``Refused`` where there is one; then the venue's code and text.

    ``again``: sending it once more soon makes sense. ``resync``: our clock is off. ``blind``: nothing signed is
    answered. ``barred``: reading works, opening positions does not. ``filters``: tick, lot or limits have changed.
    """

    outcome: Outcome
    code: int = 0
    reason: str = ""
    retry_after_s: float = 0.0
    banned: bool = False
    again: bool = False
    resync: bool = False
    blind: bool = False
    barred: bool = False
    filters: bool = False


class _Class(msgspec.Struct, frozen=True):
    outcome: Outcome
    word: str = ""
    again: bool = False
    resync: bool = False
    blind: bool = False
    barred: bool = False
    filters: bool = False


_REJECT = _Class(Outcome.REJECTED)
_DONE = _Class(Outcome.ACCEPTED)
_UNKNOWN = _Class(Outcome.UNKNOWN)
_GONE = _Class(Outcome.NOT_FOUND)
_LIMITED = _Class(Outcome.LIMITED)
_BLIND = _Class(Outcome.REJECTED, blind=True)
_BARRED = _Class(Outcome.REJECTED, barred=True)
_AGAIN = _Class(Outcome.NOT_EXECUTED, again=True)
_MARGIN = _Class(Outcome.REJECTED, Refused.MARGIN.value)
_REDUCE = _Class(Outcome.REJECTED, Refused.REDUCE_ONLY.value)
_BAND = _Class(Outcome.REJECTED, Refused.PRICE_BAND.value)
_FILTERS = _Class(Outcome.REJECTED, filters=True)

CODES: dict[int, _Class] = {
    # nobody knows: -1001 is documented as a failure, but «reconcile first for orders» (§7)
    **dict.fromkeys((-1000, -1001, -1006, -1007, -4116), _UNKNOWN),
    **dict.fromkeys((-1003, -1015), _LIMITED),
    **dict.fromkeys((-1008, -2012, -4117, -5043), _AGAIN),
    -1016: _Class(Outcome.NOT_EXECUTED, again=True, blind=True),  # maintenance (F33)
    -1021: _Class(Outcome.NOT_EXECUTED, again=True, resync=True),
    -5028: _Class(Outcome.NOT_EXECUTED),  # too late at the matching engine: the signal is stale
    **dict.fromkeys((-2011, -2013), _GONE),
    **dict.fromkeys((-4046, -4059, -4171, -5027), _DONE),
    **dict.fromkeys((-1002, -1022, -1109, -2014, -2015, -2017), _BLIND),
    **dict.fromkeys((-2023, -4061, -4087, -4088, -4105, -4106, -4107, -4109, -4189, -4192), _BARRED),
    **dict.fromkeys((-4400, -4401, -4402), _BARRED),
    **dict.fromkeys((-2018, -2019, -4050, -4051), _MARGIN),
    **dict.fromkeys((-2022, -2024, -4118), _REDUCE),
    **dict.fromkeys((-4016, -4024, -4131), _BAND),
    -2021: _Class(Outcome.REJECTED, Refused.WOULD_TRIGGER.value),
    **dict.fromkeys((-1111, -1121, -1122, -4003, -4004, -4005, -4014, -4023, -4164), _FILTERS),
    **dict.fromkeys(
        (
            -1013, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1110, -1114, -1115, -1116, -1117, -1118,
            -1119, -1120, -1125, -1127, -1128, -1130, -1136, -2010, -2020, -2025, -2026, -2027, -2028, -4001, -4002,
            -4013, -4015, -4021, -4028, -4044, -4045, -4047, -4048, -4062, -4067, -4068, -4120, -4137, -4138, -4167,
            -4168, -4169, -4170, -4172, -4403, -4531, -5021, -5022, -5024, -5025, -5026, -5029, -5037, -5038, -5039,
            -5040, -5041, -5047,
        ),
        _REJECT,
    ),
}  # fmt: skip
"""Every code of the venue's catalogue. A code that is not here counts by the HTTP status it came with."""

TEXTS_503: tuple[tuple[str, _Class], ...] = (
    ("Unknown error, please check your request", _UNKNOWN),
    ("Service Unavailable", _AGAIN),
    ("Internal error; unable to process your request", _UNKNOWN),
    ("Request throttled by system-level protection", _AGAIN),
)
"""How the text of a 503 begins, and what it means; the code beside it is not documented."""
PLAIN_503_MAX = 64  # a 503 body that is plain text: the bare sentence, not a page


class _Body(msgspec.Struct):
    code: int | str | None = None
    msg: str = ""


def meaning_of(answer: Answer, now_ms: int) -> Meaning:
    """What ``answer`` means for an order that was placed, cancelled or asked for. ``now_ms``: our wall time."""
    if answer.outcome is Sent.NOT_SENT:
        return Meaning(Outcome.NOT_EXECUTED, reason=answer.why, again=True)
    if answer.outcome is Sent.UNKNOWN:
        return Meaning(Outcome.UNKNOWN, reason=answer.why)
    status, body = answer.status, answer.body
    try:
        read = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError:
        return _unread(answer, now_ms)
    code = _code(read.code)
    if 200 <= status < 300:
        if code is None or code >= 0:
            return Meaning(Outcome.ACCEPTED)
        status = 400  # an error that calls itself a success
    if status in (418, 429):
        return _limited(answer, code or 0, now_ms)
    found = _class(status, code, read.msg)
    if found is _LIMITED:
        return _limited(answer, code or 0, now_ms)
    return _made(found, code or 0, f"{code} {said(body)[1]}" if code is not None else f"{status} {said(body)[1]}")


def _code(code: int | str | None) -> int | None:
    """A body's code; algo answers write it as text."""
    if isinstance(code, str):
        try:
            return int(code)
        except ValueError:
            return None
    return code


def _class(status: int, code: int | None, text: str) -> _Class:
    if status == 503:
        for start, found in TEXTS_503:
            if text.startswith(start):
                return found
    if code is not None and code in CODES:
        return CODES[code]
    if status in (403, 451):
        return _BLIND
    if 400 <= status < 500 and status != 408 and code is not None and code < 0:
        return _REJECT
    return _UNKNOWN


def _unread(answer: Answer, now_ms: int) -> Meaning:
    """An answer whose body is not the JSON it should be: the status alone may still be a clear word."""
    status, text = answer.status, said(answer.body)[1]
    if status in (418, 429):
        return _limited(answer, 0, now_ms)
    if status in (403, 451):
        return _made(_BLIND, 0, f"{status} {text}")
    plain = answer.body.strip()
    if status == 503 and len(plain) <= PLAIN_503_MAX and plain.startswith(b"Service Unavailable"):
        return _made(_AGAIN, 0, "503 Service Unavailable")
    return _made(_UNKNOWN, 0, f"{status} with {text}")


def _limited(answer: Answer, code: int, now_ms: int) -> Meaning:
    seconds = pause_s(answer.status, answer.headers.get("retry-after", ""), answer.body, now_ms)
    text = f"{code or answer.status} {said(answer.body)[1]}"
    return Meaning(Outcome.LIMITED, code, text, retry_after_s=seconds, banned=answer.status == 418)


def _made(found: _Class, code: int, text: str) -> Meaning:
    return Meaning(
        found.outcome, code, f"{found.word}: {text}" if found.word else text, again=found.again, resync=found.resync,
        blind=found.blind, barred=found.barred, filters=found.filters,
    )  # fmt: skip
