"""One physical connection of a connector: what was asked on it, what was answered, and what came.

A leg is opened once and ended once. It never reconnects; the connector opens another leg. The receive path is
``on_frame``: the sink first, then two list stores. Control messages (SUBSCRIBE, LIST_SUBSCRIPTIONS) leave at the
venue's pace and their answers are matched by integer ids (venue reference §1.4, §1.5).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from data_collector.handover import Handover
from data_collector.limits import FeedLimits
from data_collector.liveness import NS, Liveness, Verdict
from data_collector.routes import Stream
from data_collector.transport import Transport

Sink = Callable[[int, bytes, int], None]
"""``sink(connection, payload, received_ns)``, called in the socket callback."""

NAME_AT = 11
"""A combined frame begins ``{"stream":"``: the name starts at byte 11 (venue reference §1.2)."""
NAME_END_MAX = NAME_AT + 128
"""The longest stream name looked for; the venue's longest are below 60 bytes."""
CONTROL_BYTES_MAX = 128 << 10
"""Control answers are small; the list of 1,024 subscriptions is below 64 KiB. Larger ones are not parsed."""


class Pending(NamedTuple):
    """A control message that waits for its answer: the streams it asks for, or none for a listing."""

    method: str
    streams: tuple[int, ...]
    deadline_ns: int


class Counters:
    """What one connector received, over all its legs. Plain integers; read by ``stats``."""

    def __init__(self, streams: int) -> None:
        self.frames = [0] * streams
        self.bytes = [0] * streams
        self.other_frames = 0
        self.control_errors = 0
        self.sink_errors = 0
        self.sink_error = ""


class Leg:
    """See the module. ``end(reason, detail)`` is the connector's; it is called at most once from here."""

    def __init__(
        self,
        connection: int,
        streams: Sequence[Stream],
        index: dict[bytes, int],
        counters: Counters,
        sink: Sink,
        now_ns: Callable[[], int],
        limits: FeedLimits,
        rate: float,
        end: Callable[[Leg, str, str], None],
        shutdown: Callable[[Leg], None],
    ) -> None:
        self.connection = connection
        self.liveness = Liveness(streams, rate)
        self.transport: Transport | None = None
        self.ended = False
        self.handover: Handover | None = None
        self.replaces = False  # in a handover: is this the newer side?
        self._streams = streams
        self._index = index
        self._counters = counters
        self._received_ns = self.liveness.received_ns
        self._sink = sink
        self._now_ns = now_ns
        self._limits = limits
        self._answer_ns = int(limits.answer_timeout_s * NS * rate)
        self._end = end
        self._shutdown = shutdown
        self._outbox: deque[tuple[str, tuple[int, ...]]] = deque()
        self._pending: dict[int, Pending] = {}
        self._next_id = 1
        self._timer: asyncio.TimerHandle | None = None

    # --- receive path ------------------------------------------------------------------------------------------

    def on_frame(self, payload: bytes, received_ns: int) -> None:
        """One whole text message. Never raises: a failing sink is counted and the connection lives on."""
        if self.ended:
            return
        stream = self._index.get(payload[NAME_AT : payload.find(b'"', NAME_AT, NAME_END_MAX)])
        if self.handover is not None and stream is not None and not self._passes(stream, payload):
            self._received_ns[stream] = received_ns
            return
        counters = self._counters
        try:
            self._sink(self.connection, payload, received_ns)
        except Exception as error:  # whatever the sink is made of, a connection must not die of it
            counters.sink_errors += 1
            counters.sink_error = f"{type(error).__name__}: {error}"
        if stream is None:
            self._other(payload)
            return
        self._received_ns[stream] = received_ns
        counters.frames[stream] += 1
        counters.bytes[stream] += len(payload)

    def _passes(self, stream: int, payload: bytes) -> bool:
        handover = self.handover
        if handover is None:
            return True
        return handover.from_new(stream, payload) if self.replaces else handover.from_old(stream, payload)

    def _other(self, payload: bytes) -> None:
        """Anything that is no frame of a wanted stream: answers, shutdown notices, noise."""
        self._counters.other_frames += 1
        if len(payload) > CONTROL_BYTES_MAX:
            return
        if b'"serverShutdown"' in payload:
            self._shutdown(self)
            return
        if not self._pending:
            return
        try:
            answer = orjson.loads(payload)
        except orjson.JSONDecodeError:
            self._counters.control_errors += 1
            return
        if isinstance(answer, dict) and "stream" not in answer:
            self._answered(answer)

    # --- control messages --------------------------------------------------------------------------------------

    def subscribe(self, transport: Transport) -> None:
        """The connection is open: ask for every stream, in batches, at the venue's pace."""
        self.transport = transport
        size = self._limits.streams_per_message
        for start in range(0, len(self._streams), size):
            self._outbox.append(("SUBSCRIBE", tuple(range(start, min(start + size, len(self._streams))))))
        self._send_next()

    def _send_next(self) -> None:
        self._timer = None
        if self.ended or self.transport is None or not self._outbox:
            return
        method, streams = self._outbox.popleft()
        message: dict[str, Any] = {"method": method, "id": self._next_id}
        if streams:
            message["params"] = [self._streams[stream].name for stream in streams]
        now_ns = self._now_ns()
        self._pending[self._next_id] = Pending(method, streams, now_ns + self._answer_ns)
        self._next_id += 1
        for stream in streams:
            self.liveness.asked(stream, now_ns)
        self.transport.send(orjson.dumps(message))
        # The timer runs even when nothing is left, so that a later message keeps the pace too.
        self._timer = asyncio.get_running_loop().call_later(1.0 / self._limits.messages_per_s, self._send_next)

    def _answered(self, answer: dict[str, Any]) -> None:
        if "error" in answer or "code" in answer:
            self._end(self, "refused", f"the venue refused a control message: {str(answer)[:200]}")
            return
        number = answer.get("id")
        pending = self._pending.pop(number, None) if isinstance(number, int) else None
        if pending is None:
            self._counters.control_errors += 1
        elif pending.method == "LIST_SUBSCRIPTIONS":
            self._listed(answer.get("result"))
        elif not self._pending and not self._outbox and any(stream.silence_normal for stream in self._streams):
            self._outbox.append(("LIST_SUBSCRIPTIONS", ()))
            if self._timer is None:
                self._send_next()

    def _listed(self, names: object) -> None:
        """Where silence is normal, the venue's own list is the only proof of a subscription (fault F04)."""
        listed = set(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else set()
        for number, stream in enumerate(self._streams):
            if stream.silence_normal and stream.name in listed:
                self.liveness.listed(number)
            elif stream.silence_normal:
                self._end(self, "not_listed", f"the venue does not list {stream.name} among our subscriptions")
                return

    # --- judged by the connector -------------------------------------------------------------------------------

    def check(self, now_ns: int) -> list[Verdict]:
        """Changes of the streams since the last look; ends the leg when an answer is overdue."""
        for pending in self._pending.values():
            if now_ns > pending.deadline_ns:
                self._end(self, "no_answer", f"{pending.method} was not answered in time")
                return []
        return self.liveness.check(now_ns)

    def finish(self, *, polite: bool) -> None:
        """Stop listening and let go of the socket. Idempotent."""
        self.ended = True
        self._outbox.clear()
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport, self.transport = self.transport, None
        if transport is not None:
            if polite:
                transport.close()
            else:
                transport.abort()
