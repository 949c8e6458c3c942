"""The command line: every verb, its options, and the sentence for each mistake. Standard library only.

Options stand before or after the command, so the command is found first and one flat parser reads all the rest.
"""

from __future__ import annotations

import argparse
import datetime
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from config.version import VERSION
from models.error import UsageError
from utils.text import duration_ns, nearest

Add = Callable[[argparse.ArgumentParser], None]

MODES = ("paper", "rehearsal", "shadow", "testnet", "live")
SOURCES = ("auto", "binance", "embedded")
LEVELS = ("debug", "info", "warning", "error", "critical")
SPEED_MAX = math.inf
SOCKET_SPEED_MAX = 1000  # no socket carries more of a busy market; ``max`` goes as fast as it is read
GLOBAL_VALUES = ("--config", "--set", "--lang", "--log-level", "--log-format", "--data-dir")


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print and leave."""

    def error(self, message: str) -> NoReturn:
        text = message.removeprefix("argument ")
        option, found, _ = text.partition(": expected one argument")
        if found:  # none was there, or it looks like an option
            text = f"{option} needs a value; one that begins with - is written {option.split('/')[0]}=VALUE"
        raise UsageError(f"{text}; see `{self.prog} --help`")


# --------------------------------------------------------------------------------------------------------- value types


def one_of(noun: str, known: Sequence[str]) -> Callable[[str], str]:
    """A value type that accepts ``known`` only and names the nearest."""

    def check(text: str) -> str:
        if text not in known:
            near = nearest(text, known)
            hint = f"did you mean {near}?" if near else f"write one of {', '.join(known)}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {noun}; {hint}")
        return text

    return check


def filename(text: str) -> str:
    """A file or folder: anything but nothing, which would mean the working folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; name a file or folder")
    return text


def source(text: str) -> str:
    """``auto``, ``binance``, ``embedded`` or ``file:PATH``."""
    return text if re.fullmatch(r"file:.+", text) else one_of("feed (or file:PATH)", SOURCES)(text)


def duration(text: str) -> int:
    """A duration such as 60s as ns, above zero."""
    try:
        ns = duration_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if ns == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all; write it like 60s")
    return ns


def speed(text: str) -> float:
    """A multiple of real time from 1 on, or ``max`` (infinite)."""
    if text == "max":
        return SPEED_MAX
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value <= SOCKET_SPEED_MAX:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a speed; write a number from 1 to {SOCKET_SPEED_MAX}, or max"
        )
    return value


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    if not re.fullmatch(r"\d{1,19}", text) or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; write a whole number from 0 to 2^63 - 1")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1 to a million."""
    if not re.fullmatch(r"\d{1,7}", text) or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; write a whole number from 1 to 1000000")
    return int(text)


def hours(text: str) -> float:
    """Hours above zero, at most a week."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 168:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours; write one above 0, at most 168")
    return value


def port(text: str) -> int:
    """A port number, 0 to 65534: the streams take the one above."""
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65_534:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; write a number from 0 (any free one) to 65534")
    return int(text)


def moment(text: str) -> int:
    """An ISO 8601 time (UTC unless it says otherwise) as ns since 1970."""
    try:
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write it like 2024-08-08T23:55:00") from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    if not 0 <= ns < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} lies outside the years 1970 to 2261, in which markets are recorded")
    return ns


def clock_offset(text: str) -> str | float:
    """``auto``, or milliseconds."""
    if text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 86_400_000:  # a day: a recorder's clock may be in another time zone, not in another week
        raise argparse.ArgumentTypeError(f"{text!r} is not an offset; write auto, or milliseconds such as 1270")
    return value


# ------------------------------------------------------------------------------------------------------------ commands


def _results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", type=one_of("mode", MODES), help="paper (default), rehearsal …")
    parser.add_argument("--confirm", metavar="LIVE", help="the word that lets --mode live trade with real money")
    parser.add_argument("--feed", type=source, help="auto (default), binance, embedded or file:PATH")
    parser.add_argument("--for", dest="for_ns", type=duration, metavar="TIME", help="stop after 60s, 5m, 1h …")
    _results(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contract", action="store_true", help="also ask the venue of --mode: streams, calls, a stop")
    parser.add_argument("--mode", type=one_of("mode", MODES), help="whose contract: rehearsal, testnet or live")
    _results(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", type=one_of("mode", ("paper", "rehearsal")), help="paper (default) or rehearsal")
    parser.add_argument(
        "--for", dest="for_ns", type=duration, metavar="TIME", help="length, default 60s; of a tape all that it holds"
    )
    parser.add_argument("--speed", type=speed, default=1.0, help="1 (default) to max; max needs no sockets")
    parser.add_argument("--seed", type=seed, help="seed of the market; the same seed is the same run")
    parser.add_argument(
        "--tape", type=filename, metavar="PATH", help="play a recording instead of the generated market"
    )
    _results(parser)


def _backtest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recordings", nargs="+", type=filename, metavar="RECORDING", help="folder of a recording")
    parser.add_argument("--from", dest="from_ns", type=moment, metavar="TIME", help="first instant, ISO 8601, UTC")
    parser.add_argument("--to", dest="to_ns", type=moment, metavar="TIME", help="end, not included")
    _results(parser)


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=filename, metavar="RUN_OR_RECORDING", help="folder or id of a run, or its recording"
    )
    parser.add_argument("--verify", action="store_true", help="exit 7 when anything differs from the first time")
    _results(parser)


def _import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=filename, metavar="FILE", help="captures, one line = time, space, frame"
    )
    parser.add_argument("--unit", type=one_of("unit", ("us", "ns")), required=True, help="unit of the local time")
    parser.add_argument("--out", type=filename, required=True, metavar="DIR", help="folder of the new recording")
    parser.add_argument(
        "--clock-offset", type=clock_offset, default=0.0, metavar="auto|MS", help="of the recorder's clock, ms"
    )
    _results(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=filename, metavar="RECORDING", help="folder of a recording")
    parser.add_argument("--bars", type=duration, metavar="TIME", help="also print bars of 1m, 5m … from trades")
    _results(parser)


def _talk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode", type=one_of("mode", MODES), help="of the bot to talk to, default that of the settings"
    )
    _results(parser)


def _wait(parser: argparse.ArgumentParser) -> None:
    _talk(parser)
    parser.add_argument("--wait", dest="wait_ns", type=duration, metavar="TIME", help="how long to wait, default 30s")


def _stop(parser: argparse.ArgumentParser) -> None:
    _talk(parser)
    parser.add_argument("--wait", dest="wait_ns", type=duration, metavar="TIME", help="how long to wait, default 45s")
    parser.add_argument(
        "--entries", action="store_true", help="only block entries; exits and stops go on, so does the bot"
    )


def _test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="GROUP",
        help="install this package group too, such as bench; conformance: only the tests with foreign clients",
    )


def _emulator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port, default=0, help="port on loopback, default any free one")
    parser.add_argument("--speed", type=speed, default=1.0, help="1 (default) to max")
    parser.add_argument("--seed", type=seed, help="seed of the market")
    parser.add_argument(
        "--tape", type=filename, metavar="PATH", help="play a recording instead of the generated market"
    )
    parser.add_argument(
        "--account", action="append", default=[], metavar="NAME=USDT", help="open an account with that much; repeat"
    )
    parser.add_argument("--faults", type=filename, metavar="FILE", help="faults to cause, TOML or JSON")
    parser.add_argument(
        "--audit", type=filename, metavar="FILE", help="everything that happens to accounts, as JSON lines"
    )
    parser.add_argument(
        "--orderly", action="store_true", help="private events leave at once, in the order in which they happened"
    )
    parser.add_argument("--json", action="store_true", help="mistakes as JSON too; the ready line always is")


def _simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=count, default=4, metavar="N", help="how many seeds, default 4")
    parser.add_argument("--hours", type=hours, default=1.0, metavar="H", help="simulated hours of each, default 1")
    parser.add_argument("--first-seed", type=seed, default=1, metavar="S", help="default 1; the others follow")
    parser.add_argument("--jobs", type=count, default=1, metavar="J", help="processes, default 1")
    _results(parser)


COMMANDS: dict[tuple[str, ...], tuple[str, Add]] = {
    ("run",): ("trade until stopped; the default command", _run),
    ("demo",): ("a finite paper run on the embedded exchange: no network, no keys", _demo),
    ("backtest",): ("recorded markets through the same engine", _backtest),
    ("replay",): ("a recorded run once more, compared byte for byte", _replay),
    ("data", "import", "raw-lines"): ("third-party captures become a recording", _import),
    ("data", "check"): ("what a recording holds, and whether its books add up", _check),
    ("config", "show"): ("all settings, merged, with the origin of each", _results),
    ("config", "check"): ("every mistake in the settings", _results),
    ("config", "init"): ("write ./scalper.toml to start from", lambda parser: None),
    ("config", "schema"): ("JSON schema of the settings", lambda parser: None),
    ("doctor",): ("whether this machine and these settings can trade; a fix for each failed row", _doctor),
    ("test",): ("install the test packages if missing, run the offline tests; arguments go to pytest", _test),
    ("status",): ("what the running bot holds, earns and waits for", _talk),
    ("health",): ("whether the running bot does its work; exit code 0, 1 or 5 (nothing runs)", _talk),
    ("stop",): ("end the running bot in order, and wait until it has ended", _stop),
    ("start",): ("allow entries again, after stop --entries, flatten, or limits that wait for a person", _talk),
    ("flatten",): ("entries off, close every position, and wait until flat was read back", _wait),
    ("kill",): ("kill switch: entries off, cancel, close, HALTED, also after a restart; waits until flat", _wait),
    ("rearm",): ("leave HALTED; refused while a hard limit is broken", _talk),
    ("emulator",): ("the embedded exchange alone, on loopback", _emulator),
    ("simulate",): ("bot and embedded exchange in virtual time, with random faults; invariants checked", _simulate),
}
DEFAULT = ("run",)


def _globals(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--config", type=filename, action="append", default=[], metavar="PATH", help="settings file; repeat, later wins"
    )
    group.add_argument("--set", action="append", default=[], metavar="section.key=value", help="one setting; repeat")
    group.add_argument("--lang", type=one_of("language", ("ko", "en")), help="language of texts for people")
    group.add_argument("--log-level", type=one_of("level", LEVELS), help="info by default")
    group.add_argument("--log-format", type=one_of("format", ("console", "json")), help="by default as fits the output")
    group.add_argument(
        "--data-dir", type=filename, metavar="DIR", help="where everything is written, ./data by default"
    )
    group.add_argument("--no-color", action="store_true", help="no colours (also NO_COLOR)")
    group.add_argument("--quiet", action="store_true", help="warnings and results only")


def _parser(path: tuple[str, ...]) -> Parser:
    about, add = COMMANDS[path]
    parser = Parser(prog=f"main.py {' '.join(path)}", description=about, allow_abbrev=False)
    add(parser)
    _globals(parser)
    parser.set_defaults(command=path[0], verb=" ".join(path[1:]))
    return parser


# ------------------------------------------------------------------------------------------------------------- parsing


def _value_options() -> set[str]:
    """Options whose next word is their value; needed to tell a value from the command."""
    names = set(GLOBAL_VALUES)
    for path in COMMANDS:
        for action in _parser(path)._actions:
            if action.nargs != 0:
                names.update(action.option_strings)
    return names


def _find_command(words: list[str]) -> tuple[tuple[str, ...], list[str], list[str]]:
    """The command's path, the words before its end without it, and the words after it."""
    takes_value = _value_options() if words and words[0].startswith("-") else set(GLOBAL_VALUES)
    path: tuple[str, ...] = ()
    before: list[str] = []
    position = 0
    while position < len(words) and path not in COMMANDS:
        word = words[position]
        position += 1
        if word.startswith("-") and word != "-":
            before.append(word)
            if word in takes_value and position < len(words):
                before.append(words[position])
                position += 1
        elif any(known[: len(path) + 1] == (*path, word) for known in COMMANDS):
            path = (*path, word)
        else:
            raise UsageError(_unknown_command(path, word))
    return path, before, words[position:]


def _unknown_command(path: tuple[str, ...], word: str) -> str:
    known = sorted({command[len(path)] for command in COMMANDS if command[: len(path)] == path})
    near = nearest(word, known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    return f"{word!r} is not a command{' of ' + ' '.join(path) if path else ''}; {hint}"


def overview(group: tuple[str, ...] = ()) -> str:
    """The page of ``--help``, or of a group of commands."""
    shown = {path: about for path, (about, _) in COMMANDS.items() if path[: len(group)] == group}
    width = max(len(" ".join(path)) for path in shown)
    rows = "\n".join(f"  {' '.join(path):<{width}}  {about}" for path, about in shown.items())
    return (
        f"scalper {VERSION}: scalping on Binance USD-M futures, on paper unless told otherwise\n\n"
        f"usage: main.py {' '.join(group) or '[COMMAND]'} [OPTIONS]\n\ncommands:\n{rows}\n\n"
        "options everywhere: --config PATH, --set section.key=value, --lang ko|en, --log-level LEVEL,\n"
        "  --log-format console|json, --data-dir DIR, --no-color, --quiet, --version, --help\n\n"
        "main.py COMMAND --help tells the options of a command.\n"
    )


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The words after ``main.py`` as a namespace: ``command``, ``verb``, the command's options, the global options.

    ``--help`` and ``--version`` print and raise SystemExit(0). Raises UsageError with one sentence otherwise.
    """
    words = list(words)
    _refuse_bytes(words)
    path, before, after = _find_command(words)
    if not path and {"-h", "--help"} & set(before):
        sys.stdout.write(overview())
        raise SystemExit(0)
    if "--version" in before:
        sys.stdout.write(f"scalper {VERSION}\n")
        raise SystemExit(0)
    if path and path not in COMMANDS:
        if {"-h", "--help"} & set(before):
            sys.stdout.write(overview(path))
            raise SystemExit(0)
        verbs = ", ".join(" ".join(known[len(path) :]) for known in COMMANDS if known[: len(path)] == path)
        raise UsageError(f"{' '.join(path)} needs one of: {verbs}")
    path = path or DEFAULT
    parser = _parser(path)
    if path == ("test",):
        return _parse_test(parser, before, after)
    return _strict(parser, before + after)


def _refuse_bytes(words: list[str]) -> None:
    """What is no UTF-8 can be written into no record: journal, index and JSON are UTF-8."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{word!r} is not text in UTF-8; rename the file, or set PYTHONUTF8=1") from None


def _parse_test(parser: Parser, before: list[str], after: list[str]) -> argparse.Namespace:
    """Behind ``test`` only ``--group`` is ours; everything else goes to pytest, in order."""
    ours, pytest_words = before, []
    words = iter(after)
    for word in words:
        if word == "--group":
            ours = [*ours, word, *[value for value in [next(words, None)] if value is not None]]
        elif word.startswith("--group=") or (word in ("-h", "--help") and not pytest_words):
            ours = [*ours, word]
        else:
            pytest_words.append(word)
    known = _strict(parser, ours)
    known.pytest = pytest_words
    return known


def _strict(parser: Parser, words: list[str]) -> argparse.Namespace:
    known, rest = parser.parse_known_args(words)
    if not rest:
        return known
    options: list[str] = [name for action in parser._actions for name in action.option_strings]
    unknown = next((word for word in rest if word.startswith("-")), rest[0])
    if not unknown.startswith("-"):
        raise UsageError(f"{unknown!r} is one word too many for `{parser.prog}`; see `{parser.prog} --help`")
    near = nearest(unknown.partition("=")[0], options)
    hint = f"did you mean {near}?" if near else f"see `{parser.prog} --help`"
    raise UsageError(f"{unknown} is not an option of `{parser.prog}`; {hint}")


def setting_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that are settings under another name: dotted key → text."""
    given = {
        "app.lang": arguments.lang,
        "app.log_level": "warning" if arguments.quiet and not arguments.log_level else arguments.log_level,
        "app.log_format": arguments.log_format,
        "app.data_dir": arguments.data_dir,
        "app.mode": getattr(arguments, "mode", None),
        "feed.source": getattr(arguments, "feed", None),
        "paper.seed": getattr(arguments, "seed", None),
    }
    return {key: str(value) for key, value in given.items() if value is not None}
