"""What every market gives, put into wire form."""

from __future__ import annotations

import json
from pathlib import Path

from exchange.emulator.generator import Generator
from exchange.emulator.market import depth_body, envelope
from exchange.emulator.tape import Tape
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS
from tests.exchange.emulator.shape import expect_shape, golden


def test_the_envelope_is_the_venues(wire: Path) -> None:
    """Combined framing names the stream before the event, byte for byte as the golden frame does."""
    expected = golden(wire, "stream-combined-envelope")
    payload = json.dumps(expected["data"], separators=(",", ":")).encode()
    framed = envelope(expected["stream"], payload)
    assert framed == json.dumps(expected, separators=(",", ":")).encode()


def test_a_depth_body_has_the_venues_shape(wire: Path) -> None:
    """The REST depth of a generated market has the golden fields, types and number of places."""
    market = Generator(1, START_NS)
    body = depth_body(market, market.instruments[0], 5)
    expect_shape(golden(wire, "rest-depth-BTCUSDT"), body)
    assert body is not None and [len(body[side]) for side in ("bids", "asks")] == [5, 5]


def test_a_market_without_a_book_has_no_depth_body() -> None:
    """A recording whose snapshot has not come yet has no book to show."""
    frame = b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"BTCUSDT"}}'
    instrument = Generator(1, START_NS).instruments[0]
    tape = Tape(lambda: [(START_NS, RecordKind.FRAME, 0, frame)], [instrument])
    assert depth_body(tape, instrument, 5) is None
