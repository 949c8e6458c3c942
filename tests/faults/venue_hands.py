"""What the venue does to an account beside its levers: a stop triggers, the market leaves our orders alone."""

from __future__ import annotations

from exchange.emulator.trading.algos import Algo
from tests.faults.real_run import Scene


def trigger(scene: Scene, algo: Algo | None = None) -> None:
    """The market reaches the trigger of a waiting stop (of the only one, unless told)."""
    desk = scene.exchange.venue.desk
    (one,) = scene.account.watched_algos() if algo is None else (algo,)
    desk._conditional.trigger(one)
    desk._pit.flush()
    scene.exchange.venue.streams.release()


def still(scene: Scene) -> None:
    """From now on no order of the account meets the market: what rests rests, until a lever fills it."""
    scene.exchange.venue.desk.market_event = lambda frame: None  # type: ignore[method-assign]
