"""Signals: one number each, with its validity, its threshold and its direction."""
