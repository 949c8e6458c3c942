"""Benchmarks: run one with python -m tests.bench.NAME."""
