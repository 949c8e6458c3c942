"""TOML, environment and command line become ``Settings``; every mistake is reported, all at once.

Lowest to highest: built-in defaults → ``config/default.toml`` → the profiles asked for → ``--config`` files, or
``./scalper.toml`` → environment ``SCALPER_SECTION__KEY`` → command line. Of each value the last origin is kept.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from config.rules import broken_rules
from config.secret import ENVIRONMENT_SECRETS
from config.settings import APPLICATION, Settings
from models.error import ConfigurationError
from utils.text import nearest

HERE = Path(__file__).resolve().parent
PREFIX = f"{APPLICATION.upper()}_"
SHORT_NAMES = {"DATA_DIR": "app.data_dir", "LANG": "app.lang", "MODE": "app.mode"}
NOT_SETTINGS = {f"{PREFIX}CONFIG", f"{PREFIX}NO_BOOTSTRAP", *ENVIRONMENT_SECRETS}
USER_FILE = f"{APPLICATION}.toml"
FILE_BYTES_MAX = 1 << 20  # a settings file is a few kB; a megabyte is another kind of file


class Given(msgspec.Struct, frozen=True):
    """One value somebody gave: ``key`` dotted, ``text`` when it came as text (environment, command line)."""

    key: str
    value: Any
    origin: str
    text: bool = False


class Loaded(msgspec.Struct, frozen=True):
    """The settings, the origin of each key (``risk.leverage`` → ``./scalper.toml:3``), and the variables used."""

    settings: Settings
    origins: dict[str, str]
    environment: tuple[str, ...]
    files: tuple[str, ...]


def load(
    *,
    configs: Sequence[str | Path] = (),
    overrides: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """All layers merged. ``overrides`` are ``section.key=value`` texts; ``options`` maps a dotted key to the text of a
    command-line option; ``folder`` is where ``scalper.toml`` is looked for (the working folder).

    Raises ConfigurationError that lists every mistake with place, key, given and allowed value.
    """
    environment = os.environ if environment is None else environment
    mistakes: list[str] = []
    files = _files(configs, environment, folder)
    user = [given for file in files for given in _from_file(file, str(file), mistakes)]
    variables, used = _from_environment(environment, mistakes)
    user += variables
    user += [Given(key, value, "command line", True) for key, value in (options or {}).items()]
    user += _from_overrides(overrides, mistakes)
    base = _from_file(HERE / "default.toml", "default", mistakes)
    values, origins = _merge(_with_profiles(base, user, mistakes), mistakes)
    if not mistakes:
        settings = _build(Settings, values)
        mistakes += [f"{_places(keys, origins)}{sentence}" for keys, sentence in broken_rules(settings)]
    if mistakes:
        raise ConfigurationError(_listed(mistakes))
    return Loaded(settings, origins, tuple(used), tuple(str(file) for file in files))


def _listed(mistakes: list[str]) -> str:
    if len(mistakes) == 1:
        return mistakes[0]
    return f"the settings have {len(mistakes)} mistakes:\n" + "\n".join(f"  {mistake}" for mistake in mistakes)


def _places(keys: Sequence[str], origins: Mapping[str, str]) -> str:
    seen = dict.fromkeys(origins.get(key, "built in") for key in keys)
    return ", ".join(seen) + ": "


# ---------------------------------------------------------------------------------------------------- what can be set


def leaf_types(struct: Any = Settings, prefix: str = "") -> dict[str, Any]:
    """Every settable key, dotted, with its type."""
    leaves: dict[str, Any] = {}
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        kind = hints[field.name]
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            leaves |= leaf_types(kind, f"{prefix}{field.name}.")
        else:
            leaves[prefix + field.name] = kind
    return leaves


LEAVES = leaf_types()
TABLES = {key.rpartition(".")[0] for key in LEAVES} | {key.split(".")[0] for key in LEAVES}


def _is_mapping(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is dict


def allowed(key: str) -> str:
    """What a key accepts, in words: ``a whole number from 1 to 125``."""
    return _allowed(msgspec.json.schema(LEAVES[key]))


_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text"}


def _allowed(schema: Mapping[str, Any]) -> str:
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "value")
    if kind == "array":
        size = f" of at least {schema['minItems']}" if schema.get("minItems") else ""
        return f"a list{size}: {_allowed(schema.get('items') or {'type': 'string'})} each"
    if kind == "object":
        return f"a table, with {_allowed(schema.get('additionalProperties') or {})} for each name"
    words = [_WORDS.get(kind, kind)]
    for name, text in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")):
        if name in schema:
            words.append(f"{text} {schema[name]:.12g}" if kind == "number" else f"{text} {schema[name]}")
    if "exclusiveMaximum" in schema:
        words.append(f"below {schema['exclusiveMaximum']:g}")
    if "pattern" in schema:
        words.append(f"of the form {schema['pattern']}")
    if schema.get("minLength"):
        words.append("that is not empty")
    return f"{words[0]} {' and '.join(words[1:])}" if len(words) > 1 else words[0]


# ------------------------------------------------------------------------------------------------------------- layers


def _files(configs: Sequence[str | Path], environment: Mapping[str, str], folder: Path | None) -> list[Path]:
    named = [part for part in environment.get(f"{PREFIX}CONFIG", "").split(os.pathsep) if part]
    files = [Path(name) for name in [*named, *configs]]
    if files:
        return files
    here = (folder or Path()) / USER_FILE
    return [here] if here.exists() else []


def _from_file(path: Path, name: str, mistakes: list[str]) -> list[Given]:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise ValueError(f"it is larger than {FILE_BYTES_MAX >> 20} MB, which no settings file is")
        text = raw.decode("utf-8-sig")  # an editor's mark at the beginning is no mistake
        tree = tomllib.loads(text)
    except OSError as error:
        mistakes.append(f"{name}: cannot be read ({error.strerror}); name an existing TOML file")
        return []
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors and name line and column
        mistakes.append(f"{name}: is not TOML: {error}")
        return []
    lines = _line_numbers(text)
    found: list[Given] = []
    _flatten(tree, "", found)
    return [
        Given(given.key, given.value, name if name == "default" else f"{name}:{lines.get(given.key, 1)}")
        for given in found
    ]


def _flatten(tree: Mapping[str, Any], prefix: str, found: list[Given]) -> None:
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict) and key not in LEAVES:
            _flatten(value, f"{key}.", found)
            if not value and key not in TABLES:
                found.append(Given(key, value, ""))
        else:
            found.append(Given(key, value, ""))


_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([\w.\"'-]+)\s*=")


def _line_numbers(text: str) -> dict[str, int]:
    """The line of each dotted key, as far as a scan of lines tells; the parser itself keeps none."""
    table, lines = "", {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = match.group(1).replace('"', "").replace(" ", "") + "."
            lines.setdefault(table[:-1], number)
        elif match := _KEY.match(line):
            lines.setdefault(table + match.group(1).replace('"', "").replace("'", ""), number)
    return lines


def _from_environment(environment: Mapping[str, str], mistakes: list[str]) -> tuple[list[Given], list[str]]:
    found, used = [], []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            if name in NOT_SETTINGS:
                used.append(name)
            continue
        used.append(name)
        rest = name[len(PREFIX) :]
        key = SHORT_NAMES.get(rest) or _variable_key(rest)
        if key is None:
            known = [*(PREFIX + short for short in SHORT_NAMES), *NOT_SETTINGS, *map(variable_name, LEAVES)]
            mistakes.append(f"environment {name}: is not a setting{_did_you_mean(name, known)}")
            continue
        found.append(Given(key, _unquoted(environment[name]), f"environment {name}", True))
    return found, used


def variable_name(key: str) -> str:
    """The environment variable of a dotted key: ``risk.leverage`` → ``SCALPER_RISK__LEVERAGE``."""
    return PREFIX + key.upper().replace(".", "__")


def _variable_key(rest: str) -> str | None:
    parts = rest.split("__")
    for count in range(len(parts), 1, -1):
        key = ".".join(part.lower() for part in parts[:count])
        if key in LEAVES and (count == len(parts) or _is_mapping(LEAVES[key])):
            return ".".join([key, *parts[count:]])
    return None


def _from_overrides(overrides: Sequence[str], mistakes: list[str]) -> list[Given]:
    found = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            mistakes.append(f"--set {override}: has no value; write it like --set risk.leverage=5")
            continue
        if not key.strip():
            mistakes.append(f"--set {override}: names no setting; write it like --set risk.leverage=5")
            continue
        found.append(Given(key.strip(), _unquoted(value.strip()), f"--set {key.strip()}", True))
    return found


def _unquoted(text: str) -> str:
    """The inside of a TOML string; any other text as it is. Not every shell takes quotes away."""
    if text[:1] in ("'", '"'):
        with contextlib.suppress(ValueError, RecursionError):  # no TOML: the text itself
            value = tomllib.loads(f"value = {text}")["value"]
            return value if isinstance(value, str) else text
    return text


PROFILED = ("risk", "hypothesis")
MODES_WITH_PLACES = ("testnet",)
"""Modes whose venue is elsewhere than the defaults say."""


def _with_profiles(base: list[Given], user: list[Given], mistakes: list[str]) -> list[Given]:
    """The mode's places and the profiles that the user's layers ask for, between the defaults and those layers."""
    layers = list(base)
    mode = next((given.value for given in reversed(user) if given.key == "app.mode"), None)
    if mode in MODES_WITH_PLACES:
        layers += _from_file(HERE / "modes" / f"{mode}.toml", f"mode {mode}", mistakes)
    for section in PROFILED:
        key = f"{section}.profile"
        asked = [given for given in user if given.key == key]
        if not asked:
            continue
        try:
            name = _value(key, asked[-1])
        except ValueError:
            continue  # reported when the value itself is merged
        given_by = _from_file(HERE / "profiles" / f"{name}.toml", f"profile {name}", mistakes)
        # the hypothesis profile owns its section; everything else in the file belongs to the risk profile
        layers += [given for given in given_by if given.key.startswith("hypothesis.") == (section == "hypothesis")]
    return layers + user


def _merge(layers: list[Given], mistakes: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for given in layers:
        key, entry = given.key, ""
        if key not in LEAVES:
            head, _, entry = key.rpartition(".")
            if head not in LEAVES or not _is_mapping(LEAVES[head]):
                mistakes.append(_unknown(given))
                continue
            key = head
        try:
            value = _value(key, given, entry)
        except ValueError as error:
            mistakes.append(f"{given.origin}: {given.key} is {given.value!r}; {error}")
            continue
        values[key] = {**values.get(key, {}), **value} if entry else value
        origins[key] = given.origin
    return values, origins


def _value(key: str, given: Given, entry: str = "") -> Any:
    """The typed value. Raises ValueError with what would be right."""
    kind, raw = LEAVES[key], given.value
    if given.text and not raw.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in raw):
        raise ValueError("it must be text in UTF-8")  # no record could be written with it
    candidates = [raw]
    if given.text and not entry:
        candidates += _readings(raw)
    elif given.text:
        candidates = [{entry: reading} for reading in [raw, *_readings(raw)]]
    for candidate in candidates:
        try:
            value = msgspec.convert(candidate, kind)
        except msgspec.ValidationError:
            continue
        if not _finite(value):
            raise ValueError("it must be a finite number")
        if key in CHECKS:
            CHECKS[key](value)
        return value
    raise ValueError(f"it must be {allowed(key)}")


def _readings(text: str) -> list[Any]:
    """What a text may mean besides itself: a TOML value, or a comma-separated list."""
    readings: list[Any] = []
    with contextlib.suppress(ValueError, RecursionError):  # not TOML: the list below, or the text itself, may fit
        readings.append(tomllib.loads(f"value = {text}")["value"])
    readings.append([_unquoted(part.strip()) for part in text.split(",") if part.strip()])
    return readings


def _require_zone(name: str) -> None:
    """Raises ValueError for a time zone that this machine does not know, unless it knows none at all."""
    with contextlib.suppress(KeyError, ValueError, OSError):
        zoneinfo.ZoneInfo(name)
        return
    known = zoneinfo.available_timezones()
    if known:  # without the system's tzdata nothing can be told; `doctor` says so
        near = nearest(name, known)
        raise ValueError(f"it must be an IANA time zone{f'; did you mean {near}?' if near else ' such as Asia/Seoul'}")


CHECKS: dict[str, Callable[[Any], None]] = {"app.timezone": _require_zone}
"""What no type can say. Each raises ValueError with what would be right."""


def _finite(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(math.isfinite(number) for number in values if isinstance(number, float))


def _unknown(given: Given) -> str:
    if given.key in TABLES:
        return f"{given.origin}: {given.key} is a section, not a value; write a key of it like {given.key}.KEY"
    return f"{given.origin}: {given.key} is not a setting{_did_you_mean(given.key, LEAVES)}"


def _did_you_mean(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = nearest(name, known)
    if near is None:  # the right key in the wrong section
        last = name.rpartition(".")[2]
        near = next((key for key in known if key.rpartition(".")[2] == last), None)
    if near is None and "." in name:
        section = nearest(name.partition(".")[0], sorted({key.partition(".")[0] for key in known}))
        if section is not None:
            return f"; did you mean the section {section}?"
    return f"; did you mean {near}?" if near else "; `config show` lists all"


def _build(struct: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    parts = {}
    for name, kind in get_type_hints(struct).items():
        key = prefix + name
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            parts[name] = _build(kind, values, f"{key}.")
        elif key in values:
            parts[name] = values[key]
    return struct(**parts)
