"""``python -m exchange.emulator``: the embedded exchange as its own process.

Prints one JSON line on stdout when it is ready and nothing else there; it ends with its parent (when standard input,
being a pipe, closes) or on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys

import uvloop

from exchange.emulator.generator import Generator
from exchange.emulator.server import Emulator
from exchange.emulator.sockets import Limits
from models.error import ScalperError, UsageError
from utils.clock import wall_ns


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line. argparse ends the process with 2 on a mistake."""
    parser = argparse.ArgumentParser(prog="python -m exchange.emulator", description="The embedded exchange.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="REST port, streams one above; 0: the system chooses")
    parser.add_argument("--seed", type=int, default=1, help="the generated market")
    parser.add_argument("--symbols", default="BTCUSDT", help="contracts, separated by commas")
    parser.add_argument("--speed", default="1", help="1, a multiple of real time, or max")
    parser.add_argument("--ping", type=float, default=Limits().ping_s, help="seconds between pings")
    parser.add_argument("--pong", type=float, default=Limits().pong_s, help="seconds to wait for a pong")
    parser.add_argument("--lifetime", type=float, default=Limits().lifetime_s, help="seconds until a socket is closed")
    return parser.parse_args(arguments)


def speed(text: str) -> float | None:
    """``max`` as None, else a positive number. Raises UsageError."""
    if text == "max":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UsageError(f"--speed {text}: write a positive number or max")
    return value


async def serve(options: argparse.Namespace) -> None:
    """Run until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(loop, stop)
    symbols = tuple(name for name in options.symbols.upper().split(",") if name)
    rate = speed(options.speed)
    limits = Limits(ping_s=options.ping, pong_s=options.pong, lifetime_s=options.lifetime)
    market = Generator(options.seed, wall_ns(), symbols)
    async with Emulator(
        market, host=options.host, port=options.port, speed=rate, anchor_ns=wall_ns(), limits=limits
    ) as exchange:
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


def main(arguments: list[str] | None = None) -> int:
    """Exit code of the process."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options))
    except ScalperError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"the embedded exchange cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
