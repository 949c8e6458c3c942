"""Tunes: what a user may set, with its unit, its reason and its origin."""
