"""Tests of the gate, its limits and its ledger."""
