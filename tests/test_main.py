"""The program from outside: its first words and its exit codes."""

import ast
import json
import subprocess
import sys

import pytest

from config.version import VERSION


@pytest.fixture
def program(repository, tmp_path):
    """Runs main.py in an empty folder; exit code, stdout, stderr."""

    def run(*words, code=None, **environment):
        command = [sys.executable, "-c", code] if code else [sys.executable, str(repository / "main.py"), *words]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"SCALPER_NO_BOOTSTRAP": "1", "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_version(program):
    """--version is one line on stdout."""
    assert program("--version") == (0, f"scalper {VERSION}\n", "")


def test_help_needs_no_package(repository, program):
    """--help comes from the standard library alone: it works in an interpreter without any package."""
    code = (
        "import sys, runpy; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        f"sys.path.insert(0, {str(repository)!r}); sys.argv = ['main.py', '--help']\n"
        f"runpy.run_path({str(repository / 'main.py')!r}, run_name='__main__')"
    )
    status, out, err = program(code=code)
    assert (status, out.splitlines()[0].startswith("scalper "), err) == (0, True, "")


def test_old_python_is_one_sentence(repository, program):
    """A Python before 3.11 is told in one sentence, with exit code 2."""
    code = (
        "import sys, runpy; sys.version_info = (3, 10, 2)\n"
        f"runpy.run_path({str(repository / 'main.py')!r}, run_name='__main__')"
    )
    assert program(code=code) == (2, "", "scalper: Python 3.11 or newer is needed, this is 3.10\n")


def test_main_reads_on_old_pythons(repository):
    """main.py holds no syntax newer than Python 3.7, so that old ones can say their sentence."""
    source = (repository / "main.py").read_text(encoding="utf-8")
    assert isinstance(ast.parse(source, feature_version=(3, 7)), ast.Module)


def test_mistakes_exit_with_their_code(program):
    """Usage is 2, settings are 3, and the sentence stands on stderr."""
    wrong_usage, wrong_settings = program("rnu"), program("config", "check", SCALPER_RISK__LEVERAGE="0")
    assert wrong_usage == (2, "", "scalper: 'rnu' is not a command; did you mean run? [USAGE]\n")
    assert (wrong_settings[0], "environment SCALPER_RISK__LEVERAGE" in wrong_settings[2]) == (3, True)


def test_json_mistakes_are_documents(program):
    """With --json the mistake is the one document on stdout."""
    status, out, err = program("config", "check", "--json", "--set", "a.b=1")
    assert (status, json.loads(out)["error"]["code"], err) == (3, "CONFIG", "")


def test_nothing_is_written_by_looking(program, tmp_path):
    """Looking at the settings leaves no file behind."""
    assert program("config", "show")[0] == 0
    assert list(tmp_path.iterdir()) == []
