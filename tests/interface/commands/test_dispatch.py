"""From words to exit codes."""

import contextlib
import errno
import io
import json
import os
import types
from pathlib import Path

import pytest

from interface.commands import dispatch, environment
from models.error import DataError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working folder and an environment that needs no set-up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(environment.OFF, "1")
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", str(tmp_path)))


@pytest.fixture
def verb(monkeypatch):
    """Replaces what every command does; the list holds the calls."""
    calls = []

    def install(action):
        def run(arguments, settings):
            calls.append((arguments, settings))
            return action()

        monkeypatch.setattr(dispatch.importlib, "import_module", lambda name: types.SimpleNamespace(run=run))
        return calls

    return install


def test_verb_gets_arguments_and_settings(verb):
    """A command's run is called once with its options and the merged settings, and its code is the exit code."""
    calls = verb(lambda: 6)
    assert dispatch.main(["demo", "--set", "risk.leverage=3"]) == 6
    assert [(arguments.command, settings.risk.leverage) for arguments, settings in calls] == [("demo", 3)]


def test_errors_become_a_sentence_and_a_code(verb, capsys):
    """An error of the program's own is one line on stderr and its exit code."""

    def fail():
        raise DataError("no such recording; name a folder", code="NO_RECORDING")

    verb(fail)
    assert dispatch.main(["demo"]) == 2
    assert capsys.readouterr() == ("", "scalper: no such recording; name a folder [NO_RECORDING]\n")


def test_errors_are_json_where_results_are(capsys):
    """With --json a mistake is one document on stdout and nothing on stderr."""
    assert dispatch.main(["demo", "--json", "--for", "x"]) == 2
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"]["code"], err) == ("USAGE", "")


def test_wrong_settings_exit_3(capsys):
    """A mistake in the settings stops every command that needs them."""
    assert dispatch.main(["demo", "--set", "risk.leverage=999"]) == 3
    assert "risk.leverage is '999'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "feed", "only"),
    [("live", "embedded", "binance"), ("shadow", "file:x", "binance"), ("rehearsal", "binance", "embedded")],
)
def test_a_mode_has_one_feed(mode, feed, only, capsys):
    """The embedded exchange is for paper and rehearsal, the venue for the others: anything else is wrong usage."""
    assert dispatch.main(["--mode", mode, "--feed", feed]) == 2
    expected = f"scalper: mode {mode} has the feed {only} only; leave --feed out, or use --feed {only} [USAGE]\n"
    assert capsys.readouterr().err == expected


def test_absent_command_is_one_sentence(monkeypatch, capsys):
    """A verb whose module is not shipped says so."""
    monkeypatch.setattr(dispatch.importlib.util, "find_spec", lambda name: None)
    assert dispatch.main(["demo"]) == 1
    assert capsys.readouterr().err == "scalper: demo is not part of this copy of the program [NO_COMMAND]\n"


def test_absent_package_is_one_sentence(monkeypatch, capsys):
    """Without set-up a missing package is named with what to do."""

    def fail(name):
        raise ModuleNotFoundError("No module named 'picows'", name="picows")

    monkeypatch.setattr(dispatch.importlib, "import_module", fail)
    assert dispatch.main(["demo"]) == 1
    assert "the package picows is missing; install requirements.lock" in capsys.readouterr().err


def test_unexpected_errors_exit_1_with_their_trace(verb, capsys):
    """A mistake in the program is told as such, with its trace on stderr."""
    verb(lambda: 1 // 0)
    assert dispatch.main(["demo"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "[INTERNAL]" in err


def test_interrupt_is_no_trace(verb, capsys):
    """Ctrl-C ends with the shell's code and one line."""

    def fail():
        raise KeyboardInterrupt

    verb(fail)
    assert (dispatch.main(["demo"]), capsys.readouterr().err) == (130, "scalper: interrupted\n")


def test_interrupt_in_json_is_a_document(verb, capsys):
    """With --json even Ctrl-C leaves one document on stdout."""

    def fail():
        raise KeyboardInterrupt

    verb(fail)
    assert dispatch.main(["demo", "--json"]) == 130
    assert json.loads(capsys.readouterr().out) == {"error": {"code": "INTERRUPTED", "message": "interrupted"}}


@pytest.mark.parametrize(
    ("error", "exit_code", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "f"), 4, "f: Permission denied; change its owner"),
        (OSError(errno.EROFS, "Read-only file system", "f"), 4, "f: Read-only file system; change its owner"),
        (OSError(errno.ENOSPC, "No space left on device"), 4, "No space left on device; free some"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "f"), 2, "f: No such file or directory; name"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(verb, capsys, error, exit_code, sentence):
    """Permissions, a full disk and a missing file are the user's to mend: no trace, a stable code, what to do."""

    def fail():
        raise error

    verb(fail)
    assert dispatch.main(["demo"]) == exit_code
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith(f"scalper: {sentence}")) == ("", 1, True)


def test_a_list_of_mistakes_is_a_list_in_json(capsys):
    """Several mistakes in the settings are the error's details, one each."""
    words = ["demo", "--json", "--set", "risk.leverage=x", "--set", "risk.levrage=3"]
    assert dispatch.main(words) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == "the settings have 2 mistakes:"
    assert len(error["details"]) == 2 and error["details"][0].startswith("--set risk.leverage: ")


def test_a_package_that_is_missed_later_is_one_sentence_too(verb, capsys):
    """Commands import much of what they need when they run."""

    def fail():
        raise ModuleNotFoundError("No module named 'uvloop'", name="uvloop")

    verb(fail)
    assert dispatch.main(["demo"]) == 1
    assert "the package uvloop is missing; install requirements.lock" in capsys.readouterr().err


def test_a_group_with_its_own_environments_adds_no_lock_to_ours(verb, monkeypatch):
    """Other groups' packages go into our environment; a group whose packages stand apart does not."""
    asked = []
    monkeypatch.setattr(environment, "ensure", lambda root, locks, words: asked.append([lock.name for lock in locks]))
    verb(lambda: 0)
    dispatch.main(["test", "--group", "bench", "--group", "conformance"])
    assert asked == [["requirements.lock", "requirements-test.lock", "requirements-bench.lock"]]


@pytest.mark.parametrize("command", ["run", "demo", "backtest x", "replay x"])
def test_who_keeps_records_needs_a_folder(verb, tmp_path, capsys, command):
    """Commands that write records are refused before they begin when their folder is a file; the others are not."""
    calls = verb(lambda: 0)
    (tmp_path / "f").write_text("mine")
    assert dispatch.main([*command.split(), "--data-dir", "f"]) == 4
    assert (calls, "[DATA_DIR]" in capsys.readouterr().err) == ([], True)


def test_the_first_start_says_that_it_compiles(verb, monkeypatch, tmp_path):
    """On a terminal the silent half minute is announced, once for each command and state of the sources."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(dispatch.first_compile, "begin", lambda root, cache: None)
    verb(lambda: 0)
    told = []
    for words in (["demo"], ["demo"], ["backtest", "x"], ["config", "check"]):
        screen = io.StringIO()
        screen.isatty = lambda: True
        with contextlib.redirect_stderr(screen):
            assert dispatch.main(words) == 0
        told.append("compiling, once" in screen.getvalue())
    assert told == [True, False, True, False]


def test_compile_cache_needs_no_data_folder(tmp_path, monkeypatch):
    """Where the data folder cannot be written, kernels are cached elsewhere for this process."""
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (tmp_path / "f").write_text("mine")
    dispatch.compile_cache(tmp_path / "f")
    chosen = Path(os.environ["NUMBA_CACHE_DIR"])
    assert chosen.is_dir() and tmp_path not in chosen.parents
    chosen.rmdir()


def test_compile_cache_lies_in_the_data_folder(tmp_path, monkeypatch):
    """Kernels are cached below the data folder unless the user chose another place."""
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    dispatch.compile_cache(tmp_path / "d")
    dispatch.compile_cache(tmp_path / "other")
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == tmp_path / "d" / "cache" / "numba"


def test_compiled_kernels_of_other_sources_are_removed(tmp_path, monkeypatch):
    """A cache made from other sources is not used again, and not kept."""
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    old = tmp_path / "cache" / "numba" / "0123456789abcdef"
    old.mkdir(parents=True)
    dispatch.compile_cache(tmp_path)
    assert (old.exists(), Path(os.environ["NUMBA_CACHE_DIR"]) == old) == (False, False)
