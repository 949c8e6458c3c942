"""The command line."""

import math

import pytest

from interface.commands.parser import COMMANDS, overview, parse, setting_options
from models.error import UsageError


def sentence(*words):
    """The sentence that wrong words cause."""
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert (caught.value.code, caught.value.exit_code) == ("USAGE", 2)
    return caught.value.message


def test_nothing_is_the_daemon():
    """Without a command the program runs, with the settings' own mode and feed."""
    arguments = parse([])
    assert (arguments.command, arguments.mode, arguments.feed, arguments.for_ns) == ("run", None, None, None)


@pytest.mark.parametrize(
    "words",
    [
        ["--set", "risk.leverage=3", "--lang", "en", "demo", "--seed", "7"],
        ["demo", "--seed", "7", "--set", "risk.leverage=3", "--lang", "en"],
        ["--lang=en", "--seed", "7", "demo", "--set=risk.leverage=3"],
    ],
)
def test_options_stand_before_or_after_the_command(words):
    """The order of command and options does not matter."""
    arguments = parse(words)
    assert (arguments.command, arguments.set, arguments.lang, arguments.seed) == ("demo", ["risk.leverage=3"], "en", 7)


def test_repeated_options_add_up_across_the_command():
    """--set and --config before and behind the command are all kept, in order."""
    arguments = parse(["--set", "a=1", "--config", "x", "config", "show", "--set", "b=2", "--config", "y"])
    assert (arguments.set, arguments.config, arguments.verb) == (["a=1", "b=2"], ["x", "y"], "show")


def test_value_of_an_option_is_no_command():
    """A word that follows an option with a value is that value."""
    assert parse(["--data-dir", "demo"]).command == "run"


def test_demo_has_its_defaults():
    """A demo runs at real speed, for as long as its market says: a minute, or to the end of a tape."""
    arguments = parse(["demo"])
    assert (arguments.for_ns, arguments.speed, arguments.seed, arguments.tape) == (None, 1.0, None, None)


def test_speed_max_is_infinite():
    """--speed max is the infinite multiple."""
    assert parse(["demo", "--speed", "max"]).speed == math.inf


def test_import_reads_everything():
    """The three-word command with several files and an offset."""
    words = ["data", "import", "raw-lines", "a.gz", "b.gz", "--unit", "ns", "--out", "o", "--clock-offset", "-1270"]
    arguments = parse(words)
    assert (arguments.command, arguments.verb, arguments.files) == ("data", "import raw-lines", ["a.gz", "b.gz"])
    assert (arguments.unit, arguments.out, arguments.clock_offset) == ("ns", "o", -1270.0)


def test_moments_are_utc():
    """A time without a zone is UTC, one with a zone is converted."""
    arguments = parse(["backtest", "r", "--from", "2024-08-08T23:55:00", "--to", "2024-08-09T09:00:00+09:00"])
    assert (arguments.from_ns, arguments.to_ns) == (1_723_161_300_000_000_000, 1_723_161_600_000_000_000)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rnu"], "'rnu' is not a command; did you mean run?"),
        (["config", "shwo"], "'shwo' is not a command of config; did you mean show?"),
        (["data"], "data needs one of: import raw-lines, check"),
        (["demo", "--sped", "max"], "--sped is not an option of `main.py demo`; did you mean --speed?"),
        (["demo", "x"], "'x' is one word too many for `main.py demo`; see `main.py demo --help`"),
        (["--mode", "papr"], "--mode: 'papr' is not a mode; did you mean paper?; see `main.py run --help`"),
        (["--lang"], "--lang needs a value; one that begins with - is written --lang=VALUE; see `main.py run --help`"),
    ],
)
def test_mistakes_name_the_nearest(words, expected):
    """A wrong word is told with the right one."""
    assert sentence(*words) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--for", "60"],
        ["demo", "--for", "0s"],
        ["demo", "--speed", "0.5"],
        ["demo", "--speed", "nan"],
        ["demo", "--seed", "-1"],
        ["demo", "--seed", "9" * 19],
        ["emulator", "--port", "65536"],
        ["run", "--feed", "file:"],
        ["data", "import", "raw-lines", "a", "--unit", "ms", "--out", "o"],
        ["data", "import", "raw-lines", "a", "--unit", "us", "--out", "o", "--clock-offset", "nan"],
        ["backtest", "r", "--from", "yesterday"],
        ["backtest"],
        ["replay"],
    ],
)
def test_bad_values_are_refused(words):
    """A value outside what an option takes is wrong usage, and the help page is named."""
    assert "--help`" in sentence(*words)


def test_test_hands_its_words_on():
    """Behind `test` only --group is ours; the rest goes to pytest in order."""
    arguments = parse(["--no-color", "test", "-k", "book and not slow", "--group", "bench", "tests/core", "--quiet"])
    assert arguments.pytest == ["-k", "book and not slow", "tests/core", "--quiet"]
    assert (arguments.group, arguments.no_color, arguments.quiet) == (["bench"], True, False)


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_shows_every_command(words, capsys):
    """The first page names every command."""
    with pytest.raises(SystemExit) as caught:
        parse(words)
    shown = capsys.readouterr().out
    assert (caught.value.code, shown) == (0, overview())
    assert all(" ".join(path) in shown for path in COMMANDS)


def test_help_of_a_group_shows_its_commands(capsys):
    """Help of a word that only begins commands names those commands and no other."""
    with pytest.raises(SystemExit) as caught:
        parse(["data", "--help"])
    shown = capsys.readouterr().out
    assert (caught.value.code, shown) == (0, overview(("data",)))
    assert "data import raw-lines" in shown and "backtest" not in shown


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_a_help_page(path, capsys):
    """Each command tells its own and the common options."""
    with pytest.raises(SystemExit) as caught:
        parse([*path, "--help"])
    assert caught.value.code == 0
    assert "--config PATH" in capsys.readouterr().out


def test_options_become_settings():
    """Options that are settings under another name are handed over as texts."""
    options = setting_options(parse(["--mode", "paper", "--feed", "embedded", "--quiet", "--data-dir", "d"]))
    assert options == {
        "app.log_level": "warning",
        "app.data_dir": "d",
        "app.mode": "paper",
        "feed.source": "embedded",
    }
