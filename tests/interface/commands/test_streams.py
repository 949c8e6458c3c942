"""Standard streams and signals: closed, full, narrow or abandoned streams cost no result and leave no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.commands import streams
from tests.interface.program import WAIT_S, Ran, child, command, environment, started


def redirected(folder: Path, redirections: str, *words: str) -> Ran:
    """Run a command line by the shell, with ``redirections`` such as ``<&- >/dev/full``."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command(*words)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_mistake(tmp_path: Path, closed: str) -> None:
    """A program started without some of its streams works and exits as ever, and writes into no stranger's file."""
    good, wrong = redirected(tmp_path, closed, "config", "check"), redirected(tmp_path, closed, "rnu")
    assert (good.code, wrong.code) == (0, 2)
    assert good.err == "" and ("good" in good.out) == (">&-" not in closed.split())
    assert ("did you mean run" in wrong.err) == ("2>&-" not in closed)


def test_a_reader_that_goes_away_is_no_mistake(tmp_path: Path) -> None:
    """Who closes our output early, as ``head`` does, gets exit code 0 and no complaint."""
    for words in (["config", "show"], ["--help"], ["config", "schema"]):
        with started(tmp_path, *words) as process:
            process.stdout.close()  # type: ignore[union-attr]
            complaint = process.stderr.read()  # type: ignore[union-attr]
        assert (process.returncode, complaint) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("words", "code"), [(("config", "show"), 4), (("--version",), 4), (("rnu", "--json"), 2)], ids=str
)
def test_a_full_disk_behind_the_output_is_one_sentence(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    """Results that cannot be written are told on stderr; an error that cannot be written keeps its exit code."""
    ran = redirected(tmp_path, ">/dev/full", *words)
    assert ran.code == code
    assert ran.err.count("\n") == (code == 4) and "Traceback" not in ran.err
    assert ("No space left on device" in ran.err) == (code == 4)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_letter_can_be_told_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """What the output cannot show is escaped as JSON escapes it, so that the document is the same."""
    done = subprocess.run(
        command("거래é", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path, PYTHONIOENCODING=encoding),
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    document = json.loads(done.stdout.decode(encoding))
    assert (done.returncode, document["error"]["message"][:6]) == (2, "'거래é' ")


def test_the_language_of_the_machine_changes_nothing(tmp_path: Path) -> None:
    """In the C locale a folder in Hangul with a space is made and told like any other."""
    ran = child(tmp_path, "doctor", "--data-dir", "데이터 폴더", "--json", "--set", "feed.source=embedded", LC_ALL="C")
    (row,) = [one for one in ran.document["rows"] if one["name"] == "data folder"]
    assert row["detail"] == "데이터 폴더 (will be made)"


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 can stand in no record, so they are refused before anything starts."""
    name = os.fsdecode(b"bad\xff")
    ran = child(tmp_path, "data", "check", name, PYTHONUTF8="1")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "scalper: 'bad\\udcff' is not text in UTF-8; rename the file, or set PYTHONUTF8=1 [USAGE]"


@given(st.text(st.characters(exclude_categories=["Cc"], exclude_characters='"\\')))
def test_an_escaped_text_is_the_text_in_json(text: str) -> None:
    """Any text, lone surrogates and letters beyond 16 bits included, comes back from its escaped form."""
    streams.mend()
    packed = text.encode("ascii", streams.ESCAPE)
    assert json.loads(b'"' + packed + b'"') == text


def test_sigterm_interrupts_what_runs() -> None:
    """Inside, SIGTERM raises like Ctrl-C but says which it was; outside, the handlers are those of before."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with streams.interruptible():
        with pytest.raises(streams.Terminated):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert not isinstance(caught.value, streams.Terminated)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """A job in the background has SIGINT switched off by its shell; nobody switches it on again."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with streams.interruptible(), streams.stoppable() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number: signal.Signals) -> None:
    """An orderly end may be asked for once; who asks twice does not want to wait."""
    with streams.stoppable() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(number)
        assert isinstance(caught.value, streams.Terminated) == (number == signal.SIGTERM)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_the_start_is_one_line(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """While the program waits for its input nobody sees a trace: one line, and the code a shell expects."""
    waiting = (
        "import sys, runpy, os, signal\n"
        f"from interface.commands import dispatch\n"
        f"dispatch._run = lambda words: os.kill(os.getpid(), {int(number)}) or signal.pause()\n"
        "sys.exit(dispatch.main(['config', 'check']))"
    )
    done = subprocess.run(
        [command()[0], "-c", waiting],
        cwd=Path(command()[1]).parent,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    word = "interrupted" if code == 130 else "terminated"
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"scalper: {word}\n")
