"""The environment the locked packages live in: found, or made beside ``main.py``. Standard library only.

A start that needs nothing costs one hash of the lock file. The stamp of an environment holds the hashes of the locks
it was filled from; a mark stands in it while packages are being installed, so an interrupted set-up is seen and made
again. A lock file keeps two starts from setting up at once. ``SCALPER_NO_BOOTSTRAP=1`` turns all of it off: container
images set it, because there the image is the environment. Separate environments are made only where they are asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from models.error import ScalperError

OFF = "SCALPER_NO_BOOTSTRAP"
REEXECUTED = "_SCALPER_REEXECUTED"  # guards against an environment that does not lead to itself
STAMP = ".scalper-locks"
MARK = ".scalper-installing"
INSTALL_SECONDS_MAX = 900  # a slow line needs two minutes for 60 MB; a quarter of an hour is a broken one
SEPARATE = {"conformance": ("conformance-connector", "conformance-ccxt", "conformance-python-binance")}
"""Test groups whose packages get environments of their own, because their pins conflict: the lock files' names"""
OWN_ROOMS = frozenset(
    ["config", "core", "data_collector", "exchange", "interface", "models", "research", "storage", "utils", "wiring"]
)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)\s*(;)?", re.MULTILINE)


def ensure(root: Path, locks: Sequence[Path], words: Sequence[str]) -> None:
    """Return when this interpreter has the packages of ``locks``; else set up an environment and continue there.

    ``words`` is ``sys.argv``. Does not return when another interpreter takes over. Raises ScalperError (code SETUP)
    when the packages cannot be installed; the message holds the installer's last words.
    """
    if os.environ.get(OFF) == "1":
        return
    for lock in locks:
        if not lock.is_file():
            raise ScalperError(f"there is no package group file {lock.name} beside main.py", code="SETUP")
    home = environment_folder(root)
    inside = _same(Path(sys.prefix), home)
    if not inside and sys.prefix != sys.base_prefix and not missing(locks, sys.path):
        return  # a hand-made environment that has everything
    if not stamped(home, locks):
        if not inside and not home.exists() and not missing(locks, sys.path):
            return
        _set_up(root, home, locks)
    if not inside:
        _continue_in(home, words)
    os.environ.pop(REEXECUTED, None)


def separate(root: Path, name: str) -> Path:
    """The interpreter of ``.venv-NAME``, which holds the packages of ``requirements-NAME.lock`` and no others.

    Made when it is not there. Raises ScalperError (code SETUP).
    """
    lock = root / f"requirements-{name}.lock"
    if not lock.is_file():
        raise ScalperError(f"there is no package group file {lock.name} beside main.py", code="SETUP")
    home = root / f".venv-{name}"
    if not stamped(home, [lock]):
        _set_up(root, home, [lock])
    return python_of(home)


def environment_folder(root: Path) -> Path:
    """``.venv``, or ``.venv-3.12`` when ``.venv`` belongs to another minor version of Python."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    first = root / ".venv"
    made_by = _minor_of(first)
    return first if made_by in (None, minor) else root / f".venv-{minor}"


def _minor_of(home: Path) -> str | None:
    """The Python minor version an environment was made by, None when it says nothing."""
    try:
        text = (home / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
    return found.group(1) if found else None


def python_of(home: Path) -> Path:
    """The interpreter of an environment."""
    return home / "bin" / "python"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


# --------------------------------------------------------------------------------------------------- is it all there?


def digest(lock: Path) -> str:
    """What the stamp keeps of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def stamped(home: Path, locks: Sequence[Path]) -> bool:
    """Whether the environment was filled from exactly these locks and nobody was interrupted."""
    try:
        lines = set((home / STAMP).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        return False
    if (home / MARK).exists() or not os.access(python_of(home), os.X_OK):
        return False
    return all(digest(lock) in lines for lock in locks)


def missing(locks: Sequence[Path], path: Sequence[str]) -> list[str]:
    """Locked packages that are absent from ``path`` or have another version there: ``name==version``.

    A package with an environment marker may rightly be absent; a wrong version of it is still told.
    """
    import importlib.metadata  # a fifth of the time of `--help`, which needs none of it

    wanted: dict[str, tuple[str, str, bool]] = {}
    for lock in locks:
        for name, version, marker in _REQUIREMENT.findall(lock.read_text(encoding="utf-8")):
            wanted[_plain(name)] = (name, version, bool(marker))
    found = {
        _plain(distribution.name): distribution.version
        for distribution in importlib.metadata.distributions(path=list(path))
        if distribution.name
    }
    return [
        f"{name}=={version}"
        for plain, (name, version, optional) in wanted.items()
        if found.get(plain, version if optional else None) != version
    ]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -------------------------------------------------------------------------------------------------------------- set-up


def _set_up(root: Path, home: Path, locks: Sequence[Path]) -> None:
    if not os.access(root, os.W_OK):
        raise ScalperError(
            f"packages are missing and {root} is not writable; install requirements.lock by hand", code="SETUP"
        )
    with _alone(root, home):
        if stamped(home, locks):
            return  # another start did it meanwhile
        broken = (home / MARK).exists() or not _works(home)
        if not broken and not missing(locks, _packages_of(home)):
            _stamp(home, locks)
            return
        names = " and ".join(lock.name for lock in locks)
        how = "create" if not home.exists() else "make again" if broken else "complete"
        _say(f"first start: {how} {home.name} and install the packages of {names} with their hashes (about 30 s) …")
        if broken:
            _create(home)
        (home / MARK).touch()
        for lock in locks:
            _install(home, lock)
        _stamp(home, locks)
        _say("set-up done")


@contextlib.contextmanager
def _alone(root: Path, home: Path) -> Iterator[None]:
    with open(root / f"{home.name}.lock", "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another start is setting up; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _works(home: Path) -> bool:
    """Whether the environment's interpreter starts: it does not when the Python it was made by is gone."""
    if not os.access(python_of(home), os.X_OK):
        return False
    done = subprocess.run([python_of(home), "-c", "import sys"], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def _packages_of(home: Path) -> list[str]:
    return [str(path) for path in (home / "lib").glob("python*/site-packages")]


def _create(home: Path) -> None:
    failed = _failure([sys.executable, "-m", "venv", "--clear", str(home)])
    if failed and _failure([sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)]):
        raise ScalperError(
            f"{sys.executable} cannot make an environment; install its venv package (python3-venv): {failed}",
            code="SETUP",
        )


def _install(home: Path, lock: Path) -> None:
    # --no-compile: of the packages' 4,000 files we import 1,000; compiling those as they come saves 5 s
    arguments = ["install", "--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"]
    arguments += ["--require-hashes", "-r", str(lock)]
    failed = _failure([str(python_of(home)), "-m", "pip", *arguments])
    if failed and "No module named pip" in failed:  # made without pip: the starting Python's pip may serve it
        failed = _failure([sys.executable, "-m", "pip", "--python", str(python_of(home)), *arguments])
    if failed:
        raise ScalperError(f"the packages of {lock.name} could not be installed: {failed}", code="SETUP")


def _failure(command: Sequence[str]) -> str:
    """Run a command quietly; empty when it went well, else the last lines it wrote."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS_MAX,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {INSTALL_SECONDS_MAX} s"
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "WARNING" not in line]
    return "\n".join(lines[-12:]) or f"exit code {done.returncode}"


def _stamp(home: Path, locks: Sequence[Path]) -> None:
    """Note the locks; those of groups installed earlier and unchanged stay noted."""
    stamp = home / STAMP
    earlier: set[str] = set()
    with contextlib.suppress(OSError):
        earlier = set(stamp.read_text(encoding="utf-8").split())
    beside = {digest(lock) for lock in locks[0].parent.glob("requirements*.lock")}
    temporary = stamp.with_suffix(".tmp")
    temporary.write_text(
        "\n".join(sorted((earlier & beside) | {digest(lock) for lock in locks})) + "\n", encoding="utf-8"
    )
    os.replace(temporary, stamp)
    (home / MARK).unlink(missing_ok=True)


def _continue_in(home: Path, words: Sequence[str]) -> NoReturn:
    if os.environ.get(REEXECUTED) == str(home):
        raise ScalperError(f"{home.name} does not lead to itself; remove the folder and start again", code="SETUP")
    os.environ[REEXECUTED] = str(home)
    sys.stdout.flush()
    sys.stderr.flush()
    python = str(python_of(home))
    os.execv(python, [python, *words])


def _say(text: str) -> None:
    sys.stderr.write(f"scalper: {text}\n")
    sys.stderr.flush()
