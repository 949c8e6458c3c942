"""Tests of interface."""
