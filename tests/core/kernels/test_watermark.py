"""Watermarks: classes, idleness, and independence of how often anybody looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import watermark as w
from models.rows import UNKNOWN_NS
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import watermark as naive

EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-400, 100), st.one_of(st.integers(0, 60), st.integers(0, 9_000))),
    max_size=40,
)


COMPARED = pairs_of(naive, "watermark_tick", "watermark_event")


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same class and leave the same state."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


@given(EVENTS, st.integers(1, 3_000))
@settings(max_examples=80, deadline=None)
def test_looking_more_often_changes_nothing(events: list[tuple[int, int, int]], every: int) -> None:
    """Classes and watermarks are the same with a tick between all events, and in the twin; W never falls."""
    plain, ticked, slow = (w.watermark_state([50, 50, 1_000], 200, 5_000) for _ in range(3))
    now, before = 0, UNKNOWN_NS
    for stream, lag, gap in events:
        for at in range(now, now + gap, every) if before != UNKNOWN_NS else ():
            w.watermark_tick(*ticked, at)
        now += gap
        answers = {
            w.watermark_event(*plain, stream, now + lag, now),
            w.watermark_event(*ticked, stream, now + lag, now),
            naive.watermark_event(*slow, stream, now + lag, now),
        }
        assert len(answers) == 1
        assert np.array_equal(plain[1], ticked[1]) and np.array_equal(plain[0], ticked[0])
        assert np.array_equal(plain[1], slow[1]) and np.array_equal(plain[0], slow[0])
        assert plain[1][w.MARK_NS] >= before
        before = int(plain[1][w.MARK_NS])


def test_idle_stream_leaves_and_rejoins() -> None:
    """A silent stream stops holding the watermark back, is counted as missing, and returns when it has caught up."""
    state = w.watermark_state([0, 0], 100, 1_000)
    w.watermark_event(*state, 0, 10, 10)
    w.watermark_event(*state, 1, 10, 10)
    w.watermark_event(*state, 0, 2_000, 2_000)
    assert (state[1][w.MARK_NS], state[1][w.IDLE_STREAMS]) == (2_000, 1)
    assert w.watermark_event(*state, 1, 1_950, 2_010) == w.LATE_ACCEPTED
    assert state[1][w.IDLE_STREAMS] == 1
    assert w.watermark_event(*state, 1, 2_005, 2_020) == w.ON_TIME
    assert (state[1][w.MARK_NS], state[1][w.IDLE_STREAMS]) == (2_000, 0)


def test_stream_is_idle_only_after_its_time() -> None:
    """A silence of exactly the idle time is not yet idle; one unit more is."""
    state = w.watermark_state([0, 0], 100, 1_000)
    w.watermark_event(*state, 0, 10, 10)
    idle = []
    for now in (1_010, 1_011):
        w.watermark_tick(*state, now)
        idle.append(int(state[1][w.IDLE_STREAMS]))
    assert idle == [0, 2]


def test_edges_of_lateness() -> None:
    """At the watermark is on time, at watermark − lateness is accepted, one unit before is dropped and counted."""
    state = w.watermark_state([0], 100, 1_000)
    w.watermark_event(*state, 0, 1_000, 1)
    classes = [w.watermark_event(*state, 0, at, 2) for at in (1_000, 900, 899)]
    assert (classes, state[1][w.DROPPED]) == ([w.ON_TIME, w.LATE_ACCEPTED, w.LATE_DROPPED], 1)


@pytest.mark.parametrize(("bounds", "lateness", "idle"), [([-1], 0, 1), ([0], -1, 1), ([0], 0, 0)])
def test_impossible_rules_are_refused(bounds: list[int], lateness: int, idle: int) -> None:
    """Negative bounds and an idle time of zero are refused in one sentence."""
    with pytest.raises(ValueError, match="must"):
        w.watermark_state(bounds, lateness, idle)
