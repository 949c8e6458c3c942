"""`emulator`: one ready line, answers on loopback, an end with its parent or on a signal."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from interface.commands.emulator import generated, tape
from storage.cold.raw_lines import import_raw_lines
from tests.interface.program import WAIT_S, capture, child, inside, started


@contextmanager
def running(folder: Path, *words: object) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The emulator as a child and its ready line."""
    with started(folder, "emulator", *words) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_it_says_once_where_it_is_and_ends_with_its_parent(tmp_path: Path) -> None:
    """One JSON line with both addresses; when the pipe on its standard input closes, it ends with code 0."""
    with running(tmp_path) as (process, ready):
        with urllib.request.urlopen(f"{ready['rest']}/fapi/v1/ping", timeout=WAIT_S) as answer:
            assert answer.status == 200
        assert ready["ready"] is True and ready["streams"].startswith("ws://127.0.0.1:")
        out, err = process.communicate(timeout=WAIT_S)  # closes its standard input
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with code 0 and without a word."""
    with running(tmp_path) as (process, _):
        process.send_signal(number)
        assert (process.wait(WAIT_S), process.stderr.read()) == (0, "")


def test_it_plays_a_recording(tmp_path: Path) -> None:
    """With a tape the venue's contracts are the tape's."""
    import_raw_lines([capture(tmp_path / "c", 2, symbols=("ETHUSDT",))], tmp_path / "eth", unit="us")
    with (
        running(tmp_path, "--tape", "eth") as (_, ready),
        urllib.request.urlopen(f"{ready['rest']}/fapi/v1/exchangeInfo", timeout=WAIT_S) as answer,
    ):
        assert [one["symbol"] for one in json.loads(answer.read())["symbols"]] == ["ETHUSDT"]


def test_accounts_can_be_traded_on(tmp_path: Path) -> None:
    """With accounts the ready line says where the WebSocket API is and who signs; faults act, the audit has begun."""
    (tmp_path / "faults.toml").write_text(
        '[[fault]]\nlever = "error"\nwhen = "GET /fapi/v1/ping"\nargs = { status = 418, code = -1003 }\n'
    )
    words = ("--account", "main=70", "--account", "other=0.5", "--faults", "faults.toml", "--audit", "audit.jsonl")
    with running(tmp_path, *words, "--orderly") as (_, ready):
        assert ready["ws_api"] == ready["streams"] + "/ws-fapi/v1"
        assert ready["accounts"].keys() == {"main", "other"}
        assert all(one.keys() == {"key", "secret"} for one in ready["accounts"].values())
        with pytest.raises(urllib.error.HTTPError, match="418"):
            urllib.request.urlopen(f"{ready['rest']}/fapi/v1/ping", timeout=WAIT_S)
        told = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert {"main", "other"} <= {record.get("account") for record in told}


def test_without_accounts_nothing_is_said_of_them(tmp_path: Path) -> None:
    """The ready line of a market alone has its two addresses only."""
    with running(tmp_path) as (_, ready):
        assert ready.keys() == {"ready", "rest", "streams"}


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    """A port for REST or, one above, for the streams that somebody holds ends with exit code 4 and what to do."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ran = child(tmp_path, "emulator", "--port", port)
        below = child(tmp_path, "emulator", "--port", port - 1, "--json")
    sentence = f"port {port} or {port + 1} of 127.0.0.1 is taken; choose another with --port, or none for any free one"
    assert (ran.code, ran.out, ran.sentence) == (4, "", f"scalper: {sentence} [PORT]")
    assert (below.code, below.document["error"]["code"], below.err) == (4, "PORT", "")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "65535"], "--port: '65535' is not a port; write a number from 0 (any free one) to 65534"),
        (["--speed", "0.5"], "--speed: '0.5' is not a speed; write a number from 1 to 1000, or max"),
        (["--seed", "-1"], "--seed: '-1' is not a seed; write a whole number from 0 to 2^63 - 1"),
        (["--tape", "absent"], "absent does not exist; give the folder of a recording"),
        (["--account", "main"], "--account main: write a name and its USDT, like main=70"),
        (["--account", "main=-1"], "--account main=-1: write a name and its USDT, like main=70"),
        (["--account", "a=1", "--account", "a=2"], "--account: each name once"),
        (["--faults", "absent.toml"], "--faults absent.toml: No such file or directory"),
        (["--faults", ""], "--faults: the path is empty; name a file or folder"),
        (["--audit", "absent/audit.jsonl"], "--audit absent/audit.jsonl: No such file or directory"),
        (["--set", "feed.symbols=NOPEUSDT"], "the generator has no contract 'NOPEUSDT'; it knows BTCUSDT, ETHUSDT"),
    ],
)
def test_mistakes_stand_where_the_ready_line_would(words: list[str], sentence: str) -> None:
    """Exit code 2 and one sentence; with --json a document, for the program that started it."""
    plain, document = inside("emulator", *words), inside("emulator", *words, "--json")
    assert (plain.code, plain.out, document.code, document.err) == (2, "", 2, "")
    assert sentence in plain.sentence and sentence in document.document["error"]["message"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[", "--faults faults.json: Expecting value: line 1 column 2 (char 1)"),
        ("{}", "--faults faults.json: Expected `array`, got `object`"),
        ('[{"lever": "zzz"}]', "--faults faults.json: there is no lever 'zzz'; there are "),
        ('[{"lever": "delay", "args": {"s": "x"}}]', 'fault 1 (delay): s is a number or [low, high], not "x"'),
        ("[" * 100_000, "--faults faults.json: lists in lists without end"),
        ('[{"lever": "error", "wen": ""}]', "--faults faults.json: Object contains unknown field `wen`"),
    ],
)
def test_a_file_of_faults_with_a_mistake_is_one_sentence(alone: Path, text: str, mistake: str) -> None:
    """Exit code 2, the file and what is wrong in it."""
    (alone / "faults.json").write_text(text)
    ran = inside("emulator", "--faults", "faults.json")
    assert (ran.code, ran.out) == (2, "") and mistake in ran.sentence


def test_the_generated_market_has_the_contracts_of_the_settings() -> None:
    """Symbols come from the settings, in their order, and the market begins now: it has a book at once."""
    settings = load(overrides=["feed.symbols=ETHUSDT,BTCUSDT"], environment={}).settings
    market = generated(settings, None)
    assert [one.symbol for one in market.instruments] == ["ETHUSDT", "BTCUSDT"]
    assert market.depth("BTCUSDT", 5) is not None and not market.recorded


def test_a_tape_is_read_from_its_beginning(tmp_path: Path) -> None:
    """The market of a recording begins at its first record and carries its streams."""
    import_raw_lines([capture(tmp_path / "c", 1)], tmp_path / "r", unit="us")
    market = tape(tmp_path / "r")
    assert market.recorded and market.instruments[0].symbol == "BTCUSDT"
    assert {"btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@aggTrade"} <= market.streams
