"""`backtest`: recordings in their order, bounds that make sense, a result that says what it is."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from interface.commands.backtest import EXIT_INTERRUPTED, in_order
from interface.progress import Progress
from models.error import DataError
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording
from storage.cold.records import read_records
from tests.interface.program import capture, inside

pytestmark = pytest.mark.usefixtures("alone")
SECOND_NS = 10**9


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture as one recording (``whole``) and as two that follow each other (``a``, ``b``)."""
    folder = tmp_path_factory.mktemp("parts")
    lines = capture(folder / "capture", 6).read_bytes().splitlines(keepends=True)
    (folder / "one").write_bytes(b"".join(lines[:400]))
    (folder / "two").write_bytes(b"".join(lines[400:]))
    for name, files in (("whole", ["capture"]), ("a", ["one"]), ("b", ["two"])):
        import_raw_lines([folder / file for file in files], folder / name, unit="us")
    return folder


def runs() -> list[Path]:
    """The folders of back tests made so far in the working folder."""
    return sorted(Path("data", "backtest", "runs").glob("*"))


def test_the_recording_of_a_run_gives_its_entry(finished: Path) -> None:
    """A back test of a paper run's recording makes the same first fill: time, price, quantity, fee."""
    (recording,) = (finished / "market").iterdir()
    ran = inside("backtest", recording, "--json")
    assert (ran.code, ran.err) == (0, "")
    (folder,) = runs()
    (original,) = (finished / "paper" / "runs").iterdir()
    names = ("ts", "side", "price", "qty", "fee")
    first, again = next(read_records(original / "fills.jsonl")), next(read_records(folder / "fills.jsonl"))
    assert [again[name] for name in names] == [first[name] for name in names]
    document = ran.document
    assert (document["mode"], document["feed"]) == ("backtest", f"file:{recording.name}")
    assert document["rows_per_s"] > 0 and document["folder"] == str(folder)


def test_parts_in_any_order_are_the_whole(parts: Path) -> None:
    """Two recordings that follow each other trade like the one they were cut from, whichever is named first."""
    whole = inside("backtest", parts / "whole", "--json").document
    one = inside("backtest", parts / "a", parts / "b", "--json").document
    two = inside("backtest", parts / "b", parts / "a", "--json").document
    assert one["recordings"] == two["recordings"] == ["a", "b"]
    assert (one["hashes"], one["state_hash"]) == (two["hashes"], two["state_hash"])
    for name in ("started_at", "ended_at", "fills", "signals", "money_usdt"):
        assert one[name] == whole[name]
    assert (one["market"]["rows"], one["hashes"]["decisions"]) == (
        whole["market"]["rows"],
        whole["hashes"]["decisions"],
    )


def test_the_text_is_for_people(parts: Path) -> None:
    """Without --json the summary is told as text, also with --quiet: results are no chatter."""
    ran = inside("backtest", parts / "whole", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "BACKTEST · file:whole · BTCUSDT" in ran.out and "  Net  " in ran.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["whole", "whole"],
            "OVERLAP",
            "whole begins at 2026-11-21T12:00:00, before whole ends at 2026-11-21T12:00:06",
        ),
        (["a", "whole"], "OVERLAP", "give recordings that follow each other"),
        (["whole", "--to", "2020-01-01"], "RANGE", "--to 2020-01-01T00:00:00 leaves nothing of them"),
        (["whole", "--from", "2030-01-01"], "RANGE", "--from 2030-01-01T00:00:00 leaves nothing of them"),
        (["whole", "--from", "2026-02-01", "--to", "2026-01-01"], "USAGE", "is not before --to 2026-01-01T00:00:00"),
        (["whole", "--to", "9999-01-01"], "USAGE", "'9999-01-01' lies outside the years 1970 to 2261"),
        (["whole", "--from", "soon"], "USAGE", "'soon' is not a time; write it like 2024-08-08T23:55:00"),
        (["absent"], "DATA", "absent does not exist; give the folder of a recording"),
        ([], "USAGE", "the following arguments are required: RECORDING"),
    ],
)
def test_mistakes_are_one_sentence(
    parts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], code: str, sentence: str
) -> None:
    """Exit code 2, a code, what was wrong; and no run was begun."""
    monkeypatch.chdir(parts)
    ran = inside("backtest", *words, "--data-dir", tmp_path / "data")
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.sentence and ran.sentence.endswith(f"[{code}]")
    assert not (tmp_path / "data" / "backtest").exists()


def test_recordings_of_other_symbols_do_not_mix(parts: Path, tmp_path: Path) -> None:
    """The engine's contracts are those of all recordings, so they must be the same."""
    other = capture(tmp_path / "capture", 1, symbols=("ETHUSDT",))
    text = other.read_bytes().replace(b"17952624", b"17962624")  # some days later
    other.write_bytes(text)
    import_raw_lines([other], tmp_path / "eth", unit="us")
    ran = inside("backtest", parts / "whole", tmp_path / "eth")
    assert (ran.code, "eth holds ETHUSDT" in ran.sentence) == (2, True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures of two contracts: as one recording (``both/rec``) and ETHUSDT alone (``alone/rec``)."""
    folder = tmp_path_factory.mktemp("pair")
    btc = capture(folder / "btc.txt", 8)
    eth = capture(folder / "eth.txt", 8, symbols=("ETHUSDT",))
    import_raw_lines([btc, eth], folder / "both" / "rec", unit="us")
    import_raw_lines([eth], folder / "alone" / "rec", unit="us")
    return folder


def test_only_the_contracts_that_somebody_named_are_traded(pair: Path) -> None:
    """Of a recording of two, one trades as if it had been recorded alone; what is left out is said on stderr."""
    words = ("--set", "feed.symbols=ETHUSDT", "--set", "strategy.params.momentum_ready_min=1", "--json")
    both, alone = (inside("backtest", pair / name / "rec", *words) for name in ("both", "alone"))
    assert (both.code, alone.code, alone.err) == (0, 0, "")
    assert both.sentence == (
        "scalper: rec holds BTCUSDT ETHUSDT, feed.symbols (--set feed.symbols) names ETHUSDT: only ETHUSDT is traded"
    )
    one, two = both.document, alone.document
    assert one["symbols"] == two["symbols"] == ["ETHUSDT"]
    assert (one["hashes"], one["market"]) == (two["hashes"], two["market"]) and one["market"]["quarantined"] == 0
    assert one["market"]["books"]["ETHUSDT"]["known"] is True


def test_named_contracts_that_are_not_there_are_told(pair: Path) -> None:
    """Those that are there are traded; when none is, nothing is begun."""
    some = inside("backtest", pair / "alone" / "rec", "--set", "feed.symbols=BTCUSDT,ETHUSDT")
    assert (some.code, some.sentence.endswith("names BTCUSDT ETHUSDT: only ETHUSDT is traded")) == (0, True)
    none = inside("backtest", pair / "alone" / "rec", "--set", "feed.symbols=BTCUSDT", "--data-dir", "other")
    assert (none.code, none.out) == (2, "")
    assert (
        none.sentence.endswith("names BTCUSDT: nothing to trade; name ETHUSDT, or leave feed.symbols out [SYMBOL]")
        and not Path("other", "backtest").exists()
    )


def test_contracts_that_nobody_named_are_those_of_the_recording(pair: Path) -> None:
    """The default of feed.symbols bounds nothing: a recording is traded with all that it holds, without a word."""
    ran = inside("backtest", pair / "both" / "rec", "--json")
    assert (ran.code, ran.err, ran.document["symbols"]) == (0, "", ["BTCUSDT", "ETHUSDT"])


def test_bounds_inside_the_recording_are_kept(parts: Path) -> None:
    """``--to`` ends the market there; the frames before ``--from`` are heard."""
    first_ns, last_ns = Recording.open(parts / "whole").index.files[0].first_received_ns, 0
    whole = inside("backtest", parts / "whole", "--json").document
    ran = inside("backtest", parts / "whole", "--to", "2026-11-21T12:00:03", "--json")
    assert ran.document["market"]["rows"] < whole["market"]["rows"]
    assert ran.document["ended_at"] <= first_ns // 1000 + 3_000_000 > last_ns
    late = inside("backtest", parts / "whole", "--from", "2026-11-21T12:00:04", "--json").document
    assert late["market"]["frames"] == whole["market"]["frames"]


def test_damage_in_the_middle_leaves_no_half_run(parts: Path, tmp_path: Path) -> None:
    """The place of the damage is told, and the folder of the run that could not end is gone."""
    shutil.copytree(parts / "whole", tmp_path / "r")
    path = tmp_path / "r" / "0000.zst"
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    ran = inside("backtest", tmp_path / "r")
    assert (ran.code, runs()) == (2, [])
    assert "0000.zst is damaged at byte " in ran.sentence and "[RECORDING_DAMAGED]" in ran.sentence


def test_a_back_test_that_is_stopped_says_so(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it behind the chunk at hand: the summary tells of a part, and so does the exit code."""
    monkeypatch.setattr(Progress, "bytes", lambda self, done: os.kill(os.getpid(), signal.SIGINT))
    ran = inside("backtest", parts / "a", parts / "b", "--json")
    assert (ran.code, ran.document["interrupted"]) == (EXIT_INTERRUPTED, True)
    assert (Path(ran.document["folder"]) / "summary.json").exists()


def test_in_order_leaves_nothing_out(parts: Path) -> None:
    """A single instant of the market inside the bounds is enough; the folders come by time."""
    recordings = [Recording.open(parts / name) for name in ("b", "a")]
    first_ns = recordings[1].index.files[0].first_received_ns
    assert [path.name for path in in_order(recordings, 0, first_ns + 1)] == ["a", "b"]
    with pytest.raises(DataError, match="leaves nothing of them"):
        in_order(recordings, 0, first_ns)
