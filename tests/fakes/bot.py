"""The bot from bytes to orders, without sockets: hearing, ear, session, engine and simulated exchange, all real.

Messages are given by what they say; times run with a clock of the test's own, venue time and receive time alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.engine import Engine
from core.kernels.state import Ready
from core.kernels.state import Wake as Bits
from core.session import Session
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.terms import PaperTerms
from exchange.simulated.venue import SimulatedVenue
from models.account import AccountShape
from models.action import Note
from models.control import Decision
from models.event import Wake
from models.instrument import E8, Instrument
from models.recording import RecordKind
from models.rows import ASK, BID
from tests.builders import MS, START_NS
from tests.core.desk import INSTRUMENT, MID, PREFIX, settings
from tests.data_collector.frames import packed

Levels = Sequence[tuple[int, int]]
"""(tick, lots)."""


def around(mid: int = MID, levels: int = 40, lots: int = 1_000) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Bids and asks of a full book, best first, one tick on each side of ``mid``."""
    return [(mid - 1 - n, lots) for n in range(levels)], [(mid + 1 + n, lots) for n in range(levels)]


class Bot:
    """Everything between a payload and an order. ``notes`` holds what was published, in order."""

    def __init__(self, instruments: Sequence[Instrument] = (INSTRUMENT,)) -> None:
        wanted = settings()
        self.instruments = tuple(instruments)
        self.engine = Engine(self.instruments, wanted, PREFIX)
        shape = AccountShape(round(wanted.risk.equity_usdt * E8), wanted.risk.leverage)
        self.exchange = SimulatedExchange(self.instruments, shape, PaperTerms())
        self.session = Session(self.engine, SimulatedVenue(self.exchange), None, self)
        self.hearing = Hearing(self.instruments)
        self.ear = Ear(self.hearing, self.session, None)
        self.session.resync = self.ear.resync
        self.notes: list[Note] = []
        self.now_ns = START_NS
        self.last = 0  # update id of the newest diff made

    def note(self, note: Note) -> None:
        """Read at once, as whoever writes notes down does: later its builder would measure another moment."""
        self.notes.append(Note(note.at_ns, note.file, note.record))

    # --- what comes ----------------------------------------------------------------------------------------------

    def wait(self, milliseconds: float) -> Bot:
        """Time passes, and what falls due is delivered."""
        self.now_ns += round(milliseconds * MS)
        self.session.time(self.now_ns)
        return self

    def frame(self, message: Any) -> Bot:
        """A frame of a market stream: a message, or bytes as they are. A millisecond later than the last."""
        self.now_ns += MS
        self.ear.frame(0, message if isinstance(message, bytes) else packed(message), self.now_ns)
        return self

    def snapshot(self, last: int | None = None, sides: tuple[Levels, Levels] | None = None, index: int = 0) -> Bot:
        """The venue's answer to a wished snapshot."""
        self.now_ns += MS
        bids, asks = around() if sides is None else sides
        body = {
            "lastUpdateId": self.last if last is None else last, "E": self.now_ns // MS, "T": self.now_ns // MS,
            "bids": self.texts(bids, index), "asks": self.texts(asks, index),
        }  # fmt: skip
        self.ear.take(RecordKind.DEPTH_ANSWER, index, packed(body), self.now_ns)
        return self

    def depth(
        self,
        bids: Levels = (),
        asks: Levels = (),
        *,
        previous: int | None = None,
        last: int | None = None,
        index: int = 0,
    ) -> dict[str, Any]:
        """The next diff of the stream, as a message; the chain goes on with it unless told otherwise."""
        before = self.last if previous is None else previous
        self.last = before + 5 if last is None else last
        return {
            "e": "depthUpdate", "E": self.now_ns // MS, "T": self.now_ns // MS, "s": self.instruments[index].symbol,
            "U": min(before + 2, self.last), "u": self.last, "pu": before, "b": self.texts(bids, index),
            "a": self.texts(asks, index), "st": 1,
        }  # fmt: skip

    def texts(self, levels: Levels, index: int = 0) -> list[list[str]]:
        one = self.instruments[index]
        return [[one.price_text(tick), one.quantity_text(lots)] for tick, lots in levels]

    def started(self) -> Bot:
        """With a full book and one diff on it, allowed to enter."""
        self.frame(self.depth()).snapshot().frame(self.depth())
        assert self.decision is Decision.ALLOWED
        return self

    # --- what it makes of it ---------------------------------------------------------------------------------------

    @property
    def flat(self) -> bool:
        return not self.engine.account.unfinished()

    @property
    def decision(self) -> Decision:
        return self.engine.traders[0].machine.now.decision

    @property
    def reason(self) -> str:
        return self.engine.traders[0].machine.now.reason.value

    @property
    def wanted(self) -> dict[int, str]:
        """Wished snapshots by instrument."""
        return self.hearing.snapshot_wanted

    def entry(self) -> str | None:
        """The entry conditions meet now: why no order left, or None when one did."""
        self.engine.memory.set(0, ready=Ready.ALL, entry_side=1, momentum=9_000)
        before = len(self.notes)
        self.session.carry(self.engine.step(Wake(self.now_ns, 0, Bits.ENTRY, self.engine.memory.frame)))
        signals = [note.record for note in self.notes[before:] if note.file == "signals"]
        assert len(signals) == 1
        reason = signals[0]["reject_reason"]
        return None if reason is None else str(reason)

    def touch(self, index: int = 0) -> tuple[int, int]:
        """Best bid and ask in ticks."""
        book = self.engine.memory.book(index)
        return int(book["best_bid"]), int(book["best_ask"])

    def levels(self, index: int = 0) -> dict[tuple[int, int], int]:
        """Lots by (side, tick) of the whole window."""
        book = self.engine.memory.book(index)
        base, size = int(book["base"]), len(book["bids"])
        return {
            (side, base + (slot - base) % size): int(lots)
            for side, name in ((BID, "bids"), (ASK, "asks"))
            for slot, lots in enumerate(book[name].tolist())
            if lots
        }

    @property
    def decisions(self) -> list[tuple[object, object]]:
        """(action, reason) of every decision record so far."""
        return [(note.record["action"], note.record["reason"]) for note in self.notes if note.file == "decisions"]
