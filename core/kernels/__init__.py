"""Compiled functions over arrays and nothing else. Every flag stands in ``kernel.py``."""
