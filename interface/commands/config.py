"""`config show|check|init|schema`: what is set, where each value comes from, and what may be set."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from config.load import HERE, LEAVES, USER_FILE, Loaded, allowed, variable_name
from config.settings import Settings
from interface.commands.loading import loaded
from models.error import ConfigurationError


def run(arguments: argparse.Namespace, settings: Settings | None) -> int:
    """The verb of ``config``; the exit code."""
    return {"show": show, "check": check, "init": init, "schema": schema}[arguments.verb](arguments)


def show(arguments: argparse.Namespace) -> int:
    """Every key with its value and origin. Secrets are no settings, so nothing here is secret."""
    merged = loaded(arguments)
    if arguments.json:
        _print(json.dumps(effective(merged), ensure_ascii=False, indent=1))
        return 0
    rows = [(key, _toml(value_at(merged.settings, key)), merged.origins.get(key, "built in")) for key in LEAVES]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    section = ""
    for key, value, origin in rows:
        head = key.rpartition(".")[0]
        if head != section:
            _print(f"{'' if not section else chr(10)}[{head}]")
            section = head
        _print(f"{key.rpartition('.')[2]:<{widths[0]}} = {value:<{min(widths[1], 40)}}  # {origin}")
    return 0


def effective(merged: Loaded) -> dict[str, Any]:
    """The document of ``config show --json``: settings as nested tables, origins by dotted key, files, variables."""
    return {
        "settings": msgspec.to_builtins(merged.settings),
        "origins": {key: merged.origins.get(key, "built in") for key in LEAVES},
        "files": list(merged.files),
        "environment": list(merged.environment),
    }


def check(arguments: argparse.Namespace) -> int:
    """Says that all is well; a mistake has raised ConfigurationError before."""
    merged = loaded(arguments)
    changed = {key: origin for key, origin in merged.origins.items() if origin != "default"}
    if arguments.json:
        _print(json.dumps({"ok": True, "changed": changed}, ensure_ascii=False))
        return 0
    _print(f"settings are good: {len(LEAVES)} keys, {len(changed)} of them changed")
    for key, origin in changed.items():
        _print(f"  {key} = {_toml(value_at(merged.settings, key))}  # {origin}")
    return 0


def init(arguments: argparse.Namespace) -> int:
    """Write ./scalper.toml: every key commented out with its default and reason. Never overwrites."""
    path = Path(USER_FILE)
    text = (HERE / "default.toml").read_text(encoding="utf-8")
    head = (
        "# Your settings. Take the # away in front of a line to change it; all others keep the program's default.\n"
        "# `config check` tells mistakes, `config show` where each value comes from.\n"
    )
    body = text[text.index("[app]") :]
    commented = re.sub(r"^(?=[a-z0-9_]+ +=)", "# ", body, flags=re.MULTILINE)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{head}\n{commented}")
    except FileExistsError:
        raise ConfigurationError(f"./{path} exists and stays as it is; move it away to start a new one") from None
    except OSError as error:
        raise ConfigurationError(f"./{path} cannot be written ({error.strerror})") from None
    _print(f"wrote ./{path}")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """JSON schema of a settings file, for editors; each key says its variable and what it accepts."""
    document = msgspec.json.schema(Settings)
    document["title"] = "scalper settings"
    document["x-keys"] = {key: {"variable": variable_name(key), "allowed": allowed(key)} for key in LEAVES}
    _print(json.dumps(document, ensure_ascii=False, indent=1))
    return 0


def value_at(settings: Settings, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def effective_toml(merged: Loaded) -> str:
    """The settings as TOML that gives the same settings again; the ``config.toml`` of a run."""
    lines: list[str] = []
    section = None
    for key in LEAVES:
        head, _, name = key.rpartition(".")
        if head != section:
            lines += ["", f"[{head}]"] if lines else [f"[{head}]"]
            section = head
        lines.append(f"{name} = {_toml(value_at(merged.settings, key))}  # {merged.origins.get(key, 'built in')}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(name)} = {_toml(part)}" for name, part in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return repr(value)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
