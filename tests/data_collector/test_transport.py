"""Both transports keep the same promises, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import uvloop

from data_collector.limits import FeedLimits
from data_collector.transport import FAILURES, REASONS, TRANSPORTS, Transport, failure_of, transport_named
from models.error import ConfigurationError
from tests.fakes.venue_socket import CLOSE, CONTINUATION, PING, TEXT, Client, FakeVenue, frame, until

LIMITS = FeedLimits(connect_timeout_s=2.0, close_timeout_s=0.2, frame_bytes_max=100_000)


class Heard:
    """What came out of a transport."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.closed: list[tuple[str, str]] = []

    def on_frame(self, payload: bytes, received_ns: int) -> None:
        self.frames.append((payload, received_ns))

    def on_closed(self, reason: str, detail: str) -> None:
        self.closed.append((reason, detail))


Talk = Callable[[Transport, Client, Heard, FakeVenue], Awaitable[None]]


@pytest.fixture(params=TRANSPORTS)
def talk(request: Any) -> Callable[..., Heard]:
    """Run a conversation over one connection of each transport."""

    def run(doing: Talk, limits: FeedLimits = LIMITS) -> Heard:
        async def over_a_socket() -> Heard:
            heard = Heard()
            async with FakeVenue(period_s=None) as venue:
                open_transport = transport_named(request.param)
                url = f"{venue.url}/public/stream"
                transport = await open_transport(url, heard.on_frame, heard.on_closed, time.monotonic_ns, limits, None)
                await until(lambda: bool(venue.clients))
                await doing(transport, venue.clients[0], heard, venue)
                transport.abort()
                await until(lambda: bool(heard.closed))
            return heard

        return uvloop.run(over_a_socket())

    return run


def test_messages_come_whole_and_in_order(talk: Callable[..., Heard]) -> None:
    """A burst in one segment arrives as the same bytes, in order, with rising stamps."""
    sent = [b"%d" % number * (1 + number % 700) for number in range(300)]

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        client.send(b"".join(frame(TEXT, payload) for payload in sent))
        await until(lambda: len(heard.frames) == len(sent))

    heard = talk(doing)
    stamps = [received_ns for _, received_ns in heard.frames]
    assert [payload for payload, _ in heard.frames] == sent and stamps == sorted(stamps)


def test_fragments_are_joined(talk: Callable[..., Heard]) -> None:
    """A message in three fragments with a ping between them arrives as one."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        client.send(frame(TEXT, b"one ", fin=False) + frame(PING, b"x") + frame(CONTINUATION, b"two ", fin=False))
        client.send(frame(CONTINUATION, b"three") + frame(TEXT, b"next"))
        await until(lambda: len(heard.frames) == 2)

    assert [payload for payload, _ in talk(doing).frames] == [b"one two three", b"next"]


def test_a_ping_is_answered_with_its_own_payload(talk: Callable[..., Heard]) -> None:
    """The venue's ping comes back as a pong with the same bytes and never reaches the sink."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        client.send(frame(PING, b"1787492323000"))
        await until(lambda: client.pongs == [b"1787492323000"])

    assert talk(doing).frames == []


def test_a_sent_text_arrives(talk: Callable[..., Heard]) -> None:
    """What we send reaches the venue as one text message."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        transport.send(b'{"method":"SUBSCRIBE","params":["a@trade"],"id":1}')
        await until(lambda: len(client.messages) == 1)
        assert client.messages[0][1]["params"] == ["a@trade"]

    talk(doing)


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (lambda client: client.close(1001, "going away"), "closed"),
        (lambda client: client.close(1012), "closed"),
        (lambda client: client.close(4000, "own code"), "closed"),
        (lambda client: client.hang_up(), "reset"),
        (lambda client: client.reset(), "reset"),
        (lambda client: client.send(frame(0x3, b"x")), "protocol"),
        (lambda client: client.send(frame(CONTINUATION, b"x")), "protocol"),
        (lambda client: client.send(frame(PING, b"x" * 126)), "protocol"),
        (lambda client: client.send(frame(TEXT, b"x" * 100_001)), "too_big"),
        (lambda client: client.send(frame(TEXT, b"x" * 60_000, fin=False) * 1 + frame(CONTINUATION, b"x" * 60_000)),
         "too_big"),
        (lambda client: client.send(frame(CLOSE, struct.pack(">H", 999))), "protocol"),
    ],
)  # fmt: skip
def test_every_kind_of_cut_is_told_once_with_its_reason(
    talk: Callable[..., Heard], cut: Callable[[Client], None], reason: str
) -> None:
    """However the connection ends, exactly one end is told, with a reason of the fixed list."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        cut(client)
        await until(lambda: bool(heard.closed))
        await asyncio.sleep(0)

    heard = talk(doing)
    assert [told for told, _ in heard.closed] == [reason] and reason in REASONS


def test_a_missing_pong_ends_the_connection(talk: Callable[..., Heard]) -> None:
    """A peer that still sends data but answers no ping is given up (F06)."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        venue.ponging = False
        await until(lambda: bool(heard.closed))

    heard = talk(doing, msgspec.structs.replace(LIMITS, keepalive_interval_s=0.05, keepalive_timeout_s=0.05))
    assert heard.closed[0][0] == "keepalive"


def test_a_polite_close_says_so(talk: Callable[..., Heard]) -> None:
    """Our own close sends a close frame with code 1000."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        transport.close()
        await asyncio.wait_for(client.gone.wait(), 2)
        assert client.closed_by_peer == 1000

    assert len(talk(doing).closed) == 1


def test_a_polite_close_is_bounded(talk: Callable[..., Heard]) -> None:
    """A peer that reads nothing any more cannot keep us waiting."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        transport.close()
        await until(lambda: bool(heard.closed), 2)

    assert len(talk(doing).closed) == 1


def test_sending_on_a_closed_connection_is_no_error(talk: Callable[..., Heard]) -> None:
    """A message sent after the end vanishes; the end was told already."""

    async def doing(transport: Transport, client: Client, heard: Heard, venue: FakeVenue) -> None:
        client.reset()
        await until(lambda: bool(heard.closed))
        transport.send(b"{}")
        transport.close()
        transport.abort()

    assert len(talk(doing).closed) == 1


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("lever", ["refuse", "hang_up_early"])
def test_a_failed_upgrade_is_a_handshake_or_network_failure(name: str, lever: str) -> None:
    """An HTTP 503 or a hang-up during the upgrade raises, with a label of the fixed list."""

    async def run() -> str:
        async with FakeVenue(period_s=None) as venue:
            setattr(venue, lever, 1)
            with pytest.raises(Exception) as caught:
                await transport_named(name)(f"{venue.url}/public/stream", *_ears(), LIMITS, None)
            return failure_of(caught.value)

    assert asyncio.run(run()) in ("handshake", "network")


@pytest.mark.parametrize("name", TRANSPORTS)
def test_nobody_listening_is_refused(name: str) -> None:
    """A closed port is told as refused."""

    async def run() -> str:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"ws://127.0.0.1:{taken.getsockname()[1]}/public/stream"
            with pytest.raises(OSError) as caught:
                await transport_named(name)(url, *_ears(), LIMITS, None)
        return failure_of(caught.value)

    assert asyncio.run(run()) == "refused"


@pytest.mark.parametrize("name", TRANSPORTS)
def test_an_upgrade_that_never_comes_ends_at_the_deadline(name: str) -> None:
    """A server that accepts TCP and says nothing is a timeout."""

    async def run() -> str:
        hung_up = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1024):
                pass
            writer.transport.abort()
            hung_up.set()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        async with server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/public/stream"
            with pytest.raises(TimeoutError) as caught:
                limits = msgspec.structs.replace(LIMITS, connect_timeout_s=0.1)
                await transport_named(name)(url, *_ears(), limits, None)
            await asyncio.wait_for(hung_up.wait(), 2)
        return failure_of(caught.value)

    assert asyncio.run(run()) == "timeout"


def _ears() -> tuple[Any, Any, Any]:
    return (lambda payload, received_ns: None), (lambda reason, detail: None), time.monotonic_ns


def test_an_unknown_transport_is_refused() -> None:
    """A mistyped transport names the known ones."""
    with pytest.raises(ConfigurationError, match="picows, websockets"):
        transport_named("aiohttp")


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (TimeoutError(), "timeout"), (ssl.SSLError(), "tls"), (socket.gaierror(), "dns"),
        (ConnectionRefusedError(), "refused"), (OSError(), "network"), (ValueError(), "other"),
    ],
)  # fmt: skip
def test_failures_have_fixed_labels(error: BaseException, label: str) -> None:
    """Every failure falls into the fixed list of labels."""
    assert failure_of(error) == label and label in FAILURES
