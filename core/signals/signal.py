"""What a signal is, and the small record of features that the three signals of the scalper are made from.

Conditions are decided in integers, cross-multiplied and inclusive, exactly like the compiled triggers; the float beside
them is for people and records. A value that is undefined is None, never NaN and never zero, and says why.
"""

from __future__ import annotations

import msgspec

E8 = 100_000_000


class Thresholds(msgspec.Struct, frozen=True):
    """Entry thresholds at 1e-8, and what a window needs before it counts (design §8)."""

    volume_multiple_e8: int = 300_000_000
    baseline_bars: int = 20
    imbalance_e8: int = 60_000_000
    momentum_z_e8: int = 200_000_000
    momentum_known_s: int = 120


class Features(msgspec.Struct, frozen=True):
    """The windows at one instant, read from the engine's state.

    Volumes are lots; bid and ask sums are the top levels' lots summed over the averaging window (any common weight);
    ``return_e8`` is the log return of the momentum window, None while it has no start, ``sigma_e8`` the sample standard
    deviation of the returns before it, None while undefined, ``momentum_s`` how many seconds of them are known.
    ``return_threshold_e8`` is the engine's compiled form of z · σ; where given it decides, so that a trigger and the
    panel read at its wake cannot differ by a rounding.
    """

    bar_volume: int
    baseline_volume: int
    baseline_bars: int
    bid_sum: int
    ask_sum: int
    return_e8: int | None
    sigma_e8: float | None
    momentum_s: int
    return_threshold_e8: int | None = None


class Signal(msgspec.Struct, frozen=True):
    """One number with its verdict.

    ``threshold`` is compared with the size of ``value``; ``met`` says it was reached. ``side`` is the direction a value
    speaks for whether met or not: +1 up, −1 down, 0 none. ``why`` is empty unless ``valid`` is False.
    """

    name: str
    value: float | None
    threshold: float
    side: int
    valid: bool
    met: bool
    why: str = ""


def not_known(name: str, threshold: float, why: str) -> Signal:
    """A signal without a value: it is not met, and it says why."""
    return Signal(name, None, threshold, 0, False, False, why)


def sign(number: int) -> int:
    """+1, −1 or 0."""
    return (number > 0) - (number < 0)
