"""The script of a generated market: pauses, bursts, what comes after them, busy and quiet hours."""

from __future__ import annotations

import pytest

from exchange.emulator.draws import draws
from exchange.emulator.mood import (
    ACTIVE,
    BEFORE,
    CALM,
    FIRST_PAUSE,
    FULL,
    OPENING,
    QUIET,
    SECOND,
    SHORTEST_PAUSE_S,
    UNIT,
    Mood,
    Phase,
)


def mood(seed: int = 1, name: str = "mood") -> Mood:
    return Mood(draws(seed, name).__next__)


def phases(one: Mood, count: int) -> list[tuple[int, Phase]]:
    """The next ``count`` changes of phase: the step at which each began, and it."""
    found: list[tuple[int, Phase]] = []
    step = 0
    while len(found) < count:
        before = one.phase
        one.step()
        step += 1
        if one.phase is not before:
            found.append((step, one.phase))
    return found


def test_nothing_happens_before_somebody_listens() -> None:
    """Without a wake the market stays calm for good."""
    one = mood()
    for _ in range(20_000):
        one.step()
    assert (one.phase, one.bursts) == (CALM, 0)


@pytest.mark.parametrize("seed", range(8))
def test_a_burst_builds_pushes_and_fades(seed: int) -> None:
    """First the book leans and nothing moves, then trades come and lean the same way, then it is quieter than usual."""
    one = mood(seed)
    one.wake()
    (began, build), (_, push), *rest = phases(one, 5)
    assert began == FIRST_PAUSE
    assert build.imbalance is not None and push.imbalance is not None
    assert build.imbalance * push.imbalance > 0 and build.imbalance * push.lean > 0
    assert push.gain > 8 * build.gain and push.gain > 12 * UNIT
    fade = next(phase for _, phase in rest if phase.imbalance is None)
    assert fade.gain < UNIT and fade.lean == 0 and fade.steps >= SHORTEST_PAUSE_S * SECOND


def test_bursts_go_on_after_a_pause() -> None:
    """Burst follows burst with calm between, for as long as somebody asks."""
    one = mood(3)
    one.wake()
    calm = sum(phase is CALM for _, phase in phases(one, 40))
    assert one.bursts >= 8 and calm >= 7


def test_rest_ends_the_bursts_until_the_next_wake() -> None:
    """In the middle of a push, rest is calm at once and for good; a wake begins anew."""
    one = mood()
    one.wake(5)
    phases(one, 2)
    one.rest()
    assert one.phase is CALM
    before = one.bursts
    for _ in range(5_000):
        one.step()
    assert one.bursts == before
    one.wake(1)
    one.step()
    assert one.bursts == before + 1


def test_what_follows_a_burst_is_no_gift() -> None:
    """Of 4,000 bursts half go up, and going on is as likely and as strong as turning."""
    one = mood(11)
    one.bursts = 1  # the first one is a demonstration with a script of its own
    up = on = turned = 0
    lengths = {True: 0, False: 0}
    for _ in range(4_000):
        _, push, *after = one._burst()
        up += push.lean > 0
        if len(after) == 2:
            goes_on = after[0].lean * push.lean > 0
            on += goes_on
            turned += not goes_on
            lengths[goes_on] += after[0].steps
    assert abs(up - 2_000) < 5 * 32
    assert abs(on - turned) < 5 * 49
    assert 2_200 < on + turned < 2_600
    assert lengths[True] / on == pytest.approx(lengths[False] / turned, rel=0.05)


def test_the_books_own_lean_reverts_to_nothing() -> None:
    """Left alone the imbalance wanders on both sides of 0, deviates by 0.2 to 0.35 and never leaves its range."""
    one = mood(5)
    seen = []
    for _ in range(60_000):
        one.step()
        seen.append(one.imbalance)
    mean = sum(seen) / len(seen)
    deviation = (sum((value - mean) ** 2 for value in seen) / len(seen)) ** 0.5
    assert abs(mean) < 0.08 * FULL
    assert 0.2 * FULL < deviation < 0.35 * FULL
    assert max(map(abs, seen)) <= FULL


def test_hours_are_busy_and_quiet() -> None:
    """Over half a day activity goes as low as quiet hours and as high as active ones, and never beyond either."""
    one = mood(2)
    one.wake()
    seen = []
    for _ in range(12 * 3600 * SECOND // 50):
        one.step(50)
        seen.append(one.activity >> 8)
    assert QUIET.activity <= min(seen) < QUIET.activity + 10
    assert ACTIVE.activity - 10 < max(seen) <= ACTIVE.activity


def test_activity_changes_slowly() -> None:
    """A change of hours takes about a minute to be felt: no second changes activity by more than a fiftieth of it."""
    one = mood(2)
    one._regime = QUIET
    before = one.activity
    for _ in range(60):
        one.step(SECOND)
        assert abs(one.activity - before) <= before // 50
        before = one.activity
    assert one.activity < (QUIET.activity + (UNIT - QUIET.activity) // 2) << 8


def test_pauses_have_the_mean_of_their_hours() -> None:
    """Drawn 4,000 times, the pause between bursts averages the hour's gap within a tenth, and is never the same."""
    for regime in (OPENING, ACTIVE, QUIET, BEFORE):
        one = Mood(draws(1, "pause").__next__, regime)
        pauses = [one._pause() for _ in range(4_000)]
        assert sum(pauses) / len(pauses) / SECOND == pytest.approx(regime.gap_s, rel=0.1)
        assert len(set(pauses)) > 500
