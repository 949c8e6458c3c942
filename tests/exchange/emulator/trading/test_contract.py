"""A contract at the desk: its book, its marks, rules that change while orders exist."""

from __future__ import annotations

import pytest

from exchange.emulator.trading.contract import TEXTS_KEPT, Contract
from exchange.emulator.trading.texts import BUY, SELL
from models.error import UsageError
from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, Scene


def _contract() -> Contract:
    return Scene().desk.contracts[BTC]


def test_the_book_is_read_best_first_without_what_is_taken() -> None:
    """A level that is taken whole is not there; one that is taken in part holds the rest."""
    contract = _contract()
    contract.take(SELL, 7_691_500_000_000, 600_000)
    contract.take(SELL, 7_691_510_000_000, E8 // 2)
    assert list(contract.levels(SELL)) == [(7_691_510_000_000, E8 // 2), (7_693_000_000_000, 5 * E8)]
    assert contract.best(SELL) == 7_691_510_000_000 and contract.nth(BUY, 3) == 7_690_000_000_000
    assert contract.nth(BUY, 4) == 0


def test_deep_levels_are_found() -> None:
    """A walk goes on beyond the twenty levels that are looked at first."""
    scene = Scene()
    scene.book((), [(f"{76915 + step}.00", "0.001") for step in range(50)])
    scene.order(quantity="0.045")
    assert len(scene.heard("TRADE_LITE")) == 45


def test_what_rests_at_a_price() -> None:
    """Quantity at a level, nothing between levels and beyond the book."""
    contract = _contract()
    prices = (7_691_490_000_000, 7_691_485_000_000, 7_000_000_000_000)
    assert [contract.at(BUY, price) for price in prices] == [6 * E8, 0, 0]


def test_the_mark_is_known_before_the_first_frame() -> None:
    """Until a mark has come, premiumIndex says it."""
    contract = _contract()
    assert contract.mark_e8 == 7_691_695_122_464 and contract.rate_e8 == 10_000


def test_the_last_price_is_known_before_the_first_trade() -> None:
    """Until a trade has come, it is the middle of the book; without a book the mark."""
    scene = Scene()
    contract = scene.desk.contracts[BTC]
    assert contract.last_e8 == 7_691_495_000_000
    scene.book((), ())
    assert contract.last_e8 == contract.mark_e8
    scene.trade("76000.00")
    assert contract.last_e8 == 7_600_000_000_000


def test_a_market_without_a_book_offers_nothing() -> None:
    """A recording before its snapshot has no book: nothing is offered and nothing breaks."""
    scene = Scene()
    scene.book((), ())
    assert list(scene.desk.contracts[BTC].levels(BUY)) == []
    scene.expect_refused_order(-2020)


def test_texts_are_kept_in_bounds() -> None:
    """The table of read numbers is emptied when it is full."""
    contract = _contract()
    for number in range(TEXTS_KEPT + 10):
        contract.number(str(number))
    assert len(contract._numbers) <= TEXTS_KEPT


# -- rules that change -------------------------------------------------------------------------------------------------


def test_a_new_tick_keeps_the_limits_and_what_exists() -> None:
    """Limits counted in ticks keep their prices, a resting order keeps its price, exchangeInfo tells the new tick."""
    scene = Scene()
    placed = scene.limit("BUY", "76914.90")
    before = scene.desk.instruments[0]
    scene.desk.change_filters(BTC, tick_e8=E8 // 2)
    after = scene.desk.instruments[0]
    assert after.tick_e8 == E8 // 2
    assert abs(after.filters.price_max * after.tick_e8 - before.filters.price_max * before.tick_e8) < after.tick_e8
    assert scene.call("GET /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])["price"] == "76914.90"
    scene.expect_refused_order(-4014, type="LIMIT", price="76914.90")
    scene.limit("BUY", "76914.50")


def test_a_new_step_keeps_the_position() -> None:
    """A position off the new step stays as it is and is told exactly."""
    scene = Scene()
    scene.order(quantity="0.013")
    scene.desk.change_filters(BTC, lot_e8=1_000_000)
    assert scene.call("GET /fapi/v3/positionRisk")[0]["positionAmt"] == "0.013"
    scene.expect_refused_order(-4023, quantity="0.013", side="SELL", reduceOnly="true")


def test_a_finer_step_is_told_with_more_places() -> None:
    """Quantities finer than the places of old are written in full."""
    scene = Scene()
    scene.desk.change_filters(BTC, lot_e8=10_000, quantity_places=4)
    assert scene.order(quantity="0.0105")["origQty"] == "0.0105"


@pytest.mark.parametrize("changes", [{"nonsense": 1}, {"tick_e8": 0}, {"tick_e8": 10}])
def test_rules_that_cannot_be_are_refused(changes: dict[str, int]) -> None:
    """An unknown name, or sizes whose product is no whole unit of money, change nothing."""
    scene = Scene()
    before = scene.desk.instruments
    with pytest.raises(UsageError, match=BTC):
        scene.desk.change_filters(BTC, **changes)
    assert scene.desk.instruments == before
