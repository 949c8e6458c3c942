"""Depth frames of a chosen size that chain, made like the venue's: digits, order of keys, envelope."""

from __future__ import annotations

import random

import orjson

PRICE = 769_149  # tenths of a USDT
EVENT_MS = 1_789_478_303_662
FIRST_ID = 11_563_384_769_470
STEP_MS = 100


def snapshot(levels: int = 1000) -> bytes:
    """The REST book that the first frame continues."""
    sides = [
        [[f"{(PRICE - step) / 10:.2f}", "1.250"] for step in range(levels)],
        [[f"{(PRICE + 1 + step) / 10:.2f}", "1.250"] for step in range(levels)],
    ]
    return orjson.dumps({"lastUpdateId": FIRST_ID, "E": EVENT_MS, "T": EVENT_MS, "bids": sides[0], "asks": sides[1]})


def depth_frames(count: int, levels: int, seed: int = 7) -> list[bytes]:
    """``count`` frames of ``levels`` changed levels a side, in sequence behind ``snapshot``; the touch stays."""
    chance = random.Random(seed)
    frames = []
    last = FIRST_ID
    for number in range(1, count + 1):
        previous, last = last, last + 7 * levels
        sides = []
        for sign, touch in ((-1, PRICE), (1, PRICE + 1)):
            ticks = [touch, *(touch + sign * step for step in sorted(chance.sample(range(1, 900), levels - 1)))]
            sizes = [
                f"{chance.randrange(1, 9_000) / 1000:.3f}" if index == 0 or chance.random() < 0.8 else "0.000"
                for index in range(levels)
            ]
            sides.append(",".join(f'["{tick / 10:.2f}","{size}"]' for tick, size in zip(ticks, sizes, strict=True)))
        event = EVENT_MS + number * STEP_MS
        frames.append(
            (
                '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate",'
                f'"E":{event},"T":{event - 2},"s":"BTCUSDT","ps":"BTCUSDT",'
                f'"U":{previous + 7},"u":{last},"pu":{previous},'
                f'"b":[{sides[0]}],"a":[{sides[1]}],"st":1}}}}'
            ).encode()
        )
    return frames
