"""``flatten``: entries off, every position closed; returns when flat was read back. ``start`` allows entries again."""

from __future__ import annotations

import argparse

from interface.control.words import until_flat


def run(arguments: argparse.Namespace, settings: None) -> int:
    return until_flat(arguments, "flatten")
