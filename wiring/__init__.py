"""The composition root: one function for each way to run, one record of parts. No other package knows the mode.

Paper, back test and a second run of a record are the same engine, session and simulated exchange; what differs is
where frames come from, whose clock counts, and what is kept. Callers use the names below; the files are

    terms      what the settings say in the units of the parts
    joining    the parts of one run, whatever the mode
    warming    everything compiled before the first socket opens
    sockets    a market heard over sockets
    paper      paper, over sockets and in virtual time
    real       a real account behind the same engine: rehearsal, testnet, live
    recorded   back tests, and a finished run once more
"""

from __future__ import annotations

from wiring.joining import Place, build
from wiring.paper import paper_sockets, paper_virtual, shadow_sockets
from wiring.real import Access, AccountSide, access, open_account, real_sockets, require_account
from wiring.recorded import Again, history, recorded_instruments
from wiring.sockets import SocketVenue, choose_venue
from wiring.terms import (
    VIRTUAL_START_NS,
    assumptions,
    client_prefix,
    digest,
    feed_limits,
    paper_terms,
    stream_names,
    with_terms,
)
from wiring.warming import Scratch, compiled, keep_warm_bot, warm, warmth

__all__ = [
    "VIRTUAL_START_NS",
    "Access",
    "AccountSide",
    "Again",
    "Place",
    "Scratch",
    "SocketVenue",
    "access",
    "assumptions",
    "build",
    "choose_venue",
    "client_prefix",
    "compiled",
    "digest",
    "feed_limits",
    "history",
    "keep_warm_bot",
    "open_account",
    "paper_sockets",
    "paper_terms",
    "paper_virtual",
    "real_sockets",
    "recorded_instruments",
    "require_account",
    "shadow_sockets",
    "stream_names",
    "warm",
    "warmth",
    "with_terms",
]  # fmt: skip
