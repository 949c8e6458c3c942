"""What a generated market is up to: quiet and busy hours, and the script of each burst.

A burst builds (the book leans before anything moves), pushes (trades come twelve times as fast, the price follows),
and then fades, reverses or goes on. Reversal and continuation are equally likely and alike, whatever the direction:
what comes after a burst is no gift to anybody who followed it. Time is counted in steps of 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

STEP_MS = 10
SECOND = 1000 // STEP_MS
NEVER = 1 << 62
UNIT = 256  # activity and gain
FULL = 1024  # imbalance


class Phase(NamedTuple):
    """One stretch of behaviour.

    ``gain``: arrival of orders, 1/256 of the usual. ``sweep``: chance of 65,536 that an order sweeps several levels.
    ``lean``: buy orders minus sell orders, of 256. ``imbalance``: where the book leans, of 1,024; None: by itself.
    ``forced``: chance of 65,536 that an order in the direction of the lean is a liquidation. ``size``: of trades, 1/4.
    """

    steps: int
    gain: int
    sweep: int
    lean: int
    imbalance: int | None
    forced: int
    size: int


class Regime(NamedTuple):
    """``activity`` of 256; ``gap_s`` mean pause between bursts; it lasts ``shortest_s`` to twice that."""

    activity: int
    gap_s: int
    shortest_s: int


OPENING = Regime(256, 9, 300)  # the first five minutes: several bursts a minute
ACTIVE = Regime(288, 18, 240)
ORDINARY = Regime(240, 60, 300)
QUIET = Regime(90, 300, 600)  # quiet hours
BEFORE = Regime(UNIT, 240, 1 << 40)  # before the start: a burst every four minutes, no change
REGIMES = (ORDINARY, ACTIVE, ORDINARY, QUIET, ORDINARY, ACTIVE, QUIET, ACTIVE)

CALM = Phase(NEVER, UNIT, 20_000, 0, None, 40, 4)
FIRST_PAUSE = 60  # the first burst begins 0.6 s after the market: a short demonstration sees it whole
SECOND_PAUSE_S = 20  # the second one leaves the first the time to fade
SHORTEST_PAUSE_S = 9


class Mood:
    """The current phase and activity of one symbol; ``step`` moves it on. Draws only from its own stream."""

    def __init__(self, draw: Callable[[], int], regime: Regime = OPENING) -> None:
        self._draw = draw
        self.phase = CALM
        self.activity = UNIT << 8  # of 65,536, follows the regime's slowly
        self._left = NEVER
        self._script: list[Phase] = []
        self._regime = regime
        self._regime_left = NEVER
        self._second = 0
        self._lean = 0
        self.imbalance = 0  # of 1,024, what the top of the book aims at now
        self.bursts = 0

    def wake(self, first_pause: int = FIRST_PAUSE) -> None:
        """Bursts begin: the first one after ``first_pause`` steps."""
        self._left = first_pause
        self._regime_left = self._regime.shortest_s * SECOND

    def rest(self) -> None:
        """Calm for good, until the next ``wake``."""
        self.phase, self._left, self._script, self._regime_left = CALM, NEVER, [], NEVER

    def step(self, steps: int = 1) -> None:
        """Let ``steps`` of 10 ms pass."""
        self._left -= steps
        if self._left <= 0:
            self._turn()
        self._second += steps
        if self._second % 10 == 0:
            self._drift()
            if self._second >= SECOND:
                self._second = 0
                self.activity += ((self._regime.activity << 8) - self.activity) >> 6  # about a minute to get there
                self._regime_left -= SECOND
                if self._regime_left <= 0:
                    self._regime = REGIMES[self._draw() % len(REGIMES)]
                    self._regime_left = SECOND * (self._regime.shortest_s + self._draw() % self._regime.shortest_s)
        target = self.phase.imbalance
        if target is None:
            target = self._lean
        self.imbalance += (target - self.imbalance) * min(steps, 4) >> 2

    def _drift(self) -> None:
        """The book's own lean: mean-reverting over 1.6 s, standard deviation about 0.27."""
        lean = self._lean - self._lean // 16 + self._draw() % 341 - 170
        self._lean = max(-900, min(900, lean))

    def _turn(self) -> None:
        """The next phase of the script; after its last one calm until the next burst, then a new script."""
        if self._script:
            self.phase = self._script.pop(0)
        elif self.phase is CALM:
            self._script = self._burst()
            self.phase = self._script.pop(0)
        else:
            self.phase = CALM._replace(steps=self._pause())
            if self.phase.steps <= 0:
                self.phase = CALM._replace(steps=1)
        self._left = self.phase.steps
        if self.phase.gain == UNIT and not self._script:
            self.phase = CALM

    def _pause(self) -> int:
        """Steps until the next burst, beyond what the fade before it took: roughly exponential, never in lock step."""
        draw = self._draw()
        # A product of two uniforms has a tail like an exponential one; its mean is a quarter of the full range.
        seconds_256 = self._regime.gap_s * 4 * (draw & 255) * (draw >> 8 & 255) >> 8
        return seconds_256 * SECOND >> 8

    def _burst(self) -> list[Phase]:
        """Build, push, and what comes after."""
        draw, more = self._draw(), self._draw()
        sign = 1 if draw & 1 else -1
        power = 192 + (draw >> 1) % 192  # of 256: 0.75 to 1.5
        first = self.bursts == 0
        if first or draw >> 16 & 3 == 0:
            power += 160  # the first one and every fourth are big
        self.bursts += 1
        build = Phase(40 + (draw >> 19) % 30, 400, 16_000, 40 * sign, 780 * sign, 0, 4)
        # Short and fast or long: whoever waits for proof may come in at the end of it.
        push_steps = (200 if first else 110) + more % 220
        push = Phase(push_steps, UNIT * 19 * power >> 8, 14_000, 220 * sign, 840 * sign, 800 if more >> 31 else 0, 6)
        fade_s = SECOND_PAUSE_S if first else SHORTEST_PAUSE_S
        fade = Phase(fade_s * SECOND + (more >> 8) % (5 * SECOND), 80, 16_000, 0, None, 10, 3)
        outcome = (more >> 16) % 10
        if outcome < 4 or (first and outcome < 7):  # the first one fades or turns: a short demonstration sees its end
            return [build, push, fade]
        way = sign if outcome < 7 else -sign  # 3 of 10 go on, 3 of 10 turn
        after = Phase(250 + (more >> 20) % 250, 640, 20_000, 110 * way, 720 * way, 60, 4)
        return [build, push, after, fade]
