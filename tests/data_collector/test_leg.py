"""One physical connection: control messages and the receive path, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

from data_collector.leg import CONTROL_BYTES_MAX, Counters, Leg
from data_collector.limits import FeedLimits
from data_collector.routes import streams_for

MANY = streams_for([(number, f"S{number}") for number in range(6)], ["depth", "forceOrder"])
NAMES = [stream.name for stream in MANY]
LIMITS = FeedLimits(streams_per_message=5, messages_per_s=1000.0)


class Wire:
    """Stands for a transport: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.ends: list[str] = []

    def send(self, text: bytes) -> None:
        self.sent.append(orjson.loads(text))

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")


class Bench:
    """A leg with everything around it."""

    def __init__(self, limits: FeedLimits = LIMITS) -> None:
        self.now_ns = 0
        self.wire = Wire()
        self.heard: list[tuple[int, bytes, int]] = []
        self.ends: list[tuple[str, str]] = []
        self.shutdowns = 0
        self.counters = Counters(len(MANY))
        index = {name.encode(): number for number, name in enumerate(NAMES)}
        self.leg = Leg(
            3, MANY, index, self.counters, lambda *frame: self.heard.append(frame), lambda: self.now_ns, limits, 1.0,
            lambda leg, reason, detail: self.ends.append((reason, detail)), self._shutdown,
        )  # fmt: skip

    def _shutdown(self, leg: Leg) -> None:
        self.shutdowns += 1

    def answer(self, **answer: Any) -> None:
        self.leg.on_frame(orjson.dumps(answer), self.now_ns)

    async def asked(self, messages: int) -> None:
        while len(self.wire.sent) < messages:
            await asyncio.sleep(0.001)


def with_bench(doing: Callable[[Bench], Any], limits: FeedLimits = LIMITS) -> Bench:
    """Subscribe, then do ``doing``."""

    async def run() -> Bench:
        bench = Bench(limits)
        bench.leg.subscribe(bench.wire)
        result = doing(bench)
        if result is not None:
            await result
        bench.leg.finish(polite=False)
        return bench

    return asyncio.run(run())


def test_streams_are_asked_for_in_batches_with_integer_ids() -> None:
    """Every stream is asked for exactly once, in batches of the bound, with rising integer ids."""
    bench = with_bench(lambda bench: bench.asked(3))
    assert [message["id"] for message in bench.wire.sent] == [1, 2, 3]
    assert [name for message in bench.wire.sent for name in message["params"]] == NAMES
    assert max(len(message["params"]) for message in bench.wire.sent) == 5


def test_messages_keep_the_venues_pace() -> None:
    """Until the pace allows it no second message leaves."""
    bench = with_bench(lambda bench: asyncio.sleep(0.02), msgspec.structs.replace(LIMITS, messages_per_s=1.0))
    assert len(bench.wire.sent) == 1


def test_the_list_is_asked_for_after_the_last_answer() -> None:
    """When all batches are acknowledged the venue's list is asked for, and it makes silent streams alive."""

    async def doing(bench: Bench) -> None:
        await bench.asked(3)
        for number in (1, 2, 3):
            bench.answer(result=None, id=number)
        await bench.asked(4)
        bench.answer(result=NAMES, id=4)

    bench = with_bench(doing)
    assert bench.wire.sent[3] == {"method": "LIST_SUBSCRIPTIONS", "id": 4}
    assert [bench.leg.liveness.alive(number) for number in range(2)] == [False, True] and not bench.ends


@pytest.mark.parametrize("listed", [[], None, "x", [1, 2], NAMES[:-1]])
def test_a_list_without_a_silent_stream_ends_the_leg(listed: Any) -> None:
    """A silent stream that the venue does not list, or a list that is none, is a half-restored connection."""

    async def doing(bench: Bench) -> None:
        await bench.asked(3)
        for number in (1, 2, 3):
            bench.answer(result=None, id=number)
        await bench.asked(4)
        bench.answer(result=listed, id=4)

    assert with_bench(doing).ends[0][0] == "not_listed"


def test_a_refused_message_ends_the_leg() -> None:
    """An error answer to a SUBSCRIBE is told with the venue's own words."""
    bench = with_bench(lambda bench: bench.answer(error={"code": 2, "msg": "Invalid request"}, id=1))
    assert bench.ends[0][0] == "refused" and "Invalid request" in bench.ends[0][1]


def test_an_unanswered_message_ends_the_leg() -> None:
    """A control message without an answer within its deadline ends the leg at the next look."""

    def doing(bench: Bench) -> None:
        assert bench.leg.check(5_000_000_000) == [] and not bench.ends
        bench.leg.check(5_000_000_001)

    assert with_bench(doing).ends[0][0] == "no_answer"


def test_a_shutdown_notice_is_passed_on() -> None:
    """The venue's shutdown event asks for a rotation, in raw and in combined framing."""

    def doing(bench: Bench) -> None:
        bench.answer(e="serverShutdown", E=1)
        bench.answer(stream="!system", data={"e": "serverShutdown"})

    assert with_bench(doing).shutdowns == 2


def test_noise_is_handed_on_counted_and_bounded() -> None:
    """Frames of no wanted stream reach the sink; answers nobody asked for and broken ones are counted."""
    noise = [b"{", b"[]", b'{"result":null,"id":99}', b"x" * (CONTROL_BYTES_MAX + 1)]

    def doing(bench: Bench) -> None:
        for payload in noise:
            bench.leg.on_frame(payload, 7)

    bench = with_bench(doing)
    assert bench.heard == [(3, payload, 7) for payload in noise]
    assert (bench.counters.other_frames, bench.counters.control_errors) == (4, 2)


def test_a_frame_touches_only_its_own_stream() -> None:
    """The receive time and the counters of the frame's stream move, the others stay."""
    payload = b'{"stream":"s1@depth","data":{}}'
    bench = with_bench(lambda bench: bench.leg.on_frame(payload, 42))
    number = NAMES.index("s1@depth")
    assert [at for at, ns in enumerate(bench.leg.liveness.received_ns) if ns == 42] == [number]
    assert (bench.counters.frames[number], bench.counters.bytes[number]) == (1, len(payload))


def test_after_its_end_a_leg_is_deaf() -> None:
    """Frames still in the library's buffer when the leg ended reach nobody, and ending twice does nothing."""

    def doing(bench: Bench) -> None:
        bench.leg.finish(polite=True)
        bench.leg.on_frame(b"{}", 1)

    bench = with_bench(doing)
    assert bench.heard == [] and bench.wire.ends == ["close"]
