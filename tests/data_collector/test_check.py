"""What ``data check`` says of a recording: made-up ones with one fault each, and the real captures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from data_collector.check import REFUSALS_SHOWN, check
from models.recording import RecordKind
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording
from tests.data_collector import frames
from tests.data_collector.frames import packed, records

BTC_2024 = "binance-usdm-btcusdt-raw-2024-08-08T2354"
ETH_2024 = "binance-usdm-ethusdt-raw-2024-08-08T2354"
BTC_2023 = ("binance-usdm-btcusdt-raw-2023-04-04T2358", "binance-usdm-btcusdt-raw-2023-04-05T0000")
CAPTURES = {"BTC 2024": ((BTC_2024,), "ns"), "ETH 2024": ((ETH_2024,), "ns"), "BTC 2023": (BTC_2023, "us")}
"""The USD-M captures that begin with a snapshot; the two files of 2023 are one recording."""
MINUTE_NS = 60 * 10**9
START_US = frames.E_MS * 1000


class Made:
    """A recording in memory: messages a millisecond apart, in one chunk for each list."""

    def __init__(self, *parts: list[Any], **meta: Any) -> None:
        self.meta = {"instruments": msgspec.to_builtins(frames.INSTRUMENTS), **meta}
        self._parts = parts

    def chunks(self) -> list[bytes]:
        chunks, at_ns = [], START_US * 1000
        for part in self._parts:
            items = []
            for message in part:
                at_ns += 1_000_000
                kind = RecordKind.DEPTH_ANSWER if "bids" in message else RecordKind.FRAME
                items.append((kind, 0, packed(message), at_ns))
            chunks.append(records(items))
        return chunks


def checked(*parts: list[Any], bars_ns: int = 0) -> dict[str, Any]:
    document = check(Made(*parts), bars_ns=bars_ns)
    json.dumps(document)  # the document is printed as it is
    return document


BIDS, ASKS = [["76914.90", "4.218"], ["76914.80", "1.000"]], [["76915.00", "6.128"], ["76915.10", "2.000"]]
BOOK = frames.snapshot(9, BIDS, ASKS)
"""Its touch is that of ``frames.quote``."""


def test_a_good_recording_is_ok() -> None:
    """A book in sequence whose touch is the quote's with the same id is fine, and the document says what it held."""
    document = checked([BOOK, frames.depth(10, 12, 9, [["76914.80", "0"]], []), frames.quote(12), frames.trade(5)])
    assert document["ok"] and document["instruments"][0]["book"] == "valid"
    assert (document["quotes_compared"], document["quotes_agreed"], document["crossed_books"]) == (1, 1, 0)
    assert (document["instruments"][0]["best_bid"], document["instruments"][0]["best_ask"]) == ("76914.90", "76915.00")
    assert document["rows"] == {"depth": 1, "snapshot": 4, "quote": 2, "trade": 1}
    assert (document["frames"], document["answers"], document["accepted"], document["fast_share"]) == (3, 1, 4, 1.0)
    assert (document["first_us"], document["last_us"]) == (START_US + 1000, START_US + 4000)
    assert document["feed_lag_ms"]["quote"] == {"p1": 3.0, "p50": 3.0, "p99": 3.0}


@pytest.mark.parametrize("first", ["depth", "quote"])
@pytest.mark.parametrize("split", [False, True])
def test_a_touch_is_compared_with_its_quote_wherever_it_stands(first: str, split: bool) -> None:
    """Quote and depth frame of one update id find each other in either order and across chunks."""
    pair = [frames.depth(10, 12, 9, [], []), frames.quote(12)]
    pair = pair if first == "depth" else pair[::-1]
    document = checked([BOOK, pair[0]], [pair[1]]) if split else checked([BOOK, *pair])
    assert (document["quotes_compared"], document["quotes_agreed"], document["ok"]) == (1, 1, True)


@pytest.mark.parametrize("change", [{"b": "76914.80"}, {"B": "4.219"}, {"a": "76915.10"}, {"A": "6.129"}], ids=str)
def test_a_quote_that_disagrees_is_a_finding(change: dict[str, str]) -> None:
    """Price and quantity of both sides must be the book's."""
    document = checked([BOOK, frames.depth(10, 12, 9, [], []), {**frames.quote(12), **change}])
    assert (document["ok"], document["quotes_compared"], document["quotes_agreed"]) == (False, 1, 0)


def test_a_crossed_book_is_a_finding() -> None:
    """Each frame that leaves best bid at or above best ask is counted (fault F10)."""
    diffs = [frames.depth(10, 12, 9, [["76915.00", "1"]], []), frames.depth(13, 15, 12, [["76915.00", "0"]], [])]
    document = checked([BOOK, *diffs])
    assert (document["ok"], document["crossed_books"], document["instruments"][0]["crossed"]) == (False, 1, 1)


def test_a_gap_loses_the_book_until_the_next_snapshot() -> None:
    """What broke is listed, and the state at the end is said: lost, or valid again."""
    gap = [BOOK, frames.depth(10, 12, 9), frames.depth(20, 22, 19)]
    lost = checked(gap)
    assert (lost["sequence_gaps"], lost["instruments"][0]["book"], lost["instruments"][0]["lost"]) == (
        1,
        "lost",
        ["GAP"],
    )
    assert "best_bid" not in lost["instruments"][0]
    again = checked([*gap, frames.snapshot(21, BIDS, ASKS)])
    assert again["instruments"][0]["book"] == "valid" and again["instruments"][0]["snapshots"] == 2


def test_without_a_snapshot_there_is_no_book() -> None:
    """Diffs alone are a change of something unknown: the document says «no book» and compares nothing."""
    document = checked([frames.depth(10, 12, 9), frames.quote(12)])
    assert [one["book"] for one in document["instruments"]] == ["no book", "no book"]
    assert document["ok"] and document["quotes_compared"] == 0


def test_refusals_are_listed_with_their_reason() -> None:
    """Of what was refused the newest stand in the document, all are counted by reason and by stream."""
    document = checked([{**frames.quote(number), "b": "NaN"} for number in range(20)])
    assert document["quarantined_by_reason"] == {"BAD_NUMBER": 20} and document["quarantined_by_stream"] == {
        "bookTicker": 20
    }
    assert len(document["refusals"]) == REFUSALS_SHOWN
    assert document["refusals"][0]["reason"] == "BAD_NUMBER" and document["fast_share"] == 0.0


def test_an_empty_recording_has_a_document_too() -> None:
    """Nothing heard is no error."""
    document = checked([], bars_ns=MINUTE_NS)
    assert (document["frames"], document["seconds"], document["bars"], document["feed_lag_ms"]) == (0, 0.0, [], {})


def test_bars_are_made_by_occurred_time() -> None:
    """A trade counts in the bar of its own time, off-market prints in none, silent intervals are absent."""
    minute_ms = frames.E_MS // 60_000 * 60_000
    trades = [
        {**frames.trade(1), "T": minute_ms, "p": "100.00", "q": "1.000"},
        {**frames.trade(2), "T": minute_ms + 180_000, "p": "90.00", "q": "0.500"},
        {**frames.trade(3), "T": minute_ms + 59_999, "p": "101.50", "q": "2.000"},
        {**frames.trade(4), "T": minute_ms + 10, "p": "500.00", "X": "INSURANCE_FUND"},
    ]
    bars = checked(trades, bars_ns=MINUTE_NS)["bars"]
    assert bars == [
        {"symbol": "BTCUSDT", "open_us": minute_ms * 1000, "open": "100", "high": "101.5", "low": "100",
         "close": "101.5", "volume": "3", "trades": 2},
        {"symbol": "BTCUSDT", "open_us": (minute_ms + 180_000) * 1000, "open": "90", "high": "90", "low": "90",
         "close": "90", "volume": "0.5", "trades": 1},
    ]  # fmt: skip


def test_progress_is_told_in_rows() -> None:
    """After each block the caller hears how many rows have passed."""
    told: list[int] = []
    check(Made([frames.quote(1)], [frames.quote(2), frames.quote(3)]), progress=told.append)
    assert told[-1] == 6 and told == sorted(told)


# ---- real captures --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The checked documents of the captures, imported once."""
    documents = {}
    for name, (stems, unit) in {**CAPTURES, "no snapshot": (BTC_2023[1:], "us")}.items():
        files = [shared / "market-data" / "raw" / f"{stem}.gz" for stem in stems]
        if not all(file.is_file() for file in files):
            pytest.skip(f"the recorded capture {stems[0]} is absent")
        folder = tmp_path_factory.mktemp("captures") / "recording"
        imported = import_raw_lines(files, folder, unit=unit)
        documents[name] = check(Recording.open(folder), bars_ns=5 * MINUTE_NS) | {
            "imported": msgspec.to_builtins(imported)
        }
    return documents


@pytest.mark.parametrize("name", CAPTURES)
def test_real_books_add_up(real: dict[str, dict[str, Any]], name: str) -> None:
    """No book is ever crossed, and each touch equals the quote with its update id, in all hundreds of comparisons."""
    document = real[name]
    assert (document["ok"], document["crossed_books"], document["instruments"][0]["book"]) == (True, 0, "valid")
    assert document["quotes_agreed"] == document["quotes_compared"] > 400


@pytest.mark.parametrize("name", CAPTURES)
def test_real_streams_have_no_gap(real: dict[str, dict[str, Any]], name: str) -> None:
    """The captures' own list names no chain break and no missing trade id, and neither does the check."""
    document = real[name]
    assert (document["sequence_gaps"], document["trade_id_gaps"], document["trades_missing"]) == (0, 0, 0)
    assert document["instruments"][0]["lost"] == [] and document["instruments"][0]["snapshots"] == 1
    assert (document["imported"]["refused"], document["imported"]["clock_steps"]) == (0, 0)


@pytest.mark.parametrize("name", [*CAPTURES, "no snapshot"])
def test_real_frames_take_the_fast_pass(real: dict[str, dict[str, Any]], name: str) -> None:
    """At least 99.9 % of real frames are decoded in the compiled pass, and every line is accepted or quarantined."""
    document = real[name]
    assert document["fast_share"] >= 0.999
    assert document["accepted"] + document["quarantined"] == document["imported"]["lines"]


def test_the_real_off_market_print_is_quarantined(real: dict[str, dict[str, Any]]) -> None:
    """The one insurance-fund print of 2023-04-05 stands in the quarantine and leaves no gap; nothing else does."""
    for name in ("BTC 2023", "no snapshot"):
        assert real[name]["quarantined_by_reason"] == {"OFF_MARKET": 1}
        assert "INSURANCE_FUND" in real[name]["refusals"][0]["detail"]
    assert real["BTC 2024"]["quarantined"] == real["ETH 2024"]["quarantined"] == 0


def test_a_real_capture_without_a_snapshot_has_no_book(real: dict[str, dict[str, Any]]) -> None:
    """The second file of 2023 alone has no book; behind the first one it continues the chain."""
    assert real["no snapshot"]["instruments"][0]["book"] == "no book"
    assert real["no snapshot"]["rows"].get("depth", 0) == real["no snapshot"]["quotes_compared"] == 0
    assert real["BTC 2023"]["events"]["depthUpdate"] == 4_322 + 11_788


def test_a_real_bar_equals_the_venues_own(real: dict[str, dict[str, Any]]) -> None:
    """The five minutes from 2024-08-08 23:55 UTC, made from trades, are the venue's published bar."""
    bar = next(bar for bar in real["BTC 2024"]["bars"] if bar["open_us"] == 1_723_161_300_000_000)
    assert [bar[name] for name in ("open", "high", "low", "close", "volume")] == [
        "61807.7", "61839.9", "61590.3", "61659.8", "2303.399",
    ]  # fmt: skip
