"""Progress of long work: one line on stderr that is overwritten, on a terminal only."""

from __future__ import annotations

import argparse
import shutil
import sys
import time

EVERY_S = 0.25
WIDTH = 70


class Progress:
    """Silent with ``--quiet`` and ``--json`` and where stderr is no terminal."""

    def __init__(self, arguments: argparse.Namespace, name: str) -> None:
        quiet = arguments.quiet or getattr(arguments, "json", False)
        self._on = not quiet and sys.stderr.isatty()
        self._name = name
        self._next = 0.0
        self._width = max(1, min(WIDTH, shutil.get_terminal_size().columns - 1))  # a wrapped line stays

    def share(self, done: float, whole: float) -> None:
        """``done`` of ``whole``, in any unit."""
        if self._due():
            self._line(f"{min(100.0, done * 100 / whole):5.1f} %" if whole > 0 else "")

    def bytes(self, done: int) -> None:
        """Bytes read so far."""
        if self._due():
            self._line(f"{done / 1e6:,.1f} MB read")

    def text(self, text: str) -> None:
        if self._due():
            self._line(text)

    def done(self) -> None:
        """Clear the line."""
        if self._on:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()

    def _due(self) -> bool:
        if not self._on or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + EVERY_S
        return True

    def _line(self, text: str) -> None:
        sys.stderr.write("\r" + f"{self._name}: {text}".ljust(self._width)[: self._width])
        sys.stderr.flush()
