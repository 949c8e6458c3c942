"""The scalper's answers at its wakes. When the wakes come is the compiled conditions' business."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kernels.state import VIEW, VIEW_WORDS, Exit, Ready, Wake
from core.market.state import MarketView
from core.strategies.scalper import Scalper
from core.strategies.strategy import Decline, View
from models.order import Intent, Purpose, Side
from tests.builders import SECOND, START_NS
from tests.core.desk import INSTRUMENT, settings

SCALPER = Scalper(settings().strategy.params)


def view(bits: int, *, position: int = 0, busy: bool = False, cooldown_s: float = 0.0, **market: Any) -> View:
    """What the scalper sees: windows full, entry side up, unless told otherwise."""
    values = [0] * VIEW_WORDS
    given = {"ready": Ready.ALL, "entry_side": 1, "baseline_bars": 20, "momentum_samples_min": 120} | market
    for name, value in given.items():
        values[VIEW[name]] = value
    until_ns = START_NS + round(cooldown_s * SECOND)
    return View(START_NS, bits, INSTRUMENT, MarketView(values), position, busy, until_ns)


@pytest.mark.parametrize(("entry_side", "side"), [(1, Side.BUY), (-1, Side.SELL)])
def test_the_entry_conditions_make_an_intent(entry_side: int, side: Side) -> None:
    """Volume, imbalance and momentum upwards buy, downwards sell: long and short are mirror images."""
    intent = SCALPER.decide(view(Wake.ENTRY, entry_side=entry_side))
    assert intent == Intent(0, side, Purpose.ENTRY, "volume_imbalance_momentum")


@pytest.mark.parametrize(
    ("changes", "decline"),
    [
        ({"position": 8}, Decline("IN_POSITION", "holds 0.008")),
        ({"position": -8}, Decline("IN_POSITION", "holds 0.008")),
        ({"busy": True}, Decline("ORDER_PENDING", "an order of this instrument is on its way")),
        ({"cooldown_s": 2.5}, Decline("COOLDOWN", "2.5 s left")),
        (
            {"ready": Ready.IMBALANCE | Ready.MOMENTUM, "baseline_count": 7},
            Decline("WARMING_UP", "volume 7 of 20 bars"),
        ),
        (
            {"ready": Ready.VOLUME | Ready.IMBALANCE, "return_count": 90},
            Decline("WARMING_UP", "momentum 90 of 120 seconds"),
        ),
        ({"ready": Ready.VOLUME | Ready.MOMENTUM}, Decline("WARMING_UP", "imbalance 0 of 1 frames")),
    ],
)
def test_a_signal_that_passes_by_says_why(changes: dict[str, Any], decline: Decline) -> None:
    """A signal that the scalper itself lets pass has a code and both numbers."""
    assert SCALPER.decide(view(Wake.ENTRY, **changes)) == decline


def test_everything_that_is_not_full_is_named() -> None:
    """Three windows short are three parts of one reason."""
    answer = SCALPER.decide(view(Wake.ENTRY, ready=0, baseline_count=1, return_count=2))
    assert isinstance(answer, Decline)
    assert answer.reason == ("WARMING_UP: volume 1 of 20 bars, imbalance 0 of 1 frames, momentum 2 of 120 seconds")


def test_the_cooldown_ends_on_its_instant() -> None:
    """At the end of the cooldown the next signal enters."""
    assert isinstance(SCALPER.decide(view(Wake.ENTRY, cooldown_s=0)), Intent)


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        (Exit.STOP, "stop_loss"),
        (Exit.REVERSAL, "book_reversal"),
        (Exit.FADE, "volume_faded"),
        (Exit.FADE | Exit.REVERSAL, "book_reversal"),
        (Exit.FADE | Exit.REVERSAL | Exit.STOP, "stop_loss"),
        (0, "exit_signal"),
    ],
)
@pytest.mark.parametrize(("position", "side"), [(8, Side.SELL), (-8, Side.BUY)])
def test_a_fired_exit_closes(bits: int, reason: str, position: int, side: Side) -> None:
    """An exit condition closes the position's side, and of several the severest gives the reason."""
    intent = SCALPER.decide(view(Wake.EXIT, position=position, exit_bits=bits))
    assert intent == Intent(0, side, Purpose.EXIT, reason)


def test_an_exit_comes_before_an_entry() -> None:
    """When both fire on one frame, the position in hand decides."""
    intent = SCALPER.decide(view(Wake.EXIT | Wake.ENTRY, position=8, exit_bits=Exit.FADE))
    assert isinstance(intent, Intent) and intent.purpose is Purpose.EXIT


@pytest.mark.parametrize(
    ("bits", "market"),
    [
        (Wake.TRUST, {}),
        (Wake.BAR, {}),
        (Wake.ASK, {}),
        (Wake.EXIT, {"exit_bits": Exit.STOP}),
        (Wake.ENTRY, {"entry_side": 0}),
    ],
)
def test_other_wakes_have_no_answer(bits: int, market: dict[str, Any]) -> None:
    """Without an entry side, or an exit without a position, there is nothing to say."""
    assert SCALPER.decide(view(bits, **market)) is None


@given(st.integers(0, 63), st.integers(-3, 3), st.booleans(), st.integers(-2, 2), st.integers(0, 7), st.integers(0, 7))
def test_long_and_short_are_mirror_images(
    bits: int, position: int, busy: bool, entry_side: int, ready: int, exit_bits: int
) -> None:
    """Turning position and entry side round turns the side of the answer round, and nothing else."""
    sides = (entry_side > 0) - (entry_side < 0)
    one = SCALPER.decide(view(bits, position=position, busy=busy, entry_side=sides, ready=ready, exit_bits=exit_bits))
    other = SCALPER.decide(
        view(bits, position=-position, busy=busy, entry_side=-sides, ready=ready, exit_bits=exit_bits)
    )
    if isinstance(one, Intent):
        assert isinstance(other, Intent)
        assert (other.side, other.purpose, other.reason) == (one.side.other, one.purpose, one.reason)
    else:
        assert other == one


def test_the_scalper_keeps_nothing_to_itself() -> None:
    """It is stateless, asks for its compiled triggers only, and answers the same question the same way twice."""
    asked = view(Wake.ENTRY)
    assert SCALPER.decide(asked) == SCALPER.decide(asked)
    assert (SCALPER.state(), SCALPER.asks.on_trigger, SCALPER.asks.every_frame) == ({}, True, False)
