"""Tests of interface.control."""
