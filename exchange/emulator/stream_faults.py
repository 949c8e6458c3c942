"""What faults do to frames on their way to a connection, and to connections themselves.

``deliver`` is the last step before a frame leaves. Each armed fault that meets the frame's stream may swallow it, hold
it, change it or add to it; what it lets pass goes on to the next fault. Frames held by one fault keep their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Protocol

from exchange.emulator.faults import Armed, Faults, later
from exchange.emulator.levers import SOCKET, STREAM, edited_frame


class Line(Protocol):
    """A connection as faults see it. One without sockets may leave out all but ``deliver``, ``close`` and ``cut``."""

    def deliver(self, payload: bytes) -> None: ...

    def close(self, code: Any = ..., reason: bytes = ...) -> None: ...

    def cut(self) -> None: ...


class _Tap:
    """What one fault remembers of one connection."""

    def __init__(self, number: int) -> None:
        self.number = number  # the n-th connection the fault met
        self.held: deque[tuple[float, bytes]] = deque()
        self.group: list[bytes] = []
        self.group_number = 0
        self.copies: list[tuple[int, bytes]] = []  # frames still to pass before the copy


class StreamFaults:
    """The stream and connection levers of ``faults``. ``loop_s`` gives the running loop's time."""

    def __init__(self, faults: Faults, loop_s: Callable[[], float]) -> None:
        self._faults, self._loop_s = faults, loop_s
        self._taps: dict[tuple[int, int], _Tap] = {}  # fault, connection

    @property
    def busy(self) -> bool:
        """Whether a frame may be disturbed now."""
        return bool(self._faults.armed[STREAM])

    # -- frames ------------------------------------------------------------------------------------------------------

    def deliver(self, line: Any, name: str, frame: bytes) -> None:
        """Let ``frame`` of the stream ``name`` leave on ``line``, as the faults have it."""
        if not self._faults.armed[STREAM]:
            line.deliver(frame)
            return
        self._pass(line, name, frame, list(self._faults.armed[STREAM]))

    def _pass(self, line: Any, name: str, frame: bytes, faults: list[Armed]) -> None:
        for place, armed in enumerate(faults):
            fault = armed.fault
            if fault.lever == "silent_ack" or (fault.when and not fnmatchcase(name, fault.when)):
                continue
            tap = self._tap(armed, line)
            onward = faults[place + 1 :]
            if fault.connection and tap.number != fault.connection:
                continue
            passed = self._act(armed, tap, line, name, frame, onward)
            if passed is None:
                continue
            for one in passed:
                self._pass(line, name, one, onward)
            return
        line.deliver(frame)

    def _tap(self, armed: Armed, line: Any) -> _Tap:
        key = (id(armed), id(line))
        tap = self._taps.get(key)
        if tap is None:
            armed.memory["lines"] = number = armed.memory.get("lines", 0) + 1
            tap = self._taps[key] = _Tap(number)
        return tap

    def _act(
        self, armed: Armed, tap: _Tap, line: Any, name: str, frame: bytes, onward: list[Armed]
    ) -> Iterable[bytes] | None:
        """What goes on instead of ``frame``; None: the frame itself."""
        lever = armed.fault.lever
        copies = self._copies(tap)
        if not self._faults.hit(armed):
            if tap.held:  # what comes after the end of a lag does not overtake
                self._hold(tap, line, name, frame, tap.held[-1][0], onward)
                return copies
            if copies:
                return [frame, *copies]
            return None
        args = self._faults.arguments(armed.fault)
        if lever in _CHANGES:
            return [*_CHANGES[lever](frame, args), *copies]
        if lever == "duplicate":
            if not args["later"]:
                return [frame, frame, *copies]
            tap.copies.append((int(args["later"]), frame))
            return [frame, *copies]
        if lever == "reorder":
            return self._grouped(armed, tap, line, name, frame, args, onward)
        if lever == "lag":
            self._hold(tap, line, name, frame, self._loop_s() + args["s"], onward)
        elif lever == "stall" and args["keep"] and armed.fault.for_s:
            left_s = armed.ends_s - self._faults.now_s()
            self._hold(tap, line, name, frame, self._loop_s() + left_s, onward)
        elif lever in _BREAKS:
            _BREAKS[lever](line, frame, args)
        return ()

    def _copies(self, tap: _Tap) -> list[bytes]:
        """Copies whose time has come with one more frame."""
        if not tap.copies:
            return []
        due = [frame for left, frame in tap.copies if left <= 1]
        tap.copies = [(left - 1, frame) for left, frame in tap.copies if left > 1]
        return due

    def _hold(self, tap: _Tap, line: Any, name: str, frame: bytes, at_s: float, onward: list[Armed]) -> None:
        at_s = max(at_s, tap.held[-1][0]) if tap.held else at_s
        tap.held.append((at_s, frame))
        later(max(0.0, at_s - self._loop_s()), self._let_go, tap, line, name, onward)

    def _let_go(self, tap: _Tap, line: Any, name: str, onward: list[Armed]) -> None:
        if tap.held:
            self._pass(line, name, tap.held.popleft()[1], onward)

    def _grouped(
        self, armed: Armed, tap: _Tap, line: Any, name: str, frame: bytes, args: dict[str, Any], onward: list[Armed]
    ) -> list[bytes]:
        """Collect ``window`` frames, or what comes within ``within_s``, and let them pass in a drawn order."""
        tap.group.append(frame)
        if len(tap.group) < int(args["window"]) and not armed.over:
            if len(tap.group) == 1:
                later(args["within_s"], self._ungroup, tap, tap.group_number, line, name, onward)
            return []
        return self._permuted(tap)

    def _ungroup(self, tap: _Tap, number: int, line: Any, name: str, onward: list[Armed]) -> None:
        if number == tap.group_number:
            for frame in self._permuted(tap):
                self._pass(line, name, frame, onward)

    def _permuted(self, tap: _Tap) -> list[bytes]:
        """The group in a drawn order that is not the one it came in."""
        group, tap.group = tap.group, []
        tap.group_number += 1
        rest, drawn = list(group), []
        while rest:
            drawn.append(rest.pop(self._faults.below(len(rest))))
        return drawn[::-1] if drawn == group else drawn

    # -- connections -------------------------------------------------------------------------------------------------

    def silent(self, name: str) -> bool:
        """Whether the stream just asked for will never say anything, although the request is answered."""
        for armed in self._faults.armed[STREAM]:
            fault = armed.fault
            if fault.lever == "silent_ack" and fnmatchcase(name, fault.when or "*") and self._faults.hit(armed):
                return True
        return False

    def forget(self, line: Any) -> None:
        """The connection is gone."""
        for key in [key for key in self._taps if key[1] == id(line)]:
            del self._taps[key]

    def refusal(self, door: str) -> dict[str, Any] | None:
        """How a new connection at ``door`` is refused, if it is."""
        for armed in self._faults.armed[SOCKET]:
            fault = armed.fault
            if fault.lever == "refuse_connect" and fnmatchcase(door, fault.when or "*") and self._faults.hit(armed):
                return self._faults.arguments(fault)
        return None

    def deaf(self, door: str) -> bool:
        """Whether pongs of a connection at ``door`` are not heard now."""
        return any(
            armed.fault.lever == "deaf" and fnmatchcase(door, armed.fault.when or "*") and self._faults.running(armed)
            for armed in self._faults.armed[SOCKET]
        )

    def tick(self, lines: Callable[[], Iterable[tuple[str, Any]]]) -> None:
        """Act on connections whose lever's time has come. ``lines``: door and connection of each that is open."""
        for armed in list(self._faults.armed[SOCKET]):
            fault = armed.fault
            if fault.lever in ("refuse_connect", "deaf") or not self._faults.running(armed):
                continue
            armed.off = True
            self._faults.note(fault.lever)
            args = self._faults.arguments(fault)
            for door, line in list(lines()):
                if fnmatchcase(door, fault.when or "*"):
                    _ON_LINE[fault.lever](line, args)
        self._faults.sweep(SOCKET, set())
        self._faults.sweep(STREAM, {key[0] for key, tap in self._taps.items() if tap.held or tap.group or tap.copies})
        known = {id(armed) for armed in self._faults.armed[STREAM]}
        self._taps = {key: tap for key, tap in self._taps.items() if key[0] in known}


def _close(line: Any, args: dict[str, Any]) -> None:
    line.close(int(args["code"]), args["reason"].encode())


def _close_after(line: Any, frame: bytes, args: dict[str, Any]) -> None:
    line.deliver(frame)
    _close(line, args)


_ON_LINE: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "close": _close,
    "abort": lambda line, args: line.cut(),
    "ping": lambda line, args: line.ping_now(),
}
_CHANGES: dict[str, Callable[[bytes, dict[str, Any]], list[bytes]]] = {
    "drop": lambda frame, args: [],
    "edit_frame": lambda frame, args: [edited_frame(frame, args["set"], args["delete"])],
    "inject": lambda frame, args: [frame, args["text"].encode()],
}
_BREAKS: dict[str, Callable[[Any, bytes, dict[str, Any]], None]] = {
    "slow_drip": lambda line, frame, args: line.drip(frame, args["bytes_per_s"]),
    "cut_frame": lambda line, frame, args: line.partial(frame, int(args["at_byte"])),
    "malformed": lambda line, frame, args: line.malformed(frame, args["kind"], args["text"]),
    "close_after": _close_after,
}
