"""The receive benchmark in its small form."""

from __future__ import annotations

from tests.bench.receive import measure


def test_every_transport_and_payload_is_measured() -> None:
    """Each pair of payload and transport yields positive figures."""
    figures = measure(500, 1)
    assert set(figures) == {f"{name}/{way}" for name in ("bookTicker", "depth") for way in ("picows", "websockets")}
    assert all(figure["cpu_ns"] > 0 and figure["frames_per_s"] > 0 for figure in figures.values())
