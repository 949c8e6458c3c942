"""`demo`: the same seed is the same run, sockets or not, and whatever stops it leaves its records whole."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from interface.commands import demo
from interface.progress import Progress
from storage.cold.journal_reader import check_journal
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording
from tests.interface.program import WAIT_S, capture, child, inside, started

QUICK = ("demo", "--speed", "max")


@pytest.mark.usefixtures("alone")
def test_the_same_seed_is_the_same_run(finished: Path) -> None:
    """Two starts with one seed agree in every hash; another seed is another market."""
    (folder,) = (finished / "paper" / "runs").iterdir()
    first = json.loads((folder / "summary.json").read_bytes())
    again = inside(*QUICK, "--for", "8s", "--seed", 7, "--json").document
    other = inside(*QUICK, "--for", "8s", "--seed", 8, "--json").document
    assert (again["hashes"], again["state_hash"]) == (first["hashes"], first["state_hash"])
    assert (again["epoch"], other["hashes"]["decisions"] == first["hashes"]["decisions"]) == (first["epoch"], False)


@pytest.mark.usefixtures("alone")
def test_json_is_one_document_and_nothing_else() -> None:
    """The summary stands on stdout alone; the same is in the run's folder; 7 is the seed when none is given."""
    ran = inside(*QUICK, "--for", "1s", "--json")
    document = ran.document
    assert (ran.code, ran.err, ran.out.count("\n"), document["seed"]) == (0, "", 1, demo.DEFAULT_SEED)
    assert json.loads((Path(document["folder"]) / "summary.json").read_bytes()) == document


@pytest.mark.usefixtures("alone")
def test_a_generated_market_lasts_a_minute() -> None:
    """Without ``--for`` it goes on for 60 s, and at most as much longer as closing a position takes."""
    assert 60 <= inside(*QUICK, "--json").document["duration_s"] < 62


@pytest.mark.usefixtures("alone")
def test_text_is_told_also_when_quiet() -> None:
    """``--quiet`` leaves out chatter; the result is what was asked for."""
    ran = inside(*QUICK, "--for", "1s", "--quiet")
    assert (ran.code, ran.err) == (0, "") and "PAPER · EMBEDDED · BTCUSDT" in ran.out


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--for", "0s"], "--for: '0s' is no time at all; write it like 60s"),
        (["--for", "60"], "--for: '60' is not a duration; write it like 60s, 250ms, 5m or 1h30m"),
        (["--for", "-1s"], "--for needs a value; one that begins with - is written --for=VALUE"),
        (["--for", "400d"], "--for: '400d' is longer than a year (366d), the longest duration"),
        (["--speed", "0"], "--speed: '0' is not a speed; write a number from 1 to 1000, or max"),
        (["--speed", "1e9"], "--speed: '1e9' is not a speed; write a number from 1 to 1000, or max"),
        (["--speed", "nan"], "--speed: 'nan' is not a speed"),
        (["--seed", "1.5"], "--seed: '1.5' is not a seed; write a whole number from 0 to 2^63 - 1"),
        (["--seed", str(2**63)], "is not a seed"),
        (["--tape", ""], "--tape: the path is empty; name a file or folder"),
        (["--tape", "absent"], "absent does not exist; give the folder of a recording"),
        (["--tape", "absent", "--speed", "max"], "absent does not exist; give the folder of a recording"),
        (["extra"], "'extra' is one word too many for `main.py demo`"),
        (["--set", "feed.symbols=NOPEUSDT", "--speed", "max"], "the generator has no contract 'NOPEUSDT'"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], sentence: str) -> None:
    """Exit code 2, what was wrong and what would be right; with --json as a document; nothing was begun."""
    plain, document = inside("demo", *words), inside("demo", *words, "--json")
    assert (plain.code, plain.out, document.code, document.err) == (2, "", 2, "")
    assert sentence in plain.sentence and sentence in document.document["error"]["message"]
    assert not list(Path().glob("data/paper/runs/*"))


@pytest.mark.usefixtures("alone")
def test_a_folder_that_cannot_be_written_is_told_first(tmp_path: Path) -> None:
    """Exit code 4 before anything is compiled or connected."""
    (tmp_path / "f").write_text("x")
    ran = inside(*QUICK, "--data-dir", tmp_path / "f")
    assert (ran.code, ran.sentence.endswith("[DATA_DIR]")) == (4, True)


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A recording of ETHUSDT with quotes, depth and trades only, as third-party recorders make them."""
    streams = ("depth@100ms", "bookTicker", "aggTrade")
    raw = capture(tmp_path / "c", 12, symbols=("ETHUSDT",), streams=streams)
    import_raw_lines([raw], tmp_path / "tape", unit="us")
    return tmp_path / "tape"


@pytest.mark.usefixtures("alone")
def test_a_tape_is_played_for_as_long_as_asked(marked: Path) -> None:
    """In virtual time the recording's own contracts are traded, up to the length asked for."""
    ran = inside(*QUICK, "--tape", marked, "--for", "3s", "--json")
    document = ran.document
    assert (ran.code, document["symbols"], document["feed"]) == (0, ["ETHUSDT"], "file:tape")
    assert 2.5 < document["duration_s"] <= 3 and document["market"]["frames"] > 100


@pytest.mark.usefixtures("alone")
def test_without_a_length_the_whole_tape_is_played(marked: Path) -> None:
    """A tape is as long as it is: the minute of a generated market does not bound it."""
    whole = Recording.open(marked).index.files[0]
    document = inside(*QUICK, "--tape", marked, "--json").document
    assert document["ended_at"] == whole.last_received_ns // 1000
    assert document["market"]["frames"] == whole.kinds["1"]


@pytest.mark.usefixtures("alone")
def test_an_unfinished_tape_is_played_and_told(marked: Path) -> None:
    """What a killed recorder left is used up to its torn end, and the summary says so."""
    (marked / "index.json").unlink()
    path = max(marked.glob("*.zst"))
    path.write_bytes(path.read_bytes() + b"\x28\xb5\x2f\xfd torn")
    document = inside(*QUICK, "--tape", marked, "--for", "1m", "--json").document
    assert "are unfinished and were left out" in document["unfinished"][0]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_brings_the_end_forward(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of a trade the run closes it and ends in order: exit code 0, and it replays identically."""
    sent: list[float] = []

    def stop_at_six_seconds(self: Progress, done: float, whole: float) -> None:
        if done > 6e9 and not sent:
            sent.append(done)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Progress, "share", stop_at_six_seconds)
    ran = inside(*QUICK, "--for", "366d", "--json")
    document = ran.document
    assert (ran.code, document["interrupted"], document["open_position"], document["fills"]) == (0, True, {}, 2)
    assert 6 < document["duration_s"] < 10
    assert check_journal(Path("data/paper/journal") / f"{document['run_id']}.journal").closed
    assert Recording.open(document["recording"]).complete
    assert inside("replay", document["run_id"], "--verify", "--json").document["verified"] is True


# ---- over sockets, as a child ----


def test_sockets_tell_one_document_too(tmp_path: Path) -> None:
    """The same command over real sockets: JSON alone on stdout, the log on stderr, ``EMBEDDED`` on every line of it."""
    ran = child(tmp_path, "demo", "--for", "1s", "--json", "--data-dir", "d")
    document = ran.document
    assert (ran.code, document["feed"], document["market"]["frames"] > 10) == (0, "EMBEDDED", True)
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert events[0]["event"] == "run.started" and all(one["feed"] == "EMBEDDED" for one in events)
    assert inside("replay", tmp_path / document["folder"], "--data-dir", tmp_path / "d", "--verify").code == 0


def test_a_tape_without_marks_plays_over_sockets(tmp_path: Path, marked: Path) -> None:
    """A capture that carries no mark prices is heard all the same, at ten times its speed."""
    ran = child(tmp_path, "demo", "--tape", marked, "--for", "5s", "--speed", "10", "--json", "--quiet")
    assert (ran.code, ran.document["symbols"], ran.document["market"]["frames"] > 50) == (0, ["ETHUSDT"], True), ran.err


def test_a_tape_ends_the_run_over_sockets(tmp_path: Path, marked: Path) -> None:
    """With no length or a longer one the run ends with the tape; that is told neither as a loss nor as a block."""
    for words in ([], ["--for", "1h"]):
        ran = child(tmp_path, "demo", "--tape", marked, *words, "--speed", "10", "--json", "--quiet", "--data-dir", "d")
        document = ran.document
        assert (ran.code, ran.err, document["tape_ended"], document["interrupted"]) == (0, "", True, False)
        assert (document["blocked_by"], document["market"]["gaps"]) == ({}, 0)
        frames = Recording.open(marked).index.files[0].kinds["1"]
        assert document["market"]["frames"] + document["frames_dropped"] >= frames
        verified = inside("replay", tmp_path / document["folder"], "--data-dir", tmp_path / "d", "--verify")
        assert verified.code == 0, verified.err


def test_a_mistake_of_the_exchange_is_ours(tmp_path: Path) -> None:
    """What the embedded exchange cannot do is told once, with its own sentence and exit code."""
    ran = child(tmp_path, "demo", "--for", "1s", "--set", "feed.symbols=NOPEUSDT")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "scalper: the generator has no contract 'NOPEUSDT'; it knows BTCUSDT, ETHUSDT [NO_CONTRACT]"


def heard(process: Any, event: str) -> None:
    """Wait for an event in the log of a child."""
    for line in process.stderr:
        if f'"{event}"' in line:
            return
    raise AssertionError(f"{event} never came")


def test_ctrl_c_at_the_terminal_ends_it_in_order(tmp_path: Path) -> None:
    """SIGINT to the whole group, as a terminal sends it: the exchange stays until we are done, the summary comes."""
    with started(tmp_path, "demo", "--for", "1h", "--data-dir", "d", "--json") as process:
        heard(process, "run.started")
        heard(process, "state.changed")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, "Traceback" in err) == (0, False)
    document = json.loads(out)
    assert json.loads((tmp_path / document["folder"] / "summary.json").read_bytes()) == document


def test_a_reader_that_goes_away_costs_no_record(tmp_path: Path) -> None:
    """With nobody to read the result the run still ends in order and keeps its summary."""
    with started(tmp_path, "demo", "--for", "1s", "--data-dir", "d") as process:
        process.stdout.close()  # type: ignore[union-attr]
        process.stderr.read()  # type: ignore[union-attr]
    assert process.returncode == 0
    assert len(list((tmp_path / "d").glob("paper/runs/*/summary.json"))) == 1
