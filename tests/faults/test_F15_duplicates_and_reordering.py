"""F15: messages come twice, late or out of order, over one connection or two; each counts once, the newest stays."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from data_collector.handover import order_of
from exchange.emulator.generator import Generator
from exchange.emulator.source import depth_body
from models.control import Decision
from models.rows import BID
from tests.builders import MS
from tests.core.desk import MID
from tests.data_collector import frames
from tests.fakes.bot import Bot
from tests.fakes.disturbed import Frame, check_true, run
from wiring import VIRTUAL_START_NS

JITTER_NS = 50 * MS
WINDOW_NS = 250 * MS  # two or three diffs
SECONDS = 6.0
CALM_NS = 4_000 * MS  # the accidents stop two seconds before the end


def repeated(seed: int, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Every frame up to three times, the copies up to a few frames later."""
    dice, late = random.Random(seed), list[Frame]()
    for frame in frames:
        yield frame
        late += [frame] * dice.randrange(3)
        while late and dice.random() < 0.6:
            yield (frame[0], *late.pop(dice.randrange(len(late)))[1:])


def reordered(seed: int, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Within windows of 250 ms frames come in any order; at last all is calm."""
    dice, window = random.Random(seed), list[Frame]()
    for frame in frames:
        if window and frame[0] - window[0][0] >= WINDOW_NS:
            if frame[0] < VIRTUAL_START_NS + CALM_NS:
                dice.shuffle(window)
            yield from window
            window = []
        window.append(frame)


def noted(newest: dict[str, int], frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; ``newest`` holds the highest id of each stream that was heard."""
    for frame in frames:
        yield frame  # whoever asks for the next one has heard it
        for name, key in (("bookTicker", b'"u":'), ("aggTrade", b'"a":')):
            if frame[1].endswith(name):
                newest[name] = max(newest.get(name, 0), order_of(frame[2], key))


def result(bot: Bot) -> dict[str, object]:
    """What the engine knows, without the numbers of the messages and their receive times."""
    view = bot.engine.memory.view(0)
    names = ("trades", "quotes", "depth_frames", "mid2", "bid_lots", "ask_lots", "last_trade_id", "quote_id", "mark_e8")
    bars = bot.engine.memory.bars(0, 0, 100).tobytes()
    return {"levels": bot.levels(), "bars": bars, **{name: view.get(name) for name in names}}


@pytest.mark.parametrize("seed", range(3))
def test_repeated_messages_count_once(seed: int) -> None:
    """With every message heard up to three times, book, bars, trades and quotes are those of hearing each once."""
    calm, _ = run(SECONDS)
    bot, source = run(SECONDS, lambda frames: repeated(seed, frames))
    counts = bot.hearing.counts
    assert counts.reasons["DUPLICATE"] + counts.reasons["OUT_OF_ORDER"] == counts.quarantined > 300
    assert (counts.gaps, counts.trade_gaps, counts.renewed, source.snapshots) == (0, 0, 0, 1)
    assert {name: value for name, value in result(bot).items() if name != "mark_e8"} == {
        name: value for name, value in result(calm).items() if name != "mark_e8"
    }


@pytest.mark.parametrize("seed", range(3))
def test_reordered_messages_end_in_the_true_book(seed: int) -> None:
    """Shuffled within 250 ms, the newest quote and trade stay, breaks of the chain are mended, the book is true."""
    newest: dict[str, int] = {}
    bot, source = run(SECONDS, lambda frames: noted(newest, reordered(seed, frames)))
    counts = bot.hearing.counts
    assert counts.gaps and counts.reasons["OUT_OF_ORDER"] and source.snapshots > 1
    assert bot.hearing.synced(0) and counts.frames + counts.answers == counts.accepted + counts.quarantined
    check_true(bot, source)
    view = bot.engine.memory.view(0)
    assert (view.get("quote_id"), view.get("last_trade_id")) == (newest["bookTicker"], newest["aggTrade"])


def test_two_connections_with_the_same_streams_are_one() -> None:
    """Two feeds in order, each with its own jitter of up to 50 ms: the state is that of the first arrivals alone."""
    dice, market = random.Random(5), Generator(7, VIRTUAL_START_NS, ("BTCUSDT",))
    names = [f"btcusdt@{name}" for name in ("depth@100ms", "bookTicker", "aggTrade")]
    body, heard = None, []
    for at_ns, _, payload in market.frames(4_000 * MS, streams=names):
        body = body or depth_body(market, "BTCUSDT")
        heard.append((at_ns, payload))
    arrivals: list[tuple[int, int, int, bytes]] = []
    for connection in (0, 1):
        now_ns = 0
        for number, (at_ns, payload) in enumerate(heard):
            now_ns = max(now_ns, at_ns + dice.randrange(JITTER_NS))
            arrivals.append((now_ns, number, connection, payload))
    arrivals.sort()
    both, first, seen = Bot(market.instruments), Bot(market.instruments), set[int]()
    assert body is not None
    for bot in (both, first):
        bot.ear.take(2, 0, body, VIRTUAL_START_NS)
    for at_ns, number, connection, payload in arrivals:
        both.ear.frame(connection, payload, at_ns)
        if number not in seen:
            seen.add(number)
            first.ear.frame(0, payload, at_ns)
    assert result(both) == result(first) and both.decisions == first.decisions
    assert both.hearing.counts.quarantined == len(heard) and not first.hearing.counts.quarantined
    assert both.hearing.counts.gaps == both.hearing.counts.renewed == 0


def test_an_older_update_never_overwrites_a_newer_one() -> None:
    """A late diff, quote and trade change nothing; each is quarantined with its id."""
    bot = Bot().started()
    old = bot.depth(bids=[(MID - 1, 7)])
    bot.frame(old).frame(bot.depth(bids=[(MID - 1, 8)]))
    for number in (5, 7):
        bot.frame({**frames.quote(number), "b": f"7699{number}.00", "a": "77000.00"}).frame(frames.aggregate(number))
    before = result(bot)
    bot.frame(old).frame({**frames.quote(6), "b": "1.00", "a": "77000.00"}).frame({**frames.aggregate(6), "p": "1.00"})
    assert result(bot) == before and bot.levels()[BID, MID - 1] == 8
    assert Counter(one.stream for one in bot.hearing.quarantine.last) == {
        "depthUpdate": 1,
        "bookTicker": 1,
        "aggTrade": 1,
    }
    assert {one.reason.value for one in bot.hearing.quarantine.last} == {"OUT_OF_ORDER"}
    assert bot.decision is Decision.ALLOWED and bot.wanted == {}
