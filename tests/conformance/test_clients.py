"""Foreign clients, told only where the venue is, trade a day on the embedded exchange as they would on the real one."""

from __future__ import annotations

import pytest

from tests.conformance.clients.reporting import STEPS
from tests.conformance.living import CLIENTS, Day, lived


@pytest.fixture(scope="module", params=CLIENTS)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """The day of one client, lived once for all that is asked of it."""
    return lived(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_day_succeeds(day: Day, step: str) -> None:
    """The client gets through the step, with answers and events as it expects them."""
    assert step in day.steps, f"the day ended before it: {day.client}"
    assert day.steps[step].ok, day.steps[step].detail


def test_the_client_ends_well(day: Day) -> None:
    """The script has told every step in its order and ended with 0."""
    assert (list(day.steps), day.client[0]) == (list(STEPS), 0), day.client


def test_the_exchange_has_no_complaint(day: Day) -> None:
    """The exchange ended with its parent, code 0, and wrote nothing to its standard error."""
    assert day.exchange == (0, "")
