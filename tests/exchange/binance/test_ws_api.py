"""Order entry over the WebSocket API: the same interface, requests and doubts as over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.secret import Secret
from exchange.binance.order_line import Answer, Sent
from exchange.binance.order_lines import OrderLines
from exchange.binance.outcomes import Outcome, meaning_of
from exchange.binance.pace import Attempts, Pace
from exchange.binance.requests import Terms
from exchange.binance.signing import HmacSigner
from exchange.binance.ws_api import WsRequests, socket_lines
from models.order import ApprovedOrder
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import KEY, SECRET, SIGNER, a_stop, an_exit, an_order, until

AT_MS = 1_789_478_303_600
REQUESTS = WsRequests(SIGNER, (INSTRUMENT,), Terms())


def as_sent(request: bytes) -> dict[str, Any]:
    """A request as the venue reads it."""
    found: dict[str, Any] = json.loads(b'{"id":1,' + request)
    return found


def test_the_golden_request_is_reproduced(wire: Path) -> None:
    """The venue's own order.place, key and secret of the vectors, comes out with its signature."""
    golden = json.loads((wire / "wsapi-order.place-request.json").read_text())
    vectors = json.loads((wire / "signing-vectors.json").read_text())
    signer = HmacSigner(Secret(vectors["apiKey"], "x"), Secret(vectors["secretKey"], "x"))
    params = [(name, str(value)) for name, value in golden["params"].items()]
    asked = [(name, value) for name, value in params if name not in ("apiKey", "signature", "timestamp")]
    made = as_sent(WsRequests(signer, (INSTRUMENT,), Terms()).signed("order.place", asked, AT_MS))
    assert (made["method"], made["params"]) == ("order.place", golden["params"])


orders = st.builds(an_order, st.integers(0, 9), quantity=st.integers(1, 10**6)) | st.builds(an_exit) | st.builds(a_stop)


@given(orders)
def test_the_signature_is_over_the_sorted_parameters(order: ApprovedOrder) -> None:
    """Whatever the order, the signature is the secret's over all other parameters by name, as plain text."""
    params = as_sent(REQUESTS.order(order, AT_MS))["params"]
    signature = params.pop("signature")
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    assert signature == hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert (params["apiKey"], params["timestamp"], params["recvWindow"]) == (KEY, AT_MS, 1_000)


@pytest.mark.parametrize(
    ("request_", "method"),
    [
        (REQUESTS.order(an_order(), AT_MS), "order.place"),
        (REQUESTS.order(a_stop(), AT_MS), "algoOrder.place"),
        (REQUESTS.cancel(0, "sce1", AT_MS), "order.cancel"),
        (REQUESTS.cancel_stop("scs1", AT_MS), "algoOrder.cancel"),
    ],
)
def test_each_wish_has_its_method(request_: bytes, method: str) -> None:
    """Orders and stops are placed and cancelled by their own methods."""
    assert as_sent(request_)["method"] == method


class FakeSocket:
    def __init__(self, on_frame: Any, on_closed: Any) -> None:
        self.on_frame, self.on_closed = on_frame, on_closed
        self.sent: list[dict[str, Any]] = []
        self.gone = False

    def send(self, text: bytes) -> None:
        self.sent.append(json.loads(text))

    def close(self) -> None:
        self.gone = True

    def abort(self) -> None:
        self.gone = True

    def answer(self, golden: bytes, number: Any) -> None:
        self.on_frame(json.dumps({**json.loads(golden), "id": number}).encode(), 1)


class Scene:
    """Two sockets of the API."""

    def __init__(self) -> None:
        self.sockets: list[FakeSocket] = []
        self.heard: list[Answer] = []
        self.headers: list[dict[str, str]] = []
        self.lines = OrderLines(
            socket_lines(self._open, "ws://api", random=lambda: 0.0), pace=Pace(Attempts(), lambda: 0.0),
            heed=lambda answer: self.headers.append(answer.headers),
        )  # fmt: skip

    async def _open(self, url: str, on_frame: Any, on_closed: Any) -> FakeSocket:
        self.sockets.append(FakeSocket(on_frame, on_closed))
        return self.sockets[-1]

    def send(self, deadline_s: float = 30.0) -> dict[str, Any]:
        """One order; as it arrived."""
        self.lines.send(REQUESTS.order(an_order(), AT_MS), self.heard.append, deadline_s)
        return max((socket.sent[-1] for socket in self.sockets if socket.sent), key=lambda sent: sent["id"])


def in_scene(doing: Any) -> Any:
    async def run() -> Any:
        scene = Scene()
        scene.lines.start()
        assert await scene.lines.ready(5.0)
        try:
            return await doing(scene)
        finally:
            await scene.lines.close()

    return asyncio.run(run())


def test_an_answer_is_the_orders_as_over_http(wire: Path) -> None:
    """The result comes out as a body, the order counts under the names REST gives them, the weight not at all."""

    async def run(scene: Scene) -> None:
        scene.sockets[0].answer((wire / "wsapi-order.place-response.json").read_bytes(), scene.send()["id"])
        (answer,) = scene.heard
        assert (answer.outcome, answer.status) == (Sent.ANSWERED, 200)
        assert json.loads(answer.body)["clientOrderId"] == "tb-20260915-000001"
        assert scene.headers == [{"x-mbx-order-count-10s": "1", "x-mbx-order-count-1m": "1"}]

    in_scene(run)


@pytest.mark.parametrize("name", ["algoOrder.place", "order.cancel", "order.status"])
def test_every_golden_answer_is_read(name: str, wire: Path) -> None:
    """All answers of the order path are whole."""

    async def run(scene: Scene) -> Outcome:
        scene.sockets[0].answer((wire / f"wsapi-{name}-response.json").read_bytes(), scene.send()["id"])
        return meaning_of(scene.heard[0], AT_MS).outcome

    assert in_scene(run) is Outcome.ACCEPTED


def test_an_error_means_what_it_means_over_http(wire: Path) -> None:
    """A refused order is refused by its code."""

    async def run(scene: Scene) -> Any:
        scene.sockets[0].answer((wire / "wsapi-order.place-response-error.json").read_bytes(), scene.send()["id"])
        return meaning_of(scene.heard[0], AT_MS)

    found = in_scene(run)
    assert (found.outcome, found.code) == (Outcome.REJECTED, -1102)


def test_answers_are_matched_by_number(wire: Path) -> None:
    """Answers in another order than their requests reach their own listeners."""
    golden = (wire / "wsapi-order.place-response.json").read_bytes()

    async def run(scene: Scene) -> list[str]:
        said: list[str] = []
        line = scene.lines._lines[0]
        assert line is not None
        for name in ("first", "second"):
            line.send(REQUESTS.order(an_order(), AT_MS), lambda answer, name=name: said.append(name), 30.0)
        for number in (2, 1, 1, 7):
            scene.sockets[0].answer(golden, number)
        return said

    assert in_scene(run) == ["second", "first"]


def test_a_lost_socket_leaves_what_was_sent_unknown() -> None:
    """Without an answer nothing is known, and the socket is opened again."""

    async def run(scene: Scene) -> None:
        scene.send()
        scene.sockets[0].on_closed("reset", "")
        assert [answer.outcome for answer in scene.heard] == [Sent.UNKNOWN]
        await until(lambda: scene.lines.open == 2)
        assert len(scene.sockets) == 3

    in_scene(run)


def test_no_answer_in_time_is_unknown_and_the_socket_stays(wire: Path) -> None:
    """Only the late request is given up; its answer, when it comes after all, is nobody's."""

    async def run(scene: Scene) -> None:
        number = scene.send(0.01)["id"]
        await until(lambda: scene.heard)
        assert (scene.heard[0].outcome, scene.lines.open) == (Sent.UNKNOWN, 2)
        scene.sockets[0].answer((wire / "wsapi-order.place-response.json").read_bytes(), number)
        assert len(scene.heard) == 1

    in_scene(run)


@pytest.mark.parametrize("frame", [b"nonsense", b"[]", b'{"id":1}'])
def test_a_frame_that_cannot_be_read_ends_the_socket(frame: bytes) -> None:
    """After rubbish nobody knows which answer it was, so all are unknown."""

    async def run(scene: Scene) -> None:
        scene.send()
        scene.sockets[0].on_frame(frame, 1)
        assert [answer.outcome for answer in scene.heard] == [Sent.UNKNOWN]

    in_scene(run)


def test_a_revoked_key_ends_the_session(wire: Path) -> None:
    """The venue's word to nobody in particular ends the socket (F30)."""

    async def run(scene: Scene) -> None:
        scene.send()
        scene.sockets[0].on_frame((wire / "wsapi-session-revoked.json").read_bytes(), 1)
        assert [answer.outcome for answer in scene.heard] == [Sent.UNKNOWN]
        assert scene.sockets[0].gone

    in_scene(run)


def test_an_old_idle_socket_makes_way_while_the_other_stays() -> None:
    """Before the venue cuts them, sockets are replaced one at a time."""

    async def run(scene: Scene) -> None:
        line = scene.lines._lines[0]
        assert line is not None
        line.until_s = 0.0
        scene.lines._woken.set()  # it sleeps until the hour it was told
        await until(lambda: len(scene.sockets) == 3 and scene.lines.open == 2)
        assert (scene.sockets[0].gone, scene.sockets[1].gone) == (True, False)

    in_scene(run)


def test_a_symbol_of_any_letters_is_signed_as_it_is_written() -> None:
    """The API signs plain text, not percent-encoded."""
    korean = msgspec.structs.replace(INSTRUMENT, symbol="币안USDT")
    params = as_sent(WsRequests(SIGNER, (korean,), Terms()).order(an_order(), AT_MS))["params"]
    signature = params.pop("signature")
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
    assert b"\xe5\xb8\x81" in payload
    assert signature == hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest()
