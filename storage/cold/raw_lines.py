"""Import of third-party captures: one line = local receive time, a space, a frame or a REST depth body.

Several files of one capture become one recording, in the order of their first local time; files that overlap in time
must carry different symbols and are merged by local time. Each instrument's tick and lot size come from the caller's
venue copy, else from the text: the finest decimal place that is not zero anywhere (a true size of 0.05 is seen as
0.01, which refuses nothing). They are stored in ``meta["instruments"]``, so that readers need nothing else.

A file that is of one symbol but for a few stray frames is a capture of that symbol: REST bodies, which name none, are
its, and the strays are no instrument, so that whoever reads the recording quarantines them as of an unknown symbol.

A line that is no such line is kept as a NOTE record with file, line number and reason; it is never lost.

The recording appears whole or not at all: it is written beside its place under a hidden name and renamed at the end.
"""

from __future__ import annotations

import errno
import gzip
import heapq
import io
import os
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import zstandard

from models.error import DataError, PreflightError
from models.instrument import E8, Filters, Instrument, e8_text
from models.recording import PAYLOAD_BYTES_MAX, RecordKind
from storage.cold.quota import hold
from storage.cold.recording_writer import RecordingWriter
from utils.atomic import sync_folder

LINE_BYTES_MAX = PAYLOAD_BYTES_MAX
TIME_DIGITS = {"us": (1_000, 16), "ns": (1, 19)}  # unit → (ns in it, digits of a time between 2001 and 2286)
LAG_FLOOR_NS = 1_000_000
"""What `auto` takes the quickest frames to need: 1 ms, the best a recorder near the venue sees."""
LAG_QUANTILE = 0.001  # the quickest of a thousand: the very quickest may be a clock step
LAGS_MAX = 1_000_000  # of the first frames; more do not move a quantile
TEXT_KEPT = 2000  # characters of a refused line in its note
PROGRESS_LINES = 20_000
LOCAL_NS_MAX = 2**63 - 1 - 2 * 86_400_000_000_000  # int64 less the largest clock offset, a day, with room
EVENT_MS = range(10**12, 10**13)  # 2001 to 2286; another E is no time
STRAYS_MAX = 100  # frames of other symbols that a capture of one may hold; a second market has more within seconds …
STRAY_PART = 20  # … and at most one in so many of the capture's own
ZSTD_READ_BYTES = 8 << 10  # a hostile frame of this size unpacks to 256 MB
_DECIMAL = re.compile(r"\d+(\.\d+)?")
_PLACES_MAX = 8
_NUMBER_MAX = 10**12

Progress = Callable[[int], None]


class Imported(msgspec.Struct, frozen=True):
    """What became of the files: counts, and what was found out about the capture."""

    folder: str
    files: list[str]
    lines: int
    frames: int
    snapshots: int
    refused: int
    first_refusals: list[str]
    clock_offset_ns: int
    clock_steps: int
    market: str
    instruments: list[Instrument]
    strays: dict[str, int]


class _Sizes(msgspec.Struct):
    """What the texts of one symbol show: decimal places that matter and places as written, of prices and quantities.

    ``spot`` when a frame has the form of the spot market; ``frames`` counts them.
    """

    price: int = 0
    quantity: int = 0
    price_written: int = 0
    quantity_written: int = 0
    spot: bool = False
    frames: int = 0


class _Source(msgspec.Struct):
    """One file after the first reading."""

    path: Path
    first_ns: int = -1
    last_ns: int = -1
    lines: int = 0
    symbols: dict[str, _Sizes] = msgspec.field(default_factory=dict)
    snapshot: _Sizes = msgspec.field(default_factory=_Sizes)
    strays: dict[str, int] = msgspec.field(default_factory=dict)  # frames of symbols that the capture is not of

    @property
    def spot(self) -> bool:
        return any(sizes.spot for sizes in self.symbols.values())


def import_raw_lines(
    files: Sequence[Path],
    folder: Path,
    *,
    unit: str,
    clock_offset_ms: float | str = 0.0,
    known: Mapping[str, Instrument] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Write the recording ``folder`` from ``files``.

    ``clock_offset_ms`` is added to every local time; ``"auto"`` chooses it so that one frame in a thousand is quicker
    than ``LAG_FLOOR_NS`` after its event time. ``known`` are venue copies by symbol, used for futures captures.
    Raises DataError when a file cannot be read, holds no frame, or overlaps another one of the same symbol, and when
    ``folder`` is taken; PreflightError when the disk refuses. ``folder`` is then as it was before.
    """
    _refuse_place(folder)
    _refuse_twins(files)
    lags: list[int] = []
    tick = progress or (lambda lines: None)
    sources = [_survey(path, unit, lags, tick) for path in files]
    sources.sort(key=lambda source: source.first_ns)
    _refuse_overlaps(sources)
    instruments = _instruments(sources, known or {})
    market = "spot" if any(source.spot for source in sources) else "usdm"
    offset_ns, rule = _offset(clock_offset_ms, lags)
    meta: dict[str, Any] = {
        "source": "raw-lines",
        "files": [source.path.name for source in sources],
        "unit": unit,
        "market": market,
        "clock_offset_ns": offset_ns,
        "clock_offset_rule": rule,
        "instruments": msgspec.to_builtins(instruments),
        "strays": _strays(sources),
        "keep": True,  # the quota removes what can be recorded again, not what somebody brought
    }
    counts = {"lines": 0, "frames": 0, "snapshots": 0, "refused": 0, "clock_steps": 0}
    refusals: list[str] = []
    indexes = {one.symbol: one.index for one in instruments}
    with _whole(folder) as hidden, closing(RecordingWriter(hidden, meta=meta, wait=True)) as writer:
        _write(writer, sources, unit, offset_ns, indexes, counts, refusals, tick)
        meta.update(counts)
        writer.close()
        if writer.problem:
            detail = writer.problem.partition(f"{hidden.name}: ")[2] or writer.problem
            raise PreflightError(f"{folder} cannot be written: {detail}; nothing of it was kept", code="DISK")
    return Imported(
        folder=str(folder),
        files=meta["files"],
        clock_offset_ns=offset_ns,
        market=market,
        instruments=instruments,
        strays=meta["strays"],
        first_refusals=refusals,
        **counts,
    )


# ---- the recording's place ------------------------------------------------------------------------------------------


def _refuse_place(folder: Path) -> None:
    """Raises DataError unless ``folder`` is free: absent, or empty and not where somebody stands."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; name a folder that does not exist yet", code="EXISTS")
    if any(folder.glob("*.zst")):
        raise DataError(f"{folder} holds a recording already; choose another folder", code="EXISTS")
    if any(folder.iterdir()) or folder.samefile(Path()):
        raise DataError(f"{folder} is in use; name a folder that does not exist yet", code="EXISTS")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its name when all went well, and is removed otherwise."""
    place = folder.resolve()
    hidden = place.with_name(f".{place.name}.importing")
    if hidden.exists():
        try:
            os.close(hold(hidden))
        except OSError:
            raise DataError(f"another import is writing {folder}; wait for it", code="EXISTS") from None
        shutil.rmtree(hidden)  # an import that was killed
    try:
        hidden.mkdir(parents=True)
    except OSError as error:
        raise PreflightError(f"{folder} cannot be made: {error.strerror}; name another place", code="DISK") from None
    try:
        yield hidden
        hidden.rename(place)
        sync_folder(place.parent)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


# ---- lines --------------------------------------------------------------------------------------------------------


class _ZstdFile(io.RawIOBase):
    """Zstd frames one after the other. A file that ends inside a frame raises EOFError, as gzip does."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decoder: Any = None  # of the running frame
        self._packed = self._plain = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            self._packed = self._packed or self._file.read(ZSTD_READ_BYTES)
            if not self._packed:
                if self._decoder is not None:
                    raise EOFError("it ends inside a zstd frame")
                return 0
            self._decoder = self._decoder or zstandard.ZstdDecompressor().decompressobj()
            self._plain = self._decoder.decompress(self._packed)
            self._packed = b""
            if self._decoder.eof:
                self._packed, self._decoder = self._decoder.unused_data, None
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line number and line of a plain, gzip or zstd file. Raises DataError when it cannot be read to its end."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError(f"{path} is no ordinary file and can be read once only; save it first", code="FILE")
            head = file.read(4)
            file.seek(0)
            stream: Any = file
            if head[:2] == b"\x1f\x8b":
                stream = gzip.GzipFile(fileobj=file)
            elif head == b"\x28\xb5\x2f\xfd":
                stream = io.BufferedReader(_ZstdFile(file), ZSTD_READ_BYTES * 16)
            number = 0
            while line := stream.readline(LINE_BYTES_MAX):
                number += 1
                yield number, line.rstrip(b"\r\n")
    except (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise DataError(
            f"{path}: its compressed data is cut or damaged ({error}); fetch it again, or unpack what can be read of "
            "it and import that",
            code="FILE",
        ) from None
    except OSError as error:
        raise DataError(_unreadable(path, error), code="FILE") from None


def _unreadable(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"{path} does not exist; name a capture file"
    if error.errno == errno.EISDIR:
        return f"{path} is a folder; name the capture files in it"
    return f"{path} cannot be read: {error.strerror}; name a capture file that you may read"


def _split(line: bytes, unit: str) -> tuple[int, bytes] | str:
    """Local time in ns and payload of a line, or why it is no such line."""
    text, _, payload = line.partition(b" ")
    scale, digits = TIME_DIGITS[unit]
    if not text.isdigit():
        return "does not begin with a local time and a space"
    if len(text) != digits:
        other = next((name for name, (_, count) in TIME_DIGITS.items() if count == len(text)), "")
        hint = f"; is the unit {other}?" if other else ""
        return f"has a local time of {len(text)} digits, {unit} have {digits}{hint}"
    if not payload.startswith((b"{", b"[")):
        return "has no JSON object behind its local time"
    local_ns = int(text) * scale
    if local_ns > LOCAL_NS_MAX:
        return "has a local time after the year 2262"
    return local_ns, payload


def _is_snapshot(payload: bytes) -> bool:
    return b'"lastUpdateId"' in payload[:40]


# ---- first reading: who is in it, how fine are the numbers, how late are the frames ----------------------------------


def _survey(path: Path, unit: str, lags: list[int], progress: Progress) -> _Source:
    source = _Source(path)
    why = ""
    for number, line in _lines(path):
        if number % PROGRESS_LINES == 0:
            progress(number)
        source.lines = number
        parts = _split(line, unit)
        if isinstance(parts, str):
            why = why or f"line {number} {parts}"
            continue
        local_ns, payload = parts
        source.first_ns = local_ns if source.first_ns < 0 else source.first_ns
        source.last_ns = max(source.last_ns, local_ns)
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            continue  # recorded all the same: whoever reads the recording quarantines it with its reason
        _look(source, message, local_ns, lags)
    if not source.symbols:
        reason = f": {why}" if why else ""
        raise DataError(
            f"{path} holds no frame of a market stream{reason}; a line of a capture is a local time, a space and the "
            "frame as JSON",
            code="FILE",
        )
    _set_strays_apart(source)
    return source


def _set_strays_apart(source: _Source) -> None:
    """Leave one symbol when nearly all frames are of it: a stray frame is no second market."""
    main, *others = sorted(source.symbols, key=lambda symbol: -source.symbols[symbol].frames)
    strays = sum(source.symbols[symbol].frames for symbol in others)
    if strays <= STRAYS_MAX and strays * STRAY_PART <= source.symbols[main].frames:
        source.strays = {symbol: source.symbols.pop(symbol).frames for symbol in others}


def _strays(sources: list[_Source]) -> dict[str, int]:
    """Frames of each symbol that its file is not a capture of, and no other file either."""
    found: dict[str, int] = {}
    for source in sources:
        for symbol, frames in source.strays.items():
            if not any(symbol in other.symbols for other in sources):
                found[symbol] = found.get(symbol, 0) + frames
    return found


def _look(source: _Source, message: Any, local_ns: int, lags: list[int]) -> None:
    """Learn from one frame. Anything odd is left to the readers of the recording."""
    data = message.get("data", message) if isinstance(message, dict) else None
    if not isinstance(data, dict):
        return
    if "lastUpdateId" in data:
        _refine(source.snapshot, _pairs(data.get("bids")) + _pairs(data.get("asks")))
        return
    symbol, event = data.get("s"), data.get("e")
    if not isinstance(symbol, str):
        return
    sizes = source.symbols.setdefault(symbol, _Sizes())
    sizes.frames += 1
    if isinstance(data.get("E"), int) and data["E"] in EVENT_MS and len(lags) < LAGS_MAX:
        lags.append(local_ns - data["E"] * 1_000_000)
    if event in ("aggTrade", "trade"):
        _refine(sizes, [(data.get("p"), data.get("q"))])
    elif event == "depthUpdate":
        sizes.spot |= "pu" not in data
        _refine(sizes, _pairs(data.get("b")) + _pairs(data.get("a")))
    elif event in ("bookTicker", None):
        sizes.spot |= event is None
        _refine(sizes, [(data.get("b"), data.get("B")), (data.get("a"), data.get("A"))])


def _pairs(levels: Any) -> list[tuple[Any, Any]]:
    return [(one[0], one[1]) for one in levels if len(one) == 2] if isinstance(levels, list) else []


def _refine(sizes: _Sizes, pairs: list[tuple[Any, Any]]) -> None:
    for price, quantity in pairs:
        if not isinstance(price, str) or not isinstance(quantity, str):
            continue
        part = price.partition(".")[2]
        if len(part) > sizes.price_written or len(part.rstrip("0")) > sizes.price:
            sizes.price, sizes.price_written = _learnt(price, sizes.price, sizes.price_written)
        part = quantity.partition(".")[2]
        if len(part) > sizes.quantity_written or len(part.rstrip("0")) > sizes.quantity:
            sizes.quantity, sizes.quantity_written = _learnt(quantity, sizes.quantity, sizes.quantity_written)


def _learnt(text: str, places: int, written: int) -> tuple[int, int]:
    """Decimal places that matter and places written, after ``text``: one damaged number must not decide the sizes."""
    if not _DECIMAL.fullmatch(text):
        return places, written
    part = text.partition(".")[2]
    return max(places, len(part.rstrip("0"))), max(written, len(part))


def _refuse_twins(files: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in files:
        if path.resolve() in seen:
            raise DataError(f"{path} is given twice; name each file of the capture once", code="OVERLAP")
        seen.add(path.resolve())


def _refuse_overlaps(sources: list[_Source]) -> None:
    for place, source in enumerate(sources):
        for other in sources[:place]:
            both = sorted(source.symbols.keys() & other.symbols.keys())
            if both and source.first_ns <= other.last_ns:
                raise DataError(
                    f"{source.path.name} begins before {other.path.name} ends and both carry {both[0]}; "
                    "give files of one capture that follow each other",
                    code="OVERLAP",
                )


def _instruments(sources: list[_Source], known: Mapping[str, Instrument]) -> list[Instrument]:
    """One instrument for each symbol, in the order of their names."""
    found: dict[str, _Sizes] = {}
    spot = any(source.spot for source in sources)
    for source in sources:
        if len(source.symbols) == 1:
            source.symbols[next(iter(source.symbols))] = _finer(next(iter(source.symbols.values())), source.snapshot)
        for symbol, sizes in source.symbols.items():
            found[symbol] = _finer(found.get(symbol, _Sizes()), sizes)
    instruments = []
    for index, symbol in enumerate(sorted(found)):
        sizes = found[symbol]
        copy = known.get(symbol)
        if copy is not None and not spot and _fits(copy, sizes):
            instruments.append(msgspec.structs.replace(copy, index=index, epoch=0))
        else:
            instruments.append(_inferred(symbol, index, sizes))
    return instruments


def _finer(one: _Sizes, other: _Sizes) -> _Sizes:
    return _Sizes(
        *(max(pair) for pair in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True))
    )


def _fits(copy: Instrument, sizes: _Sizes) -> bool:
    """Whether the texts of the file can be multiples of the copy's sizes: a year may lie between them."""
    return sizes.price <= _places(copy.tick_e8) and sizes.quantity <= _places(copy.lot_e8)


def _places(size_e8: int) -> int:
    """Decimal places of a size at 1e-8."""
    return len(e8_text(size_e8).partition(".")[2])


def _inferred(symbol: str, index: int, sizes: _Sizes) -> Instrument:
    price, quantity = min(sizes.price, _PLACES_MAX), min(sizes.quantity, _PLACES_MAX)
    if price + quantity > _PLACES_MAX:
        raise DataError(
            f"{symbol}: prices with {price} and quantities with {quantity} places are finer than 1e-8 together, which "
            "money at 1e-8 cannot hold; leave this symbol out of the capture",
            code="FILTERS",
        )
    quote = next((asset for asset in ("USDT", "USDC", "FDUSD", "BTC") if symbol.endswith(asset)), "")
    return Instrument(
        symbol=symbol,
        index=index,
        epoch=0,
        tick_e8=E8 // 10**price,
        lot_e8=E8 // 10**quantity,
        price_places=min(sizes.price_written, _PLACES_MAX),
        quantity_places=min(sizes.quantity_written, _PLACES_MAX),
        filters=Filters(1, _NUMBER_MAX, 1, _NUMBER_MAX, 1, _NUMBER_MAX, 0),
        base=symbol.removesuffix(quote),
        quote=quote or "USDT",
        dated="inferred",
    )


def _offset(clock_offset_ms: float | str, lags: list[int]) -> tuple[int, str]:
    if clock_offset_ms != "auto":
        return round(float(clock_offset_ms) * 1_000_000), "given"
    if not lags:
        raise DataError("no frame carries an event time E, so that no clock offset can be estimated; give it in ms")
    floor = int(np.quantile(np.array(lags), LAG_QUANTILE, method="lower"))
    rule = f"{LAG_FLOOR_NS} ns minus the {LAG_QUANTILE:.1%} quantile of local time minus E ({floor} ns)"
    return LAG_FLOOR_NS - floor, rule


# ---- second reading: write -------------------------------------------------------------------------------------------


def _write(
    writer: RecordingWriter, sources: list[_Source], unit: str, offset_ns: int, indexes: dict[str, int],
    counts: dict[str, int], refusals: list[str], progress: Progress,
) -> None:  # fmt: skip
    received_ns = sources[0].first_ns + offset_ns
    merged = heapq.merge(*(_records(source, unit, indexes) for source in sources), key=lambda record: record[0])
    for local_ns, kind, index, payload, refusal in merged:
        counts["lines"] += 1
        if counts["lines"] % PROGRESS_LINES == 0:
            progress(counts["lines"])
        if local_ns + offset_ns < received_ns:
            counts["clock_steps"] += 1  # a recorder's clock that steps back; receive times never fall
        received_ns = max(received_ns, local_ns + offset_ns)
        writer.record(kind, index, payload, received_ns, counts["lines"])
        counts["frames"] += kind == RecordKind.FRAME
        counts["snapshots"] += kind == RecordKind.DEPTH_ANSWER
        if refusal:
            counts["refused"] += 1
            if len(refusals) < 10:
                refusals.append(refusal)


def _shares(source: _Source) -> str:
    """The three symbols with the most frames, and how many these are."""
    ranked = sorted(source.symbols.items(), key=lambda item: -item[1].frames)
    told = "frames: " + ", ".join(f"{symbol} {sizes.frames}" for symbol, sizes in ranked[:3])
    return told if len(ranked) <= 3 else f"{told} and {len(ranked) - 3} more"


def _records(source: _Source, unit: str, indexes: dict[str, int]) -> Iterator[tuple[int, int, int, bytes, str]]:
    """(local time, kind, connection, payload, refusal) of every line; refused ones take the time of the line before."""
    local_ns = source.first_ns
    alone = next(iter(source.symbols)) if len(source.symbols) == 1 else ""
    for number, line in _lines(source.path):
        parts = _split(line, unit)
        if isinstance(parts, str):
            reason = parts
        else:
            local_ns, payload = parts
            if not _is_snapshot(payload):
                yield local_ns, RecordKind.FRAME, 0, payload, ""
                continue
            if alone:
                yield local_ns, RecordKind.DEPTH_ANSWER, indexes[alone], payload, ""
                continue
            reason = f"is a snapshot without a symbol in a capture of several ({_shares(source)}); give a file for each"
        refusal = f"{source.path.name} line {number} {reason}"
        text = line[:TEXT_KEPT].decode("utf-8", "replace")
        yield local_ns, RecordKind.NOTE, 0, orjson.dumps({"refused": refusal, "line": number, "text": text}), refusal
