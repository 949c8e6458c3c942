"""Faults of the embedded exchange: which lever is pulled when, from a file or from a test, driven by one seed."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from exchange.emulator.draws import draws
from exchange.emulator.levers import ACCOUNT, CALL, LEVERS, SOCKET, STREAM, CallPlan
from exchange.emulator.parameters import Params
from models.error import UsageError


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. From ``at_s`` (venue seconds after the start) on it waits for what ``when`` meets; it disturbs
    ``count`` of them (0: all) beginning with the ``nth``, each with ``probability``, and ends after ``for_s`` (0:
    never). ``where`` narrows calls by their parameters; ``connection`` n narrows streams to the n-th connection that
    the fault meets (0: any). ``moment``: before or after the call that an account lever waits for.
    """

    lever: str
    when: str = ""
    at_s: float = 0.0
    nth: int = 1
    count: int = 1
    for_s: float = 0.0
    probability: float = 1.0
    where: dict[str, str] = {}
    connection: int = 0
    moment: str = "before"
    args: dict[str, Any] = {}

    def __post_init__(self) -> None:
        known = LEVERS.get(self.lever)
        if known is None:
            raise UsageError(f"there is no lever {self.lever!r}; there are {', '.join(LEVERS)}")
        unknown = self.args.keys() - known.args.keys()
        if unknown:
            raise UsageError(f"the lever {self.lever} takes {sorted(known.args)}, not {sorted(unknown)}")
        if self.moment not in ("before", "after"):
            raise UsageError(f"a moment is before or after, got {self.moment!r}")


class Armed:
    """A fault that is under way. ``met`` counts what it met, ``done`` what it disturbed."""

    def __init__(self, fault: Fault, begins_s: float) -> None:
        self.fault = fault
        self.begins_s = begins_s
        self.ends_s = begins_s + fault.for_s if fault.for_s else float("inf")
        self.met = self.done = 0
        self.memory: dict[str, Any] = {}
        self.off = False

    @property
    def over(self) -> bool:
        """Whether it will disturb nothing more."""
        return self.off or (self.fault.count > 0 and self.done >= self.fault.count)


class Faults:
    """Every fault that is armed. ``now_s`` is the venue's time since its start."""

    def __init__(self, seed: int, now_s: Callable[[], float], plan: Iterable[Fault] = ()) -> None:
        self.now_s = now_s
        self._draw = draws(seed, "faults").__next__
        self.armed: dict[str, list[Armed]] = {CALL: [], STREAM: [], SOCKET: [], ACCOUNT: []}
        self.act: Callable[[str, dict[str, Any]], None] = lambda lever, args: None  # account levers
        self.pulled: list[tuple[float, str]] = []  # what was done when, the last thousand
        for fault in plan:
            self.put(fault)

    def arm(self, lever: str, when: str = "", **options: Any) -> Armed:
        """Pull a lever from a test: options of ``Fault`` by their names, everything else is an argument."""
        fields = {name: options.pop(name) for name in list(options) if name in Fault.__struct_fields__}
        return self.put(Fault(lever, when, args=options | fields.pop("args", {}), **fields))

    def put(self, fault: Fault) -> Armed:
        armed = Armed(fault, max(fault.at_s, self.now_s()))
        self.armed[LEVERS[fault.lever].kind].append(armed)
        return armed

    def clear(self) -> None:
        """Let go of every lever."""
        for kind in self.armed.values():
            for armed in kind:
                armed.off = True
            kind.clear()

    # -- calls -------------------------------------------------------------------------------------------------------

    def call(self, names: tuple[str, ...], sent: Callable[[], Params]) -> CallPlan:
        """What happens to a call known by ``names``."""
        plan = CallPlan()
        for armed in [*self.armed[CALL], *self.armed[ACCOUNT]] if self.armed[CALL] or self.armed[ACCOUNT] else ():
            fault = armed.fault
            kind = LEVERS[fault.lever]
            if fault.lever == "cut_request" or (kind.kind == ACCOUNT and not fault.when):
                continue
            if not self._meets_call(armed, names, sent):
                continue
            args = self.arguments(fault)
            if kind.act is not None:
                kind.act(plan, args, armed.memory)
            else:
                acts = plan.before if fault.moment == "before" else plan.after
                acts.append(lambda lever=fault.lever, args=args: self.act(lever, args))  # type: ignore[misc]
        return plan

    def cut(self, name: str) -> tuple[int, bool] | None:
        """The byte of a request at which its connection ends, and whether by a reset."""
        for armed in self.armed[CALL]:
            if armed.fault.lever == "cut_request" and self._meets_call(armed, (name, f"http {name}"), dict):
                args = self.arguments(armed.fault)
                return int(args["at_byte"]), bool(args["reset"])
        return None

    def _meets_call(self, armed: Armed, names: tuple[str, ...], sent: Callable[[], Params]) -> bool:
        fault = armed.fault
        if fault.when and not any(fnmatchcase(name, fault.when) for name in names):
            return False
        if fault.where:
            params = sent()
            if any(not fnmatchcase(params.get(name, ""), value) for name, value in fault.where.items()):
                return False
        return self.hit(armed)

    # -- the common rule ---------------------------------------------------------------------------------------------

    def running(self, armed: Armed) -> bool:
        return not armed.over and armed.begins_s <= self.now_s() < armed.ends_s

    def hit(self, armed: Armed) -> bool:
        """Count something a fault meets; whether it disturbs it."""
        if not self.running(armed):
            return False
        armed.met += 1
        if armed.met < armed.fault.nth or (armed.fault.probability < 1 and self.fraction() >= armed.fault.probability):
            return False
        armed.done += 1
        self.note(armed.fault.lever)
        return True

    def note(self, lever: str) -> None:
        self.pulled.append((self.now_s(), lever))
        del self.pulled[:-1000]

    def fraction(self) -> float:
        """A drawn number from 0 to 1."""
        return self._draw() / 2**32

    def below(self, count: int) -> int:
        """A drawn whole number below ``count``."""
        return self._draw() * count >> 32

    def arguments(self, fault: Fault) -> dict[str, Any]:
        """Defaults, the fault's own, and ``[low, high]`` drawn."""
        args = dict(LEVERS[fault.lever].args)
        for name, value in fault.args.items():
            usual = args[name]
            if isinstance(value, list) and len(value) == 2 and isinstance(usual, int | float):
                low, high = value
                whole = isinstance(low, int) and isinstance(high, int)
                value = low + self.below(high - low + 1) if whole else low + self.fraction() * (high - low)
            args[name] = value
        return args

    # -- what acts by itself -----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Pull the account levers whose time has come, and forget what is over."""
        for armed in list(self.armed[ACCOUNT]):
            if not armed.fault.when and self.running(armed):
                armed.done = armed.fault.count or 1
                armed.off = True
                self.note(armed.fault.lever)
                self.act(armed.fault.lever, self.arguments(armed.fault))
        self.sweep(ACCOUNT, set())
        self.sweep(CALL, set())

    def sweep(self, kind: str, busy: set[int]) -> None:
        """Forget the faults that are over, but for those (by ``id``) that still hold something."""
        faults = self.armed[kind]
        now_s = self.now_s()
        if any(armed.over or now_s >= armed.ends_s for armed in faults):
            self.armed[kind] = [
                armed for armed in faults if id(armed) in busy or not (armed.over or now_s >= armed.ends_s)
            ]


def load(path: Path) -> list[Fault]:
    """Faults of a file: JSON ``[{"lever": …}, …]`` or TOML ``[[fault]]``. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
        rows = tomllib.loads(text).get("fault", []) if path.suffix == ".toml" else json.loads(text)
        faults = msgspec.convert(rows, list[Fault])
    except OSError as error:
        raise UsageError(f"--faults {path}: {error.strerror}") from None
    except UsageError as error:
        raise UsageError(f"--faults {path}: {error.message}") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"--faults {path}: {error}") from None
    except RecursionError:
        raise UsageError(f"--faults {path}: lists in lists without end") from None
    for number, fault in enumerate(faults, 1):
        mistake = _mistake(fault)
        if mistake:
            raise UsageError(f"--faults {path}: fault {number} ({fault.lever}): {mistake}")
    return faults


def _mistake(fault: Fault) -> str:
    """What is wrong with the numbers of a fault, which would show when it is pulled; empty when nothing is."""
    if not 0 <= fault.probability <= 1:
        return f"probability is from 0 to 1, not {fault.probability}"
    if fault.nth < 1 or min(fault.count, fault.at_s, fault.for_s, fault.connection) < 0:
        return "nth is 1 at least, count, at_s, for_s and connection are not below 0"
    for name, value in fault.args.items():
        usual = LEVERS[fault.lever].args[name]
        if isinstance(usual, bool) or not isinstance(usual, int | float):
            kind = str | int | float if isinstance(usual, str) else type(usual)
            if isinstance(value, kind) and isinstance(value, bool) == isinstance(usual, bool):
                continue
            return f"{name} is meant to be like {json.dumps(usual)}, not {json.dumps(value, default=str)}"
        ends = value if isinstance(value, list) and len(value) == 2 else [value]
        if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
            return f"{name} is a number or [low, high], not {json.dumps(value, default=str)}"
    return ""


def later(delay_s: float, act: Callable[..., None], *args: Any) -> None:
    """Do something on the running loop after a while."""
    asyncio.get_running_loop().call_later(delay_s, act, *args)
