"""The contract self-test of ``doctor --contract`` (fault F81): does the venue still do what this program relies on.

Every market stream delivers, every signed call that trading needs answers, the private stream opens, and a protective
stop can be placed, read back and cancelled. One order is placed: a stop far from the market that only reduces, on a
flat account. Rehearsal asks the embedded exchange, testnet and live the venue.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from config.settings import Settings
from core.risk.gate import probe
from interface.commands.run import Wish, emulator_command
from interface.economics import lots_min
from models.action import Cancel, Query, Submit
from models.error import PreflightError, ScalperError
from models.event import Event, OrderReport, StreamState
from models.order import ApprovedOrder, OrderState, Purpose
from utils.clock import RunClock, wall_ns

STREAMS_S = 10.0
WORD_S = 10.0
STOP_AWAY = 10  # the stop's trigger lies a tenth below the mark: inside the venue's band, far from any market
RARE = ("forceOrder",)  # streams that may be silent for minutes


class Finding(NamedTuple):
    name: str
    ok: bool
    detail: str


def findings(arguments: argparse.Namespace, settings: Settings) -> list[Finding]:
    """Every finding, in order; a failure before the end ends the list with why."""
    import uvloop

    async def all_of() -> list[Finding]:
        found: list[Finding] = []
        try:
            async for one in _contract(arguments, settings):
                found.append(one)
        except ScalperError as error:
            found.append(Finding("contract", False, error.message))
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of())


async def _contract(arguments: argparse.Namespace, settings: Settings) -> AsyncIterator[Finding]:
    import wiring

    mode = settings.app.mode
    wiring.require_account(settings, mode)
    source = "embedded" if mode == "rehearsal" else "binance"
    clock = RunClock(wall_ns(), 1.0)
    async with contextlib.AsyncExitStack() as stack:
        command = emulator_command(arguments, settings, Wish(mode, source, None, 1.0, 7, None, False))
        venue = await wiring.choose_venue(stack, settings, source, clock, command)
        opened = await wiring.open_account(stack, settings, venue, wiring.access(settings, venue, mode), clock)
        told: list[Event] = []
        opened.side.listen(told.append)
        yield await _streams(venue)
        async for one in _calls(opened, settings):
            yield one
        await opened.side.venue.start()
        yield Finding(
            "private stream", await _word(told, lambda event: _user_is_up(event)) is not None, "opened and delivering"
        )
        yield await _stop(opened, told, clock)


def _user_is_up(event: Event) -> bool:
    return isinstance(event, StreamState) and event.stream == "user" and event.alive


async def _streams(venue: Any) -> Finding:
    """Each market stream, by its first frame; a contract without liquidations is silent there."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + STREAMS_S

    def silent() -> list[str]:
        return [one.name for one in venue.feed.stats().streams if not one.frames and not one.name.endswith(RARE)]

    while silent() and loop.time() < end_s:
        await asyncio.sleep(0.05)
    missing = silent()
    count = len(venue.feed.stats().streams)
    return Finding("market streams", not missing, f"silent: {', '.join(missing)}" if missing else f"{count} deliver")


async def _calls(opened: Any, settings: Settings) -> AsyncIterator[Finding]:
    """Each signed call that trading or its accounting needs."""
    calls, instrument = opened.side.venue.account, opened.instruments[0]
    symbol = instrument.symbol
    probe = _order(instrument, opened.marks[0], Purpose.ENTRY)
    asked: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("account", calls.account),
        ("balance", calls.balance),
        ("positionRisk", calls.positions),
        ("accountConfig", calls.account_config),
        ("symbolConfig", lambda: calls.symbol_config(symbol)),
        ("leverageBracket", lambda: calls.leverage_brackets(symbol)),
        ("commissionRate", lambda: calls.commission_rate(symbol)),
        ("openOrders", lambda: calls.open_orders(symbol)),
        ("openAlgoOrders", lambda: calls.open_algo_orders(symbol)),
        ("userTrades", lambda: calls.trades(symbol)),
        ("income", lambda: calls.income(symbol=symbol)),
        ("order/test", lambda: calls.test_order(probe, instrument)),
        ("leverage", lambda: calls.set_leverage(symbol, settings.risk.leverage)),
    ]
    for name, call in asked:
        try:
            await call()
        except ScalperError as error:
            yield Finding(f"call {name}", False, error.message)
        else:
            yield Finding(f"call {name}", True, "answered")


def _order(instrument: Any, mark: int, purpose: Purpose) -> ApprovedOrder:
    """The smallest order of a purpose; a stop lies a tenth below the mark."""
    now_ns = wall_ns()
    trigger = mark - mark // STOP_AWAY if purpose is Purpose.STOP else 0
    return probe(f"sctest{now_ns // 10**6 % 10**8:08d}", purpose, lots_min(instrument, mark), trigger, now_ns)


async def _stop(opened: Any, told: list[Event], clock: RunClock) -> Finding:
    """Place a stop, read it back, cancel it."""
    held = [row for row in await opened.side.venue.account.positions() if float(row.positionAmt)]
    if held:
        raise PreflightError("the account holds a position; the self-test places its stop on a flat account only")
    venue, instrument = opened.side.venue, opened.instruments[0]
    order = _order(instrument, opened.marks[0], Purpose.STOP)
    name = order.client_id
    for step, wish, state in (
        ("place", Submit(clock.now_ns(), order), OrderState.ACCEPTED),
        ("read", Query(clock.now_ns(), name, 0, True), OrderState.ACCEPTED),
        ("cancel", Cancel(clock.now_ns(), name, 0, True), OrderState.CANCELED),
    ):
        del told[:]
        venue.execute(wish)
        word = await _word(told, lambda event: isinstance(event, OrderReport) and event.client_id == name)
        if not isinstance(word, OrderReport) or word.state is not state:
            why = word.reason or word.state.value if isinstance(word, OrderReport) else "no answer"
            return Finding("protective stop", False, f"{step}: {why}")
    return Finding("protective stop", True, f"placed, read back and cancelled ({name})")


async def _word(told: list[Event], wanted: Callable[[Event], bool]) -> Event | None:
    """The first wanted fact, waited for; None when it does not come."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + WORD_S
    while loop.time() < end_s:
        for event in told:
            if wanted(event):
                return event
        await asyncio.sleep(0.005)
    return None
