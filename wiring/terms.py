"""What the settings say in the units of the parts: terms, limits, names."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import msgspec

from config.settings import APPLICATION, Settings
from config.venue import shipped_instruments, shipped_symbols
from data_collector.limits import FeedLimits
from exchange.simulated.terms import PaperTerms
from models.instrument import Fees, Instrument

MILLISECOND_NS = 1_000_000


VIRTUAL_START_NS = 1_795_262_400_000_000_000  # 2026-11-21T12:00:00Z: a virtual run has no clock of its own
PREFIX = APPLICATION[:2]


PUBLIC_STREAMS = ("bookTicker",)


MARKET_STREAMS = ("aggTrade", "markPrice@1s", "forceOrder", "kline_1m")


def digest(settings: Settings) -> str:
    """sha256 over the settings that can change a decision: strategy, risk, execution, paper, trust, hypothesis."""
    parts = (
        settings.strategy, settings.risk, settings.execution, settings.paper, settings.trust, settings.hypothesis,
        settings.feed.symbols,
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def client_prefix(epoch_of: str) -> str:
    """``sc`` and the run's eight-character epoch: a function of the input, so that a second run makes the same ids."""
    return PREFIX + base64.b32encode(hashlib.sha256(epoch_of.encode()).digest())[:8].decode().lower()


def paper_terms(settings: Settings) -> PaperTerms:
    """The simulated exchange's terms from the settings' milliseconds."""
    paper = settings.paper
    fees = None
    if paper.fees == "fixed":
        fees = Fees(maker_e8=round(paper.maker_bps * 10_000), taker_e8=round(paper.taker_bps * 10_000))
    return PaperTerms(
        latency_out_ns=round(paper.latency_out_ms * MILLISECOND_NS),
        latency_back_ns=round(paper.latency_back_ms * MILLISECOND_NS),
        jitter_ns=round(paper.jitter_ms * MILLISECOND_NS),
        seed=paper.seed,
        lag_bound_ns=paper.lag_bound_ms * MILLISECOND_NS,
        queue=paper.queue_model,
        reports=paper.reports,
        fees=fees,
    )


def with_terms(instruments: Sequence[Instrument], settings: Settings) -> tuple[Instrument, ...]:
    """Instruments with fees and brackets: the venue's where it told them, else the shipped dated copy's."""
    known = {one.symbol: one for one in _shipped([one.symbol for one in instruments])}
    terms = paper_terms(settings)
    found = []
    for one in instruments:
        copy = known.get(one.symbol) or next(iter(known.values()), None) or shipped_instruments(["BTCUSDT"])[0]
        brackets = one.brackets or copy.brackets
        dated = one.dated or (copy.dated if not one.brackets else "")
        fees = terms.fees or (one.fees if one.brackets else copy.fees)
        found.append(msgspec.structs.replace(one, brackets=brackets, fees=fees, dated=dated))
    return tuple(found)


def _shipped(symbols: Sequence[str]) -> list[Instrument]:
    found = []
    for symbol in symbols:
        if symbol in shipped_symbols():
            found += shipped_instruments([symbol])
    return found  # without a dated copy the caller takes BTCUSDT's brackets and says so by ``dated``


def feed_limits(settings: Settings) -> FeedLimits:
    """The connector's bounds from the settings."""
    feed = settings.feed
    return FeedLimits(
        backoff_cap_s=feed.backoff_cap_s,
        attempts_max=feed.attempts_per_5min,
        rotate_after_s=feed.rotate_h * 3600,
        frame_bytes_max=feed.frame_kb_max << 10,
        silence_ms=float(feed.tick_ms),
    )


def stream_names(settings: Settings) -> tuple[str, ...]:
    """The stream suffixes of one symbol, by the depth speed of the settings."""
    speed = settings.feed.depth_speed_ms
    depth = "depth" if speed == 250 else f"depth@{speed}ms"
    return (depth, *PUBLIC_STREAMS, *MARKET_STREAMS)


def assumptions(settings: Settings) -> str:
    """What the simulated exchange assumes, in one line: printed above every result."""
    paper = settings.paper
    fees = f"{paper.maker_bps:g}/{paper.taker_bps:g} bps fixed" if paper.fees == "fixed" else "of the venue's tier"
    return (
        f"market orders walk the known book, {paper.latency_out_ms:g} ms out, {paper.latency_back_ms:g} ms back, "
        f"reports {paper.reports}, queue {paper.queue_model}, fees {fees}"
    )
