"""Proves: tests mirror the tree."""
