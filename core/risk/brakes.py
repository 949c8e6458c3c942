"""What holds the bot back: the causes in force, the limits over time that set them, and when they end by themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from config.settings import Risk
from core.outbox import Outbox
from core.risk.ledger import DAY_NS, RiskLedger
from core.risk.losses import losses, streak
from core.risk.mode import BY_HAND, OF_THE_DAY, PAUSES, STICKY, Cause, Mode
from models.control import Operating
from models.rows import FAR_NS
from models.survivors import Survivors

EQUITY_CHECK_NS = 1_000_000_000  # loss limits see open profit once a second while a position is open
MINUTE_NS = 60 * 1_000_000_000
REJECTIONS_MAX, REJECTIONS_PAUSE_NS = 5, 5 * MINUTE_NS  # P19: five in a minute pause entries, a second time for good
MARGIN_REJECTIONS_MAX = 3  # F25: three within a minute


class Brakes:
    """``leave(reason)`` is called when a new cause demands to be flat; ``moved(trigger)`` when the state changed."""

    def __init__(
        self, out: Outbox, risk: Risk, ledger: RiskLedger, leave: Callable[[str], None], moved: Callable[[str], None]
    ) -> None:
        self.mode = Mode()
        self._out = out
        self._risk = risk
        self._ledger = ledger
        self._leave = leave
        self._moved = moved
        self._equity_check_ns = FAR_NS
        self._pause_until_ns = FAR_NS
        self._rejected: deque[tuple[int, bool]] = deque(maxlen=REJECTIONS_MAX)  # when, and whether for want of margin
        self._rejections_until_ns = FAR_NS
        self._rejections_before = False
        self.version = 0  # grows with every change

    def survivors(self, handed_over: bool) -> Survivors:
        """What a restart must not forget. ``handed_over``: a person's stop leaves a position; its restart guards it."""
        ledger = self._ledger
        causes = {
            cause.value: detail for cause, detail in self.mode.causes.items() if cause in STICKY or cause in PAUSES
        }
        if handed_over:
            causes.setdefault(Cause.OPERATOR.value, "stopped with an open position")
        return Survivors(
            ledger.start_e8, ledger.wallet_e8, ledger.peak_e8, ledger.day, ledger.day_start_e8, ledger.day_fees_e8,
            ledger.losses_in_row, len(ledger.entries_since_trip), causes, self._pause_until_ns,
            self._rejections_until_ns, self._rejections_before,
        )  # fmt: skip

    def inherit(self, left: Survivors) -> None:
        """Hold back what held back a run before."""
        self._pause_until_ns, self._rejections_until_ns = left.pause_until_ns, left.rejections_until_ns
        self._rejections_before = left.rejections_before
        for name, detail in left.causes.items():
            before = " (of a run before)"
            self.block(Cause(name), detail if detail.endswith(before) else detail + before)

    @property
    def timer_ns(self) -> int:
        return min(self._equity_check_ns, self._pause_until_ns, self._rejections_until_ns)

    @property
    def wants_flat(self) -> bool:
        """Whether positions are to be closed and none kept."""
        return self.mode.state in (Operating.REDUCING, Operating.HALTED)

    def block(self, cause: Cause, detail: str) -> None:
        """Add a cause; the first time it holds, with what follows from it."""
        before = self.mode.state
        if not self.mode.block(cause, detail):
            return
        self.version += 1
        if cause is Cause.FAULT or self.mode.state is not before:
            self._moved(f"{cause.value}: {detail}")
        if self.wants_flat:
            self._leave("force_exit" if cause is Cause.SHUTDOWN else "emergency_exit")

    def lift(self, cause: Cause) -> None:
        before = self.mode.state
        if not self.mode.lift(cause):
            return
        self.version += 1
        if self.mode.state is not before:
            self._moved(f"RECOVERED: {cause.value} lifted")

    def lift_by_hand(self) -> None:
        """A person allows entries again: what only a person may lift, and a new count of repeats (P14)."""
        self._ledger.forgive()
        self._rejections_before = False
        for cause in BY_HAND:
            self.lift(cause)

    def rearm(self, equity_e8: int) -> None:
        """A person leaves HALTED: every halt is lifted, or none while a hard limit is broken."""
        halts = self.mode.halts()
        broken = {cause for cause, _ in losses(self._risk, self._ledger, equity_e8)}
        if broken.isdisjoint(halts):
            for cause in halts:
                self.lift(cause)

    def check_losses(self, equity_e8: int, holds: bool) -> None:
        """Block by what the account has lost, open positions included, and plan the next look."""
        self.roll(equity_e8)
        self._ledger.mark(equity_e8)
        for cause, detail in losses(self._risk, self._ledger, equity_e8):
            self.block(cause, detail)
        now = self._out.now_ns
        if holds:
            self._equity_check_ns = now + EQUITY_CHECK_NS
        elif any(cause in self.mode.causes for cause in OF_THE_DAY):
            self._equity_check_ns = (now // DAY_NS + 1) * DAY_NS
        else:
            self._equity_check_ns = FAR_NS

    def roll(self, equity_e8: int) -> None:
        """A new UTC day lifts what the old one had used up."""
        if self._ledger.roll(self._out.now_ns, equity_e8):
            for cause in OF_THE_DAY:
                self.lift(cause)

    def rejected(self, margin: bool, detail: str) -> None:
        """The venue refused an order of ours (P19); ``margin``: an entry, for want of margin (F25)."""
        now = self._out.now_ns
        self._rejected.append((now, margin))
        recent = [lack for at_ns, lack in self._rejected if at_ns > now - MINUTE_NS]
        if sum(recent) >= MARGIN_REJECTIONS_MAX:
            self.block(Cause.MARGIN, f"{sum(recent)} entries refused for want of margin within 1 min: {detail}")
        if len(recent) < REJECTIONS_MAX:
            return
        self._rejected.clear()
        if self._rejections_before:
            self.block(Cause.REJECTIONS_AGAIN, f"{REJECTIONS_MAX} rejections within 1 min a second time: {detail}")
        else:
            self._rejections_before = True
            self._rejections_until_ns = now + REJECTIONS_PAUSE_NS
            self.block(Cause.REJECTIONS, f"{REJECTIONS_MAX} rejections within 1 min, entries pause 5 min: {detail}")

    def judge_streak(self) -> None:
        found = streak(self._risk, self._ledger)
        if found is None:
            return
        cause, detail = found
        if cause is Cause.STREAK_PAUSE:
            self._pause_until_ns = self._out.now_ns + self._risk.streak_pause_min * MINUTE_NS
            second = self._pause_until_ns // 1_000_000_000 % 86_400
            detail += f", pause until {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02} UTC"
        self.block(cause, detail)

    def timer(self) -> bool:
        """A pause that is over ends; True when losses are to be looked at."""
        if self._out.now_ns >= self._pause_until_ns:
            self._pause_until_ns = FAR_NS
            self.lift(Cause.STREAK_PAUSE)
        if self._out.now_ns >= self._rejections_until_ns:
            self._rejections_until_ns = FAR_NS
            self.lift(Cause.REJECTIONS)
        return self._out.now_ns >= self._equity_check_ns
