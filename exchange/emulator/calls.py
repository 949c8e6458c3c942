"""One call of the venue from its arrival to its answer, the same for HTTP and for the WebSocket API.

A door says how to admit a call (who asks, with which right and signature) and how to write its answer; what happens
between, faults and the order of answer and events included, is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from exchange.emulator.errors import VenueError
from exchange.emulator.levers import CallPlan, Outcome
from exchange.emulator.limits import OrderCounts
from exchange.emulator.listen_keys import ListenKeys
from exchange.emulator.parameters import Params
from exchange.emulator.routes import PLACING, Route
from exchange.emulator.user_streams import UserStreams

PLACED_IDS = {"orderId": "order", "algoId": "algo"}


class Ticket(msgspec.Struct):
    """An admitted call. ``headers`` go with its answer; ``answer`` is a public call's body, made at admission."""

    route: Route | None
    params: Params
    account: Any = None
    headers: dict[str, str] = {}
    answer: object = None


Admit = Callable[[], Ticket]
Finish = Callable[[Outcome, CallPlan], None]
Handler = Callable[[Any, dict[str, str]], object]


class Calls:
    """Runs calls against the desk, the listenKeys and the order counts."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        handlers: dict[str, Handler],
        listen_keys: ListenKeys,
        streams: UserStreams,
        counts: OrderCounts,
        plans: Any,
    ) -> None:
        self._now_ms, self._plans, self._streams = now_ms, plans, streams
        self._hidden: dict[tuple[str, str], int] = {}  # kind and id → invisible to queries until (ms)
        self.handlers: dict[str, Handler] = dict(handlers)
        self._listen_keys = listen_keys
        self.handlers |= {
            "POST /fapi/v1/listenKey": lambda account, params: {"listenKey": listen_keys.start(account.name)},
            "PUT /fapi/v1/listenKey": lambda account, params: {"listenKey": listen_keys.renew(account.name)},
            "DELETE /fapi/v1/listenKey": self._close_key,
            "GET /fapi/v1/rateLimit/order": lambda account, params: counts.table(),
        }

    def _close_key(self, account: Any, params: dict[str, str]) -> object:
        self._listen_keys.close(account.name)
        return {}

    def run(self, names: tuple[str, ...], sent: Callable[[], Params], admit: Admit, finish: Finish) -> None:
        """Carry one call through. ``names``: those a fault may meet it by; ``sent``: its parameters, unchecked."""
        plan = self._plans.call(names, sent)
        if plan.delay_s:
            asyncio.get_running_loop().call_later(plan.delay_s, self._arrived, plan, admit, finish)
        else:
            self._arrived(plan, admit, finish)

    def _arrived(self, plan: CallPlan, admit: Admit, finish: Finish) -> None:
        for act in plan.before:
            act()
        if not plan.placed:
            self._answered(plan, plan.outcome or Outcome(), finish)
            return
        try:
            ticket = admit()
            for refuse in plan.refusals:
                refuse(ticket.route, ticket.params)
        except VenueError as error:
            self._answered(plan, plan.outcome or failed(error), finish)
            return
        if plan.engine_s:
            asyncio.get_running_loop().call_later(plan.engine_s, self._execute, plan, ticket, finish)
        else:
            self._execute(plan, ticket, finish)

    def _execute(self, plan: CallPlan, ticket: Ticket, finish: Finish) -> None:
        try:
            if plan.engine_s:
                self._check_engine(ticket)
            outcome = Outcome(body=self._perform(ticket, plan), headers=ticket.headers)
        except VenueError as error:
            outcome = failed(error, ticket)
        for act in plan.after:
            act()
        self._answered(plan, plan.outcome or outcome, finish)

    def _check_engine(self, ticket: Ticket) -> None:
        """The matching engine looks at the timestamp once more. Raises VenueError (-5028)."""
        if ticket.route is None or ticket.route.call not in PLACING:
            return
        window_ms = int(ticket.params.get("recvWindow", 5000))
        if self._now_ms() - int(ticket.params["timestamp"]) > window_ms:
            raise VenueError(400, -5028, "Timestamp for this request is outside of the ME recvWindow.")

    def _perform(self, ticket: Ticket, plan: CallPlan) -> object:
        route = ticket.route
        if route is None:
            return ticket.answer
        handler = self.handlers.get(route.call)
        if handler is None:
            raise VenueError(404, -5000, "Path {1}, Method {0} is invalid".format(*route.call.split(" ")))
        body = handler(ticket.account, dict(ticket.params))
        if plan.hide_ms and route.call.startswith("POST "):
            self._hide(body, self._now_ms() + plan.hide_ms)
        return self._visible(route, body) if self._hidden and route.call.startswith("GET ") else body

    def _hide(self, body: object, until_ms: int) -> None:
        """Keep what was just placed from queries for a while."""
        for one in body if isinstance(body, list) else [body]:
            for field, kind in PLACED_IDS.items():
                if isinstance(one, dict) and field in one:
                    self._hidden[kind, str(one[field])] = until_ms

    def _visible(self, route: Route, body: object) -> object:
        """A query's answer without what it cannot see yet. Raises VenueError (-2013)."""
        now_ms = self._now_ms()
        self._hidden = {key: until_ms for key, until_ms in self._hidden.items() if until_ms > now_ms}

        def hidden(one: object) -> bool:
            return isinstance(one, dict) and any(
                (kind, str(one.get(field))) in self._hidden for field, kind in PLACED_IDS.items()
            )

        if isinstance(body, list):
            return [one for one in body if not hidden(one)]
        if hidden(body):
            raise VenueError(400, -2013, "Order does not exist.")
        return body

    def _answered(self, plan: CallPlan, outcome: Outcome, finish: Finish) -> None:
        """Give the answer and release what happened meanwhile, in a drawn order unless the answer is late anyway."""
        for edit in plan.edits:
            outcome.body = edit(outcome.body)
        if plan.reply_s:
            asyncio.get_running_loop().call_later(plan.reply_s, finish, outcome, plan)
            self._streams.release()
        elif self._streams.waiting and not self._streams.answer_first():
            self._streams.release()
            finish(outcome, plan)
        else:
            finish(outcome, plan)
            self._streams.release()


def failed(error: VenueError, ticket: Ticket | None = None) -> Outcome:
    """A refusal as an answer."""
    headers = error.headers if ticket is None else ticket.headers | error.headers
    return Outcome(error.status, error.body, headers)
