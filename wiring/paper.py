"""Paper: the simulated exchange trades on what is heard, over sockets or in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from config.settings import Settings
from exchange.emulator.flow import KINDS
from exchange.emulator.generator import Generator
from exchange.emulator.source import GeneratedSource
from interface.drivers.parts import Parts
from interface.summary import EMBEDDED
from models.action import Note
from models.error import UsageError
from models.instrument import E8
from wiring.joining import Place, build
from wiring.real import Opened
from wiring.sockets import SocketVenue
from wiring.terms import VIRTUAL_START_NS, assumptions, digest, stream_names


def paper_virtual(
    settings: Settings, *, seed: int, started_ns: int, observer: Callable[[Note], None] | None = None
) -> tuple[Parts, GeneratedSource]:
    """Paper on the seeded market in virtual time: no sockets, no clock, the same bytes for the same seed.

    Raises UsageError for a depth speed that the market itself does not have; over sockets the emulator serves them all.
    """
    if stream_names(settings)[0] not in KINDS:
        raise UsageError(
            f"feed.depth_speed_ms is {settings.feed.depth_speed_ms}; in virtual time the generated market has 100 only"
        )
    market = Generator(seed, VIRTUAL_START_NS, settings.feed.symbols)
    place = Place(settings, "paper", started_ns)
    parts = build(
        settings,
        market.instruments,
        place,
        feed=EMBEDDED,
        epoch=f"{seed}|{digest(settings)}",
        facts={"seed": seed, "speed": "max", "assumptions": assumptions(settings)},
        threaded=False,
        record=settings.feed.record,
        observer=observer,
    )
    return parts, GeneratedSource(market, parts.instruments, stream_names(settings))


def shadow_sockets(
    settings: Settings,
    venue: SocketVenue,
    account: Opened,
    *,
    seed: int,
    started_ns: int,
    speed: float,
    observer: Callable[[Note], None] | None,
) -> Parts:
    """Shadow: the real account is read (wallet, fees, brackets), orders go to the simulated exchange, none leaves."""
    risk = msgspec.structs.replace(settings.risk, equity_usdt=account.wallet_e8 / E8)
    settings = msgspec.structs.replace(settings, risk=risk)
    place = Place(settings, "shadow", started_ns)
    return build(
        settings,
        account.instruments,
        place,
        feed=venue.name,
        epoch=f"{place.run_id}|{digest(settings)}",
        facts={"seed": seed, "speed": speed, "assumptions": f"no order leaves; {assumptions(settings)}"},
        threaded=True,
        record=settings.feed.record,
        observer=observer,
    )


def paper_sockets(
    settings: Settings,
    venue: SocketVenue,
    *,
    seed: int,
    started_ns: int,
    speed: float,
    observer: Callable[[Note], None] | None,
) -> Parts:
    """Paper over real sockets: the simulated exchange trades on what the feed hears."""
    place = Place(settings, "paper", started_ns)
    return build(
        settings,
        venue.instruments,
        place,
        feed=venue.name,
        epoch=f"{place.run_id}|{digest(settings)}",
        facts={"seed": seed, "speed": speed, "assumptions": assumptions(settings)},
        threaded=True,
        record=settings.feed.record,
        observer=observer,
    )
