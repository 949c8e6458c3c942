"""``rearm``: leave HALTED, after a kill or a limit over time; refused while a hard limit is broken."""

from __future__ import annotations

import argparse

from interface.control.words import simple


def run(arguments: argparse.Namespace, settings: None) -> int:
    return simple(arguments, "rearm", "armed again")
