"""The program's version: one word for `--version`, records and metrics."""

VERSION = "0.1.0"
