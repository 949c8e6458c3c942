"""The phases of streams, without any socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.liveness import ALIVE, TRANSITIONS, Liveness, Phase, Sign, Verdict
from data_collector.routes import streams_for

S = 1_000_000_000
STREAMS = streams_for([(0, "BTCUSDT")], ["depth@100ms", "aggTrade", "forceOrder"])
DEPTH, TRADES, FORCED = 0, 1, 2


def asked(rate: float = 1.0) -> Liveness:
    """All three streams asked for at time zero."""
    liveness = Liveness(STREAMS, rate)
    for stream in range(3):
        liveness.asked(stream, 0)
    return liveness


def test_an_answer_is_no_data() -> None:
    """A subscription stays waiting until its first data frame, however long that takes within the deadline."""
    liveness = asked()
    assert liveness.check(4 * S) == [] and not liveness.delivering


def test_the_first_frame_makes_a_stream_deliver() -> None:
    """Data moves a stream to delivering, told once."""
    liveness = asked()
    liveness.received_ns[DEPTH] = S
    assert liveness.check(S) == [Verdict(DEPTH, Phase.DELIVERING, "data")]
    assert liveness.check(S) == []


def test_no_data_within_the_deadline_is_a_loss() -> None:
    """An acknowledged stream without data is lost when its deadline passes (F02)."""
    liveness = asked()
    verdicts = liveness.check(5 * S + 1)
    assert verdicts == [Verdict(DEPTH, Phase.LOST, "no_data"), Verdict(TRADES, Phase.LOST, "no_data")]


def test_silence_beyond_freshness_is_a_loss() -> None:
    """A stream that delivered and then stalls is lost although the other one goes on (F01)."""
    liveness = asked()
    liveness.received_ns[:2] = [S, S]
    liveness.check(S)
    liveness.received_ns[TRADES] = 6 * S
    assert liveness.check(6 * S + 1) == [Verdict(DEPTH, Phase.LOST, "stale")]


def test_silence_is_normal_where_it_is() -> None:
    """A liquidation stream is never overdue."""
    assert all(verdict.stream != FORCED for verdict in asked().check(10**6 * S))


def test_the_venues_list_counts_only_where_silence_is_normal() -> None:
    """Being listed makes a liquidation stream alive and says nothing about a depth stream."""
    liveness = asked()
    assert liveness.listed(FORCED) == Verdict(FORCED, Phase.QUIET, "listed")
    assert liveness.listed(DEPTH) is None and not liveness.alive(DEPTH)


def test_delivering_needs_every_stream_that_may_not_be_silent() -> None:
    """Delivering ignores silent-normal streams, settled waits for the venue's list too."""
    liveness = asked()
    liveness.received_ns[:2] = [S, S]
    liveness.check(S)
    assert liveness.delivering and not liveness.settled
    liveness.listed(FORCED)
    assert liveness.settled


def test_a_cut_loses_all_that_was_awaited_or_alive() -> None:
    """When the connection is gone every stream is lost, once."""
    liveness = asked()
    assert [verdict.stream for verdict in liveness.cut()] == [DEPTH, TRADES, FORCED]
    assert liveness.cut() == []


def test_a_lost_stream_recovers_with_data() -> None:
    """Fresh data brings a stale stream back."""
    liveness = asked()
    liveness.check(6 * S)
    liveness.received_ns[DEPTH] = 7 * S
    assert liveness.check(7 * S) == [Verdict(DEPTH, Phase.DELIVERING, "data")]


def test_a_stream_never_asked_for_is_not_judged() -> None:
    """Batches wait for the venue's pace; a stream's deadline runs from its own message."""
    assert Liveness(STREAMS).check(10**6 * S) == []


def test_deadlines_follow_the_clocks_rate() -> None:
    """On a clock ten times as fast, five real seconds are fifty of its own."""
    liveness = asked(10.0)
    assert liveness.check(50 * S) == []
    assert len(liveness.check(50 * S + 1)) == 2


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_stands_in_the_table(phase: Phase) -> None:
    """The table names every phase, and nothing but a cut or a deadline leads to a loss."""
    assert {sign for sign, to in TRANSITIONS[phase].items() if to is Phase.LOST} <= {Sign.CUT, Sign.OVERDUE}


@given(st.lists(st.tuples(st.integers(0, 3 * S), st.integers(0, 2)), max_size=60))
def test_alive_always_means_fresh_or_quiet(steps: list[tuple[int, int]]) -> None:
    """After any history a stream is alive exactly when its newest frame is within its deadline, or it is quiet."""
    liveness, now_ns = asked(), 0
    for pause_ns, stream in steps:
        now_ns += pause_ns
        liveness.received_ns[stream] = now_ns
        now_ns += pause_ns
        liveness.check(now_ns)
        for number, phase in enumerate(liveness.phases):
            received_ns = liveness.received_ns[number]
            limit_s = STREAMS[number].kind.fresh_s
            if received_ns >= 0:
                assert (phase in ALIVE) == (limit_s is None or now_ns - received_ns <= limit_s * S)
