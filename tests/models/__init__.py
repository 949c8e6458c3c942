"""Tests of the names every room speaks in."""
