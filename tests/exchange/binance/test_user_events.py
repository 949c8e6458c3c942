"""Private events as facts: each execution once, in whatever order the venue's words come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.ids import Ids
from exchange.binance.user_events import GRACE_NS, TRIES_MAX, UserEvents, usable
from models.error import DataError
from models.event import Balance, Event, Fill, Funding, MarginCall, OrderReport
from models.order import OrderState, Side
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import ETHUSDT, Facts

NOW_NS = 1_789_478_303_700_000_000
OURS = "tb-"
DOGE = "DOGEUSDT"


class Ear:
    """Events of two contracts, a clock that stands, and everything that comes out."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.doubts: list[str] = []
        self.named: list[str] = []
        self.expired: list[str] = []
        self.now_ns = NOW_NS
        self.failing = False
        self.ids = Ids()
        self.events = UserEvents(
            (INSTRUMENT, ETHUSDT), self.ids, self._tell, lambda: self.now_ns, lambda name: name.startswith(OURS),
            self.doubts.append, named=self.named.append, expired=self.expired.append,
        )  # fmt: skip

    def _tell(self, event: Event) -> None:
        if self.failing:
            raise RuntimeError("the listener fails")
        self.facts.append(event)

    def hear(self, *payloads: bytes | dict[str, Any]) -> Ear:
        for payload in payloads:
            self.events.take(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        return self

    @property
    def fills(self) -> list[Fill]:
        return self.facts.of(Fill)

    @property
    def reports(self) -> list[OrderReport]:
        return self.facts.of(OrderReport)


@pytest.fixture(scope="module")
def golden() -> dict[str, bytes]:
    folder = Path(__file__).resolve().parents[2] / "data" / "wire"
    return {path.stem.removeprefix("user-"): path.read_bytes() for path in folder.glob("user-*.json")}


def _with(payload: bytes, **order: Any) -> dict[str, Any]:
    """A golden order event with other fields."""
    event: dict[str, Any] = json.loads(payload)
    event["o"].update(order)
    return event


def test_every_golden_event_is_understood(golden: dict[str, bytes]) -> None:
    """Each of the venue's own events is taken without a complaint about its shape."""
    for name, payload in golden.items():
        ear = Ear().hear(payload)
        assert (ear.events.bad, ear.events.unknown) == ({}, {}), name


def test_a_trade_becomes_a_fill_and_then_a_state(golden: dict[str, bytes]) -> None:
    """An execution carries price, quantity, fee, role, result and times as integers; the order's state follows it."""
    facts = Ear().hear(golden["ORDER_TRADE_UPDATE-market-partial"]).facts
    fill = Fill(
        NOW_NS, "tb-20260915-000001", 8_079_747_315, 0, Side.BUY, 769_150, 6, 23_074_500, False,
        1_789_478_303_618_000_000, "", 0,
    )  # fmt: skip
    report = OrderReport(
        NOW_NS, "tb-20260915-000001", 823_456_789_012, OrderState.PARTIALLY_FILLED, 6, 1_789_478_303_618_000_000
    )
    assert facts == [fill, report]


def test_the_venues_own_result_is_told(golden: dict[str, bytes]) -> None:
    """A closing execution carries the venue's realised result."""
    fill = Ear().hear(golden["ORDER_TRADE_UPDATE-reduceonly-close-filled"]).fills[0]
    assert (fill.realised_e8, fill.side, fill.quantity) == (99_960_000, Side.SELL, 10)


@pytest.mark.parametrize(
    ("name", "state", "filled", "reason"),
    [
        ("market-new", OrderState.ACCEPTED, 0, ""),
        ("market-filled", OrderState.FILLED, 10, ""),
        ("market-expired", OrderState.EXPIRED, 6, "expired by the venue, reason 9"),
        ("stp-expired", OrderState.EXPIRED, 0, "expired by the venue, reason 1"),
        ("limit-canceled", OrderState.CANCELED, 0, ""),
        ("limit-amendment", OrderState.ACCEPTED, 0, ""),
    ],
)
def test_states_of_golden_orders(
    name: str, state: OrderState, filled: int, reason: str, golden: dict[str, bytes]
) -> None:
    """Each kind of order event tells the state it proves, with the cumulative quantity."""
    report = Ear().hear(golden[f"ORDER_TRADE_UPDATE-{name}"]).reports[-1]
    assert (report.state, report.filled, report.reason) == (state, filled, reason)


def test_a_liquidation_is_told_with_its_cause(golden: dict[str, bytes]) -> None:
    """An execution under the venue's own id says why it happened (F42)."""
    ear = Ear().hear(golden["ORDER_TRADE_UPDATE-liquidation-new"], golden["ORDER_TRADE_UPDATE-liquidation-filled"])
    assert [(fill.cause, fill.fee_e8, fill.realised_e8) for fill in ear.fills] == [
        ("liquidation", 36_705_000, -3_505_000_000)
    ]


@pytest.mark.parametrize(
    ("client_id", "cause"),
    [
        ("autoclose-1", "liquidation"), ("adl_autoclose", "adl"), ("settlement_autoclose-1", "settlement"),
        ("web_x", "external"), ("tb-1", ""),
    ],
)  # fmt: skip
def test_causes_follow_the_client_id(client_id: str, cause: str, golden: dict[str, bytes]) -> None:
    """Forced executions, a person's, and our own are told apart (F41, F42)."""
    event = _with(golden["ORDER_TRADE_UPDATE-market-filled"], c=client_id)
    assert [fill.cause for fill in Ear().hear(event).fills] == [cause]


# -- one execution, many words ----------------------------------------------------------------------------------------


def test_trade_lite_proves_the_order_and_waits_for_the_fee(golden: dict[str, bytes]) -> None:
    """The quick word tells that an order is in the book and no money; the full word settles, once (F37)."""
    ear = Ear().hear(golden["TRADE_LITE"])
    assert [(one.client_id, one.state) for one in ear.reports] == [("tb-20260915-000001", OrderState.ACCEPTED)]
    assert (ear.fills, ear.events.owing) == ([], True)
    ear.hear(golden["ORDER_TRADE_UPDATE-market-partial"])
    assert ([fill.trade_id for fill in ear.fills], ear.events.owing) == ([8_079_747_315], False)


def test_trade_lite_after_the_full_word_says_nothing(golden: dict[str, bytes]) -> None:
    """The other order of the two words tells the same execution, once (F37)."""
    ear = Ear().hear(golden["ORDER_TRADE_UPDATE-market-partial"], golden["TRADE_LITE"])
    assert (len(ear.fills), len(ear.reports), ear.events.owing) == (1, 1, False)


def test_an_execution_without_its_full_word_is_asked_for(golden: dict[str, bytes]) -> None:
    """When only the quick word comes, its order is named after a second, and again each second (F37)."""
    ear = Ear().hear(golden["TRADE_LITE"])
    assert ear.events.overdue() == []
    ear.now_ns += GRACE_NS
    assert ear.events.overdue() == [(0, 823_456_789_012)]
    assert ear.events.overdue() == []
    ear.events.settle(0, 8_079_747_315)
    assert not ear.events.owing


def test_an_execution_nobody_can_settle_becomes_a_doubt(golden: dict[str, bytes]) -> None:
    """A debt is asked for a bounded number of times; then the account has to be read."""
    ear = Ear().hear(golden["TRADE_LITE"])
    for _ in range(TRIES_MAX):
        ear.now_ns += GRACE_NS
        ear.events.overdue()
    assert (ear.events.owing, len(ear.doubts)) == (False, 1)


NAMES = ["ORDER_TRADE_UPDATE-market-new", "ORDER_TRADE_UPDATE-market-partial", "ORDER_TRADE_UPDATE-market-filled",
         "TRADE_LITE", "ACCOUNT_UPDATE-order"]  # fmt: skip


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=14))
def test_any_order_and_repetition_tells_each_execution_once(names: list[str]) -> None:
    """However often and in whatever order the words come, fills are unique and complete for what was heard (F36)."""
    folder = Path(__file__).resolve().parents[2] / "data" / "wire"
    ear = Ear().hear(*((folder / f"user-{name}.json").read_bytes() for name in names))
    expected = {8_079_747_315 + names_at for names_at, name in enumerate(NAMES[1:3]) if name in names}
    assert sorted(fill.trade_id for fill in ear.fills) == sorted(expected)
    assert not ear.doubts


# -- stops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "filled", "reason"),
    [
        ("new", OrderState.ACCEPTED, 0, ""),
        ("triggering", OrderState.ACCEPTED, 0, ""),
        ("triggered", OrderState.ACCEPTED, 0, ""),
        ("finished", OrderState.FILLED, 10, ""),
        ("canceled", OrderState.CANCELED, 0, ""),
        ("rejected", OrderState.EXPIRED, 0, "REJECTED by the venue: Reduce Only reject"),
        ("expired", OrderState.EXPIRED, 0, "EXPIRED by the venue: "),
    ],
)
def test_a_stops_life_is_told_under_its_client_id(
    name: str, state: OrderState, filled: int, reason: str, golden: dict[str, bytes]
) -> None:
    """Every state of a conditional order is a report with the number of its own kind."""
    report = Ear().hear(golden[f"ALGO_UPDATE-{name}"]).reports[0]
    told = (report.client_id, report.venue_id, report.state, report.filled, report.reason)
    assert told == ("tb-sl-000001", 2_148_719, state, filled, reason)


def _triggered(golden: dict[str, bytes], client_id: str) -> dict[str, Any]:
    """The execution of the order that the golden stop became."""
    return _with(
        golden["ORDER_TRADE_UPDATE-reduceonly-close-filled"], i=823_456_789_017, c=client_id, L="75998.70", t=99
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("name", ["tb-sl-000001", "x-whatever"])
def test_a_triggered_stop_is_one_order_in_any_order_of_words(
    order: Iterable[int], name: str, golden: dict[str, bytes]
) -> None:
    """Trigger, execution and end come in any order, under the stop's id or a foreign one: the stop has filled (F57)."""
    words: list[Any] = [
        golden["ALGO_UPDATE-triggered"], _triggered(golden, name), golden["ALGO_UPDATE-finished"],
    ]  # fmt: skip
    ear = Ear().hear(golden["ALGO_UPDATE-new"], *(words[number] for number in order))
    assert [(fill.client_id, fill.trade_id, fill.cause) for fill in ear.fills] == [("tb-sl-000001", 99, "")]
    assert {report.client_id for report in ear.reports} == {"tb-sl-000001"}
    assert {report.venue_id for report in ear.reports} == {2_148_719}


def test_an_order_nobody_knows_is_told_when_no_stop_claims_it(golden: dict[str, bytes]) -> None:
    """While a stop may have become it a foreign order is held; asked for and unclaimed, it is somebody else's (F41)."""
    ear = Ear().hear(golden["ALGO_UPDATE-new"], _triggered(golden, "web_1"))
    assert ear.fills == []
    ear.now_ns += GRACE_NS
    assert ear.events.overdue() == [(0, 823_456_789_017)]
    ear.events.release(0, 823_456_789_017)
    assert [(fill.client_id, fill.cause) for fill in ear.fills] == [("web_1", "external")]


def test_a_foreign_order_is_told_at_once_without_a_stop(golden: dict[str, bytes]) -> None:
    """With no stop that could have triggered nothing is held back."""
    ear = Ear().hear(_with(golden["ORDER_TRADE_UPDATE-market-filled"], c="web_1"))
    assert [fill.cause for fill in ear.fills] == ["external"]


def test_a_liquidation_is_never_held_back(golden: dict[str, bytes]) -> None:
    """The venue's own orders are known by their names, stop or not."""
    ear = Ear().hear(golden["ALGO_UPDATE-new"], golden["ORDER_TRADE_UPDATE-liquidation-filled"])
    assert [fill.cause for fill in ear.fills] == ["liquidation"]


# -- money and shape --------------------------------------------------------------------------------------------------


def test_an_account_update_is_a_cross_check(golden: dict[str, bytes]) -> None:
    """After a trade the venue's wallet and position are told, and no change beside trades."""
    (balance,) = Ear().hear(golden["ACCOUNT_UPDATE-order"]).facts
    assert isinstance(balance, Balance)
    assert (balance.wallet_e8, balance.change_e8, balance.cause) == (99_961_542_480, 0, "order")
    assert [(held.lots, held.entry_e8, held.isolated) for held in balance.positions] == [(10, 7_691_504_000_000, False)]


def test_a_transfer_changes_the_wallet_beside_trades(golden: dict[str, bytes]) -> None:
    """What was moved in or out is told with its amount."""
    (balance,) = Ear().hear(golden["ACCOUNT_UPDATE-transfer"]).facts
    assert isinstance(balance, Balance)
    assert (balance.change_e8, balance.cause) == (50_000_000_000, "transfer")


@pytest.mark.parametrize("name", ["funding-cross", "funding-isolated"])
def test_funding_is_told_once(name: str, golden: dict[str, bytes]) -> None:
    """Funding is a fact of its own, and no second time a change of the wallet (F50)."""
    funding, balance = Ear().hear(golden[f"ACCOUNT_UPDATE-{name}"]).facts
    assert isinstance(funding, Funding)
    assert isinstance(balance, Balance)
    assert (funding.instrument, funding.amount_e8) == (0, -6_901_480)
    assert (balance.change_e8, balance.cause) == (0, "funding")


def test_funding_of_a_contract_not_traded_here_still_moves_the_wallet(golden: dict[str, bytes]) -> None:
    """Money adds up whoever caused the change."""
    event = json.loads(golden["ACCOUNT_UPDATE-funding-cross"])
    event["a"]["S"] = DOGE
    ear = Ear().hear(event)
    assert [one.change_e8 for one in ear.facts.of(Balance)] == [-6_901_480]
    assert ear.facts.of(Funding) == []


@pytest.mark.parametrize("name", ["funding-cross", "funding-isolated", "transfer"])
def test_money_that_moved_is_counted_once(name: str, golden: dict[str, bytes]) -> None:
    """Two sockets overlap at a rotation and both tell: the second word changes no wallet."""
    ear = Ear().hear(golden[f"ACCOUNT_UPDATE-{name}"], golden[f"ACCOUNT_UPDATE-{name}"])
    moved = [one.change_e8 for one in ear.facts.of(Balance)] + [one.amount_e8 for one in ear.facts.of(Funding)]
    assert len([change for change in moved if change]) == 1


def test_money_that_moved_before_the_start_is_in_the_first_reading(golden: dict[str, bytes]) -> None:
    """A late repetition of a movement from before the account was first read changes no wallet."""
    ear = Ear()
    ear.events.since_ms = 1 << 50
    assert [one.change_e8 for one in ear.hear(golden["ACCOUNT_UPDATE-transfer"]).facts.of(Balance)] == [0]


def test_assets_that_are_not_named_are_not_zero(golden: dict[str, bytes]) -> None:
    """An update without our asset keeps the wallet last heard, and before any was heard tells nothing (F38)."""
    event = json.loads(golden["ACCOUNT_UPDATE-order"])
    event["a"]["B"] = [{"a": "BNB", "wb": "1.0", "cw": "1.0", "bc": "0"}]
    assert Ear().hear(event).facts == []
    ear = Ear().hear(golden["ACCOUNT_UPDATE-transfer"], event)
    assert [one.wallet_e8 for one in ear.facts.of(Balance)] == [100_000_000_000] * 2


def test_one_side_of_hedge_mode_is_no_position(golden: dict[str, bytes]) -> None:
    """Sides of hedge mode say nothing about what is held in all, so they are left to the reading of the account."""
    (balance,) = Ear().hear(golden["ACCOUNT_UPDATE-hedge"]).facts
    assert isinstance(balance, Balance)
    assert balance.positions == ()


def test_a_margin_call_is_told(golden: dict[str, bytes]) -> None:
    """The warning names the contract and its mark price."""
    assert Ear().hear(golden["MARGIN_CALL"]).facts == [MarginCall(NOW_NS, 1, 18_717_127_000)]


@pytest.mark.parametrize("name", ["ACCOUNT_CONFIG_UPDATE-leverage", "ACCOUNT_CONFIG_UPDATE-multiassets",
                                  "CONDITIONAL_ORDER_TRIGGER_REJECT"])  # fmt: skip
def test_changes_of_the_account_want_a_reading(name: str, golden: dict[str, bytes]) -> None:
    """Leverage, asset mode and a refused trigger are doubts about the account's shape or protection (F49)."""
    assert len(Ear().hear(golden[name]).doubts) == 1


def test_a_fee_in_another_asset_leaves_this_wallet_alone(golden: dict[str, bytes]) -> None:
    """A fee paid in BNB is not money of the quote asset; it is counted (F50)."""
    ear = Ear().hear(_with(golden["ORDER_TRADE_UPDATE-market-filled"], N="BNB", n="0.0001"))
    assert (ear.fills[0].fee_e8, ear.events.foreign_fees) == (0, 1)


@pytest.mark.parametrize("name", ["listenKeyExpired", "listenKeyExpired-string-E"])
def test_the_end_of_a_key_is_passed_on(name: str, golden: dict[str, bytes]) -> None:
    """The event counts with its time as a number or as text (F34)."""
    assert Ear().hear(golden[name]).expired == ["WsCMN0a4KHUPTQuX6IUnqEZfB1inxmv1qR4kbf1LuEjur5VdbzqvyxqG9TSjVVxv"]


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_combined_framing_is_unwrapped(golden: dict[str, bytes]) -> None:
    """An event inside a stream's envelope is the event."""
    plain = golden["ORDER_TRADE_UPDATE-market-filled"]
    assert Ear().hear(b'{"stream":"key","data":' + plain + b"}").facts == Ear().hear(plain).facts


def test_an_unknown_event_is_counted_and_nothing_else() -> None:
    """New kinds of events disturb nobody, and their names are kept within bounds (F16)."""
    ear = Ear().hear(*({"e": f"NEWS_{number}"} for number in range(200)))
    assert (ear.facts, ear.doubts, len(ear.events.unknown)) == ([], [], 64)


@pytest.mark.parametrize(
    "payload",
    [b"", b"nonsense", b"[]", b'{"e":"ORDER_TRADE_UPDATE"}', b'{"e":"ORDER_TRADE_UPDATE","o":{"s":"BTCUSDT"}}',
     b'{"e":7}', b'{"e":"ALGO_UPDATE","T":1,"o":{"caid":"a","aid":1,"s":"BTCUSDT","q":"1","X":"PONDERING"}}'],
)  # fmt: skip
def test_an_event_that_cannot_be_used_is_a_doubt(payload: bytes) -> None:
    """A broken event is counted, raises nothing, and wants the account read (F35)."""
    ear = Ear().hear(payload)
    assert (len(ear.doubts), sum(ear.events.bad.values())) == (1, 1)


def test_an_unknown_state_does_not_swallow_its_execution(golden: dict[str, bytes]) -> None:
    """The execution in an event is told before what cannot be understood of it (F35)."""
    ear = Ear().hear(_with(golden["ORDER_TRADE_UPDATE-market-filled"], X="PONDERING"))
    assert (len(ear.fills), len(ear.doubts)) == (1, 1)


def test_a_failing_listener_does_not_make_an_execution_heard(golden: dict[str, bytes]) -> None:
    """When the listener raises, the same execution is told again the next time it is heard (F35)."""
    ear = Ear()
    ear.failing = True
    ear.hear(golden["ORDER_TRADE_UPDATE-market-filled"])
    ear.failing = False
    ear.hear(golden["ORDER_TRADE_UPDATE-market-filled"])
    assert (len(ear.doubts), len(ear.fills)) == (1, 1)


def test_an_order_on_a_contract_not_traded_here_is_a_doubt(golden: dict[str, bytes]) -> None:
    """An unknown symbol in an order event makes the account be read; nothing is told of it (F35)."""
    ear = Ear().hear(_with(golden["ORDER_TRADE_UPDATE-market-filled"], s=DOGE))
    assert (ear.facts, len(ear.doubts), ear.events.foreign_symbols) == ([], 1, 1)


def test_an_execution_without_a_number_is_a_doubt(golden: dict[str, bytes]) -> None:
    """What cannot be told apart from a repetition is read from the account instead."""
    ear = Ear().hear(_with(golden["ORDER_TRADE_UPDATE-market-filled"], t=0))
    assert (ear.fills, len(ear.doubts)) == ([], 1)


def test_a_doubt_quotes_nothing_of_an_event() -> None:
    """A reason names the kind of event and of error, and no text of it."""
    ear = Ear().hear(b'{"e":"listenKeyExpired","listenKey":["Canary"]}')
    assert ear.doubts and "Canary" not in ear.doubts[0]


KEYS = ["e", "o", "a", "s", "c", "X", "x", "i", "t", "l", "z", "B", "P", "p"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)


@given(anything, st.sampled_from(["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "MARGIN_CALL"]))
def test_random_events_never_raise(inner: Any, kind: str) -> None:
    """Any JSON under any known name is taken, or counted as bad with a doubt; nothing is made up (F16)."""
    event = {"e": kind, "o": inner, "a": inner, "p": inner, "T": 1}
    ear = Ear().hear(event)
    assert not ear.fills
    assert bool(ear.events.bad) == bool(ear.doubts)


def test_every_order_that_is_heard_of_is_named(golden: dict[str, bytes]) -> None:
    """Whoever waits for a word on an order learns of each event about it (F40)."""
    ear = Ear().hear(golden["ALGO_UPDATE-new"], golden["TRADE_LITE"], golden["ORDER_TRADE_UPDATE-market-new"])
    assert ear.named == ["tb-sl-000001", "tb-20260915-000001", "tb-20260915-000001"]


def test_contracts_of_two_assets_are_refused() -> None:
    """One wallet is kept, so all contracts settle in one asset."""
    import msgspec

    with pytest.raises(DataError, match="USDC, USDT"):
        usable((INSTRUMENT, msgspec.structs.replace(ETHUSDT, quote="USDC")))
