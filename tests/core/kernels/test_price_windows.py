"""Imbalance and momentum windows against examples, exact logarithms and the twins with complete histories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import price_windows as kernels
from core.kernels.state import IMBALANCE_RING, MID_RING, RETURN_UNIT, Ready
from tests.builders import MS, SECOND, START_NS, Memory
from tests.naive import price_windows as naive
from tests.naive.engine import Market


def new_market(**parameters: int) -> Any:
    """A compiled market."""
    return Memory(**parameters).markets[0]


def add_touch(market: Any, at_ms: int, bid_lots: int, ask_lots: int) -> tuple[int, int]:
    """One depth frame's touch sums; returns the window's sums."""
    market["bid_lots"], market["ask_lots"] = bid_lots, ask_lots
    kernels.imbalance_add(market, START_NS + at_ms * MS)
    return int(market["imbalance_bid"]), int(market["imbalance_ask"])


def add_mid(market: Any, at_ms: int, mid2: int) -> None:
    """One mid."""
    kernels.mid_add(market, START_NS + at_ms * MS, mid2)


def momentum(market: Any, at_ms: int) -> tuple[int, bool]:
    """The momentum ``at_ms`` after the start."""
    value, known = kernels.momentum_now(market, START_NS + at_ms * MS)
    return int(value), bool(known)


def exact_log(now2: int, then2: int) -> int:
    """ln(now2/then2) at 1e-8 from 28-digit decimals."""
    return round((Decimal(now2) / Decimal(then2)).ln() * RETURN_UNIT)


def test_the_window_sums_the_frames_inside_it() -> None:
    """Frames of the last 250 ms count, the one exactly 250 ms old no longer."""
    market = new_market()
    seen = [add_touch(market, at_ms, 10 + at_ms, 1) for at_ms in (0, 100, 249, 250, 600)]
    assert seen == [(10, 1), (120, 2), (379, 3), (629, 3), (610, 1)]


def test_the_first_frame_makes_the_imbalance_ready() -> None:
    """The imbalance condition is ready from the first depth frame on."""
    market = new_market()
    add_touch(market, 0, 1, 1)
    assert int(market["ready"]) & Ready.IMBALANCE


def test_a_full_ring_forgets_its_oldest_frame() -> None:
    """More frames than the ring holds inside one window count as the newest ring's worth."""
    market = new_market()
    for _ in range(IMBALANCE_RING + 40):
        sums = add_touch(market, 0, 2, 3)
    assert sums == (2 * IMBALANCE_RING, 3 * IMBALANCE_RING)


def test_momentum_is_the_log_return_over_the_window() -> None:
    """The newest mid against the mid in force one window earlier."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 2_000, 200_100)
    assert momentum(market, 2_000) == (exact_log(200_100, 200_000), True)


def test_momentum_is_unknown_before_the_window_is_full() -> None:
    """A grid that does not reach back a whole window gives no momentum."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 1_900, 200_100)
    assert momentum(market, 1_900) == (0, False)


def test_the_mid_is_carried_over_silence() -> None:
    """A grid time without a frame holds the mid before it."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 1_500, 200_500)
    add_mid(market, 3_400, 200_600)
    assert momentum(market, 3_400)[0] == exact_log(200_600, 200_000)


def test_momentum_between_two_frames_uses_the_mid_in_force() -> None:
    """Asked in a grid slot that has no frame of its own yet, the newest mid still stands for now."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 2_000, 200_100)
    assert momentum(market, 2_150) == (exact_log(200_100, 200_000), True)


def test_momentum_after_a_silence_longer_than_the_window_is_zero() -> None:
    """A mid that has not moved for a whole window has no momentum."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 1_000, 200_900)
    assert momentum(market, 3_100) == (0, True)


def test_a_mid_of_an_earlier_slot_changes_nothing() -> None:
    """A slot that is over is not written again."""
    market = new_market()
    add_mid(market, 0, 200_000)
    add_mid(market, 2_000, 200_100)
    add_mid(market, 1_000, 999_999)
    assert momentum(market, 3_000)[0] == exact_log(200_100, 200_000)


def test_a_silence_longer_than_the_ring_leaves_the_last_mid() -> None:
    """After hours of silence every slot one can look back to holds the mid before it."""
    market = new_market(momentum_window_ns=(MID_RING - 1) * 100 * MS)
    add_mid(market, 0, 200_000)
    add_mid(market, 10 * MID_RING * 100, 200_300)
    assert momentum(market, 10 * MID_RING * 100) == (exact_log(200_300, 200_000), True)


def test_a_window_beyond_the_ring_is_unknown() -> None:
    """The grid never answers from a slot that has been written over."""
    market = new_market(momentum_window_ns=MID_RING * 100 * MS)
    add_mid(market, 0, 200_000)
    add_mid(market, 2 * MID_RING * 100, 200_300)
    assert momentum(market, 2 * MID_RING * 100) == (0, False)


def test_a_second_is_due_once() -> None:
    """Each whole second of the receive clock is due at its first frame only."""
    market = new_market()
    seen = [bool(kernels.second_due(market, START_NS + at_ms * MS)) for at_ms in (0, 1, 999, 1_000, 1_001, 3_500, 900)]
    assert seen == [True, False, False, True, False, True, False]


@settings(max_examples=200, deadline=None)
@given(st.integers(10_000, 10**9), st.integers(-100_000, 100_000))
def test_log_return_is_the_rounded_logarithm(then2: int, change_ppm: int) -> None:
    """Within ±10 % the series equals the exact logarithm at 1e-8, and the twin gives the same integer."""
    now2 = then2 + then2 * change_ppm // 1_000_000
    value = kernels.log_return(now2, then2)
    assert abs(value - exact_log(now2, then2)) <= 1
    assert value == naive.log_return(now2, then2)


@settings(max_examples=100, deadline=None)
@given(st.integers(10_000, 10**7), st.integers(10_000, 10**7))
def test_log_return_is_antisymmetric(now2: int, then2: int) -> None:
    """Up and down by the same two mids are the same number with opposite signs, so long and short mirror each other."""
    assert kernels.log_return(now2, then2) == -kernels.log_return(then2, now2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_random_touches_agree_with_the_twin(steps: list[tuple[int, int, int]]) -> None:
    """Any pauses and lots give the twin's window."""
    market, twin = new_market(), Market([], imbalance_window_ns=250 * MS)
    now_ns = START_NS
    for pause_ms, bid_lots, ask_lots in steps:
        now_ns += pause_ms * MS
        market["bid_lots"] = twin.bid_lots = bid_lots
        market["ask_lots"] = twin.ask_lots = ask_lots
        kernels.imbalance_add(market, now_ns)
        naive.imbalance_add(twin, now_ns)
        for name in ("imbalance_bid", "imbalance_ask", "imbalance_head", "imbalance_tail", "ready"):
            assert int(market[name]) == getattr(twin, name), name


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(st.integers(-300, 900), st.integers(0, 5_000), st.just(150_000)),
            st.integers(190_000, 210_000),
        ),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_random_mids_agree_with_the_twin(steps: list[tuple[bool, int, int]], window_slots: int) -> None:
    """Mids and questions at any times, backward steps included, give the twin's momentum and seconds."""
    window_ns = window_slots * 100 * MS
    market, twin = new_market(momentum_window_ns=window_ns), Market([], momentum_window_ns=window_ns)
    now_ns = START_NS + 7 * SECOND
    for is_mid, pause_ms, mid2 in steps:
        now_ns += pause_ms * MS
        if is_mid:
            kernels.mid_add(market, now_ns, mid2)
            naive.mid_add(twin, now_ns, mid2)
        assert kernels.momentum_now(market, now_ns) == naive.momentum_now(twin, now_ns)
        assert kernels.second_due(market, now_ns) == naive.second_due(twin, now_ns)
