"""Our path as a process of its own, for ``tests.bench.tick_to_order``: feed → ear → engine → gate → venue, all on.

``python -m tests.bench.order_path PORT [--tls CERTIFICATE] [--minimal]``. Prints a JSON line when it is ready and one
at the end; takes ``go``, ``rest`` and ``stop`` on its input. ``--minimal`` is the client that only listens: the same
transport and the same keep-warm timer, and a callback that counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvloop

import wiring
from config.settings import Settings
from core.engine import Engine
from core.session import Session
from data_collector.ear import Ear
from data_collector.feed import MarketFeed
from data_collector.hearing import Hearing
from data_collector.limits import FeedLimits
from data_collector.picows_transport import open_picows
from data_collector.routes import streams_for
from exchange.binance.assembly import Addresses, Bounds, binance_venue
from exchange.binance.order_line import Sent, asked, connector
from exchange.binance.order_lines import OrderLines, http_lines
from exchange.binance.requests import RestRequests, Terms
from exchange.binance.venue import BinanceVenue, VenueLimits
from exchange.binance.weights import OrderLedger
from interface.drivers.keep_warm import keep_warm
from interface.drivers.parts import Printer
from models.action import Submit
from models.event import ClockOffset, Command, Event, OrderReport, StreamState
from models.order import Intent, Purpose, Side
from models.recording import RecordKind
from storage.cold.journal import Journal
from storage.cold.keeper import JournalKeeper
from storage.cold.recording_writer import RecordingWriter
from storage.cold.records import RunFiles
from tests.bench.decide import eager
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import PREFIX, SIGNER, owns
from utils.clock import RunClock, wall_ns

PATIENT = {label: (600.0, 600.0) for label in ("depth", "bookTicker", "aggTrade")}
"""Between its slices a subject hears nothing, and must not take that for a fault."""
LIMITS = FeedLimits(keepalive_interval_s=600.0, keepalive_timeout_s=600.0, answer_timeout_s=600.0)
REVIEWS = 3_000
Call = Callable[..., Any]


def settings() -> Settings:
    """``tests.bench.decide``'s, with thresholds that the sender's market meets at its triggers only."""
    base = eager()
    params = msgspec.structs.replace(
        base.strategy.params, imbalance_entry=0.6, volume_multiple=1e-6, momentum_z=1e-3, reversal=0.99
    )
    risk = msgspec.structs.replace(
        base.risk, messages_per_s=1_000_000, messages_per_10s=1_000_000, duplicate_window_ms=1
    )
    strategy = msgspec.structs.replace(base.strategy, params=params)
    return msgspec.structs.replace(base, strategy=strategy, risk=risk)


class Watch:
    """A call, timed: ``spent`` in ns of the monotonic clock."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.spent: list[int] = []

    def __call__(self, *arguments: Any) -> Any:
        started = time.perf_counter_ns()
        found = self._call(*arguments)
        self.spent.append(time.perf_counter_ns() - started)
        return found


class Bot:
    """Everything a live run has, joined by hand."""

    def __init__(self, port: int, context: ssl.SSLContext | None, folder: Path) -> None:
        self.settings, self.clock = settings(), RunClock(wall_ns())
        secure = "s" if context is not None else ""
        rest, self._streams = f"http{secure}://localhost:{port}", f"ws{secure}://localhost:{port}"
        self.instruments = wiring.with_terms([INSTRUMENT], self.settings)
        self.engine = Engine(self.instruments, self.settings, f"{PREFIX}abcdefgh", custody=PREFIX)
        self.engine.memory.set(0, signal_quiet_ns=1)
        self._context = context
        self.decided: list[int] = []  # ns from the frame's receipt to the venue
        self.sent: list[int] = []  # ns in the venue until the order is written
        connect = connector(rest, context)
        self.venue: BinanceVenue = binance_venue(
            self.instruments, SIGNER, Addresses(rest=rest, private=f"{self._streams}/private"), self._tell,
            self.clock.now_ns, self._private, owns, connect=connect, bounds=Bounds(venue=VenueLimits()),
        )  # fmt: skip
        self.venue._joints.quota.orders = OrderLedger(1 << 30, 1 << 30)  # the venue's own count would end the run
        self.journal = Journal(folder / "journal", {"version": "bench"})
        self.writer = RecordingWriter(folder / "recording", meta={})
        self.files = RunFiles(folder, "bench", threaded=True)
        self.keeper = JournalKeeper(self.journal)
        self.session = Session(self.engine, self.venue, self.keeper, Printer(self.files, None))
        self.ear = Ear(Hearing(self.instruments), self.session, self.writer.record)
        self.session.resync = self.ear.resync
        self._asks = OrderLines(http_lines(connect), count=1)
        self._public = RestRequests(rest, SIGNER, self.instruments, Terms())
        self.feed = MarketFeed(
            streams_for([(0, "BTCUSDT")], ["depth@100ms", "bookTicker", "aggTrade"], PATIENT), self._streams,
            self.ear.frame, self.clock.now_ns, limits=LIMITS, ssl_context=context,
        )  # fmt: skip

    def _tell(self, event: Event) -> None:
        if isinstance(event, ClockOffset | StreamState):
            self.ear.fact(event)
            return
        if type(event) is OrderReport and event.send_ns:
            self.decided.append(event.decide_ns)
            self.sent.append(event.send_ns)
        self.session.event(event)

    async def _private(self, url: str, on_frame: Call, on_closed: Call) -> Any:
        return await open_picows(url, on_frame, on_closed, self.clock.now_ns, LIMITS, self._context)

    async def start(self) -> None:
        self._asks.start()
        await self._asks.ready(5.0)
        self.ear.take(RecordKind.TRADES_ANSWER, 0, await self._ask("/fapi/v1/aggTrades"), self.clock.now_ns())
        self.feed.start()
        await self.venue.start()
        self.session.event(Command(self.clock.now_ns(), "start", "run", ""))
        while not all(one.connected for one in self.feed.stats().connections):
            await asyncio.sleep(0.01)

    async def _ask(self, path: str) -> bytes:
        answer = await asked(self._asks.send, self._public.public(path), 5.0)
        if answer.outcome is not Sent.ANSWERED:
            raise ConnectionError(answer.why)
        return answer.body

    async def pulse(self) -> None:
        """What ``interface.drivers.sockets`` does beside the frames."""
        while True:
            await asyncio.sleep(0.005)
            now_ns = self.clock.now_ns()
            if self.session.due_ns < now_ns:
                self.session.time(now_ns)
            if self.ear.hearing.snapshot_wanted:
                body = await self._ask("/fapi/v1/depth")
                self.ear.take(RecordKind.DEPTH_ANSWER, 0, body, self.clock.now_ns())

    def rehearse(self, submit: Submit) -> None:
        """What a beat of the keep-warm timer does beside deciding."""
        self.keeper.rehearse(submit)
        self.venue.rehearse(submit.order)

    def review(self) -> list[int]:
        """ns of each review of an entry limit by limit, on the market as it stands."""
        engine = self.engine
        at_ns = engine.memory.now_ns + 5_000_000  # behind the window of equal orders
        view, exposure = engine.memory.view(0), engine.account.exposure(engine.traders[0])
        intent = Intent(0, Side.BUY, Purpose.ENTRY, "bench")
        watch = Watch(engine.gate.review)
        for _ in range(REVIEWS):
            watch(intent, self.instruments[0], view, exposure, engine.ledger, at_ns)
        return watch.spent[REVIEWS // 10 :]

    async def close(self) -> None:
        await self.feed.stop()
        await self.venue.close()
        await self._asks.close()
        self.writer.close()
        self.journal.close()
        self.files.close()


def spread(spent: list[int]) -> dict[str, float]:
    """p50 and p99 in µs."""
    half, high = np.percentile(np.array(spent or [0]), [50, 99]) / 1000
    return {"p50_us": round(float(half), 2), "p99_us": round(float(high), 2), "count": len(spent)}


async def commands(on: Callable[[bool], None]) -> None:
    """Obey the lines of the input until ``stop``."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := await reader.readline()) not in (b"", b"stop\n"):
        on(line == b"go\n")


class Warmth:
    """The keep-warm timer, on while the subject's slice lasts."""

    def __init__(self, beats: Any) -> None:
        self._beats = beats
        self._task: asyncio.Task[None] | None = None

    def on(self, wanted: bool) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(keep_warm(self._beats)) if wanted else None


def say(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def still() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()


async def run(port: int, context: ssl.SSLContext | None, folder: Path) -> None:
    bot = Bot(port, context, folder)
    wiring.warm(bot.settings)
    warmth = Warmth(wiring.keep_warm_bot(bot.settings, bot.rehearse))
    await bot.start()
    gate = bot.engine.gate
    watch = Watch(gate.entry)
    gate.entry = watch  # type: ignore[method-assign, assignment]
    pulse = asyncio.create_task(bot.pulse())
    still()
    say({"ready": True})
    await commands(warmth.on)
    warmth.on(False)
    pulse.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await pulse
    stats = bot.venue.stats()
    found = {
        "decide": spread(bot.decided), "send": spread(bot.sent), "gate": spread(watch.spent),
        "review": spread(bot.review()), "cleared": gate.cleared,
        "denials": gate.denials, "refusals": bot.engine.refusals, "signals": bot.engine.signals,
        "sent": stats.orders.sent, "unknown": stats.orders.unknown, "doubts": stats.doubts, "stream": str(stats.stream),
        "fast_share": bot.ear.hearing.counts.fast_share, "journal": bot.journal.failed,
        "recorded": bot.ear.number, "errors": [one.sink_errors for one in (c._counters for c in bot.feed.connectors)],
    }  # fmt: skip
    await bot.close()
    say(found)


async def listen(port: int, context: ssl.SSLContext | None) -> None:
    """The minimal client."""
    clock = RunClock(wall_ns())
    heard = 0

    def count(payload: bytes, received_ns: int) -> None:
        nonlocal heard
        heard += 1

    url = f"ws{'s' if context is not None else ''}://localhost:{port}"
    opened = [
        await open_picows(f"{url}/{path}/stream", count, lambda *_: None, clock.now_ns, LIMITS, context)
        for path in ("public", "market")
    ]
    base = settings()
    wiring.warm(base)
    requests = RestRequests("http://localhost", SIGNER, [INSTRUMENT], Terms())
    warmth = Warmth(wiring.keep_warm_bot(base, lambda submit: requests.order(submit.order, submit.at_ns)))
    still()
    say({"ready": True})
    await commands(warmth.on)
    warmth.on(False)
    for one in opened:
        one.abort()
    say({"heard": heard})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", default="")
    parser.add_argument("--minimal", action="store_true")
    asked_for = parser.parse_args()
    context = ssl.create_default_context(cafile=asked_for.tls) if asked_for.tls else None
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(listen(asked_for.port, context) if asked_for.minimal else run(asked_for.port, context, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
