"""History against hftbacktest, in one run: ``python -m tests.bench.history [--json] [--capture FILE.gz]``.

The workload. File: one capture of raw lines (depth and trade frames and a REST snapshot, local time in ns), by default
half an hour of the seeded market, or any USD-M capture with ``--capture``; both programs convert it with their own
converter beforehand and run it from memory. Book: full depth, rebuilt level by level, at the trader and a second time
at the exchange. Features: 5 s volume bars, top-5 imbalance, 10 s momentum with its σ, spread, depth, staleness.
Latency: 25 ms out, 20 ms back. Queue: risk averse. Fees: 2 and 5 bps. One strategy: the scalper with its defaults.
A row is a depth level or a trade. Theirs: the faster of its two books, strategy compiled, every 100 ms.

Bars: recorded text frames, decoded and checked on the way, ≥ 1.0 × its rows a second; rows with the exchange in lock
step ≥ 2.0 ×. Both must decide exactly as the frame-by-frame path that the sockets feed does.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

import wiring
from config.settings import Settings
from core.engine import Engine
from core.kernels.kernel import address_of
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing, rows_of
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.venue import SimulatedVenue
from models.account import AccountShape
from models.action import Note
from models.instrument import E8, Instrument
from models.recording import RecordKind
from models.rows import Kind
from storage.cold.raw_lines import import_raw_lines
from storage.cold.recording import Recording
from tests.bench import timing
from tests.bench.scene import generated

RECORDED_BAR, ROWS_BAR = 1.0, 2.0
SECONDS = 1800.0
SNAPSHOT_NS = 60_000_000_000  # a run asks for one when the price nears the end of what the last one proved


class Notes:
    """Keeps what the engine says."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, object]]] = []

    def note(self, note: Note) -> None:
        self.kept.append((note.file, note.record))


class Machine:
    """Engine and simulated exchange, fresh."""

    def __init__(self, instruments: Sequence[Instrument], *, lockstep: bool = False) -> None:
        settings = Settings()
        self.engine = Engine(instruments, settings, "bench")
        shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
        exchange = SimulatedExchange(instruments, shape, wiring.paper_terms(settings))
        self.notes = Notes()
        self.session = Session(self.engine, SimulatedVenue(exchange, always_lockstep=lockstep), None, self.notes)
        self.ear = Ear(Hearing(instruments), self.session, None, renewed=False)
        self.session.resync = self.ear.resync

    def decided(self) -> list[tuple[str, dict[str, object]]]:
        """Every record, in order: signals, orders, fills, trades, decisions, transitions."""
        return self.notes.kept


def written(folder: Path, seconds: float) -> Path:
    """The seeded market as a capture of raw lines; its aggregate trades as single ones, which the rival knows."""
    capture = folder / "generated.gz"
    with gzip.open(capture, "wb", compresslevel=1) as out:
        for message in generated(seconds, streams=("depth@100ms", "aggTrade"), snapshot_every_ns=SNAPSHOT_NS).messages:
            payload = single(message.payload) if b"@aggTrade" in message.payload[:40] else message.payload
            out.write(str(message.received_ns).encode() + b" " + payload + b"\n")
    return capture


def single(payload: bytes) -> bytes:
    """An aggTrade frame as a trade frame with the same number, price and quantity."""
    event = orjson.loads(payload)["data"]
    kept = {key: event[key] for key in ("E", "T", "s")}
    trade = {"e": "trade", **kept, "t": event["a"], "p": event["p"], "q": event["q"], "X": "MARKET", "m": event["m"]}
    return orjson.dumps({"stream": f"{event['s'].lower()}@trade", "data": trade})


def depth_and_trades(source: Path, folder: Path) -> Path:
    """``source`` without the streams that the rival's converter leaves out."""
    target = folder / "capture.gz"
    with gzip.open(source) as lines, gzip.open(target, "wb", compresslevel=1) as out:
        for line in lines:
            if b'"e":"depthUpdate"' in line or b'"e":"trade"' in line or b'"lastUpdateId"' in line:
                out.write(line)
    return target


class Ours:
    """The capture in memory, as chunks of text records and as rows, and the three ways to run it."""

    def __init__(self, capture: Path, folder: Path, known: dict[str, Instrument]) -> None:
        import_raw_lines([capture], folder, unit="ns", clock_offset_ms="auto", known=known, progress=None)
        recording = Recording.open(folder)
        self.instruments = wiring.with_terms(wiring.recorded_instruments(recording.meta, folder), Settings())
        self.chunks = list(recording.chunks())
        self.records = [(one.kind, one.connection, bytes(one.payload), one.received_ns) for one in recording.records()]
        self.rows = rows_of(recording, Hearing(self.instruments))
        kinds = np.bincount(self.rows["kind"], minlength=9)
        self.count = int(kinds[Kind.DEPTH] + kinds[Kind.SNAPSHOT] + kinds[Kind.TRADE])

    def recorded(self) -> Machine:
        """Text records through the compiled loop: decode, check, engine, exchange, decisions."""
        machine = Machine(self.instruments)
        for chunk in self.chunks:
            machine.ear.chunk(chunk)
        return machine

    def lockstep(self) -> Machine:
        """Rows with engine and exchange in lock step throughout."""
        return self._rows(lockstep=True)

    def bulk(self) -> Machine:
        """Rows; the exchange follows in bulk while nothing is alive there."""
        return self._rows(lockstep=False)

    def _rows(self, *, lockstep: bool) -> Machine:
        machine = Machine(self.instruments, lockstep=lockstep)
        machine.session.rows(address_of(self.rows), 0, len(self.rows))
        return machine

    def by_frames(self) -> Machine:
        """Message by message, as the sockets do it: what the others must agree with."""
        machine = Machine(self.instruments)
        for kind, connection, payload, received_ns in self.records:
            if kind == RecordKind.FRAME:
                machine.ear.frame(connection, payload, received_ns)
            else:
                machine.ear.take(kind, connection, payload, received_ns)
        return machine


def measure(ours: Ours, rival: Any, rounds: int) -> dict[str, Any]:
    """All figures; ``rival`` is None where hftbacktest is not installed, and then there are no bars."""
    frames = ours.by_frames()
    subjects: dict[str, Any] = {"recorded": ours.recorded, "lockstep": ours.lockstep, "bulk": ours.bulk}
    same = {name: run().decided() == frames.decided() for name, run in subjects.items()}
    counted: dict[str, list[int]] = {}
    if rival is not None:
        from tests.bench.rival import each_feed, scalper

        styles = {
            "rival_vector_100ms": (scalper, True),
            "rival_hash_100ms": (scalper, False),
            "rival_vector_feed": (each_feed, True),
        }
        for name, (style, vector) in styles.items():
            counted[name] = rival.run(style, vector=vector)  # compiled here
            subjects[name] = lambda style=style, vector=vector: rival.run(style, vector=vector)
    least = timing.interleaved(subjects, rounds)
    rates = {
        name: round((rival.rows if name.startswith("rival") else ours.count) * 1e3 / ns, 2)
        for name, ns in least.items()
    }
    document: dict[str, Any] = {
        "rounds": rounds,
        "rows": ours.count,
        "million_rows_per_s": rates,
        "identical_to_frames": same,
        "records": len(frames.decided()),
        "signals": frames.engine.signals,
        "fills": frames.engine.account.fills,
    }
    if rival is not None:
        fastest = max(rate for name, rate in rates.items() if name.startswith("rival"))
        document["rival_rows"] = rival.rows
        document["rival_steps_signals_orders"] = counted
        document["bars"] = {
            "recorded ÷ hftbacktest": (round(rates["recorded"] / fastest, 3), "≥", RECORDED_BAR),
            "lock step ÷ hftbacktest": (round(rates["lockstep"] / fastest, 3), "≥", ROWS_BAR),
            "paths that differ": (sum(1 for equal in same.values() if not equal), "≤", 0),
        }
    return document


def prepared(folder: Path, capture: Path | None, seconds: float) -> tuple[Path, Ours]:
    """The capture that both run, and our side of it."""
    from config.venue import shipped_instruments, shipped_symbols

    made = depth_and_trades(capture, folder) if capture else written(folder, seconds)
    return made, Ours(made, folder / "recording", {one.symbol: one for one in shipped_instruments(shipped_symbols())})


def main() -> int:
    """Measure and print."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--capture", type=Path, help="a USD-M capture of raw lines (.gz, local time in ns)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the generated capture (1800)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        capture, ours = prepared(Path(scratch), options.capture, options.seconds)
        rival = None
        if importlib.util.find_spec("hftbacktest") is not None:
            from tests.bench.rival import Rival

            one = ours.instruments[0]
            rival = Rival(capture, one.tick_e8 / E8, one.lot_e8 / E8)
        else:
            print(
                "hftbacktest is not installed: pip install --require-hashes -r requirements-bench.lock", file=sys.stderr
            )
        return timing.tell(measure(ours, rival, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
