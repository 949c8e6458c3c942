"""The levers of the embedded exchange's faults: what each does, what it takes, and which faults it serves.

A fault (``faults.Fault``) pulls one lever. Call levers disturb REST and WebSocket calls that ``when`` meets
(``POST /fapi/v1/order``, ``GET *``, ``ws order.place``, ``http *``; empty: every call). Stream levers disturb frames
of streams that ``when`` meets (``btcusdt@depth*``, ``user:ORDER_TRADE_UPDATE``, ``user:*``). Connection levers act on
connections whose door ``when`` meets (``public``, ``market``, ``private``, ``ws-api``, ``http``). Account levers act
once at their time, or just before (``moment`` "after": after) the call ``when`` meets. An argument written as
``[low, high]`` is drawn from the seed. Times are seconds.

==================  ========  ==========================================================================  ==============
Lever               Kind      What it does (arguments)                                                    Faults
==================  ========  ==========================================================================  ==============
delay               call      reaches the venue late (s)                                                  F21 F23 F39
engine_delay        call      waits behind the door, timestamp checked again: -5028 (s)                   F17 F23
reply_delay         call      done at once, answered late (s)                                             F12 F17 F23
cut_request         call      the connection ends at that byte of the request, not done (at_byte, reset)  F17
cut_reply           call      done, the connection ends at that byte of the answer (at_byte, reset)       F17 F32
drop_reply          call      done, no byte of an answer; hang: the connection stays (hang, reset)        F17 F20 F32
busy                call      a 503 by its text: unknown, bare, unavailable, internal, throttled          F18 F19
                              (text, placed)
timeout             call      408 and -1007 (placed)                                                      F18 F20
error               call      any error (status, code, msg, placed, retry_after)                          F12 F22 F23
                                                                                                          F25 F27 F30
                                                                                                          F31 F49 F51
                                                                                                          F53
answer              call      any answer (status, text, content_type, placed)                             F33
html                call      an HTML page (status, placed)                                               F30 F33
garble              call      a spoilt answer: empty, truncated, gzip, length (kind, placed)              F16 F33
edit_reply          call      fields of the answer changed or taken away (set, delete)                    F16 F44 F48
freeze              call      the first answer again and again: snapshots grow old                        F09
shallow             call      a depth answer with that many levels a side (levels)                        F11
headers             call      headers of the answer changed (set)                                         F22
throttle            call      -1008 to whatever may add exposure; closing orders and cancels pass         F18 F19
hide                call      what is placed stays unknown to queries (s)                                 F21
stall               stream    nothing is delivered; keep: delivered at the end of ``for_s`` (keep)        F01 F14 F39
                                                                                                          F40
drop                stream    frames are lost                                                             F08 F37 F56
duplicate           stream    frames come twice, the copy that many frames later (later)                  F08 F15 F36
reorder             stream    groups of frames come in a drawn order (window, within_s)                   F08 F15 F38
                                                                                                          F57
lag                 stream    frames come late, in order (s)                                              F14 F37 F39
slow_drip           stream    the bytes of a frame trickle (bytes_per_s)                                  F13 F14
cut_frame           stream    the connection ends at that byte of a frame (at_byte)                       F16
malformed           stream    a frame that is none: json, utf8, opcode, text (kind, text)                 F16 F35
edit_frame          stream    fields of the event changed or taken away (set, delete)                     F08 F10 F16
                                                                                                          F44 F48
inject              stream    another frame after the one that passes (text)                              F10 F16 F35
close_after         stream    the connection is closed after a frame (code, reason)                       F03 F04
silent_ack          stream    SUBSCRIBE is answered, no data ever comes                                   F02 F04
close               socket    connections are closed (code, reason)                                       F03 F05
abort               socket    connections end without a word                                              F03 F06
refuse_connect      socket    new connections: refused by a status, closed or cut (how, status, code)     F03 F05 F33
deaf                socket    pongs are not heard: the connection is closed as silent                     F06
ping                socket    a ping now                                                                  F06
fill                account   a resting order is filled, whole or in part (account, client_id, lots)      F20 F31 F43
hand_trade          account   somebody else trades on the account (account, symbol, side, lots)           F26 F41
hand_cancel         account   somebody else cancels an order (account, symbol, client_id)                 F31 F41
liquidate           account   the venue closes a position (account, symbol, lots)                         F42
adl                 account   a position is deleveraged (account, symbol, lots)                           F42
settle              account   a position is settled by delisting (account, symbol)                        F42
deposit             account   money comes or goes (account, amount)                                       F25 F50
leverage            account   leverage is changed by hand (account, symbol, leverage)                     F49
margin_type         account   margin type is changed by hand (account, symbol, margin_type)               F49
position_mode       account   hedge mode is switched (account, hedge)                                     F48
filters             account   filters of a contract change (symbol, set)                                  F28 F29
status              account   a contract stops or resumes trading (symbol, status)                        F29
cancel_stop         account   a stop vanishes, with or without an event (account, client_id, silent)      F54 F56
funding             account   funding is settled now (symbol, rate)                                       F50
expire_listen_key   account   the hour of the listenKey is over (account)                                 F34
delete_listen_key   account   another client deletes the listenKey (account)                              F34
repeat_events       account   the last events come again (account, n)                                     F36
emit                account   an event of your own on the private stream (account, event)                 F16 F35 F48
permissions         account   what the account's keys may do; none: revoked (account, allowed)            F30
use_weight          account   weight is spent in our name (weight)                                        F22
ban                 account   the client's address is banned (s)                                          F22
clock_skew          account   the venue's clock is off and drifts (ms, ppm)                               F23
==================  ========  ==========================================================================  ==============

SIGKILL, SIGSTOP, disks and the client's own clock are levers on the client's process, not on the exchange.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from exchange.emulator.errors import VenueError
from exchange.emulator.http import JSON, Reply
from exchange.emulator.parameters import Params
from exchange.emulator.routes import Route

CALL, STREAM, SOCKET, ACCOUNT = "call", "stream", "socket", "account"


class Outcome(msgspec.Struct):
    """What a call is answered: a body to be written as JSON, or bytes as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    content_type: str = JSON


class CallPlan(msgspec.Struct):
    """What the faults that meet a call do to it; the usual one does nothing."""

    delay_s: float = 0.0
    engine_s: float = 0.0
    reply_s: float = 0.0
    hide_ms: int = 0
    placed: bool = True  # False: the call never reaches what answers it
    outcome: Outcome | None = None  # answered instead of what the venue said
    refusals: list[Callable[[Route | None, Params], None]] = []
    edits: list[Callable[[Any], Any]] = []
    garbles: list[Callable[[Reply], None]] = []
    headers: dict[str, str] = {}
    before: list[Callable[[], None]] = []
    after: list[Callable[[], None]] = []
    cut_at: int | None = None
    reset: bool = False
    hang: bool = False


class Lever(msgspec.Struct, frozen=True):
    """A lever: its kind and its arguments with their defaults; ``act`` for call levers (plan, arguments, memory)."""

    kind: str
    args: dict[str, Any] = {}
    act: Callable[[CallPlan, Any, dict[str, Any]], None] | None = None


BUSY: dict[str, dict[str, object]] = {
    "unknown": {"code": -1000, "msg": "Unknown error, please check your request or try again later."},
    "bare": {
        "timestamp": 1638827401078,
        "path": "/fapi/v1/order",
        "msg": "Unknown error, please check your request or try again later.",
    },
    "unavailable": {"msg": "Service Unavailable."},
    "internal": {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."},
    "throttled": {
        "code": -1008,
        "msg": "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
        "Please try again.",
    },
}
HTML = b"<html><head><title>%d</title></head><body><h1>The request could not be satisfied</h1></body></html>"


# -- call levers -----------------------------------------------------------------------------------------------------


def _delay(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.delay_s += args["s"]


def _engine_delay(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.engine_s += args["s"]


def _reply_delay(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.reply_s += args["s"]


def _cut_reply(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.cut_at, plan.reset = int(args["at_byte"]), args["reset"]


def _drop_reply(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.cut_at, plan.reset, plan.hang = 0, args["reset"], args["hang"]


def _busy(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.outcome, plan.placed = Outcome(503, dict(BUSY[args["text"]])), args["placed"]


def _timeout(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    said = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    plan.outcome, plan.placed = Outcome(408, {"code": -1007, "msg": said}), args["placed"]


def _error(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.outcome = Outcome(int(args["status"]), {"code": int(args["code"]), "msg": args["msg"]})
    if args["retry_after"]:
        plan.headers = plan.headers | {"Retry-After": str(int(args["retry_after"]))}
    plan.placed = args["placed"]


def _answer(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.outcome = Outcome(int(args["status"]), args["text"].encode(), {}, args["content_type"])
    plan.placed = args["placed"]


def _html(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    status = int(args["status"])
    plan.outcome, plan.placed = Outcome(status, HTML % status, {}, "text/html"), args["placed"]


def _garble(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    def spoil(reply: Reply) -> None:
        if args["kind"] == "empty":
            reply.body = b""
        elif args["kind"] == "truncated":
            reply.body = reply.body[: len(reply.body) // 2]
        elif args["kind"] == "gzip":
            packed = gzip.compress(reply.body, mtime=0)
            reply.body, reply.headers = packed[: len(packed) // 2], reply.headers | {"Content-Encoding": "gzip"}
        else:  # more is promised than comes, then the connection ends
            reply.headers = reply.headers | {"Content-Length": str(len(reply.body) + 7), "Connection": "close"}

    plan.garbles = [*plan.garbles, spoil]
    if args["kind"] == "length":
        plan.cut_at = 1 << 30
    plan.placed = args["placed"]


def _edit_reply(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.edits = [*plan.edits, lambda body: edited(body, args["set"], args["delete"])]


def _freeze(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.edits = [*plan.edits, lambda body: memory.setdefault("body", body)]


def _shallow(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    def cut(body: Any) -> Any:
        if not isinstance(body, dict) or "bids" not in body:
            return body
        return body | {side: body[side][: int(args["levels"])] for side in ("bids", "asks")}

    plan.edits = [*plan.edits, cut]


def _headers(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.headers = plan.headers | {name: str(value) for name, value in args["set"].items()}


def _throttle(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    def refuse(route: Route | None, params: Params) -> None:
        if route is not None and route.call in THROTTLED and not closing(params):
            raise VenueError(503, -1008, str(BUSY["throttled"]["msg"]))

    plan.refusals = [*plan.refusals, refuse]


def _hide(plan: CallPlan, args: Any, memory: dict[str, Any]) -> None:
    plan.hide_ms = int(args["s"] * 1000)


THROTTLED = ("POST /fapi/v1/order", "POST /fapi/v1/batchOrders", "POST /fapi/v1/order/test", "PUT /fapi/v1/order")


def closing(params: Params) -> bool:
    """Whether an order can only close: what ``-1008`` exempts (reference §7)."""
    if "true" in (params.get("reduceOnly"), params.get("closePosition")):
        return True
    return (params.get("positionSide"), params.get("side")) in (("LONG", "SELL"), ("SHORT", "BUY"))


def edited(body: Any, changes: dict[str, Any], gone: list[str]) -> Any:
    """A JSON value with fields set or taken away; ``o.X`` goes into objects, a list is edited in each of its items."""
    if isinstance(body, list):
        return [edited(one, changes, gone) for one in body]
    if not isinstance(body, dict):
        return body
    body = dict(body)
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        body[head] = edited(body.get(head, {}), {rest: value}, []) if rest else value
    for path in gone:
        head, _, rest = path.partition(".")
        if rest and head in body:
            body[head] = edited(body[head], {}, [rest])
        elif not rest:
            body.pop(head, None)
    return body


def edited_frame(frame: bytes, changes: dict[str, Any], gone: list[str]) -> bytes:
    """A frame whose event is edited, inside its envelope if it has one."""
    try:
        event = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return frame
    if isinstance(event, dict) and event.keys() == {"stream", "data"}:
        return orjson.dumps(event | {"data": edited(event["data"], changes, gone)})
    return orjson.dumps(edited(event, changes, gone))


LEVERS: dict[str, Lever] = {
    "delay": Lever(CALL, {"s": 1.0}, _delay),
    "engine_delay": Lever(CALL, {"s": 1.0}, _engine_delay),
    "reply_delay": Lever(CALL, {"s": 1.0}, _reply_delay),
    "cut_request": Lever(CALL, {"at_byte": 0, "reset": True}),
    "cut_reply": Lever(CALL, {"at_byte": 0, "reset": False}, _cut_reply),
    "drop_reply": Lever(CALL, {"hang": False, "reset": True}, _drop_reply),
    "busy": Lever(CALL, {"text": "unknown", "placed": False}, _busy),
    "timeout": Lever(CALL, {"placed": False}, _timeout),
    "error": Lever(CALL, {"status": 400, "code": -1000, "msg": "", "placed": False, "retry_after": 0}, _error),
    "answer": Lever(CALL, {"status": 200, "text": "", "content_type": JSON, "placed": True}, _answer),
    "html": Lever(CALL, {"status": 403, "placed": False}, _html),
    "garble": Lever(CALL, {"kind": "truncated", "placed": True}, _garble),
    "edit_reply": Lever(CALL, {"set": {}, "delete": []}, _edit_reply),
    "freeze": Lever(CALL, {}, _freeze),
    "shallow": Lever(CALL, {"levels": 5}, _shallow),
    "headers": Lever(CALL, {"set": {}}, _headers),
    "throttle": Lever(CALL, {}, _throttle),
    "hide": Lever(CALL, {"s": 1.0}, _hide),
    "stall": Lever(STREAM, {"keep": False}),
    "drop": Lever(STREAM, {}),
    "duplicate": Lever(STREAM, {"later": 0}),
    "reorder": Lever(STREAM, {"window": 3, "within_s": 0.05}),
    "lag": Lever(STREAM, {"s": 1.0}),
    "slow_drip": Lever(STREAM, {"bytes_per_s": 100}),
    "cut_frame": Lever(STREAM, {"at_byte": 0}),
    "malformed": Lever(STREAM, {"kind": "json", "text": ""}),
    "edit_frame": Lever(STREAM, {"set": {}, "delete": []}),
    "inject": Lever(STREAM, {"text": ""}),
    "close_after": Lever(STREAM, {"code": 1001, "reason": ""}),
    "silent_ack": Lever(STREAM, {}),
    "close": Lever(SOCKET, {"code": 1001, "reason": ""}),
    "abort": Lever(SOCKET, {}),
    "refuse_connect": Lever(SOCKET, {"how": "status", "status": 503, "code": 1013}),
    "deaf": Lever(SOCKET, {}),
    "ping": Lever(SOCKET, {}),
    "fill": Lever(ACCOUNT, {"account": "main", "client_id": "", "lots": 0}),
    "hand_trade": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "lots": 1}),
    "hand_cancel": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "client_id": ""}),
    "liquidate": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "lots": 0}),
    "adl": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "lots": 0}),
    "settle": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT"}),
    "deposit": Lever(ACCOUNT, {"account": "main", "amount": "0"}),
    "leverage": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "leverage": 20}),
    "margin_type": Lever(ACCOUNT, {"account": "main", "symbol": "BTCUSDT", "margin_type": "CROSSED"}),
    "position_mode": Lever(ACCOUNT, {"account": "main", "hedge": True}),
    "filters": Lever(ACCOUNT, {"symbol": "BTCUSDT", "set": {}}),
    "status": Lever(ACCOUNT, {"symbol": "BTCUSDT", "status": "SETTLING"}),
    "cancel_stop": Lever(ACCOUNT, {"account": "main", "client_id": "", "silent": True}),
    "funding": Lever(ACCOUNT, {"symbol": "BTCUSDT", "rate": ""}),
    "expire_listen_key": Lever(ACCOUNT, {"account": "main"}),
    "delete_listen_key": Lever(ACCOUNT, {"account": "main"}),
    "repeat_events": Lever(ACCOUNT, {"account": "main", "n": 3}),
    "emit": Lever(ACCOUNT, {"account": "main", "event": {}}),
    "permissions": Lever(ACCOUNT, {"account": "main", "allowed": []}),
    "use_weight": Lever(ACCOUNT, {"weight": 1000, "address": "127.0.0.1"}),
    "ban": Lever(ACCOUNT, {"s": 120, "address": "127.0.0.1"}),
    "clock_skew": Lever(ACCOUNT, {"ms": 0, "ppm": 0.0}),
}
