"""A foreign client's scripted day against the embedded exchange: both as processes of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from interface.commands import environment
from tests.interface.program import REPOSITORY, WAIT_S, started

CLIENTS = tuple(name.removeprefix("conformance-") for name in environment.SEPARATE["conformance"])
SEED = 48  # ETHUSDT moves by 0.1 % within the first half minute, wherever in it the day begins
DAY_S = 600


class Told(NamedTuple):
    """What a client said of a step."""

    ok: bool
    detail: str


class Day(NamedTuple):
    """What a day left behind: the steps by name, what client and exchange complained of, their exit codes."""

    steps: dict[str, Told]
    client: tuple[int, str]
    exchange: tuple[int, str]


def lived(client: str, folder: Path) -> Day:
    """Live the day of ``client`` in ``folder``; its environment is made first when there is none."""
    python = environment.separate(REPOSITORY, f"conformance-{client}")
    script = Path(__file__).parent / "clients" / f"{client.replace('-', '_')}_day.py"
    words = ("--account", "main=10000", "--seed", SEED, "--set", "feed.symbols=BTCUSDT,ETHUSDT")
    with started(folder, "emulator", *words) as exchange:
        try:
            done = subprocess.run(
                [python, script],
                cwd=folder,
                env={"HOME": str(folder)},
                input=exchange.stdout.readline(),
                capture_output=True,
                text=True,
                timeout=DAY_S,
                check=False,
            )
            _, complaints = exchange.communicate(timeout=WAIT_S)  # its standard input closes: it ends
        finally:
            exchange.kill()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    steps = {row["step"]: Told(row["ok"], row["detail"]) for row in rows}
    return Day(steps, (done.returncode, done.stderr), (exchange.returncode, complaints))
