"""The environment beside main.py: found, made, completed, repaired."""

import os
import sys
import venv

import pytest

from interface.commands import environment
from models.error import ScalperError

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


class Continued(Exception):
    """In place of another interpreter taking over."""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with one lock file, and an interpreter that is in no environment and has no packages."""
    (tmp_path / "requirements.lock").write_text("# made\nalpha==1.0 \\\n    --hash=sha256:00\n", encoding="utf-8")
    monkeypatch.delenv(environment.OFF, raising=False)
    monkeypatch.delenv(environment.REEXECUTED, raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "nothing")])

    def carry_on(home, words):
        raise Continued(home.name, *words)

    monkeypatch.setattr(environment, "_continue_in", carry_on)
    return tmp_path


@pytest.fixture
def commands(monkeypatch):
    """The commands a set-up runs; making an environment makes its skeleton, installing installs nothing."""
    seen = []

    def fake(command):
        seen.append(command[1:4] if command[2] == "venv" else [command[3], command[-1].rpartition("/")[2]])
        if command[2] == "venv":
            skeleton(command[-1])
        return ""

    monkeypatch.setattr(environment, "_failure", fake)
    return seen


def skeleton(home):
    """A real but empty environment of this Python."""
    venv.EnvBuilder(with_pip=False, clear=True, symlinks=True).create(home)


def package(folder, name, version):
    """The trace an installed package leaves."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def site(home):
    """The folder of an environment's packages."""
    return home / "lib" / f"python{MINOR}" / "site-packages"


def start(root, *locks):
    """What a start does: the name of the environment it goes on in, or None when it goes on here."""
    try:
        environment.ensure(root, [root / name for name in ("requirements.lock", *locks)], ["main.py", "demo"])
    except Continued as there:
        return there.args[0]
    return None


def test_first_start_makes_installs_and_goes_on_there(root, commands, capsys):
    """A fresh clone is told what happens, gets its environment and packages, and is continued in it."""
    assert start(root) == ".venv"
    assert commands == [["-m", "venv", "--clear"], ["install", "requirements.lock"]]
    assert "create .venv and install the packages of requirements.lock" in capsys.readouterr().err


def test_second_start_installs_nothing(root, commands, capsys):
    """A stamped environment is used at once, without a word."""
    start(root)
    commands.clear()
    capsys.readouterr()
    assert (start(root), commands, capsys.readouterr().err) == (".venv", [], "")


def test_changed_lock_is_installed_again(root, commands):
    """Other locked versions complete the same environment."""
    start(root)
    commands.clear()
    (root / "requirements.lock").write_text("alpha==2.0 --hash=sha256:01\n", encoding="utf-8")
    assert (start(root), commands) == (".venv", [["install", "requirements.lock"]])


def test_group_is_added_and_kept(root, commands):
    """A second group is installed on top, and afterwards both starts need nothing."""
    start(root)
    (root / "requirements-test.lock").write_text("beta==1 --hash=sha256:02\n", encoding="utf-8")
    start(root, "requirements-test.lock")
    commands.clear()
    assert (start(root), start(root, "requirements-test.lock"), commands) == (".venv", ".venv", [])


def test_a_separate_environment_holds_one_lock_and_is_made_once(root, commands):
    """It stands beside the others under its own name, with nothing of requirements.lock in it."""
    (root / "requirements-foreign.lock").write_text("gamma==3 --hash=sha256:03\n", encoding="utf-8")
    home = root / ".venv-foreign"
    assert environment.separate(root, "foreign") == environment.python_of(home)
    assert commands == [["-m", "venv", "--clear"], ["install", "requirements-foreign.lock"]]
    commands.clear()
    assert environment.separate(root, "foreign") == environment.python_of(home) and not commands
    assert not (root / ".venv").exists()


def test_a_separate_environment_needs_its_lock(root, commands):
    """Without the lock file nothing is made and the sentence names the file."""
    with pytest.raises(ScalperError, match=r"no package group file requirements-x\.lock"):
        environment.separate(root, "x")
    assert not commands and not (root / ".venv-x").exists()


def test_interrupted_set_up_is_made_again(root, commands):
    """An environment in which packages were being installed is made anew."""
    start(root)
    (root / ".venv" / environment.MARK).touch()
    commands.clear()
    assert start(root) == ".venv"
    assert commands == [["-m", "venv", "--clear"], ["install", "requirements.lock"]]


def test_environment_without_its_python_is_made_again(root, commands):
    """An environment whose interpreter is gone is made anew."""
    start(root)
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(root / "gone")
    commands.clear()
    assert (start(root), commands[0]) == (".venv", ["-m", "venv", "--clear"])


def test_hand_filled_environment_is_taken_as_it_is(root, commands):
    """An environment that already has every locked package is stamped, nothing is installed."""
    skeleton(root / ".venv")
    package(site(root / ".venv"), "Alpha", "1.0")
    assert (start(root), commands) == (".venv", [])


def test_other_python_gets_its_own_environment(root, commands):
    """An environment of another minor version is left alone."""
    (root / ".venv").mkdir()
    (root / ".venv" / "pyvenv.cfg").write_text("home = x\nversion = 3.9.1\n", encoding="utf-8")
    assert start(root) == f".venv-{MINOR}"
    assert os.listdir(root / ".venv") == ["pyvenv.cfg"]


def test_interpreter_that_has_everything_is_used(root, commands, monkeypatch):
    """Without an environment an interpreter with all packages just goes on."""
    package(root / "packages", "alpha", "1.0")
    monkeypatch.setattr(sys, "path", [str(root / "packages")])
    assert (start(root), commands, (root / ".venv").exists()) == (None, [], False)


def test_set_up_can_be_switched_off(root, commands, monkeypatch):
    """SCALPER_NO_BOOTSTRAP=1 touches nothing."""
    monkeypatch.setenv(environment.OFF, "1")
    assert (start(root), commands, sorted(os.listdir(root))) == (None, [], ["requirements.lock"])


def test_failed_install_tells_the_installers_words(root, monkeypatch):
    """What the installer said last stands in the error, and the next start begins again."""

    def fail(command):
        if command[2] == "venv":
            skeleton(command[-1])
            return ""
        return "ERROR: no matching distribution for alpha==1.0"

    monkeypatch.setattr(environment, "_failure", fail)
    with pytest.raises(ScalperError, match=r"requirements\.lock could not be installed: ERROR: no matching") as caught:
        start(root)
    assert (caught.value.code, environment.stamped(root / ".venv", [root / "requirements.lock"])) == ("SETUP", False)


def test_python_without_venv_says_what_to_install(root, monkeypatch):
    """A Python that cannot make environments is told with the package that brings it."""
    monkeypatch.setattr(environment, "_failure", lambda command: "ensurepip is not available")
    with pytest.raises(ScalperError, match="python3-venv"):
        start(root)


def test_unknown_group_is_one_sentence(root, commands):
    """A group without a lock file is refused before anything is made."""
    with pytest.raises(ScalperError, match=r"no package group file requirements-x\.lock"):
        start(root, "requirements-x.lock")
    assert commands == []


def test_missing_names_what_differs(root):
    """Absent and differing packages are told; one with an environment marker may be absent but not differ."""
    lock = root / "l.lock"
    lines = "A_b==1 --hash=x\nc==2 \\\n --hash=x\nd==3 ; python_full_version < '3.12' \\\n --hash=x\n"
    lock.write_text(lines, encoding="utf-8")
    package(root / "p", "a-b", "1")
    assert environment.missing([lock], [str(root / "p")]) == ["c==2"]
    package(root / "p", "d", "4")
    assert environment.missing([lock], [str(root / "p")]) == ["c==2", "d==3"]


def test_failure_gives_the_last_words():
    """A command that fails is quoted without the installer's warnings, one that succeeds is silent."""
    code = "import sys; print('WARNING: x'); sys.exit('it broke')"
    assert environment._failure([sys.executable, "-c", code]) == "it broke"
    assert environment._failure([sys.executable, "-c", "print('noise')"]) == ""
