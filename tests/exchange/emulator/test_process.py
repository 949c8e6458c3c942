"""The exchange as a process of its own: one ready line, and an end with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.emulator.__main__ import main, speed
from exchange.emulator.process import audit_file, rehearsal_terms
from models.error import UsageError
from tests.exchange.emulator.client import PATIENCE_S, Socket
from tests.exchange.emulator.recorded import taken

Child = asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def child(
    repository: Path, *options: str, command: tuple[str, ...] = ("-m", "exchange.emulator")
) -> AsyncIterator[tuple[Child, dict[str, str]]]:
    """A running exchange and its ready line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *options,
        cwd=repository, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await process.stdout.readline()
        yield process, json.loads(line) if line else {}
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def left(process: Child) -> tuple[int | None, str, str]:
    """Exit code and what was printed after the ready line."""
    assert process.stdout is not None and process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        said, complained = await asyncio.gather(process.stdout.read(), process.stderr.read())
        return await process.wait(), said.decode(), complained.decode()


def test_it_serves_on_its_addresses_and_ends_with_its_parent(repository: Path) -> None:
    """One JSON line names both addresses, both serve; when the parent's pipe closes it ends with 0 and in silence."""
    options = ("--seed", "5", "--symbols", "ethusdt,btcusdt", "--speed", "20")

    async def run() -> tuple[int | None, str, str]:
        async with child(repository, *options) as (process, ready), aiohttp.ClientSession() as session:
            assert ready.keys() == {"ready", "rest", "streams"} and ready["ready"]
            async with session.get(ready["rest"] + "/fapi/v1/exchangeInfo") as answer:
                info = await answer.json()
                assert [one["symbol"] for one in info["symbols"]] == ["ETHUSDT", "BTCUSDT"]
            async with Socket(ready["streams"], "/public/ws/ethusdt@bookTicker") as client:
                assert (await client.event())["s"] == "ETHUSDT"
            assert process.stdin is not None
            process.stdin.close()
            return await left(process)

    assert asyncio.run(run()) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(repository: Path, number: int) -> None:
    """SIGTERM and SIGINT end it with 0 while a client is connected, and the client is told goodbye."""

    async def run() -> tuple[int | None, str, str]:
        async with (
            child(repository) as (process, ready),
            Socket(ready["streams"], "/public/ws/btcusdt@bookTicker") as client,
        ):
            await client.event()
            process.send_signal(number)
            assert (await client.ended()).code == 1000
            return await left(process)

    assert asyncio.run(run()) == (0, "", "")


def test_accounts_faults_and_credentials_of_the_command_line(repository: Path, tmp_path: Path) -> None:
    """The ready line tells where the WebSocket API is and an account's key pair, the pair signs, the faults act."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"lever": "error", "when": "GET /fapi/v1/ping", "args": {"status": 418, "code": -1003}}]')
    options = ("--account", "main=70", "--account", "other=0.5", "--faults", str(faults), "--orderly")

    async def run() -> None:
        async with child(repository, *options) as (_, ready), aiohttp.ClientSession() as session:
            assert ready["ws_api"] == ready["streams"] + "/ws-fapi/v1"
            accounts: Any = ready["accounts"]
            assert accounts.keys() == {"main", "other"} and accounts["main"] != accounts["other"]
            async with session.get(ready["rest"] + "/fapi/v1/ping") as answer:
                assert answer.status == 418
            async with session.get(ready["rest"] + "/fapi/v1/time") as answer:
                now_ms = (await answer.json())["serverTime"]
            query = f"timestamp={now_ms}"
            signature = hmac.new(accounts["main"]["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
            url = f"{ready['rest']}/fapi/v1/rateLimit/order?{query}&signature={signature}"
            async with session.get(url, headers={"X-MBX-APIKEY": accounts["main"]["key"]}) as answer:
                assert answer.status == 200 and len(await answer.json()) == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    "text",
    [
        *("main", "main=", "main=x", "main=-1", "=5", "a b=5", "main=1e-9", "main=1e9", "main=+5", "main= 5"),
        *("main=1_0", "main==5", "main=nan", "mäin=5", "5=5", "main=1234567890", "main=0.123456789"),
    ],
)
def test_an_account_has_a_name_and_money(text: str) -> None:
    """Anything else is a usage error that shows how to write it."""
    with pytest.raises(UsageError, match="main=70"):
        rehearsal_terms([text])


def test_an_account_is_opened_once() -> None:
    """Two of one name are refused; different ones keep their order and money."""
    with pytest.raises(UsageError, match="once"):
        rehearsal_terms(["main=1", "main=2"])
    plans = rehearsal_terms(["main=70", "other=0.5"], seed=3).accounts
    assert [(plan.name, plan.usdt_e8) for plan in plans] == [("main", 7_000_000_000), ("other", 50_000_000)]


def test_the_audit_is_written_record_by_record(tmp_path: Path) -> None:
    """Each record is a line of JSON as soon as it is told, after what the file held before."""
    path = tmp_path / "audit.jsonl"
    path.write_text('{"kind":"before"}\n')
    with audit_file(path) as write:
        write({"kind": "fill", "price": "1.50"})
        assert path.read_text() == '{"kind":"before"}\n{"kind":"fill","price":"1.50"}\n'
    with pytest.raises(UsageError, match="No such file"), audit_file(tmp_path / "absent" / "x"):
        pass


RECORDED = """
from exchange.emulator.process import host
from tests.exchange.emulator.test_tape import tape
from tests.exchange.emulator.recorded import taken
raise SystemExit(host(tape(taken(1, 5)), speed=None, recorded=True))
"""


def test_a_recording_ends_the_process_with_itself(repository: Path) -> None:
    """A hosted recording keeps its own clock, plays to whoever comes, and ends the process with 0 when it is over."""
    frames = [payload for _, _, _, payload in taken(1, 5) if b'"stream":"btcusdt@bookTicker"' in payload]

    async def run() -> tuple[int | None, str, str]:
        async with child(repository, command=("-c", RECORDED)) as (process, ready), aiohttp.ClientSession() as session:
            async with session.get(ready["rest"] + "/fapi/v1/time") as answer:
                assert (await answer.json())["serverTime"] == taken(1, 5)[0][0] // 10**6
            async with Socket(ready["streams"], "/public/stream?streams=btcusdt@bookTicker") as client:
                assert [await client.text() for _ in frames] == frames
                assert (await client.ended()).code == 1000
            return await left(process)

    assert asyncio.run(run()) == (0, "", "")


def test_a_taken_port_is_told(repository: Path) -> None:
    """A port in use ends it with 1 and a line that names the address."""

    async def run() -> tuple[int | None, str, str]:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            async with child(repository, "--port", str(taken.getsockname()[1])) as (process, ready):
                assert ready == {}
                return await left(process)

    code, said, complained = asyncio.run(run())
    assert (code, said) == (1, "") and "cannot listen on 127.0.0.1:" in complained


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--speed", "0"], "--speed 0: write a positive number or max"),
        (["--speed", "fast"], "--speed fast"),
        (["--symbols", "DOGEUSDT"], "NO_CONTRACT: the generator has no contract 'DOGEUSDT'"),
        (["--symbols", ","], "NO_CONTRACT"),
        (["--port", "65535"], "the port must be 0 to 65534"),
        (["--ping", "0"], "ping_s must be above zero"),
        (["--lifetime", "nan"], "lifetime_s must be above zero"),
    ],
)
def test_wrong_options_are_told(options: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake on the command line ends with 2 and one line of what is wrong, and nothing on stdout."""
    assert main(options) == 2
    said = capsys.readouterr()
    assert said.out == "" and text in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("0.5", 0.5), ("50", 50.0), ("max", None)])
def test_speeds_are_read(text: str, value: float | None) -> None:
    """A positive number is a multiple of real time, ``max`` is as fast as the reader takes it."""
    assert speed(text) == value


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "", "1e6"])
def test_no_number_and_no_bound_is_refused(text: str) -> None:
    """What is not a number between 0 and a million is no speed."""
    with pytest.raises(UsageError):
        speed(text)
