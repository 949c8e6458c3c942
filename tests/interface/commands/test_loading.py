"""What a command reads before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interface.commands.loading import loaded, on_tape, span
from interface.commands.parser import parse
from models.error import ConfigurationError, DataError
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording
from storage.cold.recording_writer import RecordingWriter

pytestmark = pytest.mark.usefixtures("alone")


def tape(folder: Path, *symbols: str) -> Path:
    """A recording with one trade of each symbol, a millisecond apart."""
    lines = [
        f'{1_700_000_000_000_000 + number * 1000} {{"e":"trade","E":1,"s":"{symbol}","p":"1.5","q":"1"}}\n'
        for number, symbol in enumerate(symbols)
    ]
    (folder / "capture").write_text("".join(lines))
    import_raw_lines([folder / "capture"], folder / "tape", unit="us")
    return folder / "tape"


def test_all_layers_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, environment, options and --set each win over the one before."""
    (tmp_path / "mine.toml").write_text("[risk]\nleverage = 2\nequity_usdt = 50\n[paper]\nseed = 1\n")
    monkeypatch.setenv("SCALPER_RISK__LEVERAGE", "3")
    words = ["demo", "--config", "mine.toml", "--seed", "5", "--set", "risk.stop_loss_pct=6"]
    merged = loaded(parse(words))
    settings = merged.settings
    assert (settings.risk.equity_usdt, settings.risk.leverage, settings.paper.seed) == (50, 3, 5)
    assert settings.risk.stop_loss_pct == 6
    assert merged.origins["risk.equity_usdt"] == "mine.toml:3"


def test_every_mistake_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes of all layers come in one error, each with its place."""
    (tmp_path / "mine.toml").write_text("[risk]\nleverge = 2\n")
    monkeypatch.setenv("SCALPER_RISK__LEVERAGE", "ten")
    with pytest.raises(ConfigurationError) as caught:
        loaded(parse(["demo", "--config", "mine.toml", "--set", "feed.source=nowhere"]))
    first, *others = caught.value.message.splitlines()
    assert first == "the settings have 3 mistakes:"
    places = ("mine.toml:2: risk.leverge", "environment SCALPER_RISK__LEVERAGE", "--set feed.source")
    assert all(any(place in line for line in others) for place in places)


def test_a_tape_brings_its_contracts(tmp_path: Path) -> None:
    """Without another wish all contracts of the recording are traded, and every later reading agrees."""
    arguments = parse(["demo"])
    settings = on_tape(arguments, tape(tmp_path, "ETHUSDT", "BTCUSDT"))
    assert settings.feed.symbols == ("BTCUSDT", "ETHUSDT")
    assert loaded(arguments).settings == settings


def test_the_users_contracts_win_over_the_tapes(tmp_path: Path) -> None:
    """Who names contracts gets those."""
    folder = tape(tmp_path, "ETHUSDT", "BTCUSDT")
    assert on_tape(parse(["demo", "--set", "feed.symbols=ETHUSDT"]), folder).feed.symbols == ("ETHUSDT",)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_a_tape_that_is_no_recording_is_refused(tmp_path: Path, make: object) -> None:
    """Nothing there, an empty folder and a file are told as for every reader of recordings."""
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(DataError, match=r"x (does not exist|holds no recording|is a file)"):
        on_tape(parse(["demo"]), tmp_path / "x")


def test_a_recording_reaches_from_its_first_to_its_last_record(tmp_path: Path) -> None:
    """The span is in receive times, also of a recording that lost its index."""
    folder = tape(tmp_path, "BTCUSDT", "BTCUSDT", "BTCUSDT")
    wanted = (1_700_000_000_000_000_000, 1_700_000_000_002_000_000)
    assert span(Recording.open(folder)) == wanted
    (folder / "index.json").unlink()
    assert span(Recording.open(folder)) == wanted


def test_an_empty_recording_has_nothing_to_run(tmp_path: Path) -> None:
    """A run that heard nothing left a recording without a record."""
    RecordingWriter(tmp_path / "r", meta={"instruments": []}).close()
    assert json.loads((tmp_path / "r" / "index.json").read_text())["files"] == []
    with pytest.raises(DataError, match="holds no record; there is nothing to run"):
        span(Recording.open(tmp_path / "r"))
