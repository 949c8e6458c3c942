"""Tests of orders and position."""
