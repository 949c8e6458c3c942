"""`test`: pytest with our flags."""

import subprocess
import sys
import types

import pytest

from interface.commands import test as verb
from interface.commands.dispatch import ROOT
from interface.commands.parser import parse
from models.error import ScalperError


@pytest.fixture
def ran(monkeypatch):
    """Runs the verb with a pytest that ends with the given code; the result is what it was called with."""
    calls = []

    def run(code, *words):
        def fake(command, **options):
            calls.append((command, options))
            return types.SimpleNamespace(returncode=code)

        monkeypatch.setattr(subprocess, "run", fake)
        return verb.run(parse(["test", *words]), None), calls

    return run


def test_words_go_on_to_pytest(ran):
    """The words behind `test` follow our flags, in the repository's folder."""
    code, [(command, options)] = ran(0, "-k", "book", "tests/core")
    assert (code, options["cwd"]) == (0, ROOT)
    assert command == [sys.executable, "-m", "pytest", *verb.FLAGS, "-k", "book", "tests/core"]


def test_settings_of_the_user_do_not_reach_the_tests(ran, monkeypatch):
    """Variables of the program are taken out of the tests' environment, and set-up is off there."""
    monkeypatch.setenv("SCALPER_RISK__LEVERAGE", "3")
    monkeypatch.delenv("SCALPER_NO_BOOTSTRAP", raising=False)
    _, [(_, options)] = ran(0)
    ours = {name: value for name, value in options["env"].items() if name.startswith("SCALPER_")}
    assert ours == {"SCALPER_NO_BOOTSTRAP": "1"}


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (-9, 1)])
def test_exit_code_is_pytests(ran, code, expected):
    """Failures keep pytest's code, a killed pytest is a failure too."""
    assert ran(code)[0] == expected


def test_nothing_selected_is_an_error(ran):
    """Words that select no test are told as a mistake."""
    with pytest.raises(ScalperError, match="no test matches"):
        ran(5, "-k", "zzz")


def test_the_whole_suite_runs_on_all_cores(ran, monkeypatch):
    """Without words pytest gets a process more than cores, four at most, and leaves the long tests out; one core or a
    choice of tests runs in one process.
    """
    monkeypatch.setattr(verb.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    _, [(command, _)] = ran(0)
    left_out = [f"--ignore={name}" for name in verb.LONG_TESTS]
    assert command[-4 - len(left_out) :] == ["-n", "4", "--dist", "loadfile", *left_out]
    monkeypatch.setattr(verb.os, "sched_getaffinity", lambda _: {0}, raising=False)
    _, [_, (command, _)] = ran(0)
    assert "-n" not in command


def test_the_long_tests_are_a_group(ran, monkeypatch):
    """They alone run, on all cores, and each of their places is there."""
    monkeypatch.setattr(verb.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    _, [(command, _)] = ran(0, "--group", "long")
    assert command[-4 - len(verb.LONG_TESTS) :] == ["-n", "3", "--dist", "loadfile", *verb.LONG_TESTS]
    assert all((ROOT / name).exists() for name in verb.LONG_TESTS)


def test_a_group_with_its_own_environments_is_a_folder_of_tests(ran, monkeypatch):
    """Its environments are made first; then its folder alone runs, in one process, narrowed by the words behind it."""
    made = []
    monkeypatch.setattr(verb.environment, "separate", lambda root, name: made.append((root, name)))
    _, [(command, _)] = ran(0, "--group", "conformance", "-k", "ccxt")
    assert command == [sys.executable, "-m", "pytest", *verb.FLAGS, "tests/conformance", "-k", "ccxt"]
    assert made == [(ROOT, name) for name in verb.environment.SEPARATE["conformance"]]


def test_every_environment_of_a_group_has_its_lock():
    """Each lock file is there, pins with hashes, and names no index."""
    for names in verb.environment.SEPARATE.values():
        for name in names:
            text = (ROOT / f"requirements-{name}.lock").read_text(encoding="utf-8")
            assert "==" in text and "--hash=sha256:" in text and "index-url" not in text
