"""`replay`: the same run once more; one byte that differs anywhere ends with exit code 7 and its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import wiring
from interface.commands.replay import compare
from storage.cold.journal import HEAD_BYTES
from storage.cold.records import FILES
from tests.interface.program import Ran, inside

pytestmark = pytest.mark.usefixtures("alone")


class Kept:
    """A copy of the finished run that may be damaged."""

    def __init__(self, data: Path) -> None:
        self.data = data
        (self.folder,) = (data / "paper" / "runs").iterdir()
        self.run_id = self.folder.name
        self.journal = data / "paper" / "journal" / f"{self.run_id}.journal"
        self.recording = data / "market" / self.run_id

    def replay(self, *words: object) -> Ran:
        return inside("replay", self.folder, *words)

    def change(self, path: Path, old: bytes, new: bytes) -> None:
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    def flip(self, path: Path, at: int) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    def kill(self) -> None:
        """Make it look as if the run had been killed: no end in the journal, no summary, half a line, less recorded."""
        length = len(self.journal.read_bytes().rstrip(b"\0"))
        with self.journal.open("r+b") as file:
            file.truncate(length - HEAD_BYTES - 60)
        (self.folder / "summary.json").unlink()
        orders = self.folder / "orders.jsonl"
        orders.write_bytes(orders.read_bytes()[:-200])
        decisions = self.folder / "decisions.jsonl"
        decisions.write_bytes(b"".join(decisions.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Kept:
    shutil.copytree(finished, tmp_path / "data", ignore=shutil.ignore_patterns("cache"))
    return Kept(tmp_path / "data")


def test_a_run_is_found_by_folder_id_or_recording(run: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way leads to the same run, also from inside the folder of runs."""
    for named in (run.folder, run.run_id, run.recording, f"{run.folder}/"):
        ran = inside("replay", named, "--verify")
        assert (ran.code, ran.out.splitlines()[0]) == (0, f"Run {run.run_id}: identical")
    monkeypatch.chdir(run.folder.parent)
    assert inside("replay", run.run_id, "--verify").code == 0


def test_json_is_one_document(run: Kept) -> None:
    """Verdict, counts and hashes, equal to those of the summary; nothing is left of the second run."""
    document = run.replay("--verify", "--json").document
    summary = json.loads((run.folder / "summary.json").read_bytes())
    assert (document["verified"], document["difference"], document["finished"]) == (True, None, True)
    assert (document["hashes"], document["state_hash"]) == (summary["hashes"], summary["state_hash"])
    assert document["fills"] == summary["fills"] == 2
    assert not list(run.data.rglob("again-*"))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


Damage = Callable[[Kept], None]
DIFFERENCES: dict[str, tuple[Damage, str]] = {
    "another price": (
        lambda run: run.change(run.folder / "fills.jsonl", b'"price":"7', b'"price":"8'),
        "fills.jsonl record 1: price is 8",
    ),
    "another run": (
        lambda run: run.change(run.folder / "orders.jsonl", run.run_id.encode(), b"other"),
        "orders.jsonl record 1: run_id is other then,  now",
    ),
    "a space": (
        lambda run: run.change(run.folder / "orders.jsonl", b'"side":', b'"side": '),
        "orders.jsonl record 1: byte ",
    ),
    "no JSON": (
        lambda run: run.change(run.folder / "signals.jsonl", b'{"ts"', b'!"ts"'),
        "signals.jsonl record 1: byte 0 is ",
    ),
    "a line more": (
        lambda run: append(run.folder / "trades.jsonl", b"{}\n"),
        "trades.jsonl goes on with record 2: {}",
    ),
    "a line less": (
        lambda run: cut(run.folder / "trades.jsonl", 0),
        "trades.jsonl ends before record 1: {",
    ),
    "a torn line": (
        lambda run: cut(run.folder / "fills.jsonl", -1),
        "fills.jsonl record 2: byte ",
    ),
    "no file": (lambda run: (run.folder / "orders.jsonl").unlink(), "orders.jsonl is missing"),
    "another summary": (
        lambda run: run.change(run.folder / "summary.json", b'"state_hash": "', b'"state_hash": "0'),
        "summary.json: the hash of state is 0",
    ),
    "another net": (
        lambda run: run.change(run.folder / "summary.json", b'"net": "-', b'"net": "'),
        "summary.json: money_usdt.net is 0.",
    ),
    "another count": (
        lambda run: run.change(run.folder / "summary.json", b'"fills": 2', b'"fills": 3'),
        "summary.json: fills is 3 then, 2 now",
    ),
    "a refusal less": (
        lambda run: run.change(run.folder / "summary.json", b'"quarantined": 0', b'"quarantined": 1'),
        "summary.json: market.quarantined is 1 then, 0 now",
    ),
    "no gross": (
        lambda run: run.change(run.folder / "summary.json", b'"gross":', b'"grass":'),
        "summary.json: money_usdt.grass is ",
    ),
    "no money": (
        lambda run: run.change(run.folder / "summary.json", b'"money_usdt":', b'"money":'),
        "summary.json is none (KeyError('money_usdt'))",
    ),
    "another feed": (
        lambda run: run.change(run.folder / "orders.jsonl", b'"feed":"EMBEDDED"', b'"feed":"binance"'),
        "orders.jsonl record 1: feed is binance then, absent now",
    ),
    "no summary": (lambda run: cut(run.folder / "summary.json", 9), "summary.json is none"),
    "a disk that was full": (
        lambda run: run.change(run.recording / "index.json", b'"problem": ""', b'"problem": "recording is off: x"'),
        "its recording: recording is off: x",
    ),
    "a disk that was slow": (
        lambda run: run.change(run.recording / "index.json", b'"dropped": 0', b'"dropped": 12'),
        "its recording: 12 records were not written",
    ),
    "the recording's head": (
        lambda run: run.flip(run.recording / "0000.zst", 60),
        "its recording: 0000.zst: sha256 is ",
    ),
}


@pytest.mark.parametrize(("damage", "words"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_is_named_and_is_exit_code_7(run: Kept, damage: Damage, words: str) -> None:
    """Whatever differs from what follows from the facts: file, record and key, or the byte."""
    damage(run)
    ran = run.replay("--verify")
    assert (ran.code, ran.out) == (7, "")
    assert ran.sentence.startswith(f"scalper: run {run.run_id} differs: {words}") and ran.sentence.endswith("[DIFFERS]")


def test_every_flipped_byte_of_a_record_is_a_difference(run: Kept, tmp_path: Path) -> None:
    """No byte of any record file can change unseen, its line ends and the run's own name included."""
    first = wiring.Again.find(run.data, run.folder)
    again = first.parts(tmp_path / "again")
    state = first.drive(again, None)
    for close in again.closing:
        close()
    assert compare(first, again, state) is None
    for name in ("orders", "fills", "decisions"):
        path = run.folder / f"{name}.jsonl"
        whole = path.read_bytes()
        for at in range(0, len(whole), 7):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert str(compare(first, again, state)).startswith(f"{name}.jsonl ")
        path.write_bytes(whole)


def test_records_without_a_feed_are_compared_too(run: Kept) -> None:
    """The feed's name is left out like the run's: a run whose records do not carry it is verified all the same."""
    for name in FILES:
        path = run.folder / f"{name}.jsonl"
        path.write_bytes(path.read_bytes().replace(b',"feed":"EMBEDDED"}', b"}"))
    assert run.replay("--verify").out.splitlines()[0] == f"Run {run.run_id}: identical"


def test_without_verify_a_difference_is_told_and_is_no_failure(run: Kept) -> None:
    """Looking is not judging: exit code 0, and the verdict stands in the text."""
    (run.folder / "orders.jsonl").unlink()
    ran = run.replay()
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Run {run.run_id}: DIFFERS: orders.jsonl is missing\n")


def test_a_difference_in_json_is_document_and_error_in_one(run: Kept) -> None:
    """One document on stdout with verdict, difference and the error every command has; exit code 7."""
    (run.folder / "orders.jsonl").unlink()
    ran = run.replay("--verify", "--json")
    document = ran.document
    assert (ran.code, ran.err, document["verified"]) == (7, "", False)
    assert (document["difference"], document["error"]["code"]) == ("orders.jsonl is missing", "DIFFERS")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: run.flip(run.recording / "0000.zst", -30), "0000.zst is damaged at byte "),
        (lambda run: (run.recording / "0000.zst").unlink(), "0000.zst is missing from the recording; put it back"),
        (lambda run: run.flip(run.journal, 600), "its header record at byte 8 is not whole"),
        (lambda run: run.flip(run.journal, 2), "is no journal: it does not begin with 'journal1'"),
        (lambda run: cut(run.journal, 300), "its header record at byte 8 is not whole"),
        (lambda run: cut(run.journal, 0), "is no journal"),
    ],
    ids=["recording", "no chunk file", "journal", "no journal", "journal cut", "journal empty"],
)
def test_a_damaged_record_of_the_facts_is_exit_code_7(run: Kept, damage: Damage, words: str) -> None:
    """A run whose facts are damaged cannot be run again: the place is told, in one sentence."""
    damage(run)
    ran = run.replay("--verify")
    assert (ran.code, ran.out, words in ran.sentence) == (7, "", True)


def test_a_journal_cut_at_its_end_is_a_run_that_was_killed(run: Kept) -> None:
    """Records behind the cut were never promised: the run is compared as far as it was kept."""
    run.kill()
    ran = run.replay("--verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == f"Run {run.run_id}: identical as far as it was kept; it did not end in order"
    assert run.replay("--json").document["finished"] is False


def test_a_killed_run_that_differs_still_differs(run: Kept) -> None:
    """Being killed excuses missing records, not other ones."""
    run.kill()
    run.change(run.folder / "fills.jsonl", b'"price":"7', b'"price":"8')
    ran = run.replay("--verify")
    assert (ran.code, "fills.jsonl record 1: price is 8" in ran.sentence) == (7, True)


@pytest.mark.parametrize("named", ["absent", ".", "/", "data/paper/runs", "data/paper"])
def test_what_is_no_run_is_one_sentence(run: Kept, named: str) -> None:
    """Exit code 2 and what to give instead."""
    ran = inside("replay", named)
    assert (ran.code, ran.out) == (2, "")
    assert "is no run with a journal" in ran.sentence and "<run id> [DATA]" in ran.sentence


def test_a_run_without_recording_is_one_sentence(run: Kept) -> None:
    """Without the facts nothing can be run again; the sentence says why there may be none."""
    shutil.rmtree(run.recording)
    ran = run.replay("--verify")
    assert (ran.code, "it ran with feed.record = false, or the quota has removed it" in ran.sentence) == (2, True)


def test_a_back_test_is_not_replayed(run: Kept) -> None:
    """It keeps no journal: it is repeated by running it again, which the sentence says."""
    folder = inside("backtest", run.recording, "--json").document["folder"]
    ran = inside("replay", folder)
    assert (ran.code, "(back tests keep none: run them again)" in ran.sentence) == (2, True)


def test_a_journal_of_another_version_is_one_sentence(run: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that this version does not know end with what to do, not in a trace."""
    first = wiring.Again.find(run.data, run.folder)
    first._header["values"]["risk"]["unheard_of"] = 1
    monkeypatch.setattr(wiring.Again, "find", lambda data, named: first)
    ran = run.replay()
    assert (ran.code, "[JOURNAL_VERSION]" in ran.sentence) == (2, True)
    assert "run it again with the version that recorded it" in ran.sentence
