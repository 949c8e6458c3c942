"""The virtual loop: its clock jumps, and everything of an instant is done before it does."""

from __future__ import annotations

import asyncio
import time

import pytest

from wiring.simulation.loop import START_S, VirtualLoop


def test_an_hour_of_waiting_takes_no_time() -> None:
    """The clock stands while anything runs and jumps to the next timer, in the order of the timers."""
    loop, woken = VirtualLoop(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, loop.time() - START_S))

    async def both() -> None:
        await asyncio.gather(sleeper(3600.0), sleeper(1.5))

    began_s = time.process_time()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(both())
    assert woken == [(1.5, 1.5), (3600.0, 3600.0)]
    assert loop.now_ns == 3_600_000_000_000
    assert time.process_time() - began_s < 60


def test_timers_of_one_instant_run_in_the_order_they_were_asked_for() -> None:
    """Equal times are told apart by when they were asked for; a cancelled timer does not run."""
    loop, ran = VirtualLoop(), []

    async def ask() -> None:
        timers = [loop.call_later(1.0, ran.append, number) for number in range(20)]
        timers[7].cancel()
        await asyncio.sleep(2.0)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(ask())
    assert ran == [number for number in range(20) if number != 7]


def test_an_instant_is_over_before_the_clock_goes_on() -> None:
    """``settled`` is called once the callbacks of an instant have run, with the clock still there."""
    loop, seen = VirtualLoop(), []
    loop.settled = lambda: seen.append(loop.time() - START_S)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(asyncio.sleep(2.0))
    assert seen[0] == 0.0 and set(seen) <= {0.0, 2.0}


def test_a_loop_without_timers_says_so() -> None:
    """What waits for something that can never come is a mistake, not a program that hangs."""
    loop = VirtualLoop()

    async def never() -> None:
        await loop.create_future()

    runner = asyncio.Runner(loop_factory=lambda: loop)
    with pytest.raises(RuntimeError, match="stands still"):
        runner.run(never())
    loop.close()
