"""How fast do the transports receive? ``python -m tests.bench.receive --json``.

A child process sends bursts of 50 frames (bookTicker 180 B, depth of 2 kB) over loopback; each transport runs the
whole receive path (socket, frame, stamp, leg bookkeeping) into an empty sink. Rounds of the transports are
interleaved. Figures: CPU time of this process per frame (minimum of the rounds) and frames per second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from data_collector.leg import Counters, Leg
from data_collector.limits import FeedLimits
from data_collector.routes import streams_for
from data_collector.transport import TRANSPORTS, transport_named
from tests.fakes.venue_socket import TEXT, Client, FakeVenue, frame
from utils.clock import RunClock

STREAMS = streams_for([(0, "BTCUSDT")], ["bookTicker", "depth@100ms"])
BURST = 50


def payloads() -> dict[str, bytes]:
    """One frame of each size."""
    levels = ",".join(f'["769{number:02d}.90","6.101"]' for number in range(50))
    return {
        "bookTicker": b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":11563384751926,"s":"BTCUSDT",'
        b'"ps":"BTCUSDT","b":"76914.90","B":"4.218","a":"76915.00","A":"6.128","T":1789478303376,"E":1789478303376}}',
        "depth": b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":['
        + levels.encode() + b'],"a":[' + levels.encode() + b"]}}",
    }  # fmt: skip


def _send(pipe: Connection, frames: int) -> None:
    """The child: answers ``GET`` paths that name the payload with all its frames, in bursts."""

    async def serve() -> None:
        async with FakeVenue(period_s=None) as venue:

            def opened(client: Client) -> None:
                burst = frame(TEXT, payloads()[client.path.rpartition("/")[2]]) * BURST
                task = asyncio.get_running_loop().create_task(pour(client, burst))
                client.pouring = task  # type: ignore[attr-defined]

            async def pour(client: Client, burst: bytes) -> None:
                for _ in range(frames // BURST):
                    client.writer.write(burst)
                    await client.writer.drain()

            venue.on_open = opened
            pipe.send(venue.url)
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    uvloop.run(serve())


async def _receive(transport: str, url: str, frames: int) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of one round."""
    done = asyncio.Event()
    left = frames

    def sink(connection: int, payload: bytes, received_ns: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    clock = RunClock(0)
    index = {stream.name.encode(): number for number, stream in enumerate(STREAMS)}
    limits = FeedLimits()
    leg = Leg(0, STREAMS, index, Counters(2), sink, clock.now_ns, limits, 1.0, lambda *_: None, lambda *_: None)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    opened = await transport_named(transport)(url, leg.on_frame, lambda *_: None, clock.now_ns, limits, None)
    async with asyncio.timeout(120):
        await done.wait()
    spent = time.process_time() - cpu_s, time.perf_counter() - wall_s
    opened.abort()
    await asyncio.sleep(0)
    return spent


def measure(frames: int, rounds: int) -> dict[str, dict[str, float]]:
    """Figures by ``payload/transport``: ``cpu_ns`` a frame, ``frames_per_s``."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_send, args=(theirs, frames), daemon=True)
    child.start()
    try:
        url = ours.recv()
        spent: dict[str, list[tuple[float, float]]] = {}
        for _ in range(rounds):
            for name in payloads():
                for transport in TRANSPORTS:
                    one = uvloop.run(_receive(transport, f"{url}/public/{name}", frames))
                    spent.setdefault(f"{name}/{transport}", []).append(one)
        ours.send("stop")
        child.join(10)
    finally:
        if child.is_alive():
            child.terminate()
    return {
        name: {
            "cpu_ns": round(min(cpu_s for cpu_s, _ in all_spent) / frames * 1e9),
            "frames_per_s": round(frames / min(wall_s for _, wall_s in all_spent)),
        }
        for name, all_spent in spent.items()
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    figures: dict[str, Any] = measure(max(asked.frames // BURST, 1) * BURST, asked.rounds)
    if asked.json:
        print(json.dumps({"bench": "receive", "figures": figures}))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure['cpu_ns']:>7} ns CPU a frame {figure['frames_per_s']:>9} frames/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
