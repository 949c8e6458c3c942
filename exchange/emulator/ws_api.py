"""The venue's WebSocket API (reference §1.6): requests and answers on one socket, no events."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from picows import WSCloseCode, WSTransport

from exchange.emulator.calls import Calls, Ticket
from exchange.emulator.door import check_time, permission
from exchange.emulator.errors import VenueError, missing
from exchange.emulator.http import Reply
from exchange.emulator.keys import ED25519, ApiKey, KeyRing
from exchange.emulator.levers import CallPlan, Outcome
from exchange.emulator.limits import OrderCounts, Weights
from exchange.emulator.parameters import Params
from exchange.emulator.rest import Public
from exchange.emulator.routes import ROUTES, SIGNED, Route
from exchange.emulator.signatures import check, sorted_payload
from exchange.emulator.sockets import Connection, Limits, Target, frame_bytes
from exchange.emulator.streams import Hub

PATH = "/ws-fapi/v1"
HANDSHAKE_WEIGHT = 5
SESSION_WEIGHT = 2

METHODS: dict[str, str] = {
    "order.place": "POST /fapi/v1/order",
    "order.modify": "PUT /fapi/v1/order",
    "order.cancel": "DELETE /fapi/v1/order",
    "order.status": "GET /fapi/v1/order",
    "algoOrder.place": "POST /fapi/v1/algoOrder",
    "algoOrder.cancel": "DELETE /fapi/v1/algoOrder",
    "v2/account.balance": "GET /fapi/v3/balance",
    "v2/account.status": "GET /fapi/v3/account",
    "v2/account.position": "GET /fapi/v3/positionRisk",
    "account.balance": "GET /fapi/v2/balance",
    "account.status": "GET /fapi/v2/account",
    "account.position": "GET /fapi/v2/positionRisk",
    "depth": "GET /fapi/v1/depth",
    "ticker.price": "GET /fapi/v2/ticker/price",
    "ticker.book": "GET /fapi/v1/ticker/bookTicker",
    "userDataStream.start": "POST /fapi/v1/listenKey",
    "userDataStream.ping": "PUT /fapi/v1/listenKey",
    "userDataStream.stop": "DELETE /fapi/v1/listenKey",
}
SESSION = ("session.logon", "session.status", "session.logout")


class _Number(str):
    """A JSON number as its own text: that is what was signed."""


def _text(value: object) -> str:
    """A parameter's value as it is signed and handed on."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class ApiServer:
    """What every connection of the WebSocket API needs. ``weights`` are a pool of its own."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        public: Mapping[str, Public],
        calls: Calls,
        keys: KeyRing,
        accounts: Mapping[str, Any],
        weights: Weights,
        counts: OrderCounts,
        cut: Callable[[str], tuple[int, bool] | None],
    ) -> None:
        self.now_ms, self.public, self.calls, self.keys = now_ms, public, calls, keys
        self.accounts, self.weights, self.counts, self.cut = accounts, weights, counts, cut

    def connection(
        self, query: str, hub: Hub, limits: Limits, connections: set[Connection], wake: Callable[[], None]
    ) -> ApiConnection:
        shows = "returnRateLimits=false" not in query.split("&")
        return ApiConnection(self, shows, hub, limits, connections, wake)


class _Asked:
    """One request on its way: what its answer needs to know."""

    def __init__(self, number: object, method: str, params: dict[str, str], shows: bool) -> None:
        self.number, self.method, self.params, self.shows = number, method, params, shows
        self.route: Route | None = None
        self.account = ""


class ApiConnection(Connection):
    """One client of the WebSocket API, logged on or not."""

    def __init__(
        self,
        server: ApiServer,
        shows: bool,
        hub: Hub,
        limits: Limits,
        connections: set[Connection],
        wake: Callable[[], None],
    ) -> None:
        super().__init__(hub, Target("ws-api", False, ()), limits, connections, wake)
        self._server, self._shows = server, shows
        self._key: ApiKey | None = None
        self._since_ms = 0
        self._opened_ms = server.now_ms()
        self._address = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        peer = transport.underlying_transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        try:
            self._server.weights.spend(self._address, HANDSHAKE_WEIGHT)
        except VenueError as error:
            self.close(WSCloseCode.POLICY_VIOLATION, str(error).encode()[:120])

    @property
    def account(self) -> str | None:
        """Whose session this is."""
        return None if self._key is None else self._key.account

    def revoke(self) -> None:
        """The session's key has lost its rights: say so, and forget it."""
        self._key = None
        error = VenueError(401, -2015, "Invalid API-key, IP, or permissions for action.")
        self.deliver(orjson.dumps({"id": None, "status": 401, "error": error.body}))

    def _message(self, message: bytes) -> None:
        try:
            asked = self._read(message)
        except VenueError as error:
            self.deliver(orjson.dumps({"id": None, "status": error.status, "error": error.body}))
            return
        if asked.method in SESSION:
            self._answer(asked, self._session(asked), CallPlan())
            return
        call = METHODS.get(asked.method)
        if call is None:
            unknown = VenueError(404, -5000, f"Method {asked.method} is invalid")
            self._answer(asked, Outcome(unknown.status, unknown.body), CallPlan())
            return
        end = self._server.cut(call)
        if end is not None:
            self.cut()
            return
        self._server.calls.run(
            (f"ws {asked.method}", call),
            lambda: asked.params,
            lambda: self._admit(asked, call),
            lambda outcome, plan: self._answer(asked, outcome, plan),
        )

    def _read(self, message: bytes) -> _Asked:
        """A request. Raises VenueError (-1013) for what is none."""
        try:
            request = orjson.loads(message)
            texts = json.loads(message, parse_int=_Number, parse_float=_Number)
        except ValueError:
            raise VenueError(400, -1013, "INVALID_MESSAGE.") from None
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            raise VenueError(400, -1013, "INVALID_MESSAGE.")
        params = {} if texts.get("params") is None else texts["params"]
        if not isinstance(params, dict) or not isinstance(request.get("id"), str | int | None):
            raise VenueError(400, -1013, "INVALID_MESSAGE.")
        given = {name: _text(value) for name, value in params.items() if value is not None}
        shows = given["returnRateLimits"] != "false" if "returnRateLimits" in given else self._shows
        return _Asked(request.get("id"), request["method"], given, shows)

    # -- who asks ----------------------------------------------------------------------------------------------------

    def _admit(self, asked: _Asked, call: str) -> Ticket:
        server, params = self._server, asked.params
        public = server.public.get(call)
        if public is not None:
            weight, body, refusal = 1, None, None
            try:
                weight, body = public(params)
            except VenueError as error:
                refusal = error
            server.weights.spend(self._address, weight)
            if refusal is not None:
                raise refusal
            return Ticket(None, params, answer=body)
        route = asked.route = ROUTES[call]
        server.weights.spend(self._address, route.weigh(params))
        key = self._owner(route, params)
        asked.account = key.account
        if route.counts:
            server.counts.check(server.counts.add(key.account, *route.orders))
        kept = {name: value for name, value in params.items() if name not in ("apiKey", "signature")}
        return Ticket(route, kept, server.accounts[key.account])

    def _owner(self, route: Route, params: Params) -> ApiKey:
        """The key of a request, or the session's. Raises VenueError."""
        server = self._server
        by_session = self._key is not None and "apiKey" not in params
        text = self._key.key if by_session and self._key is not None else params.get("apiKey")
        if text is None:
            raise missing("apiKey")
        key = server.keys.find(text, permission(route), self._address)
        if route.security in SIGNED:
            check_time(params, server.now_ms())
            if not by_session or "signature" in params:
                _check(key, params)
        return key

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _session(self, asked: _Asked) -> Outcome:
        server = self._server
        try:
            server.weights.spend(self._address, SESSION_WEIGHT)
            if asked.method == "session.logon":
                self._log_on(asked.params)
            elif asked.method == "session.logout":
                self._key = None
        except VenueError as error:
            return Outcome(error.status, error.body)
        return Outcome(
            body={
                "apiKey": None if self._key is None else self._key.key,
                "authorizedSince": None if self._key is None else self._since_ms,
                "connectedSince": self._opened_ms,
                "returnRateLimits": self._shows,
                "serverTime": server.now_ms(),
            }
        )

    def _log_on(self, params: Params) -> None:
        """Raises VenueError; only Ed25519 keys may."""
        key = self._server.keys.find(params.get("apiKey"), None, self._address)
        if key.kind != ED25519:
            raise VenueError(400, -4056, "Invalid api key type.")
        check_time(params, self._server.now_ms())
        _check(key, params)
        self._key, self._since_ms = key, self._server.now_ms()

    # -- answers -----------------------------------------------------------------------------------------------------

    def _answer(self, asked: _Asked, outcome: Outcome, plan: CallPlan) -> None:
        if plan.hang:
            return
        body = outcome.body
        if not isinstance(body, bytes):
            answer: dict[str, object] = {"id": asked.number, "status": outcome.status}
            answer["result" if outcome.status == 200 else "error"] = body
            if asked.shows:
                answer["rateLimits"] = self._rows(asked)
            body = orjson.dumps(answer)
        reply = Reply(outcome.status, body)
        for garble in plan.garbles:
            garble(reply)
        if plan.cut_at is None:
            self.deliver(reply.body)
        elif plan.cut_at == 0:
            self.cut()
        else:
            self.partial(reply.body, min(plan.cut_at, len(frame_bytes(reply.body))))

    def _rows(self, asked: _Asked) -> list[dict[str, object]]:
        server = self._server
        row = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": server.weights.quota.weight,
            "count": server.weights.used(self._address),
        }
        counted = asked.route is not None and asked.route.counts
        return [row, *(server.counts.table(asked.account) if counted else [])]


def _check(key: ApiKey, params: Params) -> None:
    signature = params.get("signature", "")
    if not signature:
        raise missing("signature")
    check(key, sorted_payload(params), signature.encode())


def is_api_path(path: str) -> bool:
    return path.partition("?")[0].rstrip("/") == PATH
