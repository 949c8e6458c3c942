"""The venue's HTTP door: routes, keys, timestamps, signatures, weights and order counts of a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from exchange.emulator.calls import Calls, Ticket
from exchange.emulator.errors import VenueError, illegal, missing, no_such_path
from exchange.emulator.http import Reply, Request, Respond
from exchange.emulator.keys import READ, TRADE, ApiKey, KeyRing
from exchange.emulator.levers import CallPlan, Outcome
from exchange.emulator.limits import USED_WEIGHT, FundingCalls, OrderCounts, Weights, order_headers
from exchange.emulator.parameters import Params, decoded
from exchange.emulator.rest import Public
from exchange.emulator.routes import KEYED_PUBLIC, ROUTES, SIGNED, Route
from exchange.emulator.routes import TRADE as TRADE_SECURITY
from exchange.emulator.signatures import check, signed_payload

RECV_WINDOW_MS = 5_000
AHEAD_MS = 1_000
FUNDING_CALLS = ("GET /fapi/v1/fundingRate", "GET /fapi/v1/fundingInfo")
_DIGITS = "^[0-9]{1,20}$"


def check_time(params: Params, now_ms: int) -> None:
    """The venue's timestamp rule (reference §5). Raises VenueError: -1102, -1100, -1021."""
    text = params.get("timestamp", "")
    if not text:
        raise missing("timestamp")
    window = params.get("recvWindow", "") or str(RECV_WINDOW_MS)
    for name, given in (("timestamp", text), ("recvWindow", window)):
        if not (given.isascii() and given.isdigit() and len(given) <= 20):
            raise illegal(name, _DIGITS)
    at_ms = int(text)
    if at_ms >= now_ms + AHEAD_MS:
        raise VenueError(400, -1021, f"Timestamp for this request was {AHEAD_MS}ms ahead of the server's time.")
    if now_ms - at_ms > int(window):
        raise VenueError(400, -1021, "Timestamp for this request is outside of the recvWindow.")


def permission(route: Route) -> str:
    return TRADE if route.security == TRADE_SECURITY else READ


class Door:
    """Answers HTTP requests. ``accounts`` are the desk's, by name."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        public: Mapping[str, Public],
        calls: Calls,
        keys: KeyRing,
        accounts: Mapping[str, Any],
        weights: Weights,
        counts: OrderCounts,
    ) -> None:
        self._now_ms, self._public, self._calls = now_ms, public, calls
        self._keys, self._accounts = keys, accounts
        self._weights, self._counts = weights, counts
        self._funding = FundingCalls(now_ms, weights.quota)

    def answer(self, request: Request, respond: Respond) -> None:
        """Take one request; ``respond`` is called when its answer leaves."""
        began_ns = time.perf_counter_ns()
        self._calls.run(
            (request.call, f"http {request.call}"),
            lambda: _params(request),
            lambda: self._admit(request),
            lambda outcome, plan: respond(_reply(outcome, plan, began_ns)),
        )

    def _admit(self, request: Request) -> Ticket:
        """Raises VenueError for whoever may not, whatever cannot be read, and whatever is too much."""
        params = _params(request)
        public = self._public.get(request.call)
        if public is not None:
            return self._admit_public(request, public, params)
        route = ROUTES.get(request.call)
        if route is None:
            raise no_such_path(request.path, request.method)
        used = self._weights.spend(request.address, route.weigh(params))
        headers = {USED_WEIGHT: str(used)}
        try:
            key = self._key(request, route, params)
            if route.counts:
                counts = self._counts.add(key.account, *route.orders)
                headers |= order_headers(counts)
                self._counts.check(counts)
        except VenueError as error:
            error.headers = headers | error.headers
            raise
        return Ticket(route, params, self._accounts[key.account], headers)

    def _admit_public(self, request: Request, public: Public, params: Params) -> Ticket:
        weight, body, refusal = 1, None, None
        try:
            if request.call in KEYED_PUBLIC:
                self._keys.find(request.headers.get("x-mbx-apikey"), None, request.address)
            if request.call in FUNDING_CALLS:
                self._funding.spend(request.address)
            weight, body = public(params)
        except VenueError as error:
            refusal = error  # a refused request costs weight too
        headers = {USED_WEIGHT: str(self._weights.spend(request.address, weight))}
        if refusal is not None:
            refusal.headers = headers | refusal.headers
            raise refusal
        return Ticket(None, params, headers=headers, answer=body)

    def _key(self, request: Request, route: Route, params: Params) -> ApiKey:
        """The key of a request that may do what it asks. Raises VenueError."""
        key = self._keys.find(request.headers.get("x-mbx-apikey"), permission(route), request.address)
        if route.security in SIGNED:
            check_time(params, self._now_ms())
            check(key, *signed_payload(request.query, request.body))
        return key


def _params(request: Request) -> dict[str, str]:
    return decoded(request.query, request.body, request.headers.get("content-type", ""))


def _reply(outcome: Outcome, plan: CallPlan, began_ns: int) -> Reply:
    """An answer as HTTP, with what a plan does to its bytes."""
    took_ms = (time.perf_counter_ns() - began_ns) // 1_000_000
    headers = outcome.headers | {"X-RESPONSE-TIME": f"{took_ms}ms"} | plan.headers
    body = outcome.body if isinstance(outcome.body, bytes) else orjson.dumps(outcome.body)
    reply = Reply(outcome.status, body, headers, outcome.content_type)
    for garble in plan.garbles:
        garble(reply)
    reply.cut_at, reply.reset, reply.hang = plan.cut_at, plan.reset, plan.hang
    return reply
