"""Remembers: the hot ring in memory, and what goes to disk."""
