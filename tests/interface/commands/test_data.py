"""`data import raw-lines` and `data check` as their users see them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from storage.cold.recording import Recording
from tests.interface.program import Ran, capture, inside

START_US = 1_700_000_000_000_000

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the generated market as a raw capture."""
    return capture(tmp_path_factory.mktemp("raw") / "capture.txt", 4)


def halves(raw: Path, folder: Path) -> tuple[Path, Path]:
    """The capture cut into two files of its own."""
    lines = raw.read_bytes().splitlines(keepends=True)
    files = folder / "first.txt", folder / "second.txt"
    files[0].write_bytes(b"".join(lines[: len(lines) // 2]))
    files[1].write_bytes(b"".join(lines[len(lines) // 2 :]))
    return files


def imported(*words: object) -> Ran:
    return inside("data", "import", "raw-lines", *words, "--unit", "us", "--out", "rec")


def test_several_files_of_one_capture_are_one_recording(raw: Path, tmp_path: Path) -> None:
    """In any order; what is told is what came of each line, and each contract with the origin of its sizes."""
    first, second = halves(raw, tmp_path)
    ran = imported(second, first)
    count = raw.read_bytes().count(b"\n")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out.splitlines()
    assert told[0] == f"rec: {count - 1} frames and 1 snapshots of {count} lines"
    assert told[1] == "market usdm, clock offset 0.000 ms"
    assert told[2].startswith("BTCUSDT: tick 0.1, step 0.001, from the copy of 20")
    assert [one.payload for one in Recording.open("rec").records()] == [
        line.partition(b" ")[2] for line in raw.read_bytes().splitlines()
    ]


def test_json_is_one_document(raw: Path) -> None:
    """With --json the same facts are a document and nothing else is written."""
    ran = imported(raw, "--clock-offset", "auto", "--json")
    document = ran.document
    assert (ran.code, ran.err, document["folder"], document["refused"]) == (0, "", "rec", 0)
    assert document["instruments"][0]["symbol"] == "BTCUSDT" and document["frames"] > 300


def test_refused_lines_are_told_up_to_ten(tmp_path: Path, raw: Path) -> None:
    """The first ten refusals have their reasons, the rest their number, and all are kept in the recording."""
    (tmp_path / "bad.txt").write_bytes(b"noise\n" * 12 + raw.read_bytes())
    told = [line for line in imported("bad.txt").out.splitlines() if line.startswith("refused")]
    assert told[0] == "refused: bad.txt line 1 does not begin with a local time and a space"
    assert told[10:] == ["refused: 12 lines in all, each kept in the recording as a note"]


def test_a_stray_frame_costs_only_itself(tmp_path: Path, raw: Path) -> None:
    """A frame of another symbol in a capture is told and quarantined; the book stands as without it."""
    lines = raw.read_bytes().splitlines(keepends=True)
    stray = next(line for line in lines if b'"e":"aggTrade"' in line).replace(b"BTCUSDT", b"XRPUSDT")
    (tmp_path / "stray.txt").write_bytes(b"".join([*lines[:100], stray.replace(b"btcusdt", b"xrpusdt"), *lines[100:]]))
    told = imported("stray.txt").out.splitlines()
    assert told[3] == "XRPUSDT: 1 stray frame in a capture of another symbol, recorded; reading quarantines it"
    document = inside("data", "check", "rec", "--json").document
    assert (document["ok"], document["quarantined"], document["accepted"]) == (True, 1, len(lines))
    assert document["quarantined_by_reason"] == {"UNKNOWN_SYMBOL": 1}


SEE = "; see `main.py data import raw-lines --help` [USAGE]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["absent"], "absent does not exist; name a capture file [FILE]"),
        (["."], ". is a folder; name the capture files in it [FILE]"),
        ([""], f"FILE: the path is empty; name a file or folder{SEE}"),
        (
            ["a", "--clock-offset", "soon"],
            f"--clock-offset: 'soon' is not an offset; write auto, or milliseconds such as 1270{SEE}",
        ),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], sentence: str) -> None:
    """Exit code 2, what was wrong and what would be right, and no folder is left."""
    ran = imported(*words)
    assert (ran.code, ran.out, ran.sentence) == (2, "", f"scalper: {sentence}")
    assert not Path("rec").exists()


def test_mistakes_are_documents_where_results_are(raw: Path) -> None:
    """The wrong unit with --json: one document with code and message."""
    ran = inside("data", "import", "raw-lines", raw, "--unit", "ns", "--out", "rec", "--json")
    assert (ran.code, ran.err) == (2, "")
    assert ran.document["error"]["code"] == "FILE" and "is the unit us?" in ran.document["error"]["message"]


# ---- check ----


def checked(*words: object, code: int = 0) -> dict[str, Any]:
    ran = inside("data", "check", *words, "--json")
    assert (ran.code, ran.err) == (code, "")
    return ran.document


def test_a_good_recording_is_told_as_good(finished: Path) -> None:
    """A run's own recording: every frame accepted, books that add up, nothing unfinished or dropped."""
    (recording,) = (finished / "market").iterdir()
    document = checked(recording)
    assert (document["ok"], document["crossed_books"], document["quarantined"]) == (True, 0, 0)
    assert document["quotes_compared"] == document["quotes_agreed"] > 10
    assert (document["unfinished"], document["dropped"], document["problem"]) == ("", 0, "")
    assert document["accepted"] == document["frames"] + document["answers"]


def test_the_text_tells_the_same(finished: Path) -> None:
    """For people: where, how long, what was accepted, the book at the end."""
    (recording,) = (finished / "market").iterdir()
    ran = inside("data", "check", recording)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{recording}: 8") and "quarantined 0\n" in ran.out
    assert "BTCUSDT: valid, 7" in ran.out and "quotes at equal update id: " in ran.out


def test_bars_are_those_of_the_trades(tmp_path: Path) -> None:
    """One bar for each second with a trade, from its first, highest, lowest and last price and the sum of lots."""
    trades = [(0, "10.5", "1"), (400, "11", "2"), (999, "10", "0.5"), (2100, "12.25", "1")]
    lines = [
        f'{START_US + at * 1000} {{"e":"aggTrade","E":{START_US // 1000 + at},"a":{number},"s":"XUSDT","p":"{price}",'
        f'"q":"{quantity}","f":{number},"l":{number},"T":{START_US // 1000 + at},"m":true}}\n'
        for number, (at, price, quantity) in enumerate(trades, 1)
    ]
    (tmp_path / "c").write_text("".join(lines))
    assert imported("c").code == 0
    assert [tuple(bar.values())[1:] for bar in checked("rec", "--bars", "1s")["bars"]] == [
        (START_US, "10.5", "11", "10", "10", "3.5", 3),
        (START_US + 2_000_000, "12.25", "12.25", "12.25", "12.25", "1", 1),
    ]
    table = inside("data", "check", "rec", "--bars", "1s").out.split("symbol,", 1)[1]
    rows = list(csv.DictReader(io.StringIO("symbol," + table)))
    assert [row["close"] for row in rows] == ["10", "12.25"]


def test_crossed_books_fail_the_check(tmp_path: Path) -> None:
    """A capture whose bid stands above its ask ends with exit code 4 and the number of crossed books."""
    (tmp_path / "c").write_text(
        f'{START_US} {{"lastUpdateId":10,"bids":[["9.5","1"]],"asks":[["10.0","1"]]}}\n'
        f'{START_US + 9} {{"e":"depthUpdate","E":{START_US // 1000},"T":{START_US // 1000},"s":"XUSDT","U":11,"u":11,'
        '"pu":10,"b":[["11.0","2"]],"a":[]}\n'
    )
    assert imported("c").code == 0
    document = checked("rec", code=4)
    assert (document["ok"], document["error"]["code"]) == (False, "CHECK_FAILED")
    ran = inside("data", "check", "rec")
    assert (ran.code, ran.sentence.startswith("scalper: the books of rec do not add up: ")) == (4, True)
    assert "crossed" in ran.sentence and ran.out


def test_a_recording_of_nothing_usable_fails_the_check(finished: Path, tmp_path: Path) -> None:
    """Frames that no instrument claims are no market."""
    (recording,) = (finished / "market").iterdir()
    index = json.loads((recording / "index.json").read_bytes())
    index["meta"]["instruments"][0]["symbol"] = "OTHERUSDT"
    copy(recording, tmp_path / "r")
    (tmp_path / "r" / "index.json").write_text(json.dumps(index))
    assert "none of the" in checked("r", code=4)["error"]["message"]


def copy(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def test_damage_fails_the_check_with_its_place(finished: Path, tmp_path: Path) -> None:
    """A flipped byte in a chunk, a missing file and a file cut between two chunks: exit code 4, file and byte."""
    (recording,) = (finished / "market").iterdir()
    copy(recording, tmp_path / "r")
    whole = (tmp_path / "r" / "0000.zst").read_bytes()
    for data, words in (
        (whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:], "0000.zst is damaged at byte "),
        (b"", "0000.zst ends at byte 0, the index says "),
        (None, "0000.zst is missing from the recording; put it back"),
    ):
        if data is None:
            (tmp_path / "r" / "0000.zst").unlink()
        else:
            (tmp_path / "r" / "0000.zst").write_bytes(data)
        ran = inside("data", "check", "r")
        assert (ran.code, words in ran.sentence, "[RECORDING_DAMAGED]" in ran.sentence) == (4, True, True)


def test_an_unfinished_end_is_told_and_is_no_failure(finished: Path, tmp_path: Path) -> None:
    """A recorder that was killed leaves a readable prefix: it is used, and what is missing is said."""
    (recording,) = (finished / "market").iterdir()
    copy(recording, tmp_path / "r")
    last = max((tmp_path / "r").glob("*.zst"))
    last.write_bytes(last.read_bytes()[:-40])
    assert f"{last.name}: the last " in checked("r")["unfinished"]
    assert "are unfinished and were left out" in inside("data", "check", "r").out


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_what_is_no_recording_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Nothing there, a file, an empty folder: exit code 2 and what a recording is."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    ran = inside("data", "check", name)
    assert (ran.code, ran.out, ran.sentence.startswith(f"scalper: {name} ")) == (2, "", True)
    assert "NNNN.zst" in ran.sentence
