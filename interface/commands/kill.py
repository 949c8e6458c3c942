"""``kill``: the kill switch (P26). Entries off, cancel, close reduce-only, HALTED; returns when flat was read back.

It is sticky: the file KILL beside the socket keeps a restarted bot halted too, until ``rearm``.
"""

from __future__ import annotations

import argparse

from interface.control.words import until_flat


def run(arguments: argparse.Namespace, settings: None) -> int:
    return until_flat(arguments, "kill")
