"""One instrument: resting orders, stops, reduce-only, liquidation, funding."""

from __future__ import annotations

import msgspec
import pytest

from exchange.simulated.fees import fee_e8
from exchange.simulated.terms import PaperTerms
from models.account import AccountShape
from models.event import Fill, Funding
from models.instrument import E8
from models.order import OrderType, Side, TimeInForce
from models.rows import Flag
from tests.exchange.simulated.scene import (
    INSTRUMENT,
    MID,
    MS,
    TERMS,
    Scene,
    depth,
    frame,
    limit,
    mark,
    order,
    snapshot,
    stop,
    trade,
)

BUY, SELL = Side.BUY, Side.SELL
SMALL = AccountShape(equity_e8=70 * E8, leverage=10)


def resting(lots: int = 5, price: int = MID, terms: PaperTerms = TERMS) -> Scene:
    """A buy of ``lots`` resting behind ten others since 110 ms."""
    scene = Scene(terms).hear(snapshot(lots=10)).send(100, limit("a", BUY, lots, price)).hear(depth(111))
    assert scene.words() == ["ACCEPTED a"]
    return scene


def long(lots: int = 8, account: AccountShape = SMALL) -> Scene:
    """A scene that holds ``lots`` bought by market at 110 ms; its reports are taken."""
    scene = Scene(account=account).hear(snapshot(lots=100)).send(100, order("in", BUY, lots)).hear(depth(111))
    assert scene.words()[-1] == "FILLED in"
    return scene


def test_trades_at_the_price_fill_only_beyond_the_queue() -> None:
    """Ten lots ahead: a trade of nine fills nothing, the next of three fills two."""
    scene = resting().hear(trade(120, MID, 9, SELL))
    assert scene.words() == []
    assert scene.hear(trade(121, MID, 3, SELL)).words() == [f"fill a 2@{MID}", "PARTIALLY_FILLED a"]


def test_a_trade_through_the_price_fills_all() -> None:
    """A seller who traded one tick lower would have met us first."""
    assert resting().hear(trade(120, MID - 1, 1, SELL)).words() == [f"fill a 5@{MID}", "FILLED a"]


def test_a_resting_fill_is_a_maker_fill_at_maker_fee() -> None:
    """The fill says maker and costs notional times the maker rate, rounded up."""
    fill = resting().hear(trade(120, MID - 1, 1, SELL)).take()[0]
    assert isinstance(fill, Fill)
    assert (fill.maker, fill.fee_e8) == (True, fee_e8(INSTRUMENT.notional_e8(MID, 5), 20_000))


@pytest.mark.parametrize(
    "other",
    [
        trade(109, MID - 1, 50, SELL, received_ms=120),  # before our arrival
        trade(120, MID, 50, BUY),  # a buyer at our price takes nothing from buyers
        trade(120, MID - 1, 50, SELL, flags=Flag.OFF_MARKET),
        trade(120, MID - 1, 50, SELL, flags=Flag.FILLED),
    ],
)
def test_trades_that_cannot_have_met_the_order_fill_nothing(other) -> None:  # type: ignore[no-untyped-def]
    """Earlier trades, trades of our own side, off-market and filled-in trades leave a resting order alone."""
    assert resting().hear(other).words() == []


def test_trades_heard_before_the_proof_still_count() -> None:
    """A trade after the arrival, heard while the order waited for its proof, fills it once proved."""
    scene = Scene().hear(snapshot(lots=2)).send(100, limit("a", BUY, 5, MID)).hear(trade(112, MID, 4, SELL))
    assert scene.words() == []
    assert scene.hear(depth(120)).words() == ["ACCEPTED a", f"fill a 2@{MID}", "PARTIALLY_FILLED a"]


def test_a_crossing_book_fills_what_it_shows() -> None:
    """An ask at our bid's price fills us at our price, up to the lots it shows."""
    scene = resting().hear(depth(120, (0, MID, 0), (1, MID, 3)))
    assert scene.words() == [f"fill a 3@{MID}", "PARTIALLY_FILLED a"]


def test_a_level_that_shrinks_below_the_queue_moves_us_forward() -> None:
    """With four lots left at the level, at most four stand before us."""
    scene = resting().hear(depth(120, (0, MID, 4)), trade(130, MID, 5, SELL))
    assert scene.words() == [f"fill a 1@{MID}", "PARTIALLY_FILLED a"]


def test_depth_and_its_own_trade_are_not_counted_twice() -> None:
    """Depth shows a trade before the trade stream does: the late trade moves us no further."""
    scene = resting().hear(depth(120, (0, MID, 4)), trade(119, MID, 6, SELL, received_ms=125))
    assert scene.hear(trade(130, MID, 4, SELL)).words() == []


def test_a_snapshot_bounds_the_queue() -> None:
    """A fresh full book with one lot at the level leaves one ahead of us."""
    scene = resting().hear(snapshot(120, lots=1), trade(130, MID, 2, SELL))
    assert scene.words() == [f"fill a 1@{MID}", "PARTIALLY_FILLED a"]


def test_one_trade_is_not_spent_twice_by_two_orders() -> None:
    """Two of our orders at one price share what a trade leaves beyond the queue."""
    scene = resting(2).send(120, limit("b", BUY, 2, MID)).hear(depth(131))
    assert scene.words() == ["ACCEPTED b"]
    assert scene.hear(trade(140, MID, 13, SELL)).words() == [
        f"fill a 2@{MID}",
        "FILLED a",
        f"fill b 1@{MID}",
        "PARTIALLY_FILLED b",
    ]


def test_a_cancel_takes_a_resting_order_out() -> None:
    """After the cancel's arrival a trade through the price fills nothing, even when it is heard before the proof."""
    scene = resting().cancel(120, "a").hear(trade(131, MID - 1, 9, SELL)).hear(depth(132))
    assert scene.words() == ["CANCELED a"]


def test_a_trade_before_the_cancel_arrives_fills() -> None:
    """The venue saw the trade first: the fill stands and the cancel comes too late."""
    scene = resting().cancel(120, "a").hear(trade(129, MID - 1, 9, SELL)).hear(depth(132))
    assert scene.words() == [f"fill a 5@{MID}", "FILLED a", "FILLED a -2011"]


@pytest.mark.parametrize(
    ("tif", "lots", "expected"),
    [
        (TimeInForce.GTC, 15, ["ACCEPTED a", f"fill a 10@{MID + 1}", "PARTIALLY_FILLED a"]),
        (TimeInForce.IOC, 15, ["ACCEPTED a", f"fill a 10@{MID + 1}", "EXPIRED a not"]),
        (TimeInForce.FOK, 15, ["REJECTED a -5021"]),
        (TimeInForce.FOK, 10, ["ACCEPTED a", f"fill a 10@{MID + 1}", "FILLED a"]),
        (TimeInForce.GTX, 5, ["REJECTED a -5022"]),
    ],
)
def test_time_in_force(tif: TimeInForce, lots: int, expected: list[str]) -> None:
    """The marketable part walks; what is left rests, expires, or was never accepted."""
    scene = Scene().hear(snapshot(lots=10)).send(100, limit("a", BUY, lots, MID + 1, tif=tif)).hear(depth(111))
    assert scene.words() == expected


def test_a_post_only_order_that_does_not_cross_rests() -> None:
    """GTX at the bid is accepted and can be cancelled."""
    scene = Scene().hear(snapshot()).send(100, limit("a", BUY, 5, MID, tif=TimeInForce.GTX)).hear(depth(111))
    assert scene.cancel(120, "a").hear(depth(131)).words() == ["ACCEPTED a", "CANCELED a"]


def test_an_id_that_is_open_cannot_be_used_again() -> None:
    """A second order with the id of an open one is refused; after the first is gone the id is free."""
    scene = resting().send(120, limit("a", BUY, 5, MID - 1)).hear(depth(131))
    assert scene.words() == ["REJECTED a -4116"]
    scene.cancel(140, "a").hear(depth(151)).send(160, limit("a", BUY, 5, MID - 1)).hear(depth(171))
    assert scene.words() == ["CANCELED a", "ACCEPTED a"]


def test_reduce_only_is_cut_to_the_position() -> None:
    """Selling twenty reduce-only against eight closes eight and is filled."""
    scene = long().send(200, order("x", SELL, 20, reduce_only=True)).hear(depth(211))
    assert scene.words() == ["ACCEPTED x", f"fill x 8@{MID}", "FILLED x"]
    assert scene.exchange.account().positions == ()


def test_reduce_only_without_a_position_is_refused() -> None:
    """A reduce-only order that would open is refused with the venue's code."""
    scene = Scene().hear(snapshot()).send(100, order("x", SELL, 5, reduce_only=True)).hear(depth(111))
    assert scene.words() == ["REJECTED x -2022"]


def test_a_resting_reduce_only_order_expires_when_the_position_is_gone() -> None:
    """The position was closed meanwhile: the trade that reaches the order fills nothing and it expires."""
    scene = long().send(200, limit("x", SELL, 8, MID + 5, reduce_only=True)).hear(depth(211))
    scene.send(220, order("y", SELL, 8, reduce_only=True)).hear(depth(231), trade(240, MID + 9, 5, BUY))
    assert scene.words()[-2:] == ["FILLED y", "EXPIRED x -2022"]


def test_a_stop_triggers_by_the_last_trade_and_walks_the_book_of_that_moment() -> None:
    """The trigger is the trade's time; the next later frame proves the book, and the position closes."""
    scene = long().send(200, stop("s", SELL, 8, MID - 20)).hear(depth(211))
    assert scene.hear(trade(300, MID - 19, 1, SELL)).words() == ["ACCEPTED s"]
    assert scene.hear(trade(301, MID - 20, 1, SELL)).words() == []
    assert scene.exchange.proof_ns == 301 * MS
    assert scene.hear(depth(302)).words() == [f"fill s 8@{MID}", "FILLED s"]


def test_a_stop_on_the_mark_ignores_trades() -> None:
    """With ``stop_price`` mark a trade beyond the trigger does nothing and a mark row does."""
    scene = Scene(msgspec.structs.replace(TERMS, stop_price="mark"))
    scene.hear(snapshot(lots=100), mark(50, MID * INSTRUMENT.tick_e8)).send(100, order("in", BUY, 8)).hear(depth(111))
    scene.send(200, stop("s", SELL, 8, MID - 20)).hear(depth(211), trade(300, MID - 30, 1, SELL), depth(301))
    assert scene.words()[-1] == "ACCEPTED s"
    assert scene.hear(mark(310, (MID - 20) * INSTRUMENT.tick_e8), depth(311)).words()[-1] == "FILLED s"


def test_a_stop_that_is_already_reached_is_refused() -> None:
    """The venue refuses a sell stop above the last price."""
    scene = long().hear(trade(150, MID - 50, 1, SELL)).send(200, stop("s", SELL, 8, MID - 20)).hear(depth(211))
    assert scene.words() == ["REJECTED s -2021"]


def test_a_stop_reached_while_under_way_triggers_once() -> None:
    """Two trades beyond the trigger before the proof close the position once."""
    scene = long().send(200, stop("s", SELL, 8, MID - 20))
    scene.hear(trade(211, MID - 30, 1, SELL), trade(212, MID - 31, 1, SELL), depth(213), depth(214))
    assert scene.words() == ["ACCEPTED s", f"fill s 8@{MID}", "FILLED s"]


def test_a_stop_without_a_position_expires() -> None:
    """A reduce-only stop that finds no position is void."""
    scene = long().send(200, stop("s", SELL, 8, MID - 20)).send(200, order("x", SELL, 8, reduce_only=True))
    scene.hear(depth(211), trade(300, MID - 20, 1, SELL), depth(301))
    assert scene.words()[-1] == "EXPIRED s -2022"


def test_a_cancelled_stop_never_triggers() -> None:
    """After the cancel a trade beyond the trigger leaves the position alone."""
    scene = long().send(200, stop("s", SELL, 8, MID - 20)).hear(depth(211)).cancel(220, "s").hear(depth(231))
    assert scene.hear(trade(300, MID - 30, 1, SELL), depth(301)).words() == ["ACCEPTED s", "CANCELED s"]
    assert scene.exchange.account().positions[0].lots == 8


def test_a_position_is_liquidated_at_the_mark() -> None:
    """One tick above the liquidation price nothing happens; at it the position closes with both fees."""
    scene = long()
    price = scene.exchange.account().positions[0].liquidation_ticks
    before = scene.exchange.account().fees_e8
    assert scene.hear(mark(300, (price + 1) * INSTRUMENT.tick_e8)).words() == []
    scene.hear(mark(301, price * INSTRUMENT.tick_e8))
    fill = scene.take()[0]
    assert isinstance(fill, Fill)
    assert (fill.cause, fill.side, fill.quantity, fill.at_ns) == ("liquidation", SELL, 8, 311 * MS)
    worth = INSTRUMENT.notional_e8(fill.price, 8)
    assert fill.fee_e8 == fee_e8(worth, 50_000) + fee_e8(worth, 1_250_000)
    account = scene.exchange.account()
    assert account.positions == () and account.fees_e8 == before + fill.fee_e8


def test_without_marks_the_mid_liquidates() -> None:
    """A market that carries no mark rows liquidates by the mid of its own book, resting orders first."""
    scene = long()
    price = scene.exchange.account().positions[0].liquidation_ticks
    scene.send(200, limit("r", SELL, 8, MID + 5, reduce_only=True)).hear(depth(211))
    gone = snapshot(300, lots=100, mid=price - 1)
    assert scene.hear(gone).words() == [
        "ACCEPTED r",
        "CANCELED r liquidation",
        f"fill autoclose-{(1 << 40) + 3} 8@{price - 1}",
    ]


def test_what_the_book_cannot_close_closes_at_the_mark() -> None:
    """A liquidation never leaves a rest behind: beyond the known book the mark is the price."""
    scene = long(account=AccountShape(equity_e8=70 * E8, leverage=10))
    scene.hear(snapshot(200, lots=1, levels=3))
    scene.hear(mark(300, 69_000 * E8))
    assert scene.words() == [
        f"fill autoclose-{(1 << 40) + 2} 1@{MID}",
        f"fill autoclose-{(1 << 40) + 2} 1@{MID - 1}",
        f"fill autoclose-{(1 << 40) + 2} 1@{MID - 2}",
        f"fill autoclose-{(1 << 40) + 2} 5@690000",
    ]


def test_funding_is_settled_once_at_its_time() -> None:
    """A long pays mark · position · the last announced rate at the first mark row past the settlement time."""
    scene = long()
    scene.hear(mark(300, 77_000 * E8, 1000, 10_000), mark(1000, 77_100 * E8, 2000, 99), mark(1001, 77_000 * E8, 2000))
    taken = scene.take()
    # 77,100 · 0.008 · 0.0001 = 0.06168 USDT
    assert taken == [Funding(1010 * MS, 0, -6_168_000, 10_000, 77_100 * E8)]
    assert scene.exchange.account().funding_e8 == -6_168_000


def test_a_position_opened_after_the_settlement_pays_nothing() -> None:
    """Only the rows around the settlement time decide; a later row that still names it settles nothing."""
    scene = Scene().hear(
        snapshot(lots=100), mark(999, 77_000 * E8, 1000, 10_000), mark(1001, 77_000 * E8, 1000, 10_000)
    )
    scene.send(1100, order("in", BUY, 8)).hear(depth(1111), mark(1200, 77_000 * E8, 1000, 10_000))
    assert all(not isinstance(report, Funding) for report in scene.take())


def test_market_orders_stop_at_the_take_bound() -> None:
    """Beyond 5 % from the mark a market order takes nothing more; the rest expires."""
    far = MID * 106 // 100
    scene = Scene().hear(snapshot(lots=3, levels=1), depth(50, (1, MID + 1, 3)))
    wide = [(0, MID, 3), (1, MID + 1, 3), (1, far, 50)]
    scene.hear(frame(2, wide, 60 * MS, 60 * MS), mark(70, MID * INSTRUMENT.tick_e8))
    assert scene.send(100, order("a", BUY, 9)).hear(depth(111)).words() == [
        "ACCEPTED a",
        f"fill a 3@{MID + 1}",
        "EXPIRED a beyond",
    ]


def test_margin_that_is_missing_is_refused() -> None:
    """Seventy dollars at ten times do not carry ten lots of 77 dollars each."""
    scene = Scene(account=SMALL).hear(snapshot(lots=100)).send(100, order("a", BUY, 10)).hear(depth(111))
    assert scene.words() == ["REJECTED a -2019"]


def test_resting_orders_hold_back_margin() -> None:
    """A resting order's initial margin is not available to the next order."""
    scene = Scene(account=SMALL).hear(snapshot(lots=100)).send(100, limit("a", BUY, 8, MID)).hear(depth(111))
    assert scene.send(120, order("b", BUY, 8)).hear(depth(131)).words() == ["ACCEPTED a", "REJECTED b -2019"]
    assert scene.exchange.account().available_e8 == 70 * E8 - INSTRUMENT.notional_e8(MID, 8) // 10


def test_fees_can_be_overridden() -> None:
    """Rates in the terms replace the instrument's own."""
    scene = Scene(msgspec.structs.replace(TERMS, fees=msgspec.structs.replace(INSTRUMENT.fees, taker_e8=0)))
    scene.hear(snapshot(lots=100)).send(100, order("a", BUY, 8, type=OrderType.MARKET)).hear(depth(111))
    assert scene.exchange.account().fees_e8 == 0 * len(scene.take())
