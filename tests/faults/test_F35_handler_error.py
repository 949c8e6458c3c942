"""F35: a private event cannot be handled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.event import Fill
from tests.faults.real_run import Scene, running

BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("malformed", {"kind": "json"}),
    ("malformed", {"kind": "utf8"}),
    ("malformed", {"kind": "text", "text": '{"e":"ORDER_TRADE_UPDATE","o":{}}'}),
    ("edit_frame", {"set": {"o.S": "SIDEWAYS"}}),
    ("edit_frame", {"set": {"o.L": "1.23456789"}}),
    ("edit_frame", {"delete": ["o.t"]}),
]


def test_a_fill_inside_a_broken_event_does_not_vanish(tmp_path: Path) -> None:
    """Every event of an entry's order is unusable: entries wait, the fill is read from the account, booked once."""

    async def script(scene: Scene) -> None:
        for lever, arguments in BROKEN:
            await scene.normal()
            doubts = scene.venue.stats().doubts
            broken = scene.arm(lever, "user:ORDER_TRADE_UPDATE", count=2, **arguments)
            await scene.open()
            assert broken.done == 2 and scene.venue.stats().doubts > doubts
            scene.leave()
            await scene.until(lambda: scene.clean and scene.can_enter)
            assert len(scene.records("fills")) == len(scene.account.trades)
            assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)


def test_an_event_of_another_contract_is_read_about_and_leaves_us_alone(tmp_path: Path) -> None:
    """An order on a contract that is not traded here is a doubt, and no position of ours."""

    async def script(scene: Scene) -> None:
        await scene.open()
        lots = scene.lots
        event = {"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": FOREIGN}
        doubts = scene.venue.stats().doubts
        scene.pull("emit", {"account": "main", "event": event})
        await scene.until(lambda: scene.venue.stats().doubts > doubts)
        await scene.until(lambda: scene.can_read)
        assert scene.lots == lots and scene.protected

    running(script, tmp_path)


FOREIGN = {
    "s": "ETHUSDT", "c": "web_x", "S": "BUY", "o": "MARKET", "x": "TRADE", "X": "FILLED", "i": 5, "l": "1", "z": "1",
    "L": "3000", "T": 1, "t": 9, "m": False, "n": "0.1", "N": "USDT",
}  # fmt: skip


def test_a_fact_is_in_the_journal_before_it_is_handled(tmp_path: Path) -> None:
    """The engine raises at a fill: the fill is in the journal all the same, and entries wait for a reading."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        step = scene.engine._steps[Fill]

        def raising(event: Fill) -> None:
            scene.engine._steps[Fill] = step
            raise RuntimeError("a handler that fails")

        scene.engine._steps[Fill] = raising
        name = await scene.entered()
        await scene.until(lambda: scene.protected, "the fill, told again")
        fills = scene.journaled("Fill")
        assert [one.client_id for one in fills[:2]] == [name, name] and fills[0].trade_id == fills[1].trade_id
        assert len(scene.records("fills")) == 1

    running(script, tmp_path)
