"""The market of ``tests.bench.tick_to_order``: frames in the venue's layouts, the sender's clock in their update ids.

A book of one tick that climbs and falls back, quotes that agree with it, trades beside. A depth frame with a thousand
times as much on its best bid as on its best ask is what everybody's bot has to answer with an order.
"""

from __future__ import annotations

import random
import struct

TICK0 = 770_000  # of 0.1 USDT
LEVELS = 61  # a side, as in the frames of ``decide`` and ``market``
NEUTRAL, TRIGGER = "5.000", "5000.000"
BURST = 50
SNAPSHOT_LEVELS = 500
PAST_TRADES = 600
DEPTH_HEAD = '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%d,"T":%d,"s":"BTCUSDT","ps":"BTCUSDT",'
QUOTE = (
    '{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":%d,"s":"BTCUSDT","ps":"BTCUSDT","b":"{bid}",'
    '"B":"5.000","a":"{ask}","A":"5.000","T":%d,"E":%d}}}}'
)
TRADE = (
    '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":%d,"a":%d,"s":"BTCUSDT","p":"%s","q":"0.100","nq":"0.100",'
    '"f":%d,"l":%d,"T":%d,"m":false,"st":1}}'
)
FIRST_TRADE = 1_000_000
STAMP0 = 10**13  # update ids have 14 digits, as the venue's, so that every frame of a kind has one length


def framed(payload: bytes) -> bytes:
    """A WebSocket text frame from a server."""
    if len(payload) < 126:
        return bytes([0x81, len(payload)]) + payload
    return b"\x81\x7e" + struct.pack(">H", len(payload)) + payload


def price(tick: int) -> str:
    return f"{tick // 10}.{tick % 10}"


def _depth_form(tick: int, size: str) -> str:
    """A diff of 122 levels and the two that a move of one tick leaves behind; places for the times and ids."""
    bids = [(tick - back, size if back == 0 else NEUTRAL) for back in range(LEVELS)] + [(tick + 1, "0.000")]
    asks = [(tick + 1 + up, NEUTRAL) for up in range(LEVELS)] + [(tick, "0.000")]
    sides = (",".join(f'["{price(at)}","{lots}"]' for at, lots in side) for side in (bids, asks))
    return DEPTH_HEAD + '"U":%d,"u":%d,"pu":%d,' + '"b":[{}],"a":[{}]}}}}'.format(*sides)


class Shape:
    """One message or several as one form to be filled in: what each place takes is in ``places``."""

    def __init__(self, forms: list[tuple[str, str]]) -> None:
        widths = {"E": 13, "u": 14}
        self.kinds = [kind for kind, _ in forms]
        whole = []
        for kind, form in forms:
            count = form.count("%d")
            marks = "EEuuu" if kind == "depth" else "uEE"
            assert count == len(marks)
            filled = form % tuple(10 ** (widths[mark] - 1) for mark in marks)
            head = framed(filled.encode())[: -len(filled)]
            whole.append(head.replace(b"%", b"%%") + form.encode())
        self.form = b"".join(whole)
        self.depths = self.kinds.count("depth")

    def fill(self, stamp: int, previous: int, at_ms: int) -> tuple[bytes, int]:
        """(bytes, last depth update id): frame n has the id ``stamp`` + n."""
        values: list[int] = []
        for kind in self.kinds:
            if kind == "depth":
                values += (at_ms, at_ms, previous + 1, stamp, previous)
                previous = stamp
            else:
                values += (stamp, at_ms, at_ms)
            stamp += 1
        return self.form % tuple(values), previous


class Shapes:
    """Every message at every tick that is needed, prepared; ``random`` decides where a burst's trigger stands."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kept: dict[tuple[str, int], Shape] = {}

    def depth(self, tick: int, *, trigger: bool = False) -> Shape:
        return self._once("trigger" if trigger else "depth", tick)

    def quote(self, tick: int) -> Shape:
        return self._once("quote", tick)

    def burst(self, tick: int, depths: int = BURST) -> Shape:
        """Fifty frames, ``depths`` of them depth, one of these the trigger, in any order; the others are quotes."""
        kinds = ["depth"] * (depths - 1) + ["trigger"] + ["quote"] * (BURST - depths)
        self._random.shuffle(kinds)
        return Shape([self._form(kind, tick) for kind in kinds])

    def _once(self, kind: str, tick: int) -> Shape:
        if (kind, tick) not in self._kept:
            self._kept[kind, tick] = Shape([self._form(kind, tick)])
        return self._kept[kind, tick]

    @staticmethod
    def _form(kind: str, tick: int) -> tuple[str, str]:
        if kind == "quote":
            return "quote", QUOTE.format(bid=price(tick), ask=price(tick + 1))
        return "depth", _depth_form(tick, TRIGGER if kind == "trigger" else NEUTRAL)


def trade(number: int, tick: int, at_ms: int) -> bytes:
    """One aggregate trade as a frame."""
    return framed((TRADE % (at_ms, number, price(tick + 1), number, number, at_ms)).encode())


def snapshot(last: int, tick: int, at_ms: int) -> bytes:
    """The REST answer with the book as the frames leave it."""
    bids, asks = (
        ",".join(f'["{price(at)}","{NEUTRAL}"]' for at in side)
        for side in (
            range(tick, tick - SNAPSHOT_LEVELS, -1), range(tick + 1, tick + 1 + SNAPSHOT_LEVELS),
        )
    )  # fmt: skip
    return f'{{"lastUpdateId":{last},"E":{at_ms},"T":{at_ms},"bids":[{bids}],"asks":[{asks}]}}'.encode()


def past_trades(at_ms: int) -> bytes:
    """The REST answer with ten minutes of trades, a second apart, that wander by a few ticks."""
    dice = random.Random(1)
    found = []
    for back in range(PAST_TRADES, 0, -1):
        number = FIRST_TRADE - back
        found.append(
            f'{{"a":{number},"p":"{price(TICK0 + dice.randrange(-3, 4))}","q":"0.100","nq":"0.100","f":{number},'
            f'"l":{number},"T":{at_ms - back * 1000},"m":false}}'
        )
    return f"[{','.join(found)}]".encode()
