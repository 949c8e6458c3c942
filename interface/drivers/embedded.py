"""The embedded exchange as a child process: started, awaited, ended with us."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence

from models.error import VenueUnreachableError

READY_S = 60.0  # the first start on a machine compiles; later ones take about a second
STOP_S = 5.0


@contextlib.asynccontextmanager
async def embedded(command: Sequence[str], meanwhile: Callable[[], None]) -> AsyncIterator[tuple[str, str]]:
    """Run ``command`` (an emulator) beside us; gives its REST and stream address once it is ready.

    ``meanwhile`` is done while the child starts (it has a core of its own).

    The child ends when our end of its standard input closes, however we end. Raises VenueUnreachableError when it does
    not become ready.
    """
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
    )
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
        yield document["rest"], document["streams"]
    finally:
        if child.stdin is not None:
            child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_S)
        except TimeoutError:
            child.kill()
            await child.wait()
