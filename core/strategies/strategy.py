"""What a strategy is: a name, when it wants to be asked, and one pure answer.

A strategy sees a read-only view and returns an intent, a named refusal, or nothing. It has no clock, no randomness and
no way to place, cancel or wait. Its state is serialisable. An exception in it blocks entries and says so.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from core.market.state import MarketView
from models.instrument import Instrument
from models.order import Intent


class Asks(msgspec.Struct, frozen=True):
    """When a strategy wants to be asked; each wake costs 2–4 µs, an order 12–17 µs.

    ``on_trigger``: at the compiled entry and exit conditions. ``bar_ns``: when bars of these intervals
    close, at their multiples of UTC. ``every_ns``: by timer, at its multiples (every 100 ms costs more than the whole
    market pass). ``every_frame``: after each frame. The wake bits tell which: BAR for a bar, ASK for timer and frame.
    """

    on_trigger: bool = True
    bar_ns: tuple[int, ...] = ()
    every_ns: int = 0
    every_frame: bool = False


class Decline(msgspec.Struct, frozen=True):
    """A signal that the strategy itself lets pass, and why: a stable code, then words."""

    code: str
    detail: str

    @property
    def reason(self) -> str:
        return f"{self.code}: {self.detail}"


class View(msgspec.Struct, frozen=True):
    """What a strategy may know at a wake. ``position`` is signed lots, ``bits`` the wake bits."""

    at_ns: int
    bits: int
    instrument: Instrument
    market: MarketView
    position: int
    busy: bool  # an entry or exit order of this instrument is on its way
    cooldown_until_ns: int


class Strategy(Protocol):
    name: str
    asks: Asks

    def decide(self, view: View) -> Intent | Decline | None: ...

    def state(self) -> dict[str, object]: ...
