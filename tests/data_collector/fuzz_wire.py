"""A campaign against the decoder: mutated frames, fast pass beside twin, against a page that must not be read.

``python -m tests.data_collector.fuzz_wire --count 100000 --seed 1`` exits 0 when on every frame the fast pass either
handed over or gave the twin's rows and facts, nothing raised, and no byte outside the frame was read.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from data_collector.twin import Twin
from models.rows import ROW
from tests.data_collector import frames

TOKENS = [
    b"0", b"-1", b"-0", b"1e5", b"1E400", b"1.5", b"NaN", b"null", b"true", b"false", b'""', b'"x"', b"[]", b"{}",
    b"[[]]", b"99999999999999999999", b"999999999999999999", b"1000000000000000000", b"00", b'"0.0"', b'"-5.0"',
    b'"0.00000000"', b'"1.123456789"', b'"12345678901.0"', b'"9999999999.9"', b'"1e3"', b'"\\u0031"', b'"1."', b'".5"',
    b'"+1"', b" ", b"\n", b"}", b"]", b'"', b"\\", b"\x00", b"\xff", b"\xc3\xa9", b",", b":", b'"e":"trade",',
    b'"T":5,', b'"X":"ADL",', b'"st":2,', b'"b":[["1.0","1.0"]],', b'"u":1,', b'"pu":3,',
]  # fmt: skip
ODD_VALUES: list[Any] = [
    0, -1, 1.5, "", "0", "1.0", "0.10", None, True, [], {}, 10**18, 10**13, "ETHUSDT", "BTCUSDT", "76914.95", "0.0005",
]  # fmt: skip
ODD_LEVELS: list[Any] = [
    "0", "5", "1e2", "-1.0", "76914.95", "", 7, None, "00012.30", "1234567.8", "123456789.1", "0.0000001",
]  # fmt: skip
_PROT_NONE = 0


class Guarded:
    """Memory between two pages that end the process when touched."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self.size = -(-size // page) * page
        self._map = mmap.mmap(-1, self.size + 2 * page)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        library = ctypes.CDLL(None, use_errno=True)
        for place in (self._base, self._base + page + self.size):
            if library.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(page), _PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.first = self._base + page

    def put(self, payload: bytes, *, at_end: bool) -> int:
        """Copy the payload against one of the two edges; its address."""
        address = self.first + (self.size - len(payload) if at_end else 0)
        ctypes.memmove(address, payload, len(payload))
        return address


def seeds(shared: Path) -> list[bytes]:
    """Frames to start from: the shapes, the golden files, and the first of each real capture where there are any."""
    found = [make(shape) for shape in frames.FAST_SHAPES for make in (frames.packed, frames.wrapped)]
    found += frames.golden(Path(__file__).parents[1] / "data" / "wire").values()
    for path in sorted((shared / "market-data" / "raw").glob("*raw*.gz")):
        import gzip

        with gzip.open(path) as file:
            lines = [line for line, _ in zip(file, range(40), strict=False) if len(line) < 3000]
            found += [line.split(b" ", 1)[1].strip() for line in lines]
    return found


def mutated(dice: random.Random, pool: list[bytes]) -> bytes:
    """One frame of the pool, changed up to four times, in the values or in the bytes."""
    frame = dice.choice(pool)
    if dice.random() < 0.4:
        frame = _reshaped(dice, frame)
    for _ in range(dice.choice((0, 0, 0, 1, 1, 1, 2, 3))):
        at = dice.randrange(len(frame) + 1)
        stop = min(len(frame), at + dice.choice((1, 1, 2, 5, 20)))
        choice = dice.randrange(10)
        if choice == 0:
            frame = frame[:at] + frame[stop:]
        elif choice == 1:
            frame = frame[:at] + frame[at:stop] + frame[at:]
        elif choice == 2:
            frame = frame[:at]
        elif choice == 3:
            frame = frame[:at] + dice.choice(TOKENS) + frame[at:]
        elif choice == 4:
            frame = frame[:at] + bytes([dice.randrange(256)]) + frame[stop:]
        elif choice == 5:
            frame = frame[:at] + bytes([dice.choice(b'0123456789.",:[]{}-')]) + frame[at + 1 :]
        elif choice > 6:
            digits = [place for place, character in enumerate(frame) if 48 <= character <= 57]
            if digits:
                at = dice.choice(digits)
                frame = frame[:at] + bytes([dice.randrange(48, 58)]) + frame[at + 1 :]
        else:
            start = frame.rfind(b":", 0, at) + 1
            comma = frame.find(b",", start)
            frame = frame[:start] + dice.choice(TOKENS) + frame[comma if comma > 0 else stop :]
    return frame


def _reshaped(dice: random.Random, frame: bytes) -> bytes:
    """The frame with keys shuffled, dropped, added or given another value, and written again."""
    try:
        message = json.loads(frame)
    except ValueError:
        return frame
    outer = isinstance(message, dict) and "data" in message
    data: Any = message["data"] if outer else message
    if not isinstance(data, dict):
        return frame
    items = list(data.items())
    choice = dice.randrange(5)
    if choice == 0:
        dice.shuffle(items)
    elif choice == 1 and items:
        items.pop(dice.randrange(len(items)))
    elif choice == 2:
        name = dice.choice(["z", "xx", "long name", "q", "ps"])
        items.insert(dice.randrange(len(items) + 1), (name, dice.choice([1, "a", True, None])))
    elif choice == 3 and items:
        place = dice.randrange(len(items))
        items[place] = (items[place][0], dice.choice(ODD_VALUES))
    elif choice == 4 and items:
        levels = data.get(dice.choice("ba"))
        if isinstance(levels, list) and levels and isinstance(levels[0], list) and levels[0]:
            level = dice.choice(levels)
            if level:
                level[dice.randrange(len(level))] = dice.choice(ODD_LEVELS)
    data = dict(items)
    if dice.random() < 0.1:  # as a member of an all-market list
        return frames.packed({"stream": "!any@arr", "data": [data]} if outer else [data])
    return frames.packed({**message, "data": data} if outer else data)


def compare(decoder: frames.Decoder, twin: Twin, payload: bytes, count: int) -> str:
    """Empty, or how the fast pass's answer (``count`` rows in the decoder) differs from the twin's."""
    answer = twin.frame(payload, 17, 3)
    if count < 0:
        return ""
    if answer.reason is not None:
        return f"the fast pass took what the twin refuses: {answer.reason} {answer.detail}"
    rows = np.array(answer.rows, dtype=ROW)
    if len(rows) != count or not np.array_equal(rows, decoder.rows[:count]):
        return f"rows differ:\n{decoder.rows[:count]}\n{rows}"
    facts = answer.facts
    ids = [facts.event, facts.instrument, facts.first, facts.last, facts.previous]
    told = [*ids, facts.event_ns, facts.occurred_ns, count]
    return "" if told == decoder.facts() else f"facts differ: {decoder.facts()} {told}"


def campaign(count: int, seed: int, shared: Path) -> tuple[int, Counter[str]]:
    """Run ``count`` frames; (differences found, what became of the frames)."""
    dice = random.Random(seed)
    pool = seeds(shared)
    guarded = Guarded(1 << 16)
    decoder, twin = frames.Decoder(), Twin(frames.INSTRUMENTS)
    seen: Counter[str] = Counter()
    wrong = 0
    for number in range(count):
        payload = mutated(dice, pool)
        if len(payload) > guarded.size:
            payload = payload[: guarded.size]
        rows = decoder.at(guarded.put(payload, at_end=number % 4 != 0), len(payload))
        seen["fast" if rows >= 0 else twin.frame(payload, 17, 3).reason or "accepted by the twin"] += 1
        difference = compare(decoder, twin, payload, rows)
        if difference:
            wrong += 1
            sys.stderr.write(f"frame {number}: {payload!r}\n{difference}\n")
    return wrong, seen


def main() -> int:
    """Exit code 0 without a difference, 1 with one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wrong, seen = campaign(arguments.count, arguments.seed, Path(__file__).parents[3] / "shared")
    sys.stdout.write(f"{arguments.count} frames, {wrong} differences; {dict(seen.most_common())}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
