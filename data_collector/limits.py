"""Every bound of the hearing side in one record, each with the reason for its size.

The composition root fills it from settings; tests fill it with tiny numbers. Seconds are real seconds of the
monotonic clock unless the name says otherwise.
"""

from __future__ import annotations

import msgspec

from models.error import ConfigurationError


class FeedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of connections, subscriptions and the feed's pulse. Defaults are for the venue itself."""

    connect_timeout_s: float = 10.0
    """TCP, TLS and upgrade together. Three SYN retransmissions fit (1 + 2 + 4 s); more is a dead route."""
    answer_timeout_s: float = 5.0
    """A control message without an answer by then means a dead or half-restored connection (fault F04)."""
    close_timeout_s: float = 1.0
    """How long a polite close may take before the socket is dropped."""
    messages_per_s: float = 8.0
    """The venue allows 10 messages a second and connection (reference §1.4); two are left for ping and pong."""
    streams_max: int = 1024
    """Streams on one connection (reference §1.4)."""
    streams_per_message: int = 100
    """Keeps one SUBSCRIBE below 4 KiB; 1,024 streams are asked for within 1.3 s."""
    frame_bytes_max: int = 16 << 20
    """The recording's own bound: a frame below it is the decoder's to refuse, a larger one cuts the connection."""
    keepalive_interval_s: float = 20.0
    """Our own pings: a half-open connection that still delivers some bytes is found within 30 s."""
    keepalive_timeout_s: float = 10.0
    """No pong by then: the connection is dropped and replaced (fault F06)."""
    backoff_base_s: float = 0.5
    """Upper end of the first wait; it doubles with each failure, and the wait is uniform in [0, end] (full jitter)."""
    backoff_cap_s: float = 60.0
    """Fault F05."""
    settled_s: float = 60.0
    """Only a connection that delivered for so long resets the backoff (fault F05)."""
    attempts_max: int = 20
    """Connection attempts to one host in one window, over all connections (fault F05; the venue bans at 300)."""
    attempts_window_s: float = 300.0
    rotate_after_s: float = 23.25 * 3600
    """The venue cuts at 24 h; the rotation must be over before 23.5 h (fault F03)."""
    rotate_spread_s: float = 600.0
    """Each rotation comes up to this much earlier, at random, so that two connections never rotate together."""
    silence_ms: float = 100.0
    """After so long without any frame the feed says so (a tick), so that deadlines pass in silence too (run clock)."""
    pulse_ms: float = 25.0
    """How often liveness, silence and loop lag are looked at; a quarter of the silence, 0.1 % of a core."""
    lag_alarm_ms: float = 50.0
    """A pulse later than this is counted as loop lag (fault F06)."""
    suspend_s: float = 1.0
    """A gap between two pulses longer than this is a suspend: everything heard is old (fault F64)."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0 or (getattr(self, name) == 0 and name not in MAY_BE_ZERO):
                raise ConfigurationError(f"feed limit {name} must be above zero, got {getattr(self, name)}")
        if self.keepalive_timeout_s > self.keepalive_interval_s:
            raise ConfigurationError("feed limit keepalive_timeout_s must not be above keepalive_interval_s")


MAY_BE_ZERO = frozenset({"rotate_spread_s", "backoff_base_s"})
