"""Settings for a command: the files, the environment and the options of its command line."""

from __future__ import annotations

import argparse

from config.load import Loaded, load
from interface.commands.parser import setting_options


def loaded(arguments: argparse.Namespace) -> Loaded:
    """All layers merged. Raises ConfigurationError with every mistake."""
    return load(configs=arguments.config, overrides=arguments.set, options=setting_options(arguments))
