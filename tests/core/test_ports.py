"""The doors of the core: everything that is joined there offers what the page says."""

from __future__ import annotations

import inspect

import pytest

from core import ports
from exchange.simulated.venue import SimulatedVenue
from interface.drivers.keep_warm import Nowhere
from interface.drivers.parts import Printer
from storage.cold.keeper import JournalKeeper


@pytest.mark.parametrize(
    ("port", "part"),
    [
        (ports.Venue, SimulatedVenue), (ports.Venue, Nowhere), (ports.Keeper, JournalKeeper),
        (ports.Publisher, Printer),
    ],
)  # fmt: skip
def test_parts_fit_their_doors(port: type, part: type) -> None:
    """Each method of a port exists on the part, with the same arguments."""
    for name, member in vars(port).items():
        if name.startswith("_") or not inspect.isfunction(member):
            continue
        wanted = list(inspect.signature(member).parameters)
        assert list(inspect.signature(getattr(part, name)).parameters) == wanted, name
