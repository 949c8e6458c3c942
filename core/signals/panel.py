"""The panel: the three signals of one instant, and what they say together."""

from __future__ import annotations

import msgspec

from core.signals.imbalance import imbalance
from core.signals.momentum import momentum
from core.signals.signal import Features, Signal, Thresholds
from core.signals.volume_spike import volume_spike


class Panel(msgspec.Struct, frozen=True):
    """Volume, imbalance and momentum at one instant. ``side`` decides; ``score`` ranks and explains."""

    volume_spike: Signal
    imbalance: Signal
    momentum: Signal

    @property
    def signals(self) -> tuple[Signal, Signal, Signal]:
        """The three in the order in which every screen and record shows them."""
        return self.volume_spike, self.imbalance, self.momentum

    @property
    def valid(self) -> bool:
        """Whether all three have a value."""
        return self.volume_spike.valid and self.imbalance.valid and self.momentum.valid

    @property
    def side(self) -> int:
        """+1 or −1 when all three are met in that direction, else 0."""
        met = self.volume_spike.met and self.imbalance.met and self.momentum.met
        return self.imbalance.side if met and self.imbalance.side == self.momentum.side else 0

    @property
    def score(self) -> float | None:
        """The weakest signal's share of its threshold, signed: at ±1 or beyond all three hold.

        0 while imbalance and momentum disagree; None while one of the three is undefined, or a threshold is zero.
        """
        if not self.valid or not all(signal.threshold > 0 for signal in self.signals):
            return None
        if self.imbalance.side != self.momentum.side:
            return 0.0
        return self.imbalance.side * min(abs(signal.value or 0.0) / signal.threshold for signal in self.signals)

    @property
    def why(self) -> str:
        """Why there is no verdict: the reasons of the undefined signals, in one line; empty when all are defined."""
        return "; ".join(f"{signal.name}: {signal.why}" for signal in self.signals if not signal.valid)


def build_panel(features: Features, thresholds: Thresholds) -> Panel:
    """The panel of ``features``: a pure function, the same for every mode."""
    return Panel(volume_spike(features, thresholds), imbalance(features, thresholds), momentum(features, thresholds))
