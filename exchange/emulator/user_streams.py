"""The private stream: who hears which account, and the order in which one account's events leave (reference §3.1).

Events of one type keep their order; events of different types about one happening come in any order, and before or
after the answer to the call that caused them (§11, point 8). Which of the legal orders it is, is drawn for each
happening from the seed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import msgspec
import orjson

from exchange.emulator.draws import draws
from exchange.emulator.listen_keys import ListenKeys
from exchange.emulator.market import envelope

RECENT_KEPT = 500  # events of an account that a lever may repeat
PAUSES_S = (0.0, 0.0, 0.0, 0.001, 0.002, 0.005)  # drawn between a happening and its events


class Named(Protocol):
    """An account as the streams see it."""

    @property
    def name(self) -> str: ...


class Ear(Protocol):
    """A connection that hears private events."""

    combined: bool

    def deliver(self, payload: bytes) -> None: ...


class Listener(msgspec.Struct, frozen=True):
    """One connection under one key; ``events`` empty: all of them."""

    ear: Any
    events: frozenset[str]


Deliver = Callable[[Ear, str, bytes], None]
"""A connection, the name of what is delivered (``user:ORDER_TRADE_UPDATE``), its frame"""


class UserStreams:
    """Carries what ``emit`` takes to the connections of the account's listenKey."""

    def __init__(self, keys: ListenKeys, now_ms: Callable[[], int], seed: int, deliver: Deliver | None = None) -> None:
        self._keys, self._now_ms = keys, now_ms
        self._deliver = deliver or (lambda ear, name, frame: ear.deliver(frame))
        self._draw = draws(seed, "user streams").__next__
        self._listeners: dict[str, list[Listener]] = {}  # by key
        self._happened: dict[str, list[dict[str, object]]] = {}  # by account, since the last release
        self._leaving: dict[str, deque[tuple[float, dict[str, object]]]] = {}  # by account, with loop times
        self.recent: dict[str, deque[dict[str, object]]] = {}
        self.orderly = False  # True: events leave in the order they happened, at once (for tests of other things)

    # -- who listens -----------------------------------------------------------------------------------------------

    def join(self, ear: Ear, key: str, events: Iterable[str] = ()) -> None:
        """Let a connection hear a key; one nobody owns (yet) is as silent as at the venue."""
        self._listeners.setdefault(key, []).append(Listener(ear, frozenset(events)))

    def leave(self, ear: Ear, key: str | None = None) -> None:
        """Take a connection away, from one key or from all."""
        for name in [key] if key is not None else list(self._listeners):
            kept = [one for one in self._listeners.get(name, []) if one.ear is not ear]
            if kept:
                self._listeners[name] = kept
            else:
                self._listeners.pop(name, None)

    def heard(self, account: str) -> bool:
        """Whether anybody listens to the account now."""
        return bool(self._listeners.get(self._keys.active(account) or ""))

    # -- events ----------------------------------------------------------------------------------------------------

    def emit(self, account: Named, event: dict[str, object]) -> None:
        """Take one event of a happening; it leaves after ``release``."""
        self._happened.setdefault(account.name, []).append(event)

    @property
    def waiting(self) -> bool:
        """Whether something has happened since the last release."""
        return bool(self._happened)

    def answer_first(self) -> bool:
        """Drawn: whether the answer to a call leaves before its events."""
        return not self.orderly and self._draw() % 2 == 0

    def release(self) -> None:
        """Let everything that happened leave in a legal order, now or a little later."""
        happened, self._happened = self._happened, {}
        for account, events in happened.items():
            ordered = events if self.orderly else list(self._shuffled(events))
            self.recent.setdefault(account, deque(maxlen=RECENT_KEPT)).extend(ordered)
            pause_s = 0.0 if self.orderly else PAUSES_S[self._draw() % len(PAUSES_S)]
            leaving = self._leaving.get(account)
            if not pause_s and not leaving:
                for event in ordered:
                    self.send(account, event)
            else:
                self._later(account, ordered, pause_s)

    def _shuffled(self, events: list[dict[str, object]]) -> Iterator[dict[str, object]]:
        """A drawn order in which events of one type keep theirs."""
        queues: dict[object, deque[dict[str, object]]] = {}
        for event in events:
            queues.setdefault(event["e"], deque()).append(event)
        while queues:
            kind = list(queues)[self._draw() % len(queues)]
            yield queues[kind].popleft()
            if not queues[kind]:
                del queues[kind]

    def _later(self, account: str, events: list[dict[str, object]], pause_s: float) -> None:
        """Behind what waits already: nothing overtakes within an account."""
        loop = asyncio.get_running_loop()
        leaving = self._leaving.setdefault(account, deque())
        at_s = max(loop.time() + pause_s, leaving[-1][0] if leaving else 0.0)
        begins = not leaving
        leaving.extend((at_s, event) for event in events)
        if begins:
            loop.call_at(at_s, self._leave, account)

    def _leave(self, account: str) -> None:
        loop = asyncio.get_running_loop()
        leaving = self._leaving[account]
        while leaving and leaving[0][0] <= loop.time():
            self.send(account, leaving.popleft()[1])
        if leaving:
            loop.call_at(leaving[0][0], self._leave, account)
        else:
            del self._leaving[account]

    def send(self, account: str, event: dict[str, object]) -> None:
        """Give one event to everybody who hears the account now."""
        key = self._keys.active(account)
        if key is not None:
            self._to_key(key, event)

    def _to_key(self, key: str, event: dict[str, object]) -> None:
        kind = str(event["e"])
        payload = orjson.dumps(event)
        for listener in list(self._listeners.get(key, ())):
            if not listener.events or kind in listener.events:
                frame = envelope(key, payload) if listener.ear.combined else payload
                self._deliver(listener.ear, f"user:{kind}", frame)

    # -- ends of keys ------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Tell those whose key has expired; afterwards their connections stay open and silent."""
        for _, key in self._keys.expired():
            now_ms: object = self._now_ms()
            if not self.orderly and self._draw() % 2:
                now_ms = str(now_ms)  # both forms have been seen (reference §3.1)
            self._to_key(key, {"e": "listenKeyExpired", "E": now_ms, "listenKey": key})
            self._listeners.pop(key, None)
