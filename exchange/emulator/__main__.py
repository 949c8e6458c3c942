"""``python -m exchange.emulator``: the embedded exchange as its own process.

Prints one JSON line on stdout when it is ready and nothing else there; it ends with its parent (when standard input,
being a pipe, closes) or on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from exchange.emulator.generator import Generator
from exchange.emulator.process import host, rehearsal_terms
from exchange.emulator.sockets import Limits
from models.error import ScalperError, UsageError
from utils.clock import wall_ns


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line. argparse ends the process with 2 on a mistake."""
    parser = argparse.ArgumentParser(prog="python -m exchange.emulator", description="The embedded exchange.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="REST port, streams one above; 0: the system chooses")
    parser.add_argument("--seed", type=int, default=1, help="the generated market")
    parser.add_argument("--symbols", default="BTCUSDT", help="contracts, separated by commas")
    parser.add_argument("--speed", default="1", help="1, a multiple of real time, or max")
    parser.add_argument("--ping", type=float, default=Limits().ping_s, help="seconds between pings")
    parser.add_argument("--pong", type=float, default=Limits().pong_s, help="seconds to wait for a pong")
    parser.add_argument("--lifetime", type=float, default=Limits().lifetime_s, help="seconds until a socket is closed")
    parser.add_argument("--account", action="append", default=[], help="open an account: NAME=USDT; repeatable")
    parser.add_argument("--faults", type=Path, help="faults to cause, a TOML or JSON file")
    parser.add_argument("--audit", type=Path, help="write everything that happens to accounts into this file")
    parser.add_argument("--orderly", action="store_true", help="private events leave at once, in their natural order")
    return parser.parse_args(arguments)


def speed(text: str) -> float | None:
    """``max`` as None, else a positive number. Raises UsageError."""
    if text == "max":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UsageError(f"--speed {text}: write a positive number or max")
    return value


def host_generated(options: argparse.Namespace) -> int:
    """The seeded market on the terms of the command line."""
    symbols = tuple(name for name in options.symbols.upper().split(",") if name)
    limits = Limits(ping_s=options.ping, pong_s=options.pong, lifetime_s=options.lifetime)
    terms = rehearsal_terms(options.account, seed=options.seed, faults=options.faults, orderly=options.orderly)
    pace = speed(options.speed)
    market = Generator(options.seed, wall_ns(), symbols)
    return host(
        market, address=options.host, port=options.port, speed=pace, limits=limits, terms=terms, audit=options.audit
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit code of the process."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return host_generated(options)
    except ScalperError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"the embedded exchange cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
