"""F74, F75: no secret in any file, log line, output, exception, journal, recording or audit, whatever fails (DEBUG)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from config.secret import load_secret
from exchange.binance.signing import signer_of
from exchange.emulator.generator import Generator
from exchange.emulator.levers import ACCOUNT, LEVERS, SOCKET, STREAM
from exchange.emulator.server import Emulator
from exchange.emulator.venue import AccountPlan, Venue, VenueTerms
from exchange.emulator.ws_api import PATH
from models.error import ConfigurationError
from storage.cold.recording import Recording
from tests.interface.program import command, environment
from tests.scenarios.test_parity import settings_words
from utils.clock import wall_ns

KEY = "canaryOfTheKey0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
SECRET = "canaryOfTheSecretNMLKJIHGFEDCBA9876543210zyxwvutsrqponmlkjihgfed"
TOKEN = "7301:AAHcanary_of-the-telegram+bot/token=="
PEM = "MC4CAQAwBQYDK2VwBCIEIcanary+of/the+private+key0123456789abcdef=="
SECONDS, END_S = 9, 10


def variants(canary: str) -> Iterator[bytes]:
    """A secret as it may appear: plain, percent-encoded, hex, base64 at each alignment, escaped as JSON."""
    raw = canary.encode()
    yield raw
    yield quote(canary, safe="").encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(shift) + raw).rstrip(b"=")
            yield text[4 if shift else 0 : -2]
    yield json.dumps(canary).strip('"').encode()


def leaks(canaries: dict[str, str], places: dict[str, bytes]) -> list[str]:
    """Which canary stands where."""
    return [
        f"{name} in {place}"
        for name, canary in canaries.items()
        for place, content in places.items()
        if any(variant in content for variant in variants(canary))
    ]


def left_in(data: Path) -> dict[str, bytes]:
    """Everything below a data folder but the secrets themselves; recordings also unpacked."""
    places = {
        str(path): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and path.parent.name != "secrets" and "numba" not in path.parts
    }
    for folder in (data / "market").glob("*"):
        places[f"{folder} unpacked"] = b"\n".join(record.payload for record in Recording.open(folder).records())
    return places


def pull_all(venue: Venue, echo: str) -> float:
    """Arm each lever from now on, those that end a session last; answers quote the key. When the last one is due, s."""
    rude = ("position_mode", "status", "clock_skew", "refuse_connect", "permissions", "use_weight", "ban")
    arguments: dict[str, dict[str, Any]] = {
        "answer": {"status": 400, "text": f"<html>{echo}</html>", "content_type": "text/html"},
        "error": {"status": 400, "code": -2015, "msg": f"Invalid API-key {echo}, IP, or permissions for action"},
        "deposit": {"amount": "1"}, "clock_skew": {"ms": 5000}, "inject": {"text": "{}"}, "ban": {"s": 1},
        "close_after": {"reason": echo}, "use_weight": {"weight": 100},
    }  # fmt: skip
    at_s = venue.now_s()
    for name in [*(one for one in LEVERS if one not in rude), *rude]:
        when = {STREAM: "user:*", SOCKET: "private", ACCOUNT: ""}.get(LEVERS[name].kind, "* /fapi/v1/*")
        at_s += SECONDS / len(LEVERS)
        for_s = 0.5 if LEVERS[name].kind == SOCKET else 0.0
        venue.faults.arm(name, when, at_s=at_s, for_s=for_s, args=arguments.get(name, {}))
    venue.faults.arm("error", "POST *", count=2, args=arguments["error"])
    return at_s


def keep(data: Path, name: str, text: str) -> None:
    """A secret in its place below the data folder."""
    (data / "secrets").mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / "secrets" / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def words_of(data: Path) -> list[str]:
    """The bot at its most talkative, without an end."""
    return command("--mode", "testnet", "--data-dir", data, "--log-format", "json", "--set", "app.log_level=debug",
                   *settings_words())  # fmt: skip


async def traded(folder: Path, data: Path) -> dict[str, bytes]:
    """Trade while everything fails; the outputs, and the exchange's audit."""
    audit: list[dict[str, object]] = []
    terms = VenueTerms([AccountPlan(key=KEY, secret=SECRET)], 7, audit=audit.append)
    market = Generator(7, wall_ns(), ("BTCUSDT",))
    async with Emulator(market, anchor_ns=wall_ns(), terms=terms) as exchange:
        addresses = {
            "SCALPER_FEED__REST_URL": exchange.rest_url,
            "SCALPER_FEED__STREAM_URL": exchange.stream_url,
            "SCALPER_EXECUTION__WS_API_URL": exchange.stream_url + PATH,
        }
        bot = await asyncio.create_subprocess_exec(
            *words_of(data), cwd=folder, env=environment(folder, **addresses), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert bot.stderr is not None
        said = b""
        async with asyncio.timeout(60):
            while b"RECOVERED: no condition" not in said:  # the account is read, and the market heard
                line = await bot.stderr.readline()
                assert line, said
                said += line
        reading = asyncio.create_task(bot.communicate())
        until_s = pull_all(exchange.venue, KEY)
        while exchange.venue.now_s() < until_s and not reading.done():
            await asyncio.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            bot.send_signal(signal.SIGTERM)
        done, _ = await asyncio.wait({reading}, timeout=END_S)
        if not done:
            bot.kill()
        out, err = await reading
    return {"stdout": out, "stderr": said + err, "audit": json.dumps(audit).encode()}


@pytest.mark.slow
def test_no_fault_brings_a_secret_to_light(tmp_path: Path) -> None:
    """Every lever is pulled while the bot trades with DEBUG on, and the venue quotes the key: it stands nowhere."""
    data = tmp_path / "data"
    canaries = {"key": KEY, "secret": SECRET, "token": TOKEN, "private key": PEM}
    names = ("binance_api_key", "binance_api_secret", "telegram_token", "binance_private_key")
    for name, canary in zip(names, canaries.values(), strict=True):
        keep(data, name, canary)
    outputs = asyncio.run(traded(tmp_path, data))
    places = left_in(data) | outputs
    assert any("journal" in place for place in places)
    assert any("unpacked" in place for place in places)
    assert leaks(canaries, places) == []


@pytest.mark.parametrize(("key", "secret"), [(KEY + " two words", SECRET), (KEY, "")])
def test_a_bad_secret_is_refused_without_being_told(tmp_path: Path, key: str, secret: str) -> None:
    """A secret that cannot be used is named by its place, never by its text."""
    keep(tmp_path, "binance_api_key", key)
    keep(tmp_path, *(("binance_api_secret", secret) if secret else ("binance_private_key", PEM)))
    given = [
        load_secret(name, tmp_path, {}) for name in ("binance_api_key", "binance_api_secret", "binance_private_key")
    ]
    with pytest.raises(ConfigurationError) as caught:
        signer_of(*given)
    told = "".join(traceback.format_exception(caught.value)) + repr(given)
    assert "secret binance_" in caught.value.message or "binance_private_key" in caught.value.message
    assert leaks({"key": key, "secret": secret or PEM}, {"the error": told.encode()}) == []


def test_the_search_finds_what_it_looks_for() -> None:
    """Plain, quoted, hex and base64 at any alignment are found."""
    for content in (
        f"a {TOKEN} b".encode(), quote(f"x={TOKEN}", safe="").encode(), f"..{TOKEN}".encode().hex().encode(),
        base64.b64encode(f"{TOKEN}".encode()), base64.b64encode(f"Bearer {TOKEN}!!".encode()),
        base64.b64encode(f"BearerX {TOKEN}!!".encode()), base64.b64encode(f"BearerXX {TOKEN}!!".encode()),
    ):  # fmt: skip
        assert leaks({"token": TOKEN}, {"here": content}) == ["token in here"]
    assert leaks({"token": TOKEN}, {"here": b"nothing"}) == []
