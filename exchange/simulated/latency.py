"""Seeded jitter for the two ways of an order. Our own generator: the same seed gives the same delays everywhere."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    """SplitMix64's finaliser of ``value`` (Steele, Lea, Flood 2014): 64 well mixed bits."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Latency:
    """One direction of one instrument's orders: ``base_ns`` plus 0 … ``jitter_ns``, never overtaking.

    Each instrument has its own sequence, so that a strategy on one is answered alike whether others are present.
    """

    __slots__ = ("_base_ns", "_count", "_jitter_ns", "_latest_ns", "_stream")

    def __init__(self, base_ns: int, jitter_ns: int, seed: int, stream: int) -> None:
        self._base_ns = base_ns
        self._jitter_ns = jitter_ns
        self._stream = mixed(mixed(seed & _MASK) ^ stream)
        self._count = 0
        self._latest_ns = -(1 << 63)

    def delay_ns(self) -> int:
        """The next message's delay."""
        if self._jitter_ns == 0:
            return self._base_ns
        self._count += 1
        return self._base_ns + mixed(self._stream ^ self._count) % (self._jitter_ns + 1)

    def in_order_ns(self, at_ns: int) -> int:
        """``at_ns``, or the latest time given before where that is later: one connection keeps its order."""
        self._latest_ns = max(self._latest_ns, at_ns)
        return self._latest_ns

    def state(self) -> tuple[int, int]:
        return self._count, self._latest_ns
