"""Random faults of one run: what happens when, drawn from the seed, and how each is done.

A plan is made beforehand, so that a seed names its faults whatever the bot does. ``Trouble.until_s`` is the last
instant at which something disturbed calls, connections or the process: limits in seconds count from there.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from exchange.emulator.levers import LEVERS
from wiring.simulation.exchange import Exchange
from wiring.simulation.network import Network

SYMBOL = "BTCUSDT"
ORDER, STOP, CANCEL = "POST /fapi/v1/order", "POST /fapi/v1/algoOrder", "DELETE *"
FIRST_S, LAST_S = 45.0, 150.0  # no fault before the first, nor in the last seconds: a run must be able to recover
ARMED_S = 90.0  # how long a lever waits for what it meets
CALM = ("duplicate", "reorder", "repeat_events", "deposit", "funding", "filters", "edit_frame")
"""Levers that excuse nothing: no reaction may be late because of them."""


class Planned(msgspec.Struct, frozen=True):
    """One fault: when (seconds after the start), its kind, and its own dice."""

    at_s: float
    kind: str
    seed: int


class Trouble:
    """When something last disturbed the bot's way to the venue."""

    def __init__(self) -> None:
        self.until_s = 0.0

    def at(self, now_s: float, for_s: float = 0.0) -> None:
        self.until_s = max(self.until_s, now_s + for_s)


class Stage(msgspec.Struct):
    """What faults act on. ``network`` is that of the bot at hand; ``kill``, ``kill_near`` and ``fill_disk`` act on its
    process.
    """

    exchange: Exchange
    trouble: Trouble
    network: Callable[[], Network | None]
    kill: Callable[[], None]
    kill_near: Callable[[int, bool], None]
    fill_disk: Callable[[], None]


Act = Callable[[Stage, Random], None]


def plan(dice: Random, duration_s: float, per_hour: float) -> list[Planned]:
    """Faults of a run of that length: at least ten an hour, in order of time."""
    span_s = max(duration_s - FIRST_S - LAST_S, 1.0)
    hours = duration_s / 3600.0
    count = max(round(dice.gauss(per_hour * hours, (per_hour * hours) ** 0.5)), round(12 * hours), 1)
    kinds, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    found = [
        Planned(
            FIRST_S + dice.random() * span_s, dice.choices(kinds, weights)[0], dice.getrandbits(32)
        )
        for _ in range(count)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.at_s)


def strike(stage: Stage, fault: Planned) -> None:
    KINDS[fault.kind][1](stage, Random(fault.seed))


def excuses(lever: str, when: str) -> bool:
    """Whether a lever that has just acted may be the reason for a late reaction."""
    kind = LEVERS[lever].kind
    if lever in CALM:
        return False
    return kind != "stream" or when.startswith("user")


def lever(name: str, when: str | tuple[str, ...] = "", **fixed: Any) -> Act:
    """Arm a lever of the exchange. A callable value is drawn."""

    def act(stage: Stage, dice: Random) -> None:
        target = when if isinstance(when, str) else dice.choice(when)
        options = {key: value(dice) if callable(value) else value for key, value in fixed.items()}
        options.setdefault("for_s", ARMED_S)
        if LEVERS[name].kind == "account" and not target:
            options["for_s"] = 0.0
        stage.exchange.venue.faults.arm(name, target, **options)

    return act


def between(low: float, high: float) -> Callable[[Random], float]:
    return lambda dice: round(dice.uniform(low, high), 3)


def whole(low: int, high: int) -> Callable[[Random], int]:
    return lambda dice: dice.randint(low, high)


def one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda dice: dice.choice(values)


def _storm(stage: Stage, dice: Random) -> None:
    """Everything is late for a while."""
    network, for_s = stage.network(), dice.uniform(3, 20)
    if network is not None:
        network.storm_s, network.storm_until_s = dice.choice((0.05, 0.2, 0.6)), network.loop.now_s + for_s
        stage.trouble.at(network.loop.now_s, for_s)


def _half_open(stage: Stage, dice: Random) -> None:
    """A connection goes deaf and dumb without a word."""
    network = stage.network()
    lines = [] if network is None else list(network.channels)
    if network is not None and lines:
        chosen = dice.choice(lines)
        chosen.half_open()
        if chosen.door in ("http", "ws-api", "private"):
            stage.trouble.at(network.loop.now_s, 12.0 if chosen.door == "http" else 30.0)


def _cut_all(stage: Stage, dice: Random) -> None:
    """Every connection of the bot ends at once."""
    network = stage.network()
    if network is not None:
        for channel in list(network.channels):
            channel.cut()
        stage.trouble.at(network.loop.now_s, 1.0)


def _outage(stage: Stage, dice: Random) -> None:
    """The venue answers nothing for some seconds."""
    for_s = dice.uniform(1, 8)
    stage.exchange.venue.faults.arm("drop_reply", "*", count=0, for_s=for_s, hang=dice.random() < 0.5)


def _skew(stage: Stage, dice: Random) -> None:
    """The venue's clock steps, and comes back later."""
    faults = stage.exchange.venue.faults
    ms = dice.choice((-1500, -600, 300, 700, 1500))
    faults.arm("clock_skew", ms=ms)
    faults.arm("clock_skew", at_s=faults.now_s() + dice.uniform(20, 90), ms=0)


def _stream(stage: Stage, dice: Random) -> None:
    """Private events are lost, held back, doubled or shuffled."""
    faults = stage.exchange.venue.faults
    which = dice.choice(("user:*", "user:ORDER_TRADE_UPDATE", "user:ACCOUNT_UPDATE", "user:ALGO_UPDATE"))
    name = dice.choice(("stall", "stall", "drop", "duplicate", "reorder", "lag"))
    args: dict[str, Any] = {}
    if name == "stall":
        args = {"count": 0, "for_s": dice.uniform(1, 15), "keep": dice.random() < 0.5}
    elif name == "lag":
        args = {"count": 0, "for_s": dice.uniform(5, 40), "s": dice.choice((0.05, 0.3, 1.0, 3.0))}
    elif name == "reorder":
        args = {"count": 0, "for_s": ARMED_S}
    elif name == "duplicate":
        args = {"count": 0, "for_s": ARMED_S, "later": dice.choice((0, 1, 3))}
    else:
        args = {"count": dice.randint(1, 3), "for_s": ARMED_S}
    faults.arm(name, which, **args)


def _market(stage: Stage, dice: Random) -> None:
    """Market streams stall, lose, double or shuffle frames."""
    which = dice.choice(("btcusdt@depth*", "btcusdt@bookTicker", "btcusdt@aggTrade", "btcusdt@*"))
    name = dice.choice(("stall", "drop", "duplicate", "reorder", "lag", "malformed"))
    args: dict[str, Any] = {"count": dice.randint(1, 20), "for_s": ARMED_S}
    if name == "stall":
        args = {"count": 0, "for_s": dice.uniform(0.3, 8), "keep": dice.random() < 0.5}
    elif name == "lag":
        args = {"count": 0, "for_s": dice.uniform(2, 10), "s": dice.choice((0.05, 0.4, 1.2))}
    elif name == "malformed":
        args = {"count": dice.randint(1, 4), "for_s": ARMED_S, "kind": "json"}
    stage.exchange.venue.faults.arm(name, which, **args)


def _refuse(stage: Stage, dice: Random) -> None:
    """New connections are refused for a while, and those that are open end."""
    faults, door = stage.exchange.venue.faults, dice.choice(("private", "public", "market", "ws-api", "http"))
    faults.arm("refuse_connect", door, count=0, for_s=dice.uniform(1, 12), how=dice.choice(("status", "cut")))
    faults.arm("abort", door, for_s=5.0, count=dice.randint(1, 3))


def _shape(stage: Stage, dice: Random) -> None:
    """Somebody changes the contract's terms, and changes them back."""
    faults = stage.exchange.venue.faults
    faults.arm("leverage", symbol=SYMBOL, leverage=20)
    faults.arm("leverage", at_s=faults.now_s() + dice.uniform(15, 60), symbol=SYMBOL, leverage=10)


def _near(stage: Stage, dice: Random) -> None:
    """The process is killed just before or just after one of its next journal records."""
    stage.kill_near(dice.choice((1, 1, 2, 3, dice.randint(1, 30))), dice.random() < 0.5)


def _kill(stage: Stage, dice: Random) -> None:
    stage.kill()


def _disk(stage: Stage, dice: Random) -> None:
    stage.fill_disk()


_ERRORS = (
    (-1000, 400), (-1001, 500), (-1006, 500), (-1021, 400), (-2019, 400), (-4164, 400), (-5021, 400), (-2010, 400),
)  # fmt: skip


def _refusal(stage: Stage, dice: Random) -> None:
    """The venue refuses orders by an error of its own."""
    code, status = dice.choice(_ERRORS)
    stage.exchange.venue.faults.arm(
        "error", dice.choice((ORDER, ORDER, STOP)), for_s=ARMED_S, count=dice.randint(1, 3), status=status, code=code,
        msg="refused by a fault",
    )  # fmt: skip


KINDS: dict[str, tuple[float, Act]] = {
    "answer lost": (4, lever("drop_reply", (ORDER, ORDER, STOP, CANCEL), hang=one_of(True, False))),
    "answer cut": (2, lever("cut_reply", (ORDER, STOP, CANCEL), at_byte=whole(1, 200))),
    "request cut": (2, lever("cut_request", (ORDER, STOP, CANCEL), at_byte=whole(1, 200))),
    "503 unknown": (2, lever(
        "busy", (ORDER, ORDER, STOP), count=whole(1, 2), placed=one_of(True, False), text=one_of("unknown", "bare")
    )),
    "503 failed": (2, lever(  # these words say that nothing happened, and at the venue nothing did
        "busy", (ORDER, ORDER, STOP), count=whole(1, 2), text=one_of("unavailable", "internal", "throttled")
    )),
    "timeout -1007": (2, lever("timeout", (ORDER, STOP), placed=one_of(True, False))),
    "refused": (2, _refusal),
    "stop refused": (2, lever(
        "error", STOP, code=one_of(-2021, -4120, -1001, -4045, -2022), status=400, msg="refused by a fault",
        count=whole(1, 2),
    )),
    "late arrival": (3, lever("delay", (ORDER, STOP, CANCEL), s=between(0.1, 4.0), count=whole(1, 3))),
    "late in the engine": (2, lever("engine_delay", (ORDER, STOP), s=between(0.05, 1.5), count=whole(1, 3))),
    "late answer": (3, lever("reply_delay", (ORDER, STOP, CANCEL, "GET *"), s=between(0.1, 4.0), count=whole(1, 4))),
    "hidden": (3, lever("hide", (ORDER, STOP), s=between(0.3, 5.0), count=whole(1, 3))),
    "reads refused": (2, lever("error", "GET *", code=-1001, status=500, count=whole(1, 20))),
    "throttled": (1, lever("throttle", "*", count=0, for_s=between(2, 10))),
    "html 403": (0.5, lever("html", (ORDER, STOP, "GET *"), status=403)),
    "html 502": (0.5, lever("html", (ORDER, STOP, "GET *"), status=502, placed=one_of(True, False))),
    "garbled": (2, lever(
        "garble", (ORDER, STOP, "GET *"), kind=one_of("empty", "truncated", "gzip", "length"), placed=True
    )),
    "rate limit": (1, lever(
        "error", ("GET *", ORDER), code=-1003, status=429, msg="Too many requests.", retry_after=whole(1, 5),
        count=whole(1, 2),
    )),
    "ban": (0.3, lever("ban", s=whole(2, 8))),
    "outage": (2, _outage),
    "private stream": (6, _stream),
    "private cut": (3, lever("abort", "private")),
    "private closed": (2, lever("close", "private")),
    "key expired": (1, lever("expire_listen_key")),
    "events again": (1, lever("repeat_events", n=whole(1, 20))),
    "market stream": (4, _market),
    "market cut": (2, lever("abort", ("public", "market"))),
    "order lines cut": (3, lever("abort", ("http", "ws-api"), count=whole(1, 3))),
    "connections refused": (2, _refuse),
    "half open": (3, _half_open),
    "all cut": (1, _cut_all),
    "slow network": (2, _storm),
    "partial fill": (3, lever("fill", lots=whole(1, 2))),
    "hand trade": (1, lever("hand_trade", side=one_of("BUY", "SELL"), lots=whole(1, 5))),
    "stop cancelled": (2, lever("cancel_stop", silent=one_of(True, False))),
    "liquidation": (0.4, lever("liquidate", lots=one_of(0, 0, 1))),
    "deleveraging": (0.4, lever("adl", lots=one_of(0, 1))),
    "funding": (1, lever("funding", rate=one_of("0.0001", "-0.0003"))),
    "deposit": (0.5, lever("deposit", amount=one_of("5", "-3.5"))),
    "terms changed": (0.3, _shape),
    "clock step": (1, _skew),
    "killed": (2, _kill),
    "killed at a record": (4, _near),
    "disk full": (0.5, _disk),
}  # fmt: skip
"""Kind → (weight, what it does)."""
