"""A venue that sends anything: over a real socket, into the real bot. It is refused, counted, and the feed goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from data_collector.quarantine import BYTES_KEPT, KEPT, NAMES_MAX
from data_collector.transport import TRANSPORTS
from models.control import Decision
from models.recording import RecordKind
from tests.data_collector.frames import packed
from tests.data_collector.fuzz_wire import mutated, seeds
from tests.fakes.bot import Bot
from tests.fakes.listener import Listener, wanted
from tests.fakes.venue_socket import TEXT, Client, FakeVenue, frame, until

STREAMS = ("depth@100ms", "bookTicker")
DEPTH, QUOTE = "btcusdt@depth@100ms", "btcusdt@bookTicker"
MEGABYTE = 1 << 20
SIDES = {"bids": [["100.0", "1.000"], ["99.0", "1.000"]], "asks": [["100.1", "1.000"], ["101.0", "1.000"]]}


class Scene:
    """The venue, its one client, and the bot behind the feed."""

    def __init__(self, venue: FakeVenue, ear: Listener, bot: Bot) -> None:
        self.venue, self.ear, self.bot = venue, ear, bot

    @property
    def client(self) -> Client:
        return self.venue.client("public")

    @property
    def refused(self) -> int:
        return self.bot.hearing.counts.quarantined

    def data(self, stream: str) -> dict[str, Any]:
        """The next event of a stream as a message."""
        data: dict[str, Any] = json.loads(self.venue.event(stream))["data"]
        return data

    def hostile(self, payload: Any, stream: str = DEPTH) -> None:
        """Bytes as they are, or a message in the framing of a wanted stream."""
        self.client.text(payload if isinstance(payload, bytes) else packed({"stream": stream, "data": payload}))

    async def goes_on(self) -> None:
        """A right quote is sent and heard, whatever came before it."""
        number = json.loads(self.venue.publish(QUOTE))["data"]["u"]
        view = self.bot.engine.memory.view
        await until(lambda: view(0).get("quote_id") == number)

    def check_unharmed(self, tasks: set[str]) -> None:
        """No exception left a callback or a task, nothing was reconnected, and the accounts balance."""
        stats = self.ear.feed.stats()
        assert [(one.sink_errors, one.sink_error) for one in stats.connections] == [(0, "")]
        assert (stats.callback_errors, self.ear.opened) == (0, 1)
        assert {task.get_name() for task in asyncio.all_tasks() if "Task-" not in task.get_name()} == tasks
        counts = self.bot.hearing.counts
        assert counts.frames + counts.answers == counts.accepted + counts.quarantined


@contextlib.asynccontextmanager
async def scene(transport: str = "picows", **change: Any) -> AsyncIterator[Scene]:
    """Feed and bot are running, quotes are heard, and the book stands at the venue's last diff."""
    bot = Bot()
    streams = wanted(STREAMS)
    async with FakeVenue(period_s=None) as venue, Listener(
        venue, streams, transport=transport, sink=bot.ear.frame, change=change
    ) as ear:  # fmt: skip
        bot.now_ns = ear.clock.now_ns()
        await until(lambda: bool(venue.clients) and len(venue.clients[0].streams) == len(STREAMS))
        one = Scene(venue, ear, bot)
        venue.publish(DEPTH)
        await one.goes_on()
        bot.ear.take(
            RecordKind.DEPTH_ANSWER, 0, packed({"lastUpdateId": venue.numbers[DEPTH], **SIDES}), ear.clock.now_ns()
        )
        assert bot.hearing.synced(0)
        yield one


def played(play: Callable[[Scene], Awaitable[None]], transport: str = "picows", **change: Any) -> None:
    """Play a scene, then check that nothing was harmed by it."""

    async def run() -> None:
        async with scene(transport, **change) as one:
            tasks = {task.get_name() for task in asyncio.all_tasks() if "Task-" not in task.get_name()}
            await play(one)
            await one.goes_on()
            one.check_unharmed(tasks)

    uvloop.run(run())


def nested(depth: int) -> bytes:
    return b'{"stream":"btcusdt@depth@100ms","data":' + b'{"a":[' * depth + b"]}" * depth + b"}"


Make = Callable[[dict[str, Any]], Any]
HOSTILE: dict[str, tuple[Make, str]] = {
    "truncated": (lambda diff: packed({"stream": DEPTH, "data": diff})[:-30], "TRUNCATED"),
    "truncated in a text": (lambda diff: packed({"stream": DEPTH, "data": diff})[:40], "TRUNCATED"),
    "nested a little": (lambda diff: nested(100), "MISSING_FIELD"),
    "nested beyond all bounds": (lambda diff: nested(100_000), "NOT_JSON"),
    "a huge number": (lambda diff: {**diff, "u": 10**40}, "BAD_NUMBER"),
    "a huge price": (lambda diff: {**diff, "b": [["9" * 5000, "1"]]}, "BAD_NUMBER"),
    "NaN": (lambda diff: packed({"stream": DEPTH, "data": diff}).replace(b'"T":', b'"T":NaN,"t":'), "NOT_JSON"),
    "NaN as text": (lambda diff: {**diff, "a": [["NaN", "1"]]}, "BAD_NUMBER"),
    "Infinity": (lambda diff: {**diff, "a": [["Infinity", "1"]]}, "BAD_NUMBER"),
    "negative id": (lambda diff: {**diff, "u": -1}, "NEGATIVE"),
    "negative quantity": (lambda diff: {**diff, "b": [["100.0", "-5"]]}, "NEGATIVE"),
    "wrong type": (lambda diff: {**diff, "b": "100.0"}, "WRONG_TYPE"),
    "symbol of a wrong type": (lambda diff: {**diff, "s": {"x": []}}, "WRONG_TYPE"),
    "wrong symbol": (lambda diff: {**diff, "s": "ADAUSDT"}, "UNKNOWN_SYMBOL"),
    "wrong market": (lambda diff: {**diff, "st": 2}, "NOT_UM"),
    "off the grid": (lambda diff: {**diff, "b": [["100.05", "1"]]}, "OFF_TICK"),
    "too many levels": (lambda diff: {**diff, "b": [["100.0", "1"]] * 20_000}, "TOO_LARGE"),
    "no JSON": (lambda diff: b"\x00\x01" * 500, "NOT_JSON"),
    "invalid UTF-8": (lambda diff: b'{"stream":"btcusdt@depth@100ms","data":{"e":"\xff\xfe"}}', "NOT_JSON"),
    "a scalar": (lambda diff: b"17", "WRONG_TYPE"),
    "a list of anything": (lambda diff: [None, [], {}], "WRONG_TYPE"),
    "ten megabytes of spaces": (lambda diff: b" " * (10 * MEGABYTE), "TOO_LARGE"),
    "ten megabytes of levels": (lambda diff: {**diff, "b": [["100.0", "1.000"]] * 600_000}, "TOO_LARGE"),
}  # fmt: skip


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_hostile_frame_is_quarantined_with_its_reason(transport: str) -> None:
    """Cut, nested, huge, negative, mistyped, foreign: each is refused by name, and after each the feed goes on."""

    async def play(one: Scene) -> None:
        for name, (make, reason) in HOSTILE.items():
            before = one.refused
            number = one.venue.numbers[DEPTH]
            one.hostile(make(one.data(DEPTH)))
            one.venue.numbers[DEPTH] = number  # the venue's own chain goes on without it
            await until(lambda before=before: one.refused == before + 1)
            kept = one.bot.hearing.quarantine.last[-1]
            assert kept.reason.value == reason and len(kept.payload) <= BYTES_KEPT, name
            await one.goes_on()
            one.venue.publish(DEPTH)
        counts = one.bot.hearing.counts
        await until(lambda: one.bot.hearing.counts.events["depthUpdate"] > len(HOSTILE))
        assert (counts.gaps, one.bot.hearing.synced(0), one.bot.wanted) == (0, True, {})

    played(play, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_frame_above_the_transports_bound_costs_one_connection(transport: str) -> None:
    """Where the bound is 4 MiB a frame of ten ends the connection by name; the next one delivers again."""

    async def run() -> None:
        async with scene(transport, frame_bytes_max=4 * MEGABYTE) as one:
            one.client.send(frame(TEXT, b" " * (10 * MEGABYTE)))
            await until(lambda: one.ear.reasons() == ["too_big"])
            await until(lambda: bool(one.venue.clients) and len(one.venue.clients[-1].streams) == len(STREAMS))
            await one.goes_on()
            # picows may still hand over what it has read when the bound ends the connection: refused like any other
            assert set(one.bot.hearing.counts.reasons) <= {"TOO_LARGE"} and one.ear.feed.stats().callback_errors == 0

    uvloop.run(run())


def test_repeated_and_reordered_frames_change_nothing() -> None:
    """A burst of diffs and quotes sent twice and backwards leaves book and newest quote as they were."""

    async def play(one: Scene) -> None:
        sent = [one.venue.publish(name) for _ in range(200) for name in (DEPTH, QUOTE)]
        await one.goes_on()
        book, quote = one.bot.levels(), one.bot.engine.memory.view(0).get("quote_id")
        for payload in [*sent, *reversed(sent)]:
            one.hostile(payload)
        await until(lambda: one.refused == 2 * len(sent))
        assert one.bot.levels() == book and one.bot.engine.memory.view(0).get("quote_id") == quote
        assert set(one.bot.hearing.counts.reasons) == {"DUPLICATE", "OUT_OF_ORDER"}
        assert one.bot.hearing.synced(0) and one.bot.hearing.counts.renewed == 0

    played(play)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_mutated_frames_by_the_thousand_leave_the_feed_alive(transport: str) -> None:
    """After 3,000 frames with changed bytes, values and keys, ids from far ahead among them, right ones are heard."""

    async def play(one: Scene) -> None:
        dice, pool = random.Random(9), seeds(Path("no recordings"))
        before = one.bot.hearing.counts.frames
        for _ in range(3_000):
            one.client.text(mutated(dice, pool))
        one.client.text(b"the last one")
        await until(lambda: bool(one.refused) and one.bot.hearing.quarantine.last[-1].payload == b"the last one")
        assert one.bot.hearing.counts.frames - before == 3_001 and one.refused > 1_500
        heard = one.bot.engine.memory.view(0).get("quote_id")
        assert heard > 10**9 > one.venue.numbers[QUOTE]

        def goes_on() -> bool:
            one.venue.publish(QUOTE)
            return one.bot.engine.memory.view(0).get("quote_id") < 10**9

        await until(goes_on, timeout_s=20.0)

    played(play, transport)


def test_thousands_of_bad_frames_do_not_grow_memory() -> None:
    """After a first thousand, four thousand more of every hostile kind leave objects and bytes where they were."""

    async def play(one: Scene) -> None:
        diff, dice = one.data(DEPTH), random.Random(1)
        # small ones: the library's read buffer grows with the backlog of large frames, up to its own bound
        kinds = [make for name, (make, _) in HOSTILE.items() if not {"megabytes", "many", "beyond"} & set(name.split())]

        async def thousand(start: int) -> None:
            before = one.bot.hearing.counts.frames
            for number in range(start, start + 1_000):
                one.hostile(dice.choice(kinds)({**diff, "z": number}))
                one.hostile({"e": f"invented{number}", "E": number})
                one.hostile({**diff, "u": 10**6 + number, "e": "aggTrade", "a": number, "m": number})
                if number % 20 == 0:
                    await one.client.writer.drain()
                    await asyncio.sleep(0)
            await until(lambda: one.bot.hearing.counts.frames == before + 3_000)
            await one.goes_on()
            gc.collect()

        await thousand(0)
        tracemalloc.start()
        try:
            await thousand(1_000)
            objects, (held, _) = len(gc.get_objects()), tracemalloc.get_traced_memory()
            for start in (2_000, 3_000, 4_000):
                await thousand(start)
            assert len(gc.get_objects()) - objects < 500
            assert tracemalloc.get_traced_memory()[0] - held < MEGABYTE // 8
        finally:
            tracemalloc.stop()
        quarantine, counts = one.bot.hearing.quarantine, one.bot.hearing.counts
        assert len(quarantine.last) == KEPT and quarantine.count > 8_000
        assert max(len(counts.events), len(counts.streams), len(counts.reasons)) <= NAMES_MAX + 10

    played(play)


def test_three_bad_diffs_over_the_socket_resync_and_good_ones_mend() -> None:
    """The third odd diff in a row blocks entries and wishes a snapshot; with it the stream goes on (fault F16)."""

    async def play(one: Scene) -> None:
        for _ in range(3):
            one.hostile({**one.data(DEPTH), "b": None})
        await until(lambda: one.bot.wanted == {0: "BAD_FRAMES"})
        assert one.bot.decision is Decision.HALTED and not one.bot.hearing.synced(0)
        one.venue.publish(DEPTH)
        await one.goes_on()
        body = packed({"lastUpdateId": one.venue.numbers[DEPTH], **SIDES})
        one.bot.ear.take(RecordKind.DEPTH_ANSWER, 0, body, one.ear.clock.now_ns())
        one.venue.publish(DEPTH)
        await one.goes_on()
        assert one.bot.hearing.synced(0) and one.bot.wanted == {} and one.bot.hearing.counts.gaps == 0

    played(play)
