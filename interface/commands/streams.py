"""The program's standard streams and signals, made safe before anything else. Standard library only.

Whoever starts us may have closed a stream, may read no Unicode, may go away before we are done, and may send SIGTERM at
any moment. None of that may end in a traceback, or in a socket that takes the number of standard output.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import sys
import types
from collections.abc import Iterator

ESCAPE = "scalper_escape"
"""Name of the error handler that writes what a stream cannot show as its escaped code, which is right in JSON too."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, where nobody asked to hear it another way."""


def mend() -> None:
    """Open closed streams on the null device, and let no character fail to be written."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the lowest free number is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    codecs.register_error(ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # somebody's stand-in for a stream
            stream.reconfigure(errors=ESCAPE)  # type: ignore[union-attr]


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)), error.end


def settle() -> None:
    """Write what is buffered; where nobody takes it, let it go nowhere, or the interpreter complains at its end."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, SIGINT raises KeyboardInterrupt (unless it is ignored, as for background jobs) and SIGTERM Terminated."""

    def terminate(number: int, frame: types.FrameType | None) -> None:
        raise Terminated

    with _handlers(signal.default_int_handler, terminate):
        yield


class Stop:
    """Whether a signal asked for an orderly end."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Inside, the first SIGINT or SIGTERM sets the yielded ``Stop``; the second one interrupts."""
    stop = Stop()

    def ask(number: int, frame: types.FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        stop.asked = True

    with _handlers(ask, ask):
        yield stop


@contextlib.contextmanager
def _handlers(interrupt: signal._HANDLER, terminate: signal._HANDLER) -> Iterator[None]:
    wanted = {signal.SIGTERM: terminate}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        wanted[signal.SIGINT] = interrupt
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
