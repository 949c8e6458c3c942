"""The private stream's life: keys that end, sockets that close, silence that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exchange.binance.refusals import VenueAnswerError
from exchange.binance.user_stream import StreamLimits, UserStream
from models.error import ConfigurationError, VenueUnreachableError
from tests.exchange.binance.desk import until

FAST = StreamLimits(overlap_s=0.02, silence_s=0.05, silent_again_s=60.0, renew_retry_s=0.01, rotate_spread_s=0.0)
CANARY = "CanaryListenKey0123456789"


class FakeSocket:
    """One socket as the stream opened it."""

    def __init__(self, url: str, on_frame: Any, on_closed: Any) -> None:
        self.url, self.on_frame, self.on_closed = url, on_frame, on_closed
        self.closed = False

    def send(self, text: bytes) -> None:
        """Nothing is ever sent on a private socket."""

    def close(self) -> None:
        self.closed = True
        self.on_closed("closed", "code 1000")

    def abort(self) -> None:
        self.close()


class Scene:
    """Keys and sockets under a test's control, and what the stream says."""

    def __init__(self, **limits: Any) -> None:
        self.sockets: list[FakeSocket] = []
        self.key = CANARY
        self.starts = self.renewals = 0
        self.renew_error: Exception | None = None
        self.open_error: Exception | None = None
        self.said: list[tuple[str, str]] = []
        self.taken: list[bytes] = []
        self.recorded: list[bytes] = []
        self.stream = UserStream(
            self, self._open, "ws://h/private/", self.taken.append, lambda why: self.said.append(("lost", why)),
            lambda why: self.said.append(("connected", why)), record=lambda raw, at_ns: self.recorded.append(raw),
            limits=StreamLimits(**{name: getattr(FAST, name) for name in FAST.__struct_fields__} | limits),
            random=lambda: 0.0, budget=Unbounded(),
        )  # fmt: skip

    async def start_listen_key(self) -> str:
        self.starts += 1
        return self.key

    async def renew_listen_key(self) -> None:
        self.renewals += 1
        if self.renew_error is not None:
            raise self.renew_error

    async def _open(self, url: str, on_frame: Any, on_closed: Any) -> FakeSocket:
        if self.open_error is not None:
            raise self.open_error
        self.sockets.append(FakeSocket(url, on_frame, on_closed))
        return self.sockets[-1]

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.said]


class Unbounded:
    def wait_s(self, now_s: float) -> float:
        return 0.0

    def take(self, now_s: float) -> None:
        """Any number."""


def in_scene(doing: Callable[[Scene], Awaitable[Any]], **limits: Any) -> Any:
    """Run ``doing`` with a stream that is connected."""

    async def run() -> Any:
        scene = Scene(**limits)
        scene.stream.start()
        await until(lambda: scene.stream.up)
        try:
            return await doing(scene)
        finally:
            await scene.stream.stop()

    return asyncio.run(run())


def test_a_socket_is_opened_with_the_accounts_key() -> None:
    """The key is asked for first and stands in the address; being connected is a doubt about what came before."""

    async def run(scene: Scene) -> None:
        assert [socket.url for socket in scene.sockets] == [f"ws://h/private/ws?listenKey={CANARY}"]
        assert scene.said == [("connected", "connected")]

    in_scene(run)


def test_frames_are_recorded_before_they_are_taken_and_without_the_key() -> None:
    """The bytes are kept first (F35), with the key struck out (F75); the listener gets them as they came."""

    async def run(scene: Scene) -> None:
        frame = b'{"e":"listenKeyExpired","listenKey":"' + CANARY.encode() + b'"}'
        scene.sockets[0].on_frame(frame, 1)
        assert scene.recorded == [b'{"e":"listenKeyExpired","listenKey":"***"}']
        assert scene.taken == [frame]

    in_scene(run)


def test_a_record_that_fails_does_not_swallow_the_event() -> None:
    """A full disk costs the record, not the execution (F35, F62)."""

    async def run() -> Scene:
        scene = Scene()

        def full(raw: bytes, at_ns: int) -> None:
            raise OSError("no space")

        scene.stream._record = full
        scene.stream.start()
        await until(lambda: scene.stream.up)
        scene.sockets[0].on_frame(b"{}", 1)
        await scene.stream.stop()
        return scene

    scene = asyncio.run(run())
    assert (scene.taken, scene.stream.counts.record_errors) == ([b"{}"], 1)


def test_a_closed_socket_is_replaced() -> None:
    """When the socket ends, the loss is told at once and another one is opened."""

    async def run(scene: Scene) -> None:
        scene.sockets[0].on_closed("reset", "")
        assert scene.said[-1] == ("lost", "the socket was closed (reset)")
        await until(lambda: len(scene.sockets) == 2 and scene.stream.up)
        assert scene.words == ["connected", "lost", "connected"]

    in_scene(run)


def test_the_loss_is_told_once_however_often_connecting_fails() -> None:
    """While no socket can be had one loss stands, and its end is told when there is one."""

    async def run(scene: Scene) -> None:
        scene.open_error = OSError(f"cannot open ws://h/private/ws?listenKey={CANARY}")
        scene.sockets[0].on_closed("reset", "")
        await until(lambda: scene.stream.counts.failures >= 3)
        scene.open_error = None
        await until(lambda: scene.stream.up)
        assert scene.words == ["connected", "lost", "connected"]

    in_scene(run)


def test_the_key_never_stands_in_a_reason() -> None:
    """A library's complaint quotes the address and with it the key; none of it is passed on (F75)."""

    async def run() -> list[tuple[str, str]]:
        scene = Scene()
        scene.stream.start()
        await until(lambda: scene.stream.up)
        scene.open_error = ValueError(f"bad address {CANARY}")
        scene.sockets[0].on_closed("reset", CANARY)
        await until(lambda: scene.stream.counts.failures >= 1)
        await scene.stream.stop()
        return scene.said

    assert CANARY not in str(asyncio.run(run()))


def test_a_rotation_overlaps() -> None:
    """An old socket is replaced while it still delivers, both are heard for a moment, and nothing was lost (F03)."""

    async def run(scene: Scene) -> None:
        await until(lambda: len(scene.sockets) >= 2)
        first, second = scene.sockets[:2]
        assert not first.closed
        first.on_frame(b"1", 1)
        second.on_frame(b"2", 2)
        assert scene.taken == [b"1", b"2"]
        await until(lambda: first.closed)
        first.on_frame(b"3", 3)
        assert scene.taken == [b"1", b"2"]
        assert "lost" not in scene.words

    in_scene(run, rotate_after_s=0.05)


def test_an_expired_key_is_replaced() -> None:
    """After the venue's word a new key and a new socket come, the loss being told in between (F34)."""

    async def run(scene: Scene) -> None:
        scene.key = "another"
        scene.stream.expired(CANARY)
        assert scene.said[-1] == ("lost", "the stream's key has expired")
        await until(lambda: scene.stream.up)
        assert scene.sockets[1].url.endswith("=another")
        await until(lambda: scene.sockets[0].closed)

    in_scene(run)


def test_the_end_of_an_older_key_disturbs_nobody() -> None:
    """A late word about a key that is no longer ours changes nothing."""

    async def run(scene: Scene) -> None:
        scene.stream.expired("an old one")
        await asyncio.sleep(0.02)
        assert (scene.words, len(scene.sockets)) == (["connected"], 1)

    in_scene(run)


def test_the_key_is_renewed_again_and_again() -> None:
    """Renewal comes at its interval, and a yes leaves everything as it is."""

    async def run(scene: Scene) -> None:
        await until(lambda: scene.renewals >= 2)
        assert (scene.words, len(scene.sockets)) == (["connected"], 1)

    in_scene(run, renew_every_s=0.01)


def test_a_key_that_is_gone_is_found_at_its_renewal() -> None:
    """−1125 means another key at once, whoever deleted it (F34)."""

    async def run(scene: Scene) -> None:
        scene.renew_error = VenueAnswerError("gone", blame="us", status=400, venue_code=-1125)
        await until(lambda: len(scene.sockets) >= 2)
        scene.renew_error = None
        assert ("lost", "the stream's key is gone") in scene.said

    in_scene(run, renew_every_s=0.05)


def test_a_renewal_that_fails_for_a_while_is_repeated_and_then_believed() -> None:
    """A venue that does not answer keeps the key until nearly its hour is over; then another is asked for."""

    async def run(scene: Scene) -> int:
        scene.renew_error = VenueUnreachableError("no answer")
        await until(lambda: ("lost", "the stream's key could not be renewed") in scene.said)
        scene.renew_error = None
        return scene.renewals

    assert in_scene(run, renew_every_s=0.01, key_life_s=0.6) >= 2


def test_a_quiet_account_is_not_silence() -> None:
    """Without an order that the venue took nothing is expected, however long it is quiet (F40)."""

    async def run(scene: Scene) -> list[str]:
        await asyncio.sleep(0.4)
        return scene.words

    assert in_scene(run) == ["connected"]


def test_no_word_on_an_order_that_was_taken_is_silence() -> None:
    """The socket is replaced when the venue took an order and the stream does not tell of it (F40)."""

    async def run(scene: Scene) -> None:
        scene.stream.expect("sce1")
        await until(lambda: len(scene.sockets) == 2 and scene.stream.up)
        assert scene.said[1] == ("lost", "no word on an order that the venue took")
        assert scene.stream.counts.silences == 1

    in_scene(run)


@pytest.mark.parametrize("before", [True, False])
def test_a_word_on_the_order_before_or_after_its_answer_is_proof(before: bool) -> None:
    """The event may come before the answer to the order or after it; both prove the stream."""

    async def run(scene: Scene) -> list[str]:
        if before:
            scene.stream.named("sce1")
        scene.stream.expect("sce1")
        if not before:
            scene.stream.named("sce1")
        await asyncio.sleep(0.4)
        return scene.words

    assert in_scene(run) == ["connected"]


def test_repeated_silence_is_a_doubt_and_no_storm() -> None:
    """A stream that lags for minutes is not reconnected each time: the account is read instead (F39)."""

    async def run(scene: Scene) -> None:
        for number in range(3):
            scene.stream.expect(f"sce{number}")
            await until(lambda number=number: scene.stream.counts.silences == number + 1 and scene.stream.up)
        assert len(scene.sockets) == 2
        assert scene.words == ["connected", "lost", "connected", "connected", "connected"]

    in_scene(run)


def test_a_shutdown_notice_is_followed() -> None:
    """When the venue says that it goes, another socket is opened before it does."""

    async def run(scene: Scene) -> None:
        scene.sockets[0].on_frame(b'{"e":"serverShutdown","E":1}', 1)
        await until(lambda: len(scene.sockets) == 2)
        assert scene.said[-1] == ("connected", "the venue shuts down")

    in_scene(run)


def test_stopping_closes_the_sockets_and_leaves_the_key() -> None:
    """The key is never deleted: another instance may live on it (F34)."""

    async def run() -> Scene:
        scene = Scene()
        scene.stream.start()
        await until(lambda: scene.stream.up)
        await scene.stream.stop()
        await scene.stream.stop()
        return scene

    scene = asyncio.run(run())
    assert scene.sockets[0].closed
    assert "lost" not in scene.words


def test_many_lost_sockets_leave_nothing_behind() -> None:
    """Tasks and sockets are the same after many reconnects (F07)."""

    async def run(scene: Scene) -> None:
        tasks = len(asyncio.all_tasks())
        for number in range(100):
            scene.sockets[-1].on_closed("reset", "")
            await until(lambda number=number: len(scene.sockets) == number + 2 and scene.stream.up)
        assert len(asyncio.all_tasks()) == tasks
        assert scene.stream._old == []

    in_scene(run)


def test_a_wrong_address_is_refused() -> None:
    """An address that is no ws(s) URL is a configuration mistake."""
    with pytest.raises(ConfigurationError, match="must look like"):
        UserStream(Scene(), Scene()._open, "https://x", lambda raw: None, lambda why: None, lambda why: None)
