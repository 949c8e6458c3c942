"""The place in the queue: bounds of both models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.simulated.queue import Place


def test_risk_averse_cancels_are_behind_us() -> None:
    """A shrinking level moves us only when less is left than stood before us."""
    place = Place(10, 0, "risk_averse")
    place.depth(30, 15, 1)
    assert place.front == 10
    place.depth(15, 4, 2)
    assert place.front == 4


def test_probability_shares_cancels_between_front_and_back() -> None:
    """Ten before and ten behind: a cancel of four takes two from before us."""
    place = Place(10, 0, "probability")
    place.depth(20, 16, 1)
    assert place.front == 8


def test_trades_since_the_last_depth_explain_its_decrease() -> None:
    """A decrease that trades already paid is not counted again as cancels."""
    place = Place(10, 0, "probability")
    place.trade(4, 5)
    place.depth(20, 16, 6)
    assert place.front == 6


@given(
    st.integers(0, 50),
    st.sampled_from(("risk_averse", "probability")),
    st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 20)), max_size=30),
)
def test_the_front_never_grows_and_never_exceeds_the_level(
    shown: int, model: str, steps: list[tuple[bool, int, int]]
) -> None:
    """Whatever comes, in whatever order of venue times: 0 ≤ front ≤ level, and it only shrinks."""
    place, level = Place(shown, 0, model), shown
    for is_trade, lots, occurred_ns in steps:
        before = place.front
        if is_trade:
            assert 0 <= place.trade(lots, occurred_ns) <= lots
        else:
            place.depth(level, lots, occurred_ns)
            level = lots
            assert place.front <= level
        assert 0 <= place.front <= before


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=20))
def test_seeing_each_trade_twice_fills_no_more_than_seeing_it_once(trades: list[tuple[int, bool]]) -> None:
    """Depth first and the trade late, or the other way round: fills equal those of the trades alone."""
    alone, both = Place(20, 0, "risk_averse"), Place(20, 0, "risk_averse")
    level = 20
    for number, (lots, depth_first) in enumerate(trades, start=1):
        expected = alone.trade(lots, number)
        after = max(0, level - lots)
        if depth_first:
            both.depth(level, after, number)
        won = both.trade(lots, number)
        if not depth_first:
            both.depth(level, after, number)
        level = after
        assert won == expected
