"""kill −9: ``python -m tests.campaigns.kill --kills 500``. Real SIGKILLs of a trading bot, each followed by a restart.

An embedded exchange runs as a process of its own and outlives the bot, which trades on it in mode testnet with eager
thresholds. Half of the deaths come at random times (start-up included), half at numbered points inside
(``tests.campaigns.crash``). After each session of some deaths the exchange's audit, the journals and the records are
judged (``tests.campaigns.judge``) and every run is run again with ``replay --verify``. Exit code 1 with violations.

Measured: from the kill to the restarted bot's ``ready`` (account read, everything found adopted and covered), with the
process start, and from the moment its lines are asked for; processor time of the same stretch beside, as a busy
machine shows in the one and not in the other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from interface.commands.dispatch import compile_cache

ROOT = Path(__file__).resolve().parents[2]
compile_cache(ROOT / "data")  # before numba is imported

from tests.campaigns import judge  # noqa: E402
from tests.campaigns.judge import Life, Run, Violation  # noqa: E402

USDT = 70
SETTINGS = (
    "strategy.params.cooldown_s=1", "strategy.params.volume_multiple=0.2", "strategy.params.imbalance_entry=0.05",
    "strategy.params.momentum_z=0.05", "strategy.params.hold_min_s=1", "strategy.params.reversal_hold_ms=100",
    "strategy.params.reversal=0.1", "risk.repeat_entries_max=100",
    "risk.entries_per_hour=1000", "risk.entries_per_day=10000", "risk.streak_pause=1000", "risk.streak_halt=1001",
    "risk.fee_budget_pct=100", "risk.daily_loss_soft_pct=99", "risk.daily_loss_hard_pct=99",
    "risk.drawdown_max_pct=99",
)  # fmt: skip
POINTS = (
    ("wish.entry", 2), ("kept.entry", 2), ("sent.entry", 2), ("wish.stop", 2), ("kept.stop", 2), ("sent.stop", 2),
    ("wish.exit", 2), ("kept.exit", 2), ("sent.exit", 2), ("wish.cancel", 2), ("sent.cancel", 2), ("heard.fill", 4),
    ("took.fill", 4), ("heard.orderreport", 8), ("took.orderreport", 8), ("heard.balance", 4), ("took.balance", 4),
    ("heard.accounttruth", 2), ("took.accounttruth", 2), ("sent.inspect", 2), ("kept.remember", 8), ("append", 60),
    ("torn", 60), ("venue", 1), ("account", 1), ("parts", 1), ("opened", 1), ("ready", 1),
)  # fmt: skip
"""Each with how often it may pass before the death."""
UNWEIGHED = {"lever": "headers", "when": "GET *", "count": 0, "args": {"set": {"X-MBX-USED-WEIGHT-1M": "1"}}}
"""Fifteen starts a minute are not what the venue's weight is made for: they would wait for it instead of trading."""
LIFE_S, START_S, FINAL_S = 4.0, 30.0, 3


class Death(NamedTuple):
    """How a life is to end: at a point inside, or so many seconds after its start or after it was ready."""

    point: str = ""
    after_start_s: float = 0.0
    after_ready_s: float = 0.0

    @property
    def way(self) -> str:
        if self.point:
            return self.point
        return f"start+{self.after_start_s:.2f}s" if self.after_start_s else f"ready+{self.after_ready_s:.2f}s"


def drawn(dice: random.Random) -> Death:
    kind = dice.random()
    if kind < 0.5:
        name, most = dice.choice(POINTS)
        return Death(point=f"{name}:{dice.randint(1, most)}")
    if kind < 0.65:
        return Death(after_start_s=dice.uniform(0.05, 2.5))
    return Death(after_ready_s=dice.uniform(0.0, 3.5))


class Session:
    """One exchange with one account, and a row of lives of the bot on it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.dice = random.Random(seed)
        self.audit = folder / "audit.jsonl"
        self.lives: list[Life] = []
        self.starts: list[dict[str, float]] = []
        self._dead_ns = 0

    @contextlib.contextmanager
    def exchange(self) -> Iterator[None]:
        """The embedded exchange; its credentials in files that only we read."""
        faults = self.folder / "faults.json"
        faults.write_text(json.dumps([UNWEIGHED]))
        words = ["-m", "exchange.emulator", "--account", f"main={USDT}", "--seed", str(self.seed)]
        process = subprocess.Popen(
            [sys.executable, *words, "--faults", faults, "--audit", self.audit],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            told = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            for name in ("key", "secret"):
                path = self.folder / name
                path.touch(mode=0o600)
                path.write_text(told["accounts"]["main"][name])
            self.environment = {
                **{name: os.environ[name] for name in ("NUMBA_CACHE_DIR", "PATH", "HOME") if name in os.environ},
                "SCALPER_NO_BOOTSTRAP": "1",
                "SCALPER_FEED__REST_URL": told["rest"],
                "SCALPER_FEED__STREAM_URL": told["streams"],
                "SCALPER_EXECUTION__WS_API_URL": told["ws_api"],
                "SCALPER_BINANCE_API_KEY_FILE": str(self.folder / "key"),
                "SCALPER_BINANCE_API_SECRET_FILE": str(self.folder / "secret"),
            }
            yield
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)
            process.stdout.close()  # type: ignore[union-attr]

    def live(self, death: Death | None) -> None:
        """One life; without ``death`` it ends in order after some seconds."""
        number = len(self.lives)
        marks = self.folder / f"marks-{number}.jsonl"
        marks.touch()
        words = ["-m", "tests.campaigns.crash", "--mode", "testnet", "--data-dir", str(self.folder / "data"), "--quiet"]
        words += [word for text in SETTINGS for word in ("--set", text)]
        words += ["--for", f"{FINAL_S}s"] if death is None else []
        environment = self.environment | {"CRASH_MARKS": str(marks), "CRASH_AT": death.point if death else ""}
        begun_ns, begun_s = time.time_ns(), time.monotonic()
        with (self.folder / f"output-{number}.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )  # fmt: skip
            if death is not None:
                self._kill(process, death, marks, begun_s)
            code = process.wait(60)
        ended_ns = time.monotonic_ns()
        self._measure(marks, ended_ns)
        found = {one["mark"]: one for one in _marks(marks)}
        killed = found.get("killed", {})
        way = death.way if death is not None else "end"
        if death is not None and death.point and code == -signal.SIGKILL and not killed:
            way = f"{way} not reached"
        folders = sorted((self.folder / "data" / "testnet" / "runs").glob("*"))
        known = {life.folder for life in self.lives}
        folder = next((one for one in folders if one not in known), None)
        ready_ns = int(found.get("ready", {}).get("wall_ns", 0))
        self.lives.append(Life(number, begun_ns, ready_ns, time.time_ns(), way, folder))
        self._dead_ns = int(killed.get("monotonic_ns", 0)) or self._killed_ns if death is not None else 0
        expected = (-signal.SIGKILL,) if death is not None else (0,)
        if code not in expected:
            text = (self.folder / f"output-{number}.txt").read_text(errors="replace")
            raise RuntimeError(f"life {number} ({way}) ended with {code}: {text[-2000:]}")

    def _kill(self, process: subprocess.Popen[bytes], death: Death, marks: Path, begun_s: float) -> None:
        """Kill it when its time has come, or when it has lived long enough without passing its point."""
        ready_s = None
        while process.poll() is None:
            now_s = time.monotonic()
            if ready_s is None and b'"ready"' in marks.read_bytes():
                ready_s = now_s
            if death.after_start_s:
                over = now_s >= begun_s + death.after_start_s
            elif death.point:
                over = (ready_s is not None and now_s >= ready_s + LIFE_S) or now_s >= begun_s + START_S
            else:
                over = ready_s is not None and now_s >= ready_s + death.after_ready_s
            if over or now_s >= begun_s + START_S + LIFE_S:
                break
            time.sleep(0.003)
        self._killed_ns = time.monotonic_ns()
        process.kill()

    def _measure(self, marks: Path, ended_ns: int) -> None:
        """How long this start took, when it came after a kill and became ready."""
        found = {one["mark"]: one for one in _marks(marks)}
        if not self._dead_ns or "ready" not in found:
            return

        def since(earlier: int, mark: str) -> float:
            return (int(found[mark]["monotonic_ns"]) - earlier) / 1e9

        begun = int(found["begun"]["begun_ns"])
        start = {"kill_to_ready": since(self._dead_ns, "ready"), "kill_to_python": (begun - self._dead_ns) / 1e9}
        start |= {"cpu": float(found["ready"]["cpu_s"]), "lots": abs(found["ready"]["lots"][0])}
        for name, first, last in (
            ("imports", "begun", "imported"), ("to_account", "imported", "before account"),
            ("account", "before account", "account"), ("connect_to_ready", "before account", "ready"),
            ("open_to_ready", "before opened", "ready"),
        ):  # fmt: skip
            start[name] = since(int(found[first]["monotonic_ns"]), last)
        self.starts.append(start)

    def run(self, kills: int) -> None:
        (self.folder / "data").mkdir(parents=True)
        with self.exchange():
            for _ in range(kills):
                self.live(drawn(self.dice))
            self.live(None)

    def violations(self) -> list[Violation]:
        audit = judge.audit_of(self.audit)
        runs = [Run(life.folder) for life in self.lives if life.folder is not None]
        found = [
            *judge.judge_orders(audit), *judge.judge_protection(audit, self.lives), *judge.judge_money(audit),
            *judge.judge_runs(audit, runs), *self._verified(runs), *self._end(audit, runs),
        ]  # fmt: skip
        return found

    def _end(self, audit: list[dict[str, Any]], runs: list[Run]) -> Iterator[Violation]:
        """After an orderly end nothing is open and the bot's wallet and losing streak are what the venue's say."""
        last = list(judge.moments(audit))[-1:]
        if last and (last[0].held or last[0].stops):
            yield Violation("orphan", f"left at the end: {last[0]}")
        survivors = judge.left_behind(runs[-1].journal, time.time_ns()).survivors
        wallet = [record["wallet"] for record in audit if "wallet" in record][-1]
        if survivors is None or survivors.wallet_e8 != int(judge.Decimal(wallet) * 10**8):
            yield Violation("money", f"the venue's wallet is {wallet}, ours {survivors}")
        if survivors is not None and survivors.start_e8 != USDT * 10**8:
            yield Violation("survivors", f"limits count from {survivors.start_e8}, not from the first wallet")
        streak = judge.streak_of(judge.trips_of(audit))
        if survivors is not None and survivors.losses_in_row != streak:
            yield Violation("streak", f"{survivors.losses_in_row} losses in a row, the venue's fills say {streak}")

    def _verified(self, runs: list[Run]) -> Iterator[Violation]:
        from tests.interface.program import inside

        self.verified = Counter[str]()
        for run in runs:
            if not run.begun:
                self.verified["too short"] += 1
                continue
            ran = inside("replay", run.folder, "--data-dir", self.folder / "data", "--verify", "--quiet")
            if ran.code == 0:
                self.verified["identical"] += 1
            elif any(
                word in ran.err
                for word in ("NOTHING_KEPT", "no run with a journal", "has no recording", "holds no recording")
            ):
                self.verified["too short"] += 1
            else:
                yield Violation("replay", f"{run.folder.name}: {ran.code} {ran.err.strip()[-300:]}")


def _marks(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def campaign(kills: int, seed: int, per_session: int, keep: Path) -> dict[str, Any]:
    """Kill so often; what was found and measured."""
    import wiring
    from interface.commands.loading import loaded
    from interface.commands.parser import parse

    wiring.warm(loaded(parse(["run"])).settings)  # every bot finds its kernels compiled
    violations: list[dict[str, Any]] = []
    starts: list[dict[str, float]] = []
    ways, verified = Counter[str](), Counter[str]()
    bare: list[int] = []
    fills = trips = done = 0
    while done < kills:
        session = Session(keep / f"session-{seed}", seed)
        count = min(per_session, kills - done)
        session.run(count)
        found = session.violations()
        violations += [{"session": seed, "rule": one.rule, "detail": one.detail} for one in found]
        audit = judge.audit_of(session.audit)
        fills += sum(record["kind"] == "fill" for record in audit)
        trips += len(judge.trips_of(audit))
        bare += judge.bare_us(audit)
        starts += session.starts
        verified += session.verified
        ways.update(life.way.partition(":")[0].partition("+")[0] for life in session.lives if life.way != "end")
        done += count
        seed += 1
        print(f"{done} kills, {len(violations)} violations, {fills} fills", file=sys.stderr, flush=True)
        for one in found:
            print(f"  {one.rule}: {one.detail}", file=sys.stderr, flush=True)
    figures = {
        name: {
            f"p{share * 100:g}": round(quantile([one[name] for one in starts], share), 3) for share in (0.5, 0.9, 0.99)
        }
        for name in (starts[0] if starts else ())
        if name != "lots"
    }  # fmt: skip
    return {
        "v": 1, "kills": kills, "violations": violations, "starts": len(starts),
        "starts_with_position": sum(one["lots"] > 0 for one in starts), "seconds": figures,
        "unprotected_max_s": max(bare, default=0) / 1e6, "fills": fills, "round_trips": trips,
        "replays": dict(verified), "ways": dict(sorted(ways.items())),
    }  # fmt: skip


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-session", type=int, default=25, help="kills on one exchange (default 25)")
    parser.add_argument("--keep", type=Path, help="keep everything in this folder, which must not exist")
    parser.add_argument("--json", action="store_true", help="the result as one JSON document")
    options = parser.parse_args(words)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-")))
        document = campaign(options.kills, options.seed, options.per_session, folder.absolute())
    if options.json:
        print(json.dumps(document))
    else:
        for name, value in document.items():
            print(f"{name}: {value}")
    return 1 if document["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
