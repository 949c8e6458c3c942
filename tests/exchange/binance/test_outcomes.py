"""What an answer means for an order: the venue's catalogue, the texts of a 503, and every doubt as UNKNOWN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.order_line import Answer, Sent
from exchange.binance.outcomes import CODES, Meaning, Outcome, meaning_of
from models.order import Refused

NOW_MS = 1_789_478_300_000
HTML = b"<html><body>503 Service Unavailable</body></html>"


def meaning(status: int, body: Any, **headers: str) -> Meaning:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return meaning_of(Answer(Sent.ANSWERED, status, headers, raw), NOW_MS)


def _catalogue() -> list[dict[str, Any]]:
    wire = Path(__file__).resolve().parents[2] / "data" / "wire"
    found: list[dict[str, Any]] = json.loads((wire / "errors-catalog.json").read_text())
    return found


def _503() -> list[dict[str, Any]]:
    wire = Path(__file__).resolve().parents[2] / "data" / "wire"
    found: list[dict[str, Any]] = json.loads((wire / "errors-http-503.json").read_text())
    return found


CLASSES = {
    "unknown-outcome": {Outcome.UNKNOWN, Outcome.NOT_FOUND},
    "retry": {Outcome.NOT_EXECUTED},
    "backoff": {Outcome.LIMITED},
    "reject": {Outcome.REJECTED},
    "fatal": {Outcome.REJECTED},
    "fix-and-retry": {Outcome.REJECTED, Outcome.NOT_EXECUTED},
    "benign": {Outcome.ACCEPTED, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNKNOWN},
}
BESIDE = {-1001: Outcome.UNKNOWN, -5028: Outcome.NOT_EXECUTED}
"""−1001 is documented as a failure, yet «for orders reconcile, then resend once»: nothing is known until then. −5028
is a refusal that says so itself: not executed."""


@pytest.mark.parametrize("row", _catalogue(), ids=lambda row: f"{row['code']}/{row['http']}")
def test_every_code_of_the_catalogue_has_its_reaction(row: dict[str, Any]) -> None:
    """Each code of the venue is named in the table, and its outcome is one that its class of reaction allows."""
    found = meaning(row["http"], {"code": row["code"], "msg": row["msg"]})
    assert row["code"] in CODES
    assert found.outcome in (CLASSES[row["class"]] if row["code"] not in BESIDE else {BESIDE[row["code"]]})
    assert found.code in (row["code"], 0)
    if row["class"] == "fatal":
        assert found.blind or found.barred


@pytest.mark.parametrize("row", _503(), ids=lambda row: str(row["body"]["msg"])[:24])
def test_the_texts_of_a_503_decide(row: dict[str, Any]) -> None:
    """A 503 counts by its text, with or without a code beside it (F18)."""
    outcome = meaning(503, row["body"]).outcome
    unsure = row["class"] == "unknown-outcome" or "Internal error" in row["body"]["msg"]
    assert outcome is (Outcome.UNKNOWN if unsure else Outcome.NOT_EXECUTED)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (-2019, Refused.MARGIN), (-2018, Refused.MARGIN), (-2022, Refused.REDUCE_ONLY), (-4118, Refused.REDUCE_ONLY),
        (-4131, Refused.PRICE_BAND), (-2021, Refused.WOULD_TRIGGER),
    ],
)  # fmt: skip
def test_refusals_that_change_what_we_do_begin_with_their_word(code: int, word: Refused) -> None:
    """The core reads the word, people read the code and the text behind it."""
    found = meaning(400, {"code": code, "msg": "why"})
    assert (found.outcome, word.within(found.reason)) == (Outcome.REJECTED, True)
    assert found.reason == f"{word.value}: {code} why"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""), (200, HTML), (200, b'{"orderId":'), (200, b"[]"), (500, b""), (502, HTML), (503, HTML), (504, HTML),
        (503, {"code": -1000, "msg": "something new"}), (500, {"msg": "Request occur unknown error."}), (520, b"oops"),
        (408, {"code": -1007, "msg": "Timeout"}), (408, b""), (302, b""), (400, HTML), (404, HTML),
        (200, {"code": -1007, "msg": "Timeout"}), (400, {"code": -4116, "msg": "ClientOrderId is duplicated."}),
    ],
)  # fmt: skip
def test_every_doubt_is_unknown(status: int, body: Any) -> None:
    """What cannot be read, and whatever the venue does not say clearly, may have happened (F18, F20, F33)."""
    assert meaning(status, body).outcome is Outcome.UNKNOWN


@given(st.sampled_from([200, 201, 400, 404, 408, 500, 502, 503, 504, 520]), st.binary(max_size=80))
def test_random_bodies_prove_nothing(status: int, body: bytes) -> None:
    """A body that is no JSON object never makes an order done, refused or not executed."""
    if body.lstrip()[:1] not in (b"{", b"S"):
        assert meaning(status, body).outcome is Outcome.UNKNOWN


def test_a_plain_text_service_unavailable_is_not_executed() -> None:
    """The documented sentence may come without JSON; a page that holds it is something else."""
    assert meaning(503, b"Service Unavailable.").outcome is Outcome.NOT_EXECUTED
    assert meaning(503, HTML).outcome is Outcome.UNKNOWN


def test_a_lost_line_is_unknown_and_an_unsent_request_is_not_executed() -> None:
    """Without an answer the line knows whether anything left."""
    lost = meaning_of(Answer(Sent.UNKNOWN, why="cut"), NOW_MS)
    unsent = meaning_of(Answer(Sent.NOT_SENT, why="no line"), NOW_MS)
    assert (lost.outcome, unsent.outcome, unsent.again) == (Outcome.UNKNOWN, Outcome.NOT_EXECUTED, True)


@pytest.mark.parametrize(("status", "body"), [(403, HTML), (451, {"msg": "restricted location"}), (403, b"")])
def test_a_refused_address_is_not_executed_and_blinds_us(status: int, body: Any) -> None:
    """A firewall or a region says no, whatever the body; nothing signed will be answered."""
    found = meaning(status, body)
    assert (found.outcome, found.blind) == (Outcome.REJECTED, True)


def test_a_limit_says_how_long_to_be_silent() -> None:
    """429 and 418 carry the wait: the header, the ban's own end, or the next minute."""
    header = meaning(429, {"code": -1003, "msg": "Too many"}, **{"retry-after": "17"})
    until = meaning(418, {"code": -1003, "msg": f"IP banned until {NOW_MS + 90_000}."})
    page = meaning(429, HTML)
    assert (header.outcome, header.retry_after_s, header.banned) == (Outcome.LIMITED, 17.0, False)
    assert (until.outcome, until.retry_after_s, until.banned) == (Outcome.LIMITED, 90.0, True)
    assert (page.outcome, page.retry_after_s) == (Outcome.LIMITED, 60.0)


def test_a_wrong_clock_is_not_executed_and_asks_for_the_time() -> None:
    """−1021 was never placed (F23); −5028 neither, but its signal is stale and nothing is sent again."""
    clock = meaning(400, {"code": -1021, "msg": "outside of the recvWindow"})
    engine = meaning(400, {"code": -5028, "msg": "outside of the ME recvWindow"})
    assert (clock.outcome, clock.again, clock.resync) == (Outcome.NOT_EXECUTED, True, True)
    assert (engine.outcome, engine.again, engine.resync) == (Outcome.NOT_EXECUTED, False, False)


def test_a_code_nobody_knows_counts_by_its_status() -> None:
    """A new code with a 400 is a refusal, with a 500 a doubt."""
    assert meaning(400, {"code": -9999, "msg": "new"}).outcome is Outcome.REJECTED
    assert meaning(500, {"code": -9999, "msg": "new"}).outcome is Outcome.UNKNOWN


def test_success_may_carry_a_positive_code_as_text() -> None:
    """The algo service says yes with the text «200»."""
    assert meaning(200, {"algoId": 1, "clientAlgoId": "a", "code": "200", "msg": "success"}).outcome is Outcome.ACCEPTED
