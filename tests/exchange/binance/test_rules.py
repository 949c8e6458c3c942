"""The rules of traded contracts, watched."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from exchange.binance.instruments import instruments_of
from exchange.binance.rules import RuleWatch
from models.error import DataError, VenueUnreachableError
from models.event import StreamState


class Watched:
    """A watch over the golden BTCUSDT with answers given by hand; ``told`` are the facts."""

    def __init__(self, wire: Path, every_s: float = 900.0) -> None:
        self.info: dict[str, Any] = json.loads((wire / "rest-exchangeInfo-BTCUSDT.json").read_bytes())
        self.told: list[StreamState] = []
        self.asked = 0
        self.answers: list[BaseException] = []
        known = instruments_of(self.body, ["BTCUSDT"])
        self.watch = RuleWatch(self.ask, known, lambda: 7, every_s=every_s)
        self.watch.tell = self.told.append  # type: ignore[assignment]

    @property
    def body(self) -> bytes:
        return json.dumps(self.info).encode()

    async def ask(self) -> bytes:
        self.asked += 1
        if self.answers:
            raise self.answers.pop()
        return self.body

    def judge(self) -> list[StreamState]:
        self.told.clear()
        self.watch.judge(self.body)
        return self.told


def test_the_same_rules_say_nothing(wire: Path) -> None:
    """An answer with the rules the run began with is no fact."""
    assert Watched(wire).judge() == []


@pytest.mark.parametrize("kind", ["PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL"])
def test_another_filter_is_a_loss_told_once(wire: Path, kind: str) -> None:
    """Changed tick, step, market step or minimum are told once, and their return as well."""
    seen = Watched(wire)
    filters = {one["filterType"]: one for one in seen.info["symbols"][0]["filters"]}
    name = {"PRICE_FILTER": "tickSize", "MIN_NOTIONAL": "notional"}.get(kind, "minQty")
    before = filters[kind][name]
    filters[kind][name] = {"PRICE_FILTER": "1.00", "MIN_NOTIONAL": "100"}.get(kind, "0.002")
    assert [(one.instrument, one.stream, one.alive) for one in seen.judge()] == [(0, "rules", False)]
    assert seen.judge() == []
    filters[kind][name] = before
    assert [one.alive for one in seen.judge()] == [True]


def test_a_contract_that_does_not_trade_is_a_loss(wire: Path) -> None:
    """Whatever state it is in but TRADING, and the state is named."""
    seen = Watched(wire)
    seen.info["symbols"][0]["status"] = "SETTLING"
    assert "SETTLING" in seen.judge()[0].reason


def test_a_contract_that_is_gone_is_an_error_and_no_fact(wire: Path) -> None:
    """An answer without the contract cannot be used; the task that asks goes on."""
    seen = Watched(wire)
    seen.info["symbols"][0]["symbol"] = "ETHUSDT"
    with pytest.raises(DataError, match="BTCUSDT"):
        seen.judge()
    assert seen.told == []


def test_it_looks_when_asked_to_and_by_itself_and_survives_failures(wire: Path) -> None:
    """A refusal is looked after at once, a failed look is repeated at its interval, and nothing is left at the end."""

    async def run() -> Watched:
        seen = Watched(wire, every_s=0.01)
        seen.answers = [VenueUnreachableError("nobody there"), DataError("no answer")]
        seen.info["symbols"][0]["status"] = "PENDING_TRADING"
        seen.watch.start()
        seen.watch.refresh(0)
        async with asyncio.timeout(5):
            while not seen.told:
                await asyncio.sleep(0.001)
        await seen.watch.close()
        await seen.watch.close()
        assert len(asyncio.all_tasks()) == 1
        return seen

    seen = asyncio.run(run())
    assert seen.asked == 3 and len(seen.told) == 1
