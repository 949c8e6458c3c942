"""One logical market connection (``public`` or ``market``): the only place that opens market sockets.

Normally it has one leg. It opens another when the leg ends (reconnect) or grows old (rotation, with overlap: the new
leg must deliver in sequence before the old one closes). Everything that decides runs in plain callbacks; the single
task only waits and opens. All waits are bounded, attempts are unlimited in number and limited in pace (faults
F01–F07).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence

import msgspec

from data_collector.backoff import AttemptBudget, Backoff
from data_collector.handover import Handover
from data_collector.leg import Counters, Leg, Sink
from data_collector.limits import FeedLimits
from data_collector.liveness import NEVER, Phase
from data_collector.routes import Stream
from data_collector.transport import OpenTransport, Transport, failure_of
from models.error import ConfigurationError
from models.event import StreamState

OnStream = Callable[[StreamState], None]
OnConnection = Callable[[int, bool, dict[str, str], int], None]
"""``on_connection(connection, opened, detail, at_ns)``: for the recording's OPENED and CLOSED records."""

STOP_ALLOWANCE = 1.5
"""Stopping waits this many close timeouts for the sockets: one for the close itself, half for the loop."""
IDLE_WAIT_S = 1.0
"""The task looks up at least this often even when nobody wakes it: no await without a deadline (fault F04)."""


class ConnectionStats(msgspec.Struct, frozen=True):
    """What one connector did so far. ``reconnects`` counts ended legs by reason, ``failures`` attempts by label."""

    name: str
    connected: bool
    connection: int
    attempts: int
    reconnects: dict[str, int]
    failures: dict[str, int]
    last_reason: str
    other_frames: int
    control_errors: int
    sink_errors: int
    sink_error: str
    suppressed: int


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What connectors share: where facts go, whose clock, whose dice. ``now_ns`` is the run's receive clock.

    ``rate`` is that clock's rate against real time; ``monotonic_s`` paces attempts and rotation.
    """

    sink: Sink
    now_ns: Callable[[], int]
    open_transport: OpenTransport
    limits: FeedLimits
    budget: AttemptBudget
    random: Callable[[], float]
    on_stream: OnStream
    on_connection: OnConnection
    rate: float = 1.0
    monotonic_s: Callable[[], float] = time.monotonic
    ssl_context: ssl.SSLContext | None = None


class Connector:
    """See the module. ``number`` makes the connection ids of its legs: 2·number and 2·number + 1, in turns."""

    def __init__(self, name: str, number: int, url: str, streams: Sequence[Stream], around: Surroundings) -> None:
        if len(streams) > around.limits.streams_max:
            raise ConfigurationError(
                f"{len(streams)} streams on the connection {name}; the venue allows {around.limits.streams_max}"
            )
        self.name = name
        self.streams = tuple(streams)
        self.alive = [False] * len(streams)
        self.received_ns = [NEVER] * len(streams)  # newest over ended legs; the running legs have their own
        self._number = number
        self._url = url
        self._around = around
        self._limits = around.limits
        self._index = {form: at for at, stream in enumerate(streams) for form in _written_forms(stream.name)}
        self._counters = Counters(len(streams))
        self._backoff = Backoff(self._limits.backoff_base_s, self._limits.backoff_cap_s, around.random)
        self._current: Leg | None = None
        self._next: Leg | None = None
        self._opening: Leg | None = None
        self._last_connection = 2 * number + 1
        self._attempts = 0
        self._not_before_s = 0.0
        self._rotate_at_s = 0.0
        self._rotate_reason = "rotated"
        self._delivering_since_s: float | None = None
        self._reconnects: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._last_reason = ""
        self._suppressed = 0
        self._open_sockets: set[Leg] = set()  # ended legs stay until their socket is really gone
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; returns at once. The caller must call ``pulse`` regularly from then on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"connector {self.name}")

    async def stop(self) -> None:
        """Close everything. Bounded by the polite close's own deadline; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=IDLE_WAIT_S)
        for leg in (self._next, self._current):
            if leg is not None:
                self._end(leg, "stopped", "", polite=True)
        self._wake.clear()
        monotonic_s = self._around.monotonic_s
        end_s = monotonic_s() + STOP_ALLOWANCE * self._limits.close_timeout_s
        while self._open_sockets and monotonic_s() < end_s:
            await self._sleep(end_s - monotonic_s())

    async def _run(self) -> None:
        while True:
            now_s = self._around.monotonic_s()
            if self._current is None or (self._next is None and now_s >= self._rotate_at_s):
                wait_s = max(self._not_before_s - now_s, self._around.budget.wait_s(now_s))
                if wait_s <= 0:
                    await self._open()
                    continue
            else:
                wait_s = self._rotate_at_s - now_s if self._next is None else IDLE_WAIT_S
            await self._sleep(min(max(wait_s, 0.0), IDLE_WAIT_S))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _open(self) -> None:
        around, limits = self._around, self._limits
        around.budget.take(around.monotonic_s())
        self._attempts += 1
        # Two ids in turns: the running leg's is never given to another one, however many attempts fail meanwhile.
        taken = self._current.connection if self._current is not None else self._last_connection
        self._last_connection = connection = 2 * self._number + (taken + 1) % 2
        leg = Leg(
            connection, self.streams, self._index, self._counters, around.sink, around.now_ns, limits, around.rate,
            self._end, self._shutdown,
        )  # fmt: skip
        self._opening = leg
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                transport = await around.open_transport(
                    self._url, leg.on_frame, lambda reason, detail: self._closed(leg, reason, detail), around.now_ns,
                    limits, around.ssl_context,
                )  # fmt: skip
            if leg.ended:
                raise ConnectionResetError("the connection ended while it was being opened")
        except Exception as error:  # any failure to connect is the same fact: no connection yet
            leg.ended = True
            label = failure_of(error)
            self._failures[label] = self._failures.get(label, 0) + 1
            self._last_reason = f"{label}: {error}"[:200]
            self._not_before_s = around.monotonic_s() + self._backoff.next_s()
            return
        finally:
            self._opening = None
        self._opened(leg, transport)

    # --- what happens to legs (all synchronous) ------------------------------------------------------------------

    def _opened(self, leg: Leg, transport: Transport) -> None:
        now_s = self._around.monotonic_s()
        self._open_sockets.add(leg)
        self._around.on_connection(leg.connection, True, {"name": self.name, "url": self._url}, self._around.now_ns())
        if self._current is None:
            self._current = leg
            self._settle(now_s)
        else:
            self._drop_handover()  # a rotation right after another one starts a new record
            handover = Handover(self.streams)
            self._current.handover = leg.handover = handover
            leg.replaces = True
            self._next = leg
        leg.subscribe(transport)

    def _settle(self, now_s: float) -> None:
        """A leg became the current one: when is it to be rotated?"""
        early_s = self._around.random() * self._limits.rotate_spread_s
        self._rotate_at_s = now_s + max(self._limits.rotate_after_s - early_s, 0.0)
        self._rotate_reason = "rotated"
        self._delivering_since_s = None

    def _end(self, leg: Leg, reason: str, detail: str, *, polite: bool = False) -> None:
        """``leg`` is over, whoever says so first. Promotes the replacing leg, or makes the task open a new one."""
        if leg.ended or leg is self._opening:
            leg.ended = True
            return
        around = self._around
        now_s = around.monotonic_s()
        leg.finish(polite=polite)
        self._keep_times(leg)
        self._reconnects[reason] = self._reconnects.get(reason, 0) + 1
        self._last_reason = f"{reason}: {detail}" if detail else reason
        at_ns = around.now_ns()
        around.on_connection(
            leg.connection, False, {"name": self.name, "reason": reason, "detail": detail[:200]}, at_ns
        )
        if leg is self._next:
            self._next = None
            self._drop_handover()
            self._not_before_s = now_s + self._backoff.next_s()
        elif leg is self._current:
            if self._delivering_since_s is not None and now_s - self._delivering_since_s >= self._limits.settled_s:
                self._backoff.reset()
            self._current, self._next = self._next, None
            if self._current is not None:
                self._settle(now_s)
                if self._current.handover is not None:
                    self._current.handover.old_gone()
            else:
                self._not_before_s = now_s + self._backoff.next_s()
        self._retell(at_ns, reason)
        self._wake.set()

    def _closed(self, leg: Leg, reason: str, detail: str) -> None:
        """The transport's last word: its socket is gone."""
        self._open_sockets.discard(leg)
        self._wake.set()
        self._end(leg, reason, detail)

    def _shutdown(self, leg: Leg) -> None:
        """The venue announced its end: rotate now instead of waiting for the cut."""
        if leg is self._current:
            self._rotate_at_s = 0.0
            self._rotate_reason = "shutdown"
            self._wake.set()

    def lose(self, reason: str) -> None:
        """Everything heard is old (suspend, or the operator's word): drop all legs and connect again."""
        for leg in (self._next, self._current):
            if leg is not None:
                self._end(leg, reason, "")

    def _drop_handover(self) -> None:
        for leg in (self._current, self._next):
            if leg is not None and leg.handover is not None:
                self._suppressed += leg.handover.suppressed if leg.replaces else 0
                leg.handover, leg.replaces = None, False

    def _keep_times(self, leg: Leg) -> None:
        self.received_ns = [max(pair) for pair in zip(self.received_ns, leg.liveness.received_ns, strict=True)]

    # --- the pulse -----------------------------------------------------------------------------------------------

    def pulse(self, now_ns: int) -> None:
        """Judge streams and legs at ``now_ns`` (run clock). Never awaits; a few microseconds."""
        for leg in (self._next, self._current):
            if leg is None or leg.ended:
                continue
            lost = next((verdict for verdict in leg.check(now_ns) if verdict.phase is Phase.LOST), None)
            if lost is not None:
                self._end(leg, lost.reason, self.streams[lost.stream].name)
        self._retell(now_ns, "")
        current, newer = self._current, self._next
        if current is None:
            return
        if newer is None and current.handover is not None and current.handover.caught_up:
            self._drop_handover()
        if self._delivering_since_s is None and current.liveness.delivering:
            self._delivering_since_s = self._around.monotonic_s()
        if (
            newer is not None
            and newer.handover is not None
            and newer.handover.complete
            and newer.liveness.settled
            and not newer.ended
        ):
            self._end(current, self._rotate_reason, "", polite=True)

    def _retell(self, at_ns: int, reason: str) -> None:
        """Tell each change of «delivering on some leg» once."""
        legs = [leg for leg in (self._current, self._next) if leg is not None and not leg.ended]
        for number, stream in enumerate(self.streams):
            alive = any(leg.liveness.alive(number) for leg in legs)
            if alive != self.alive[number]:
                self.alive[number] = alive
                told = "" if alive else reason or "stale"
                self._around.on_stream(StreamState(at_ns, stream.instrument, stream.kind.label, alive, told))

    # --- looking in ------------------------------------------------------------------------------------------------

    @property
    def delivering(self) -> bool:
        """Every stream where silence is not normal delivers, on the current leg."""
        return self._current is not None and self._current.liveness.delivering

    @property
    def settled(self) -> bool:
        """As ``delivering``, and every other stream is listed by the venue."""
        return self._current is not None and self._current.liveness.settled

    def newest_ns(self) -> int:
        """Receive time of the newest frame of any stream, ``NEVER`` before the first."""
        legs = [leg.liveness.received_ns for leg in (self._current, self._next) if leg is not None]
        return max(max(times) for times in (self.received_ns, *legs))

    def stream_times(self) -> list[int]:
        """Receive time of the newest frame of each stream."""
        legs = [leg.liveness.received_ns for leg in (self._current, self._next) if leg is not None]
        return [max(times) for times in zip(self.received_ns, *legs, strict=True)]

    def frames(self, stream: int) -> tuple[int, int]:
        """(frames, bytes) that reached the sink."""
        return self._counters.frames[stream], self._counters.bytes[stream]

    def stats(self) -> ConnectionStats:
        counters, current = self._counters, self._current
        return ConnectionStats(
            name=self.name,
            connected=current is not None,
            connection=current.connection if current is not None else -1,
            attempts=self._attempts,
            reconnects=dict(self._reconnects),
            failures=dict(self._failures),
            last_reason=self._last_reason,
            other_frames=counters.other_frames,
            control_errors=counters.control_errors,
            sink_errors=counters.sink_errors,
            sink_error=counters.sink_error,
            suppressed=self._suppressed,
        )


def _written_forms(name: str) -> set[bytes]:
    """The bytes a venue may write for a stream name: UTF-8 as it is, or with JSON escapes (symbols since 2025-10)."""
    return {name.encode(), json.dumps(name)[1:-1].encode()}
