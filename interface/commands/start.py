"""``start``: entries are allowed again, unless the bot is HALTED, which only ``rearm`` ends."""

from __future__ import annotations

import argparse

from interface.control.words import simple


def run(arguments: argparse.Namespace, settings: None) -> int:
    return simple(arguments, "allow_entries", "entries are allowed")
