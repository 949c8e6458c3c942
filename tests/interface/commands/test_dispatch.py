"""From words to exit codes."""

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


@pytest.mark.parametrize("mode", ["live", "testnet", "shadow", "rehearsal"])
def test_later_modes_exit_2(mode, capsys):
    """A mode of a later version is refused before anything starts."""
    assert dispatch.main(["--mode", mode]) == 2
    expected = f"scalper: mode {mode} is not available in this version; only paper is [MODE_UNAVAILABLE]\n"
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
