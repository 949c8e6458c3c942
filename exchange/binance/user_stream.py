"""The private stream's life: its key, its socket, and the proof that it is not silent (venue reference §3.1; F34, F40).

A key is renewed every 25 minutes, and each answer is a verdict: −1125, or nearly an hour without a yes, means another
key. A socket is replaced before the venue cuts it, when its key has ended, when it closes, and when it does not tell
what the venue must have told. The new one is open before the old one closes; what both deliver is sorted out behind
``take``. Nothing proves that nothing was missed in between, so every new socket is a doubt: ``connected``.

A quiet account is silent, so silence alone proves nothing. But an order that the venue took must be told of within
seconds: ``expect`` waits for that word. The key is never deleted: another program may live on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random as dice
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from exchange.binance.pace import Attempts, Budget, Pace
from exchange.binance.refusals import VenueAnswerError
from models.error import ConfigurationError, ScalperError

KEY_GONE = -1125
TICK_S = 0.25
NAMED_KEPT = 512


class Socket(Protocol):
    """An open WebSocket connection (``data_collector.transport.Transport``)."""

    def send(self, text: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


OpenSocket = Callable[[str, Callable[[bytes, int], None], Callable[[str, str], None]], Awaitable[Socket]]
"""``open(url, on_frame(payload, received_ns), on_closed(reason, detail))``, joined in the composition root."""


class Keys(Protocol):
    """Who gives listenKeys (``AccountRest``)."""

    async def start_listen_key(self) -> str: ...

    async def renew_listen_key(self) -> None: ...


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the private stream, seconds."""

    renew_every_s: float = 1_500.0
    """A key lives an hour; every 25 minutes leaves two tries before its end (F34)."""
    renew_retry_s: float = 60.0
    key_life_s: float = 3_300.0
    """Without a yes for so long a key counts as gone."""
    rotate_after_s: float = 23.0 * 3_600
    """The venue cuts at 24 h."""
    rotate_spread_s: float = 600.0
    overlap_s: float = 2.0
    """How long the old socket may still deliver beside the new one."""
    connect_s: float = 10.0
    silence_s: float = 2.0
    """An order the venue took is told of by then: events are there within milliseconds."""
    silent_again_s: float = 30.0
    """A socket is replaced for silence at most so often; in between the account is read instead."""


class StreamCounts(msgspec.Struct):
    connects: int = 0
    failures: int = 0
    ends: int = 0
    rotations: int = 0
    keys: int = 0
    expiries: int = 0
    silences: int = 0
    frames: int = 0
    record_errors: int = 0


class _Leg:
    """One socket."""

    __slots__ = ("ended", "opened_s", "socket")

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.ended = False
        self.opened_s = 0.0


class UserStream:
    """``take`` gets each private frame; ``record`` gets its bytes before that, without the key.

    ``lost(reason)``: from now on nothing may be heard. ``connected(reason)``: a socket is open, and what happened
    before it is in doubt.
    """

    def __init__(
        self,
        keys: Keys,
        open_socket: OpenSocket,
        private_url: str,
        take: Callable[[bytes], None],
        lost: Callable[[str], None],
        connected: Callable[[str], None],
        *,
        record: Callable[[bytes, int], None] | None = None,
        limits: StreamLimits | None = None,
        budget: Budget | None = None,
        random: Callable[[], float] = dice.random,
    ) -> None:
        if urlsplit(private_url).scheme not in ("ws", "wss"):
            raise ConfigurationError(f"the private address {private_url!r} must look like wss://host/private")
        self.counts = StreamCounts()
        self._keys, self._open_socket, self._url = keys, open_socket, private_url.rstrip("/")
        self._take, self._lost, self._connected, self._record = take, lost, connected, record
        self._limits = limits or StreamLimits()
        self._random = random
        self._pace = Pace(budget or Attempts(), random)
        self._key = ""
        self._key_bytes = b""
        self._renew_at_s = self._key_until_s = self._rotate_at_s = 0.0
        self._current: _Leg | None = None
        self._old: list[_Leg] = []
        self._replace = ""  # why another socket is wanted while there is one
        self._down = True
        self._expected: OrderedDict[str, float] = OrderedDict()
        self._named: OrderedDict[str, None] = OrderedDict()
        self._silent_at_s = float("-inf")
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="private stream")

    async def stop(self) -> None:
        """Close the sockets; the key stays. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for leg in [*self._old, *([self._current] if self._current is not None else [])]:
            self._finish(leg)
        self._current = None

    @property
    def up(self) -> bool:
        """Whether a socket is open that nothing speaks against."""
        return not self._down

    async def _run(self) -> None:
        while True:
            now_s = self._loop.time()
            if self._current is not None and now_s >= self._rotate_at_s and not self._replace:
                self.counts.rotations += 1
                self._replace = "rotated"
            wait_s = TICK_S
            if self._current is None or self._replace:
                wait_s = self._pace.wait_s(now_s)
                if wait_s <= 0:
                    await self._open()
                    continue
            elif now_s >= self._renew_at_s:
                await self._renew()
                continue
            self._listen_for_silence(now_s)
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, TICK_S)):  # wait_for can swallow the cancel of a woken task
                    await self._woken.wait()

    # -- sockets ----------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Another socket, and then the end of the one before."""
        began_s = self._loop.time()
        self._pace.tried(began_s)
        self.counts.connects += 1
        why, self._replace = self._replace or "connected", ""
        leg = _Leg()
        try:
            await self._start_key()
            async with asyncio.timeout(self._limits.connect_s):
                leg.socket = await self._open_socket(
                    f"{self._url}/ws?listenKey={self._key}",
                    lambda payload, received_ns: self._frame(leg, payload, received_ns),
                    lambda reason, detail: self._closed(leg, reason),
                )
        except asyncio.CancelledError:
            leg.ended = True
            self._pace.failed(self._loop.time())
            raise
        except Exception as error:  # whatever a library raises; its text may hold the address, and with it the key
            self.counts.failures += 1
            leg.ended = True
            self._pace.failed(self._loop.time())
            if self._current is not None:
                self._replace = self._replace or why
            else:
                self._fall(f"cannot connect ({type(error).__name__})")
            return
        if leg.ended:  # closed again before we had it
            self._pace.failed(self._loop.time())
            return
        self._pace.opened()
        leg.opened_s = self._loop.time()
        old, self._current = self._current, leg
        self._rotate_at_s = leg.opened_s + self._limits.rotate_after_s - self._random() * self._limits.rotate_spread_s
        if old is not None:
            self._old.append(old)
            self._loop.call_later(self._limits.overlap_s, self._finish, old)
        self._down = False
        self._expected.clear()
        self._connected(why)

    def _finish(self, leg: _Leg) -> None:
        """Hear no more of a socket, and close it."""
        if leg in self._old:
            self._old.remove(leg)
        if not leg.ended:
            leg.ended = True
            if leg.socket is not None:
                leg.socket.close()

    def _closed(self, leg: _Leg, reason: str) -> None:
        if leg.ended:
            return
        leg.ended = True
        self.counts.ends += 1
        if leg in self._old:
            self._old.remove(leg)
        if leg is self._current:
            self._current = None
            self._pace.lost(self._loop.time(), self._loop.time() - leg.opened_s)
            self._fall(f"the socket was closed ({reason})")
            self._woken.set()

    def _frame(self, leg: _Leg, payload: bytes, received_ns: int) -> None:
        if leg.ended:
            return
        self.counts.frames += 1
        if self._record is not None:
            try:
                self._record(payload.replace(self._key_bytes, b"***") if self._key_bytes else payload, received_ns)
            except Exception:  # a record that cannot be kept is the keeper's alarm; the event itself must be heard
                self.counts.record_errors += 1
        if b'"serverShutdown"' in payload:
            self._ask_for_another("the venue shuts down")
        self._take(payload)

    def _ask_for_another(self, why: str) -> None:
        self._replace = self._replace or why
        self._woken.set()

    def _fall(self, reason: str) -> None:
        if not self._down:
            self._down = True
            self._lost(reason)

    # -- the key ----------------------------------------------------------------------------------------------

    async def _start_key(self) -> None:
        """The account's key. Asked for before every socket: the same one lives on, or there is a new one."""
        key = await self._keys.start_listen_key()
        if key != self._key:
            self.counts.keys += 1
            self._key, self._key_bytes = key, key.encode()
        self._renewed()

    def _renewed(self) -> None:
        now_s = self._loop.time()
        self._renew_at_s = now_s + self._limits.renew_every_s
        self._key_until_s = now_s + self._limits.key_life_s

    async def _renew(self) -> None:
        try:
            await self._keys.renew_listen_key()
        except ScalperError as error:
            if isinstance(error, VenueAnswerError) and error.venue_code == KEY_GONE:
                self._key_ended("the stream's key is gone")
            elif self._loop.time() >= self._key_until_s:
                self._key_ended("the stream's key could not be renewed")
            self._renew_at_s = self._loop.time() + self._limits.renew_retry_s
        else:
            self._renewed()

    def expired(self, listen_key: str) -> None:
        """The venue says that a key has ended; what comes after that on its socket is silence."""
        if listen_key in ("", self._key):
            self._key_ended("the stream's key has expired")

    def _key_ended(self, why: str) -> None:
        self.counts.expiries += 1
        self._fall(why)
        self._ask_for_another(why)

    # -- silence ----------------------------------------------------------------------------------------------

    def expect(self, client_id: str) -> None:
        """The venue took an order: the stream has told of it, or must within ``silence_s``."""
        if client_id not in self._named and not self._down:
            self._expected.setdefault(client_id, self._loop.time() + self._limits.silence_s)

    def told_of(self, client_id: str) -> bool:
        """Whether an event was about this order."""
        return client_id in self._named

    def named(self, client_id: str) -> None:
        """An event was about this order."""
        self._expected.pop(client_id, None)
        self._named[client_id] = None
        while len(self._named) > NAMED_KEPT:
            self._named.popitem(last=False)

    def _listen_for_silence(self, now_s: float) -> None:
        if not self._expected or next(iter(self._expected.values())) > now_s:
            return
        self._expected.clear()
        self.counts.silences += 1
        why = "no word on an order that the venue took"
        if now_s < self._silent_at_s + self._limits.silent_again_s:
            self._connected(why)  # a doubt, without another socket
            return
        self._silent_at_s = now_s
        self._fall(why)
        self._ask_for_another(why)
