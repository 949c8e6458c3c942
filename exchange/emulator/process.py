"""The embedded exchange as a process: one ready line on stdout, ends on a signal or with its parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat

import uvloop

from exchange.emulator.market import Market
from exchange.emulator.server import Emulator
from exchange.emulator.sockets import Limits
from utils.clock import wall_ns


def host(
    market: Market,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    speed: float | None = 1.0,
    recorded: bool = False,
    limits: Limits | None = None,
) -> int:
    """Serve ``market`` until told to stop. ``recorded``: the venue's clock is the recording's, not ours."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(market, address, port, speed, recorded, limits))
    return 0


async def _serve(
    market: Market, address: str, port: int, speed: float | None, recorded: bool, limits: Limits | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(loop, stop)
    anchor_ns = None if recorded else wall_ns()
    async with Emulator(market, host=address, port=port, speed=speed, anchor_ns=anchor_ns, limits=limits) as exchange:
        ready = {"ready": True, "rest": exchange.rest_url, "streams": exchange.stream_url}
        print(json.dumps(ready, separators=(",", ":")), flush=True)
        stopped = asyncio.create_task(stop.wait())
        finished = asyncio.create_task(exchange.finished())
        await asyncio.wait((stopped, finished), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if finished.done():
            finished.result()
        finished.cancel()


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when standard input ends. A file or /dev/null says nothing about a parent and is not watched."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, readable)
