"""The embedded exchange as a child process: started, awaited, ended with us."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from models.error import ScalperError, VenueUnreachableError

READY_S = 60.0  # the first start on a machine compiles; later ones take about a second
STOP_S = 5.0


class Credentials(NamedTuple):
    """Key and secret of an account. Neither stands in its text: what is printed or logged shows that there are some."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(…)"

    __str__ = __repr__


class Exchange(NamedTuple):
    """Its addresses, and its end: ``gone`` is done, with the exit code, when it has ended by itself (a tape does).

    ``ws_api`` and ``accounts`` (by name) are there when it was started with accounts.
    """

    rest_url: str
    stream_url: str
    gone: asyncio.Task[int]
    ws_api: str = ""
    accounts: Mapping[str, Credentials] = MappingProxyType({})


@contextlib.asynccontextmanager
async def embedded(command: Sequence[str], meanwhile: Callable[[], None]) -> AsyncIterator[Exchange]:
    """Run ``command`` (an emulator) beside us; gives what it is once it is ready.

    ``meanwhile`` is done while the child starts (it has a core of its own).

    The child ends when our end of its standard input closes, however we end; a session of its own keeps a Ctrl-C at
    the terminal from it, so that we can close our position first. ``--json`` makes it tell a mistake on its standard
    output. Raises that mistake as ScalperError, VenueUnreachableError when it does not become ready otherwise.
    """
    child = await asyncio.create_subprocess_exec(
        *command,
        "--json",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
        start_new_session=True,
    )
    gone = asyncio.create_task(child.wait(), name="embedded exchange")
    try:
        if child.stdout is None or child.stdin is None:
            raise VenueUnreachableError("the embedded exchange has no pipes")
        meanwhile()
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(child.stdout.readline(), READY_S)
        if not line:
            raise VenueUnreachableError(
                "the embedded exchange did not start; run `python3 main.py emulator` to see why"
            )
        document = json.loads(line)
        if "error" in document:
            raise await _told(child, document["error"])
        yield _told_ready(document, gone)
    finally:
        if child.stdin is not None:
            child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        done, _ = await asyncio.wait({gone}, timeout=STOP_S)
        if not done:
            child.kill()
            await gone


def _told_ready(document: dict[str, Any], gone: asyncio.Task[int]) -> Exchange:
    """The ready line."""
    accounts = {
        name: Credentials(one["key"], one.get("secret", "")) for name, one in document.get("accounts", {}).items()
    }
    return Exchange(document["rest"], document["streams"], gone, document.get("ws_api", ""), accounts)


async def _told(child: asyncio.subprocess.Process, mistake: dict[str, str]) -> ScalperError:
    """What the child said, as our own error."""
    error = ScalperError(mistake["message"], code=mistake["code"])
    error.exit_code = await child.wait()
    return error
