"""Where a running bot is found: the folder of its mode, its socket, its lock, its KILL file. Standard library only.

A command that talks to a bot must answer at once, also where the packages are not installed; so the two settings that
name the folder are read here, in the order of ``config.load``, strongest first. A test holds the two together.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.error import ConfigurationError

SOCKET_NAME, LOCK_NAME, KILL_NAME = "control.sock", "instance.lock", "KILL"
ADDRESS_BYTES_MAX = 90  # the system allows 104 or 108 bytes for the path of a socket; a temporary name is longer
FILE_BYTES_MAX = 1 << 20


def folder_of(arguments: argparse.Namespace) -> Path:
    """``data/<mode>`` by options, environment and settings files. Raises ConfigurationError for a file that is none."""
    data = _setting("data_dir", arguments, arguments.data_dir) or "./data"
    return Path(data) / (_setting("mode", arguments, getattr(arguments, "mode", None)) or "paper")


def _setting(name: str, arguments: argparse.Namespace, option: str | None) -> str:
    """One key of the section ``app``, empty when nobody names it."""
    for text in reversed(arguments.set or ()):
        key, _, value = text.partition("=")
        if key.strip() == f"app.{name}":
            return _unquoted(value.strip())
    if option:
        return str(option)
    for variable in (f"SCALPER_{name.upper()}", f"SCALPER_APP__{name.upper()}"):
        if os.environ.get(variable):
            return _unquoted(os.environ[variable])
    for path in reversed(_files(arguments)):
        value = _document(path).get("app", {})
        if isinstance(value, dict) and isinstance(value.get(name), str):
            return str(value[name])
    return ""


def _unquoted(text: str) -> str:
    if text[:1] in ("'", '"'):
        with contextlib.suppress(ValueError):
            value = tomllib.loads(f"value = {text}")["value"]
            return value if isinstance(value, str) else text
    return text


def _files(arguments: argparse.Namespace) -> list[Path]:
    named = [part for part in os.environ.get("SCALPER_CONFIG", "").split(os.pathsep) if part]
    files = [Path(name) for name in [*named, *(arguments.config or ())]]
    here = Path("scalper.toml")
    return files or ([here] if here.exists() else [])


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(FILE_BYTES_MAX).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); name an existing TOML file") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: is not TOML: {error}; mend it, or say where the bot is with --data-dir and --mode"
        ) from None


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """A path under which the system finds the socket ``path``, however deep its folder lies.

    Raises OSError when the folder does not exist, or lies too deep and there is no /proc.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def holder(folder: Path) -> dict[str, Any] | None:
    """What the process says that holds the lock of ``folder``; None when nobody holds it."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        try:
            facts = json.loads(os.pread(descriptor, 4096, 0))
        except ValueError:
            return {}
        return facts if isinstance(facts, dict) else {}
    else:
        return None
    finally:
        os.close(descriptor)
