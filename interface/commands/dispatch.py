"""From the command line to a verb's ``run(arguments, settings)``, and from its errors to sentences and exit codes.

Standard library only until ``environment`` has found or made the environment with the locked packages.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from interface.commands import environment
from interface.commands.parser import parse
from models.error import ScalperError

ROOT = Path(__file__).resolve().parents[2]
OWN_SETTINGS = ("config", "doctor", "test")  # they report on settings that may be wrong, or need none
KERNEL_ROOMS = ("core", "data_collector", "exchange", "storage")  # 130 files, hashed in 4 ms
EXIT_INTERRUPTED = 130  # 128 + SIGINT: what a shell expects of a finite command that was interrupted


def main(words: Sequence[str]) -> int:
    """Run the command line; the exit code of conventions §1. Never raises but for SystemExit of ``--help``."""
    try:
        arguments = parse(words)
        if arguments.no_color:
            os.environ["NO_COLOR"] = "1"
        environment.ensure(ROOT, _locks(arguments), sys.argv)
        return dispatch(arguments)
    except ScalperError as error:
        return report(error, as_json="--json" in words)
    except KeyboardInterrupt:
        sys.stderr.write("scalper: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        traceback.print_exc()
        wrapped = ScalperError(f"unexpected {type(error).__name__}: {error}; this is a mistake in the program")
        wrapped.code = "INTERNAL"
        return report(wrapped, as_json="--json" in words)


def report(error: ScalperError, *, as_json: bool) -> int:
    """Tell the error where it is looked for: JSON on stdout when results are JSON, else a sentence on stderr."""
    if as_json:
        sys.stdout.write(json.dumps({"error": {"code": error.code, "message": error.message}}, ensure_ascii=False))
        sys.stdout.write("\n")
    else:
        sys.stderr.write(f"scalper: {error.message} [{error.code}]\n")
    return error.exit_code


def _locks(arguments: argparse.Namespace) -> list[Path]:
    names = ["requirements.lock"]
    if arguments.command == "test":
        names += ["requirements-test.lock", *(f"requirements-{group}.lock" for group in arguments.group)]
    return [ROOT / name for name in names]


def dispatch(arguments: argparse.Namespace) -> int:
    """Import the verb's module and run it with the merged settings."""
    name = f"interface.commands.{arguments.command}"
    settings = None
    if arguments.command not in OWN_SETTINGS:
        from config.rules import require_mode
        from interface.commands.loading import loaded

        settings = loaded(arguments).settings
        require_mode(settings.app.mode)
    if importlib.util.find_spec(name) is None:
        raise ScalperError(f"{arguments.command} is not part of this copy of the program", code="NO_COMMAND")
    compile_cache(Path(settings.app.data_dir if settings else arguments.data_dir or ROOT / "data"))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in environment.OWN_ROOMS:
            raise
        raise ScalperError(
            f"the package {error.name} is missing; install requirements.lock, or unset SCALPER_NO_BOOTSTRAP",
            code="PACKAGE_MISSING",
        ) from None
    return int(module.run(arguments, settings) or 0)


def compile_cache(data_dir: Path) -> None:
    """Where compiled kernels are kept, unless the user said otherwise. Must be set before numba is imported.

    The folder is named by the state of all sources that hold kernels: the compiler notices a change in a kernel's own
    file, not in the kernels it calls, so an edited book would go on inside an old engine. Folders of other states are
    removed.
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
    if caches.is_dir():
        for other in caches.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
