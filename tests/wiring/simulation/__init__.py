"""Tests of wiring."""
