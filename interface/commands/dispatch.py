"""From the command line to a verb's ``run(arguments, settings)``, and from its errors to sentences and exit codes.

Standard library only until ``environment`` has found or made the environment with the locked packages.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from interface.commands import environment, first_compile, preflight, streams
from interface.commands.parser import parse
from models.error import DataError, PreflightError, ScalperError

ROOT = Path(__file__).resolve().parents[2]
OWN_SETTINGS = ("config", "doctor", "test")  # they report on settings that may be wrong, or need none
TALK = ("status", "health", "stop", "start", "flatten", "kill", "rearm")  # need neither packages nor settings
KEEP_RECORDS = ("run", "demo", "backtest", "replay")
COMPILE = (*KEEP_RECORDS, "data", "simulate")
KERNEL_ROOMS = ("core", "data_collector", "exchange", "storage")  # 130 files, hashed in 4 ms
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # 128 + the signal: what a shell expects of an interrupted command
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def main(words: Sequence[str]) -> int:
    """Run the command line; the exit code of conventions §1. Never raises but for SystemExit of ``--help``."""
    streams.mend()
    with streams.interruptible():
        try:
            return _told(words)
        finally:
            streams.settle()


def _told(words: Sequence[str]) -> int:
    as_json = "--json" in words
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        ended = isinstance(error, streams.Terminated)
        stopped = ScalperError("terminated" if ended else "interrupted", code="INTERRUPTED")
        stopped.exit_code = EXIT_TERMINATED if ended else EXIT_INTERRUPTED
        return report(stopped, as_json=as_json)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        return 0
    except Exception as error:
        return report(told(error), as_json=as_json)


def _run(words: Sequence[str]) -> int:
    try:
        arguments = parse(words)
    except SystemExit:  # --help and --version have written their page
        sys.stdout.flush()
        raise
    if arguments.no_color:
        os.environ["NO_COLOR"] = "1"
    if arguments.command in TALK:  # at once, also with the wrong interpreter: nobody waits for a kill
        return int(importlib.import_module(f"interface.commands.{arguments.command}").run(arguments, None))
    environment.ensure(ROOT, _locks(arguments), sys.argv)
    return dispatch(arguments)


def told(error: Exception) -> ScalperError:
    """The sentence for any error; what no user and no machine can have caused is printed with its trace."""
    if isinstance(error, ScalperError):
        return error
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] not in environment.OWN_ROOMS:
        return ScalperError(
            f"the package {error.name} is missing; install requirements.lock, or unset {environment.OFF}",
            code="PACKAGE_MISSING",
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        what = f"{where}{error.strerror or error}"
        if error.errno in NOT_ALLOWED and where:
            return PreflightError(f"{what}; change its owner or permissions, or use another place", code="PERMISSION")
        if error.errno in NO_ROOM:
            return PreflightError(f"{what}; free some, or choose another disk with --data-dir", code="DISK_FULL")
        if where:
            return DataError(f"{what}; name another place, or mend this one", code="FILE")
    traceback.print_exception(error)
    return ScalperError(
        f"unexpected {type(error).__name__}: {error}; this is a mistake in the program", code="INTERNAL"
    )


def report(error: ScalperError, *, as_json: bool) -> int:
    """Tell the error where it is looked for: JSON on stdout when results are JSON, else a sentence on stderr."""
    mark = "" if error.code == "INTERRUPTED" else f" [{error.code}]"
    with contextlib.suppress(OSError):  # when nobody can be told, the exit code still says it
        if as_json:
            sys.stdout.write(json.dumps({"error": document(error)}, ensure_ascii=False) + "\n")
        else:
            clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line of progress may stand there
            sys.stderr.write(f"{clear}scalper: {error.message}{mark}\n")
    return error.exit_code


def document(error: ScalperError) -> dict[str, object]:
    """An error as JSON: ``code``, ``message``, and ``details`` where the message lists several mistakes."""
    first, *others = error.message.splitlines() or [""]
    details = {"details": [line.strip() for line in others]} if others else {}
    return {"code": error.code, "message": first if others else error.message, **details}


def _locks(arguments: argparse.Namespace) -> list[Path]:
    names = ["requirements.lock"]
    if arguments.command == "test":
        ours = [group for group in arguments.group if group not in (*environment.SEPARATE, "long")]
        names += ["requirements-test.lock", *(f"requirements-{group}.lock" for group in ours)]
    return [ROOT / name for name in names]


def dispatch(arguments: argparse.Namespace) -> int:
    """Import the verb's module and run it with the merged settings."""
    name = f"interface.commands.{arguments.command}"
    settings = None
    if arguments.command not in OWN_SETTINGS:
        from interface.commands.loading import loaded

        settings = loaded(arguments).settings
    if importlib.util.find_spec(name) is None:
        raise ScalperError(f"{arguments.command} is not part of this copy of the program", code="NO_COMMAND")
    data_dir = Path(settings.app.data_dir if settings else arguments.data_dir or ROOT / "data")
    if arguments.command in KEEP_RECORDS:
        preflight.require_room(data_dir)
    compile_cache(data_dir)
    with _told_of_compiling(arguments):
        module = importlib.import_module(name)
        return int(module.run(arguments, settings) or 0)


@contextlib.contextmanager
def _told_of_compiling(arguments: argparse.Namespace) -> Iterator[None]:
    """Half a silent minute looks like a program that hangs; a mark in the cache says that this command has had it."""
    mark = Path(os.environ["NUMBA_CACHE_DIR"], f".compiled-{arguments.command}")
    first = arguments.command in COMPILE and not mark.exists()
    helper = first_compile.begin(ROOT, mark.parent) if first else None
    quiet = arguments.quiet or getattr(arguments, "json", False)
    if first and not quiet and sys.stderr.isatty():
        sys.stderr.write("scalper: first start with these sources: compiling, once, about half a minute …\n")
    yield
    if helper is not None:
        helper.poll()
    if first:
        with contextlib.suppress(OSError):
            mark.touch()


def compile_cache(data_dir: Path) -> None:
    """Where compiled kernels are kept, unless the user said otherwise. Must be set before numba is imported.

    The folder is named by the state of all sources that hold kernels: the compiler notices a change in a kernel's own
    file, not in the kernels it calls, so an edited book would go on inside an old engine. Folders of other states are
    removed. Where the data folder cannot be written, a folder of this process takes its place.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    caches = (data_dir / "cache" / "numba").absolute()
    state = hashlib.sha256()
    for room in KERNEL_ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            state.update(path.read_bytes())
    name = state.hexdigest()[:16]
    os.environ["NUMBA_CACHE_DIR"] = str(caches / name)
    if preflight.cannot_write(caches):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="scalper-numba-")
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)
        return
    if caches.is_dir():
        for other in caches.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
