"""F67: collections that grow with time: after thousands of orders, fills and readings nothing is larger than its bound.

On the core's desk, where a month's orders pass in a second; the feed's tasks after a thousand reconnects are F07's, the
recording's and the log's bounds are tested in their rooms.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from core.execution import orders as own_orders
from models.order import OrderState
from tests.core.desk import MID
from tests.core.test_custody import Scene, shown, stop_of

ROUNDS = 400


def sizes(root: object) -> dict[str, int]:
    """Every dictionary, list, set and queue that hangs below ``root``, by where it hangs."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("", root)]
    while todo:
        path, one = todo.pop()
        if id(one) in seen or path.count(".") > 8:
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | set | deque):
            found[path] = len(one)
            continue
        names = [
            *getattr(one, "__dict__", {}),
            *(name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())),
        ]
        if type(one).__module__.split(".")[0] in ("core", "tests"):
            todo += [(f"{path}.{name}", getattr(one, name, None)) for name in names if name != "log"]
    return found


def one_round(scene: Scene) -> None:
    """A round trip with its stop, its readings, and a stop that the venue drops now and then."""
    scene.open(lots=1)
    stop = stop_of(scene)
    scene.report(stop, OrderState.ACCEPTED)
    scene.wait(1_000)
    scene.read(shown(stop))
    scene.close(MID)
    scene.wait(1_000)
    scene.read()
    scene.command("allow_entries")
    scene.wait(60_000)
    scene.log.clear()


def test_nothing_grows_with_the_number_of_orders() -> None:
    """After four hundred round trips no collection of the core is larger than after half of them, but for those that
    are bounded by a day or by a number, and these keep their bounds."""
    scene = Scene(
        "risk.entries_per_hour=100000", "risk.entries_per_day=100000", "risk.repeat_entries_max=100000",
        "risk.fee_budget_pct=100", "risk.streak_pause=100000", "risk.streak_halt=100001",
    ).begun()  # fmt: skip
    for _ in range(ROUNDS // 2):
        one_round(scene)
    half = sizes(scene.engine)
    for _ in range(ROUNDS // 2):
        one_round(scene)
    whole = sizes(scene.engine)
    grown = {path: (half.get(path), size) for path, size in whole.items() if size > half.get(path, 0) + 8}
    assert {path.rpartition(".")[2] for path in grown} == {"entries"}, grown  # the ledger's, of one day (P14)
    assert max(size for path, size in whole.items() if path.endswith("._orders")) <= own_orders.KEPT
