"""What the desk's parts share: ids that grow, things that are due, events and records with their times."""

from __future__ import annotations

from itertools import pairwise

from exchange.emulator.trading.pit import Ids
from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, START_MS, Scene


def test_ids_only_grow_and_follow_the_seed() -> None:
    """Orders, trades, conditional orders and transfers each count upwards; the same seed gives the same numbers."""
    one, two = Ids(7), Ids(7)
    for draw in (Ids.order, Ids.trade, Ids.algo, Ids.transfer, Ids.amendment):
        numbers = [draw(one) for _ in range(50)]
        assert all(high > low for low, high in pairwise(numbers))
        assert numbers == [draw(two) for _ in range(50)]
    assert one.client() == two.client() != Ids(8).client()


def test_what_is_due_happens_in_its_order() -> None:
    """Nothing before its time; what is due at one time in the order it was entered."""
    scene = Scene()
    pit, done = scene.desk._pit, []
    for name, after in (("c", 20), ("a", 10), ("b", 10)):
        pit.at(START_MS + after, lambda name=name: done.append(name))  # type: ignore[misc]
    scene.wait(9)
    assert done == []
    scene.wait(11)
    assert done == ["a", "b", "c"]


def test_events_carry_the_venues_times() -> None:
    """T is when it happened, E when it was told; both are the venue's clock."""
    scene = Scene()
    scene.ms += 5
    scene.order()
    assert {(one["T"], one["E"]) for one in scene.events} == {(START_MS + 5, START_MS + 5)}


def test_records_are_numbered_and_never_run_back() -> None:
    """Audit records count from 1; when the clock is set back their time stands still."""
    scene = Scene()
    scene.order()
    scene.ms -= 10_000
    scene.order()
    assert [one["number"] for one in scene.records] == list(range(1, len(scene.records) + 1))
    times = [one["time_us"] for one in scene.records]
    assert times == sorted(times) and times[-1] == START_MS * 1000


def test_records_are_decimal_texts() -> None:
    """Everything with a unit is a text, so that no reader loses a place; there are no floats."""
    scene = Scene()
    scene.order()
    scene.desk.fund(BTC)
    for record in scene.records:
        assert not any(isinstance(value, float) for value in record.values())
        for name in ("price", "quantity", "fee", "realised", "wallet", "amount", "mark", "rate", "cost"):
            assert isinstance(record.get(name, ""), str)


def test_one_happening_is_one_account_event() -> None:
    """Several fills of one order, and of another account's, are one ACCOUNT_UPDATE an account."""
    scene = Scene()
    other = scene.desk.open_account("other", 1000 * E8)
    scene.book((("76914.80", "1.000"),), (("76915.00", "0.004"),))
    scene.call(
        "POST /fapi/v1/order", other, symbol=BTC, side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.006",
        price="76914.90",
    )  # fmt: skip
    scene.order()
    told = [name for name, event in scene.all_events if event["e"] == "ACCOUNT_UPDATE"]
    assert sorted(told) == ["main", "other"]
