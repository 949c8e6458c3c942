"""Third-party captures: every line is kept or refused with its reason, and the recording is whole or absent."""

from __future__ import annotations

import errno
import gzip
import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from config.venue import shipped_instruments
from models.error import DataError, PreflightError
from models.instrument import E8, Instrument
from models.recording import RecordKind
from storage.cold import recording_writer
from storage.cold.quota import hold, make_room
from storage.cold.raw_lines import LAG_FLOOR_NS, Imported, import_raw_lines
from storage.cold.recording import Record, Recording

START_US = 1_700_000_000_000_000
KNOWN = {one.symbol: one for one in shipped_instruments(["BTCUSDT", "ETHUSDT"])}
SNAPSHOT = '{"lastUpdateId":10,"bids":[["100.10","1.000"]],"asks":[["100.20","2.000"]]}'


def trade(symbol: str = "BTCUSDT", price: str = "100.10", quantity: str = "1.000", event_ms: Any = 0) -> str:
    """A trade in combined framing."""
    data = {"e": "trade", "E": event_ms or START_US // 1000, "s": symbol, "p": price, "q": quantity}
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": data}, separators=(",", ":"))


def diff(symbol: str = "BTCUSDT", **more: Any) -> str:
    """A depth diff in combined framing."""
    data = {"e": "depthUpdate", "E": START_US // 1000, "s": symbol, "b": [["100.10", "1.000"]], "a": [], **more}
    return json.dumps({"stream": f"{symbol.lower()}@depth", "data": data}, separators=(",", ":"))


def lines(payloads: Iterable[str], start_us: int = START_US, step_us: int = 1000) -> str:
    """A capture in µs, one payload each millisecond."""
    return "".join(f"{start_us + number * step_us} {payload}\n" for number, payload in enumerate(payloads))


class Desk:
    """A folder with captures in it, and what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"

    def file(self, text: str | bytes, name: str = "capture.txt") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def imports(self, *files: Path, **options: Any) -> Imported:
        return import_raw_lines(files, self.out, **{"unit": "us", "known": KNOWN} | options)

    def records(self) -> list[Record]:
        return list(Recording.open(self.out).records())

    def refused(self, *files: Path, **options: Any) -> str:
        """The sentence of the refusal; nothing must be left of the recording."""
        before = sorted(self.folder.rglob("*"))
        with pytest.raises((DataError, PreflightError)) as caught:
            self.imports(*files, **options)
        assert sorted(self.folder.rglob("*")) == before, "a refused import left something behind"
        return caught.value.message


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- what is written ----


def test_each_line_becomes_a_record_with_its_local_time(desk: Desk) -> None:
    """Frames and the snapshot come in their order, numbered from one, their bytes untouched."""
    payloads = [SNAPSHOT, diff(pu=9), trade()]
    imported = desk.imports(desk.file(lines(payloads)))
    assert [(one.number, one.kind, one.received_ns, one.payload.decode()) for one in desk.records()] == [
        (1, RecordKind.DEPTH_ANSWER, START_US * 1000, payloads[0]),
        (2, RecordKind.FRAME, START_US * 1000 + 1_000_000, payloads[1]),
        (3, RecordKind.FRAME, START_US * 1000 + 2_000_000, payloads[2]),
    ]
    assert (imported.lines, imported.frames, imported.snapshots, imported.refused) == (3, 2, 1, 0)


def test_nanoseconds_are_taken_as_they_are(desk: Desk) -> None:
    """With ``ns`` the local time is the receive time."""
    desk.imports(desk.file(f"{START_US * 1000 + 7} {trade()}\n"), unit="ns")
    assert desk.records()[0].received_ns == START_US * 1000 + 7


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_files_of_one_capture_become_one_recording(desk: Desk, order: Sequence[int]) -> None:
    """Whatever their order on the command line, files that follow each other are joined by time."""
    texts = [lines([trade(price=f"{100 + part}.10")] * 3, START_US + part * 1_000_000) for part in range(3)]
    files = [desk.file(text, f"{number}.txt") for number, text in enumerate(texts)]
    imported = desk.imports(*(files[place] for place in order))
    assert imported.files == ["0.txt", "1.txt", "2.txt"]
    assert [json.loads(one.payload)["data"]["p"] for one in desk.records()] == ["100.10"] * 3 + ["101.10"] * 3 + [
        "102.10"
    ] * 3


def test_files_of_different_symbols_are_merged_by_time(desk: Desk) -> None:
    """Two recorders beside each other: their lines interleave, and each symbol has its own instrument."""
    one = desk.file(lines([trade()] * 3, step_us=2000), "one.txt")
    two = desk.file(lines([trade("ETHUSDT")] * 3, START_US + 1000, 2000), "two.txt")
    imported = desk.imports(one, two)
    assert [json.loads(record.payload)["data"]["s"] for record in desk.records()] == ["BTCUSDT", "ETHUSDT"] * 3
    assert [(found.symbol, found.index) for found in imported.instruments] == [("BTCUSDT", 0), ("ETHUSDT", 1)]


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
        zstandard.ZstdCompressor().compress,
        lambda data: zstandard.ZstdCompressor().compress(data[:100]) + zstandard.ZstdCompressor().compress(data[100:]),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
    ],
    ids=["gzip", "gzip members", "zstd", "zstd frames", "line ends of DOS", "no last line end"],
)
def test_packing_changes_nothing(desk: Desk, pack: Callable[[bytes], bytes]) -> None:
    """Plain, gzip, zstd, in one piece or several: the records are the same."""
    text = lines([trade(price=f"{number}.10") for number in range(40)]).encode()
    desk.imports(desk.file(pack(text)))
    assert [json.loads(one.payload)["data"]["p"] for one in desk.records()] == [f"{n}.10" for n in range(40)]


def test_refused_lines_are_kept_as_notes(desk: Desk) -> None:
    """What is no line of a capture stands in its place with file, number, reason and text, and is counted."""
    text = f"garbage\n{START_US} {trade()}\n{START_US} no json\n12 {trade()}\n\n"
    imported = desk.imports(desk.file(text))
    notes = [json.loads(one.payload) for one in desk.records() if one.kind == RecordKind.NOTE]
    assert (
        [note["refused"] for note in notes]
        == imported.first_refusals
        == [
            "capture.txt line 1 does not begin with a local time and a space",
            "capture.txt line 3 has no JSON object behind its local time",
            "capture.txt line 4 has a local time of 2 digits, us have 16",
            "capture.txt line 5 does not begin with a local time and a space",
        ]
    )
    assert (notes[0]["text"], notes[1]["line"], imported.lines, imported.refused) == ("garbage", 3, 5, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.just(f"{START_US} {trade()}".encode()))))
def test_no_line_is_lost_and_none_stops_the_import(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes]
) -> None:
    """Whatever bytes stand between good lines: frames, snapshots and refusals add up to the lines of the file."""
    desk = Desk(tmp_path_factory.mktemp("lines"))
    good = f"{START_US} {trade()}".encode()
    imported = desk.imports(desk.file(b"\n".join([good, *found])))
    assert imported.lines == imported.frames + imported.snapshots + imported.refused == len(desk.records())
    assert imported.frames >= 1 + found.count(good)


def test_a_snapshot_belongs_to_the_one_symbol_of_its_file(desk: Desk) -> None:
    """REST bodies carry no symbol: alone in its file it is clear, among several it is refused as a note."""
    alone = desk.file(lines([trade("ETHUSDT"), SNAPSHOT]), "alone.txt")
    mixed = desk.file(lines([trade(), trade("XRPUSDT"), SNAPSHOT]), "mixed.txt")
    imported = desk.imports(alone, mixed)
    (answer,) = [one for one in desk.records() if one.kind == RecordKind.DEPTH_ANSWER]
    assert imported.instruments[answer.connection].symbol == "ETHUSDT"
    (refusal,) = imported.first_refusals
    assert refusal == (
        "mixed.txt line 3 is a snapshot without a symbol in a capture of several (frames: BTCUSDT 1, XRPUSDT 1); "
        "give a file for each"
    )


@pytest.mark.parametrize("stray", [trade("XRPUSDT", "0.0000001", "0.001"), diff("XRPUSDT")], ids=["trade", "spot diff"])
def test_a_stray_frame_makes_no_second_market(desk: Desk, stray: str) -> None:
    """One frame of another symbol among many: the snapshot, the sizes and the market are the capture's own."""
    imported = desk.imports(desk.file(lines([SNAPSHOT, *[diff(pu=9)] * 20, stray])))
    assert ([one.symbol for one in imported.instruments], imported.market) == (["BTCUSDT"], "usdm")
    assert (imported.snapshots, imported.refused, imported.strays) == (1, 0, {"XRPUSDT": 1})
    assert Recording.open(desk.out).meta["strays"] == {"XRPUSDT": 1}
    assert desk.records()[-1].payload.decode() == stray


def test_a_second_market_is_no_stray(desk: Desk) -> None:
    """More than one frame in twenty, or more than a hundred: both symbols are instruments."""
    many = desk.file(lines([*[trade()] * 19, trade("XRPUSDT")]), "many.txt")
    assert [one.symbol for one in desk.imports(many).instruments] == ["BTCUSDT", "XRPUSDT"]
    desk.out = desk.folder / "more"
    more = desk.file(lines([*[trade()] * 2020, *[trade("XRPUSDT")] * 101]), "more.txt")
    assert [one.symbol for one in desk.imports(more).instruments] == ["BTCUSDT", "XRPUSDT"]


def test_a_stray_of_a_symbol_that_another_file_is_of_is_no_overlap(desk: Desk) -> None:
    """Two captures side by side stay importable when a frame of the one lies in the other."""
    one = desk.file(lines([*[trade()] * 40, trade("ETHUSDT")]), "one.txt")
    two = desk.file(lines([trade("ETHUSDT")] * 40), "two.txt")
    imported = desk.imports(one, two)
    assert ([found.symbol for found in imported.instruments], imported.strays) == (["BTCUSDT", "ETHUSDT"], {})


def test_a_clock_that_steps_back_never_makes_time_fall(desk: Desk) -> None:
    """Receive times of a recording rise; a recorder's step back is counted and held."""
    text = "".join(f"{START_US + at} {trade()}\n" for at in (5, 3, 9))
    imported = desk.imports(desk.file(text))
    assert [one.received_ns - START_US * 1000 for one in desk.records()] == [5000, 5000, 9000]
    assert imported.clock_steps == 1


# ---- what is found out ----


def one_instrument(desk: Desk, payloads: Sequence[str]) -> Instrument:
    (found,) = desk.imports(desk.file(lines(payloads))).instruments
    return found


def test_sizes_come_from_the_venues_copy(desk: Desk) -> None:
    """A known futures contract has the tick and step of its dated copy."""
    found = one_instrument(desk, [trade(), diff(pu=1)])
    assert (found.tick_e8, found.lot_e8, found.dated) == (10**7, 10**5, KNOWN["BTCUSDT"].dated)


@pytest.mark.parametrize(
    ("price", "quantity", "tick_e8", "lot_e8"),
    [("1.5000", "2", E8 // 10, E8), ("3.00", "1.2340", E8, E8 // 1000), ("0.00012", "100", E8 // 10**5, E8)],
)
def test_sizes_are_seen_in_the_text_otherwise(desk: Desk, price: str, quantity: str, tick_e8: int, lot_e8: int) -> None:
    """The finest decimal place that is not zero anywhere is the size."""
    found = one_instrument(desk, [trade("NEWUSDT", price, quantity), trade("NEWUSDT", "7", "5")])
    assert (found.tick_e8, found.lot_e8, found.dated) == (tick_e8, lot_e8, "inferred")


def test_a_copy_that_is_too_coarse_is_not_used(desk: Desk) -> None:
    """A contract whose old prices are finer than today's tick gets the size of its text."""
    found = one_instrument(desk, [trade(price="100.12")])
    assert (found.tick_e8, found.dated) == (10**6, "inferred")


def test_one_damaged_number_does_not_decide_the_sizes(desk: Desk) -> None:
    """A text that is no decimal number is left to the readers of the recording."""
    found = one_instrument(desk, [trade(), trade(price="100.1x5"), trade(quantity="1.00000001e")])
    assert found.dated == KNOWN["BTCUSDT"].dated


def test_sizes_that_money_cannot_hold_are_refused(desk: Desk) -> None:
    """Prices and quantities whose product is finer than 1e-8 are named with their symbol."""
    text = lines([trade("TINYUSDT", "0.000001", "0.0001")])
    assert "TINYUSDT: prices with 6 and quantities with 4 places" in desk.refused(desk.file(text))


def test_diffs_without_pu_are_spot(desk: Desk) -> None:
    """The futures chain has ``pu``; without it the market is spot and no futures copy is used."""
    imported = desk.imports(desk.file(lines([diff()])))
    assert (imported.market, imported.instruments[0].dated) == ("spot", "inferred")


def test_a_given_offset_moves_every_time(desk: Desk) -> None:
    """Milliseconds are added to the local times and noted in the recording."""
    imported = desk.imports(desk.file(lines([trade()])), clock_offset_ms=1269.5)
    assert imported.clock_offset_ns == 1_269_500_000
    assert desk.records()[0].received_ns == START_US * 1000 + 1_269_500_000
    assert Recording.open(desk.out).meta["clock_offset_ns"] == 1_269_500_000


def test_an_estimated_offset_makes_the_quickest_frame_a_millisecond_old(desk: Desk) -> None:
    """``auto`` leaves the quickest of the frames one millisecond behind its event time, absurd event times aside."""
    first_ms = START_US // 1000
    payloads = [trade(event_ms=first_ms + 1_000 + number - 5 * (number == 7)) for number in range(20)]
    payloads += [trade(event_ms=1), trade(event_ms=10**18)]
    imported = desk.imports(desk.file(lines(payloads)), clock_offset_ms="auto")
    lags = [
        one.received_ns - json.loads(one.payload)["data"]["E"] * 1_000_000
        for one in desk.records()[: len(payloads) - 2]
    ]
    assert min(lags) == LAG_FLOOR_NS
    assert imported.clock_offset_ns == LAG_FLOOR_NS + 1_000_000_000


def test_an_offset_cannot_be_estimated_without_event_times(desk: Desk) -> None:
    """A capture of quotes alone says so and asks for milliseconds."""
    quote = '{"stream":"btcusdt@bookTicker","data":{"s":"BTCUSDT","b":"1.1","B":"1","a":"1.2","A":"1"}}'
    assert "give it in ms" in desk.refused(desk.file(lines([quote])), clock_offset_ms="auto")


def test_progress_counts_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readings tell how far they are."""
    monkeypatch.setattr("storage.cold.raw_lines.PROGRESS_LINES", 2)
    told: list[int] = []
    desk.imports(desk.file(lines([trade()] * 5)), progress=told.append)
    assert told == [2, 4, 2, 4]


def test_the_quota_never_removes_what_somebody_brought(desk: Desk) -> None:
    """An imported recording can not be recorded again, so making room leaves it alone."""
    desk.imports(desk.file(lines([trade()])))
    assert make_room(desk.folder, desk.folder / "current", 0) > 0
    assert Recording.open(desk.out).verify() == ""


# ---- what is refused, and leaves nothing ----


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "holds no frame of a market stream; a line of a capture is a local time, a space and the frame as JSON"),
        (b"\x00\xff" * 999, "line 1 does not begin with a local time and a space"),
        (f"{START_US}000 {trade()}\n".encode(), "line 1 has a local time of 19 digits, us have 16; is the unit ns?"),
        (f"9999999999999999 {trade()}\n".encode(), "line 1 has a local time after the year 2262"),
        (f"{START_US} [1]\n".encode(), "holds no frame of a market stream"),
    ],
    ids=["empty", "binary", "other unit", "far future", "other json"],
)
def test_a_file_without_a_frame_is_refused(desk: Desk, text: bytes, sentence: str) -> None:
    """The reason is that of its first line, and what a line should look like is said."""
    assert sentence in desk.refused(desk.file(text))


def test_a_place_that_is_no_file_is_refused(desk: Desk) -> None:
    """An absent file, a folder and a pipe each have their sentence."""
    os.mkfifo(desk.folder / "pipe")
    keep = os.open(desk.folder / "pipe", os.O_RDWR)
    try:
        assert "pipe is no ordinary file and can be read once only" in desk.refused(desk.folder / "pipe")
    finally:
        os.close(keep)
    assert "absent does not exist; name a capture file" in desk.refused(desk.folder / "absent")
    assert "is a folder; name the capture files in it" in desk.refused(desk.folder)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_packed_file_that_was_cut_is_refused(desk: Desk, pack: Callable[[bytes], bytes]) -> None:
    """At whatever byte it was cut, a packed file is never taken for a shorter whole one."""
    packed = pack(lines([trade(price=f"{number}.10") for number in range(300)]).encode())
    for size in range(8, len(packed), len(packed) // 40):
        assert "its compressed data is cut or damaged" in desk.refused(desk.file(packed[:size]))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_a_packed_file_that_was_damaged_is_refused(desk: Desk, pack: Callable[[bytes], bytes]) -> None:
    """A flipped byte behind the head ends in a sentence, never in a trace."""
    packed = bytearray(pack(lines([trade(price=f"{number}.10") for number in range(300)]).encode()))
    for at in range(20, len(packed), len(packed) // 25):
        packed[at] ^= 0x55
        assert "capture.txt" in desk.refused(desk.file(bytes(packed)))
        packed[at] ^= 0x55


def test_overlapping_files_of_one_symbol_are_refused(desk: Desk) -> None:
    """Two captures of the same hours cannot be one market; the same file given twice is told as such."""
    one, two = desk.file(lines([trade()] * 5), "one.txt"), desk.file(lines([trade()] * 5, START_US + 2000), "two.txt")
    assert "two.txt begins before one.txt ends and both carry BTCUSDT" in desk.refused(one, two)
    assert "is given twice" in desk.refused(one, desk.folder / "." / "one.txt")


def test_a_taken_place_is_refused(desk: Desk) -> None:
    """A file, a recording, a folder in use and the working folder stay as they are; an empty folder is taken."""
    file = desk.file(lines([trade()]))
    desk.out.write_text("mine")
    assert "is a file; name a folder that does not exist yet" in desk.refused(file)
    desk.out.unlink()
    desk.out.mkdir()
    (desk.out / "notes.txt").write_text("mine")
    assert "is in use" in desk.refused(file)
    (desk.out / "notes.txt").unlink()
    desk.imports(file)
    assert "holds a recording already" in desk.refused(file)


def test_the_working_folder_is_not_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands in an empty folder would stand in a removed one."""
    file = desk.file(lines([trade()]))
    desk.out.mkdir()
    monkeypatch.chdir(desk.out)
    with pytest.raises(DataError, match="is in use"):
        import_raw_lines([file], Path(), unit="us")


def test_a_place_that_cannot_be_made_is_refused(desk: Desk) -> None:
    """Below a file no folder can be made."""
    file = desk.file(lines([trade()]))
    desk.out = file / "out"
    assert "cannot be made: Not a directory" in desk.refused(file)


def test_a_full_disk_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses in the middle, one sentence says so and no half recording stays."""
    real = os.write

    def refusing(descriptor: int, data: Any) -> int:
        if threading.current_thread().name == "recording":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    file = desk.file(lines([trade()] * 100))
    monkeypatch.setattr(recording_writer.os, "write", refusing)
    sentence = desk.refused(file)
    assert "out cannot be written: [Errno 28] No space left on device; nothing of it was kept" in sentence


def test_the_remains_of_a_killed_import_make_way(desk: Desk) -> None:
    """What a killed import left under its hidden name is removed, unless somebody is still writing it."""
    file = desk.file(lines([trade()]))
    hidden = desk.folder / ".out.importing"
    hidden.mkdir()
    (hidden / "0000.zst").write_bytes(b"half")
    writing = hold(hidden)
    try:
        assert "another import is writing" in desk.refused(file)
    finally:
        os.close(writing)
    desk.imports(file)
    assert not hidden.exists() and len(desk.records()) == 1


def test_an_interrupted_import_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the second reading: the hidden folder is gone and the place is free."""
    monkeypatch.setattr("storage.cold.raw_lines.PROGRESS_LINES", 50)
    told: list[int] = []

    def interrupt(count: int) -> None:
        told.append(count)
        if len(told) == 3:
            raise KeyboardInterrupt

    file = desk.file(lines([trade()] * 100))
    with pytest.raises(KeyboardInterrupt):
        desk.imports(file, progress=interrupt)
    assert sorted(path.name for path in desk.folder.iterdir()) == ["capture.txt"]


def test_what_was_found_out_reads_back(desk: Desk) -> None:
    """The recording itself holds instruments, counts and the offset's rule: readers need nothing else."""
    imported = desk.imports(desk.file(lines([SNAPSHOT, trade(), diff(pu=1)])), clock_offset_ms="auto")
    meta = Recording.open(desk.out).meta
    assert tuple(msgspec.convert(meta["instruments"], list[Instrument])) == tuple(imported.instruments)
    assert {name: meta[name] for name in ("lines", "frames", "snapshots", "refused", "clock_steps")} == {
        "lines": 3, "frames": 2, "snapshots": 1, "refused": 0, "clock_steps": 0,
    }  # fmt: skip
    assert (meta["source"], meta["keep"], "quantile" in meta["clock_offset_rule"]) == ("raw-lines", True, True)
