"""The embedded exchange as a child: awaited, told, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from interface.drivers import embedded as module
from interface.drivers.embedded import Exchange, embedded
from models.error import ScalperError, VenueUnreachableError

READY = "print(json.dumps({'rest': 'r', 'streams': str(os.getpid()), 'session': os.getsid(0)}), flush=True)"


def program(*lines: str) -> list[str]:
    """A child that does ``lines``, with the modules it may need."""
    return [sys.executable, "-c", "\n".join(["import json, os, signal, sys", *lines])]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def entered(command: list[str], inside: object = None) -> tuple[str, str, list[str]]:
    """What the context gave and what was done meanwhile; ``inside`` is awaited in the context."""
    order: list[str] = []

    async def run() -> tuple[str, str]:
        async with embedded(command, lambda: order.append("meanwhile")) as exchange:
            order.append("ready")
            if callable(inside):
                inside()
            return exchange.rest_url, exchange.stream_url

    rest, streams = asyncio.run(run())
    return rest, streams, order


def test_its_addresses_are_given_once_it_is_ready() -> None:
    """REST and stream address come from the child's ready line; our own work is done while it starts."""
    rest, _, order = entered(program(READY, "sys.stdin.read()"))
    assert (rest, order) == ("r", ["meanwhile", "ready"])


def test_accounts_are_handed_on_and_never_shown() -> None:
    """The WebSocket API's address and key and secret of each account are there to use and in no text of theirs."""
    accounts = {"main": {"key": "K-canary", "secret": "S-canary"}}
    line = {"rest": "r", "streams": "s", "ws_api": "w", "accounts": accounts}

    async def run() -> Exchange:
        async with embedded(program(f"print({json.dumps(line)!r}, flush=True)"), lambda: None) as exchange:
            return exchange

    exchange = asyncio.run(run())
    assert (exchange.ws_api, exchange.accounts["main"]) == ("w", ("K-canary", "S-canary"))
    shown = f"{exchange} {exchange!r} {exchange.accounts} {exchange.accounts['main']} {exchange.accounts['main']!r}"
    assert "canary" not in shown


def test_it_ends_with_us() -> None:
    """Leaving the context ends the child and waits for it."""
    _, pid, _ = entered(program(READY, "sys.stdin.read()"))
    assert gone(int(pid))


@pytest.mark.parametrize("code", [0, 3])
def test_its_own_end_is_told_with_its_exit_code(code: int) -> None:
    """An exchange that ends by itself, as a tape does, can be awaited inside the context."""

    async def run() -> int:
        async with embedded(program(READY, f"sys.exit({code})"), lambda: None) as exchange:
            return await exchange.gone

    assert asyncio.run(run()) == code


def test_it_ends_with_us_when_we_fail() -> None:
    """An error inside the context goes on its way, and the child is gone all the same."""
    pids: list[int] = []

    async def run() -> None:
        async with embedded(program(READY, "sys.stdin.read()"), lambda: None) as exchange:
            pids.append(int(exchange.stream_url))
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        asyncio.run(run())
    assert gone(pids[0])


def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ignores both the closed pipe and SIGTERM is ended for good."""
    monkeypatch.setattr(module, "STOP_S", 0.05)
    deaf = program("signal.signal(signal.SIGTERM, signal.SIG_IGN)", READY, "while True: signal.pause()")
    _, pid, _ = entered(deaf)
    assert gone(int(pid))


def test_a_mistake_of_the_child_is_ours() -> None:
    """What the child says of its end keeps its sentence, its code and its exit code."""
    mistake = json.dumps({"error": {"code": "EMPTY_TAPE", "message": "nothing to play"}})
    with pytest.raises(ScalperError, match="nothing to play") as caught:
        entered(program(f"print({mistake!r})", "sys.exit(2)"))
    assert (caught.value.code, caught.value.exit_code) == ("EMPTY_TAPE", 2)


def test_a_child_that_says_nothing_is_unreachable() -> None:
    """One that dies silently ends in exit code 5 with what to try."""
    with pytest.raises(VenueUnreachableError, match=r"run `python3 main\.py emulator` to see why") as caught:
        entered(program("sys.exit(3)"))
    assert caught.value.exit_code == 5


def test_a_child_that_never_is_ready_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the bound the child is ended and the run says so."""
    monkeypatch.setattr(module, "READY_S", 0.05)
    with pytest.raises(VenueUnreachableError, match="did not start"):
        entered(program("sys.stdin.read()"))


def test_it_is_asked_to_tell_mistakes_as_json() -> None:
    """The child gets ``--json``: its mistake then stands where its ready line would."""
    rest, _, _ = entered(program("print(json.dumps({'rest': sys.argv[-1], 'streams': ''}), flush=True)"))
    assert rest == "--json"


def test_a_ctrl_c_at_the_terminal_does_not_reach_it() -> None:
    """It has a session of its own: with a dead venue we could not close our position."""
    line = "print(json.dumps({'rest': str(os.getsid(0)), 'streams': str(os.getpid())}), flush=True)"
    session, pid, _ = entered(program(line, "sys.stdin.read()"))
    assert session == pid != str(os.getsid(0))


def test_its_complaints_go_to_our_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing the child says is lost, and nothing of it is taken for its ready line."""
    with (tmp_path / "err").open("w+") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        entered(program("print('a warning', file=sys.stderr, flush=True)", READY, "sys.stdin.read()"))
        monkeypatch.undo()
    assert (tmp_path / "err").read_text() == "a warning\n"
