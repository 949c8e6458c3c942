"""Every limit of an entry below, at and beyond its bound, in both profiles (failure catalogue, pre-trade controls)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kernels.book import NO_ASK, NO_BID
from core.risk import limits
from core.risk.ledger import DAY_NS, HOUR_NS, MINUTE_NS, Entry
from core.risk.limits import LIMITS, Question, Refusal
from models.instrument import E8
from models.order import Side
from tests.builders import MS, SECOND
from tests.core.desk import INSTRUMENT
from tests.core.risk.questions import NOW_NS, PROFILES, first, question

Changes = dict[str, Any]


def test_a_calm_market_passes_every_limit() -> None:
    """The question all cases below start from is answered with yes in both profiles."""
    assert [first(question(profile)) for profile in PROFILES] == [None, None]


VALUE_CASES: list[tuple[str, str, str, Changes, tuple[Changes, Changes, Changes], str]] = [
    (
        "owner", "P02", "ORDER_VALUE", {"lots": 10},
        ({"worst": 699_999}, {"worst": 700_000}, {"worst": 700_100}), "700.10 USDT > 700.00 USDT",
    ),
    (
        "cautious", "P02", "ORDER_VALUE", {"lots": 2},
        ({"worst": 1_224_999}, {"worst": 1_225_000}, {"worst": 1_226_000}), "245.20 USDT > 245.00 USDT",
    ),
    (
        "cautious", "P02", "ORDER_QUANTITY", {"worst": 100_000},
        ({"lots": 2}, {"lots": 3}, {"lots": 4}), "0.004 > 0.003",
    ),
    (
        "owner", "P03", "POSITION_VALUE", {"worst": 700_000},
        ({"exposure_e8": 630 * E8 - 1}, {"exposure_e8": 630 * E8}, {"exposure_e8": 631 * E8}),
        "701.00 USDT > 700.00 USDT",
    ),
    (
        "cautious", "P03", "POSITION_VALUE", {"worst": 700_000},
        ({"exposure_e8": 280 * E8 - 1}, {"exposure_e8": 280 * E8}, {"exposure_e8": 281 * E8}),
        "351.00 USDT > 350.00 USDT",
    ),
    (
        "owner", "P04", "CEILING", {"worst": 700_000},
        ({"exposure_e8": 630 * E8 - 1}, {"exposure_e8": 630 * E8}, {"exposure_e8": 631 * E8}),
        "701.00 USDT > 700.00 USDT, the compiled ceiling",
    ),
    (
        "cautious", "P04", "CEILING", {"worst": 700_000},
        ({"exposure_e8": 420 * E8 - 1}, {"exposure_e8": 420 * E8}, {"exposure_e8": 421 * E8}),
        "491.00 USDT > 490.00 USDT, the compiled ceiling",
    ),
    (
        "owner", "P05", "MARGIN", {"worst": 700_000},
        ({"reserved_e8": 6_223_000_000 - 1}, {"reserved_e8": 6_223_000_000}, {"reserved_e8": 6_224_000_000}),
        "free margin 0.69 USDT < 0.70 USDT",
    ),
    (
        "cautious", "P05", "MARGIN", {"worst": 700_000},
        ({"reserved_e8": 4_893_000_000 - 1}, {"reserved_e8": 4_893_000_000}, {"reserved_e8": 4_894_000_000}),
        "free margin 13.99 USDT < 14.00 USDT",
    ),
    (
        "owner", "P06", "TRADE_RISK", {"lots": 10, "stop_pct": 5.4},
        ({"worst": 699_999}, {"worst": 700_000}, {"worst": 700_200}),
        "a stop with fees costs 38.51 USDT > 38.50 USDT",
    ),
    (
        "cautious", "P06", "TRADE_RISK", {"lots": 2, "stop_pct": 0.6},
        ({"worst": 999_999}, {"worst": 1_000_000}, {"worst": 1_010_000}),
        "a stop with fees costs 1.41 USDT > 1.40 USDT",
    ),
    (
        "owner", "P07", "STOP_DISTANCE", {},
        ({"stop_pct": 4.9}, {"stop_pct": 5.0}, {"stop_pct": 5.1}), "5.1 % of entry > 5.0 %",
    ),
    (
        "cautious", "P07", "STOP_DISTANCE", {},
        ({"stop_pct": 0.5}, {"stop_pct": 0.6}, {"stop_pct": 0.7}), "0.7 % of entry > 0.6 %",
    ),
    (
        "owner", "P07", "LIQUIDATION", {},
        ({"leverage": 11}, {"leverage": 12}, {"leverage": 13}), "7.32 % from entry < 7.50 %",
    ),
    (
        "owner", "P07", "LIQUIDATION", {"side": Side.SELL},
        ({"leverage": 11}, {"leverage": 12}, {"leverage": 13}), "7.26 % from entry < 7.50 %",
    ),
    (
        "cautious", "P07", "LIQUIDATION", {"stop_pct": 0.6},
        ({"leverage": 18}, {"leverage": 19}, {"leverage": 20}), "4.62 % from entry < 4.80 %",
    ),
]  # fmt: skip
"""Profile, control, code, what is the same in all three, (below, at, beyond), the message beyond: limits on value."""

MILLION = {"bid": 999_999, "ask": 1_000_001}  # a mid of exactly a million ticks: a bps is 100 ticks
WIDE = {"collar_touch_bps": 100.0, "slippage_max_bps": 100.0}
MARKET_CASES: list[tuple[str, str, Changes, tuple[Changes, Changes, Changes], str]] = [
    (
        "P08", "COLLAR", {"ask": 1_000_000, "bid": 999_999},
        ({"worst": 1_000_999}, {"worst": 1_001_000}, {"worst": 1_001_001}), "10.01 bps through the touch > 10.0 bps",
    ),
    (
        "P08", "COLLAR", {"ask": 1_000_001, "bid": 1_000_000, "side": Side.SELL},
        ({"worst": 999_001}, {"worst": 999_000}, {"worst": 998_999}), "10.01 bps through the touch > 10.0 bps",
    ),
    (
        "P08", "SLIPPAGE", {"ask": 1_000_000, "bid": 999_999, "slippage_max_bps": 5.0},
        ({"worst": 1_000_499}, {"worst": 1_000_500}, {"worst": 1_000_501}), "5.01 bps through the touch > 5.0 bps",
    ),
    (
        "P08", "COLLAR", MILLION | WIDE,
        ({"worst": 1_001_499}, {"worst": 1_001_500}, {"worst": 1_001_501}), "15.01 bps from mid > 15.0 bps",
    ),
    (
        "P09", "SPREAD", {"lots": 0},
        ({"bid": 999_851, "ask": 1_000_149}, {"bid": 999_850, "ask": 1_000_150}, {"bid": 999_849, "ask": 1_000_151}),
        "3.02 bps > 3.0 bps",
    ),
    (
        "P09", "DEPTH", {"lots": 8},
        ({"ask_depth": 161}, {"ask_depth": 160}, {"ask_depth": 159}), "depth of 5 levels 159 < 160 lots",
    ),
    (
        "P09", "DEPTH", {"lots": 8, "side": Side.SELL},
        ({"bid_depth": 161}, {"bid_depth": 160}, {"bid_depth": 159}), "depth of 5 levels 159 < 160 lots",
    ),
    (
        "P10", "STALE", {},
        (
            {"book_ns": NOW_NS - 299 * MS}, {"book_ns": NOW_NS - 300 * MS}, {"book_ns": NOW_NS - 301 * MS},
        ),
        "book age 301 ms > 300 ms",
    ),
    (
        "P10", "LATE", {},
        ({"event_lag_ns": 799 * MS}, {"event_lag_ns": 800 * MS}, {"event_lag_ns": 801 * MS}),
        "event lag 801 ms > 800 ms",
    ),
    (
        "P10", "QUOTE_GAP", {},
        ({"quote_gap": 1}, {"quote_gap": 2}, {"quote_gap": 3}), "quote and book differ by 3 > 2 ticks",
    ),
    (
        "P10", "QUOTE_GAP", {"quote_gap": 7, "quote_final": False},
        (
            {"quote_ns": NOW_NS - 499 * MS}, {"quote_ns": NOW_NS - 500 * MS}, {"quote_ns": NOW_NS - 501 * MS},
        ),
        "quote and book differ by 7 > 2 ticks",
    ),
    (
        "P10", "MARK_GAP", {"mark_e8": 100_000 * INSTRUMENT.tick_e8},
        ({"last": 100_249}, {"last": 100_250}, {"last": 100_251}), "last and mark differ by 0.251 % > 0.25 %",
    ),
    (
        "P10", "MARK_GAP", {"mark_e8": 100_000 * INSTRUMENT.tick_e8},
        ({"last": 99_751}, {"last": 99_750}, {"last": 99_749}), "last and mark differ by 0.251 % > 0.25 %",
    ),
    (
        "P10", "MOVE", {"mid_then2": 2_000_000},
        ({"bid": 1_004_998}, {"bid": 1_004_999}, {"bid": 1_005_099}), "mid moved 0.51 %/s > 0.5 %/s",
    ),
    (
        "P10", "MOVE", {"mid_then2": 2_000_000},
        ({"bid": 995_000}, {"bid": 994_999}, {"bid": 994_899}), "mid moved 0.51 %/s > 0.5 %/s",
    ),
    (
        "P17", "OPEN_ORDERS", {"entry_orders_max": 2},
        ({"alive_entries": 0}, {"alive_entries": 1}, {"alive_entries": 2}), "3 entry orders > 2",
    ),
    (
        "P17", "OPEN_ORDERS", {},
        ({"alive": 3}, {"alive": 4}, {"alive": 5}), "6 open orders > 5",
    ),
]  # fmt: skip
"""Control, code, what is the same in all three, (below, at, beyond), the message beyond: the same in both profiles."""


def refusals(q: Question, control: str) -> list[Refusal]:
    """What the limits of one control say."""
    asked = [limit for limit in LIMITS if limit.__name__.startswith(control.lower())]
    assert asked, control
    return [refusal for limit in asked if (refusal := limit(q)) is not None]


def moved(changes: Changes, more: Changes) -> Changes:
    """Both together; a book given by its bid alone keeps a spread of two ticks."""
    both = changes | more
    return both if "bid" not in both or "ask" in both else both | {"ask": both["bid"] + 2}


@pytest.mark.parametrize(
    ("profile", "control", "code", "same", "steps", "detail"),
    VALUE_CASES,
    ids=[f"{case[0]}-{case[1]}-{case[2]}-{number}" for number, case in enumerate(VALUE_CASES)],
)
def test_limits_on_value(
    profile: str, control: str, code: str, same: Changes, steps: tuple[Changes, Changes, Changes], detail: str
) -> None:
    """Below and at its bound a limit on value lets pass; beyond it refuses with control, code and both numbers."""
    below, at, beyond = (refusals(question(profile, **same, **step), control) for step in steps)
    assert (below, at) == ([], [])
    assert beyond == [Refusal(control, code, detail, halts=control == "P04")]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("control", "code", "same", "steps", "detail"),
    MARKET_CASES,
    ids=[f"{case[0]}-{case[1]}-{number}" for number, case in enumerate(MARKET_CASES)],
)
def test_limits_on_the_market(
    profile: str, control: str, code: str, same: Changes, steps: tuple[Changes, Changes, Changes], detail: str
) -> None:
    """Below and at its bound a limit on market or orders lets pass; beyond it refuses with both numbers."""
    below, at, beyond = (refusals(question(profile, **moved(same, step)), control) for step in steps)
    assert (below, at, beyond) == ([], [], [Refusal(control, code, detail)])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("window_ns", "most", "name"), [(SECOND, 5, "1 s"), (10 * SECOND, 20, "10 s"), (MINUTE_NS, 60, "1 min")]
)
def test_order_messages_by_window(profile: str, window_ns: int, most: int, name: str) -> None:
    """P12: the last message a window allows passes, the next one is refused; a message as old as the window is out."""
    answers = []
    for count in (most - 2, most - 1, most):
        q = question(profile, messages_per_s=999, messages_per_10s=999, messages_per_min=999)
        q.settings = msgspec.structs.replace(
            q.settings, **{f"messages_per_{name.replace('1 ', '').replace(' ', '')}": most}
        )
        q.ledger.message(NOW_NS - window_ns)
        for number in range(count):
            q.ledger.message(NOW_NS - window_ns + 1 + number)
        answers.append(limits.p12_messages(q))
    assert answers == [None, None, Refusal("P12", "MESSAGES", f"{most + 1} order messages in {name} > {most}")]


def entries(q: Question, times: list[int], side: Side = Side.BUY, price: int = 5, lots: int = 1) -> Question:
    """``q`` after entries at ``times``."""
    for at_ns in times:
        q.ledger.entry(Entry(at_ns, 0, side, price, lots))
    return q


@pytest.mark.parametrize("profile", PROFILES)
def test_repeated_entries_one_way(profile: str) -> None:
    """P14: the third entry on a side within a minute without a closed round trip passes, the fourth is refused."""
    minute_ago = NOW_NS - MINUTE_NS
    answers = [
        limits.p14_repeats(entries(question(profile), [minute_ago] + [minute_ago + 1] * count)) for count in (1, 2, 3)
    ]
    assert answers == [None, None, Refusal("P14", "REPEATED", "4 entries one way without a round trip > 3")]


@pytest.mark.parametrize(("side", "trip"), [(Side.SELL, False), (Side.BUY, True)])
def test_repeats_are_counted_by_side_and_since_the_last_round_trip(side: Side, trip: bool) -> None:
    """P14: entries of the other side do not count, and a closed round trip begins the count anew."""
    q = entries(question(), [NOW_NS - 1] * 3, side)
    if trip:
        q.ledger.trip(0)
    assert limits.p14_repeats(q) is None


@pytest.mark.parametrize("profile", PROFILES)
def test_entries_of_an_hour(profile: str) -> None:
    """P14: the thirtieth entry of an hour passes, the next is refused; an entry an hour old is out."""
    answers = []
    for count in (28, 29, 30):
        q = entries(question(profile), [NOW_NS - HOUR_NS] + [NOW_NS - HOUR_NS + 1] * count)
        answers.append(limits.p14_repeats(q))
    assert answers == [None, None, Refusal("P14", "ENTRIES", "31 entries in an hour > 30")]


@pytest.mark.parametrize("profile", PROFILES)
def test_entries_of_a_day(profile: str) -> None:
    """P14: the 150th entry of a UTC day passes, the next is refused; what came before midnight is out."""
    midnight = NOW_NS // DAY_NS * DAY_NS
    answers = []
    for count in (148, 149, 150):
        q = entries(question(profile), [midnight - 1] * 9 + [midnight] * count)
        answers.append(limits.p14_repeats(q))
    assert answers == [None, None, Refusal("P14", "ENTRIES", "151 entries in a UTC day > 150")]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_duplicate_within_a_second(profile: str) -> None:
    """P15: the same order again within a second is refused with its age, after exactly a second it passes."""
    answers = []
    for age_ms in (999, 1_000, 1_001):
        q = question(profile)
        answers.append(limits.p15_duplicate(entries(q, [NOW_NS - age_ms * MS], price=q.touch)))
    assert answers == [Refusal("P15", "DUPLICATE", "the same order was sent 999 ms ago < 1000 ms"), None, None]


@pytest.mark.parametrize("change", [{"side": Side.SELL}, {"ask": 770_002}, {"lots": 2}, {"instrument": 1}])
def test_a_different_order_is_no_duplicate(change: Changes) -> None:
    """P15: another side, price, quantity or contract is another order."""
    q = entries(question(), [NOW_NS], price=question().touch)
    for name, value in change.items():
        setattr(q, name, value if name != "instrument" else msgspec.structs.replace(INSTRUMENT, index=value))
    assert limits.p15_duplicate(q) is None


def test_a_duplicate_is_found_behind_another_order() -> None:
    """P15: an order in between does not hide that the one before it was the same."""
    q = entries(question(), [NOW_NS - 200 * MS], price=question().touch)
    entries(q, [NOW_NS - 100 * MS], Side.SELL)
    refusal = limits.p15_duplicate(q)
    assert refusal is not None and refusal.code == "DUPLICATE"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"valid": False}, "the book is not in sequence"),
        ({"bid": NO_BID}, "the book is not in sequence"),
        ({"ask": NO_ASK}, "the book is not in sequence"),
        ({"bid": 770_001, "ask": 770_001}, "bid 770001 >= ask 770001 ticks"),
    ],
)
def test_without_a_book_there_is_no_entry(changes: Changes, detail: str) -> None:
    """P10: a book out of sequence, empty on a side, or crossed is no ground for an order."""
    assert refusals(question(worst=770_001, **changes), "P10")[0].detail == detail


@pytest.mark.parametrize(
    "changes",
    [
        {"quote_gap": -1},
        {"quote_gap": 900, "quote_final": False},
        {"last": 1, "mark_e8": 0},
        {"last": 0},
        {"last": 1, "mark_ns": NOW_NS - 5 * SECOND},
        {"mid_then2": 0},
    ],
    ids=["no quote kept", "a quote on its way", "no mark", "no trade", "an old mark", "no mid then"],
)
def test_what_is_not_known_is_not_compared(changes: Changes) -> None:
    """P10: a comparison whose other side is missing, on its way or old says nothing."""
    assert limits.p10_agreement(question(**changes)) is None


def test_a_book_too_thin_for_the_order() -> None:
    """P08: an order that would walk out of the known book is refused."""
    refusal = limits.p08_collar(question(lots=8, worst=0))
    assert refusal == Refusal("P08", "BOOK_TOO_THIN", "8 lots reach beyond the known book")


def test_unknown_brackets_are_no_permission() -> None:
    """P07: without the venue's leverage brackets the liquidation price is unknown, and nothing enters."""
    bare = msgspec.structs.replace(INSTRUMENT, brackets=())
    refusal = limits.p07_stop_distance(question(instrument=bare))
    assert refusal == Refusal("P07", "LIQUIDATION", "no leverage brackets are known")


@pytest.mark.parametrize(
    ("changes", "rules", "refusal"),
    [
        ({"lots": 0, "bound": "P03"}, {}, Refusal("P01", "TOO_SMALL", "0 lots < 1 lots; the size is bound by P03")),
        (
            {"lots": 2},
            {"market_quantity_min": 3},
            Refusal("P01", "TOO_SMALL", "2 lots < 3 lots; the size is bound by P05"),
        ),
        ({"lots": 2}, {"market_quantity_min": 2}, None),
        (
            {"lots": 1},
            {"notional_min_e8": 78 * E8},
            Refusal("P01", "MIN_NOTIONAL", "77.00 USDT < 78.00 USDT; the size is bound by P05"),
        ),
        ({"lots": 1}, {"notional_min_e8": 7_700_010_000}, None),
    ],
)
def test_the_venues_minimum(changes: Changes, rules: Changes, refusal: Refusal | None) -> None:
    """P01: what the venue would refuse as too small is refused here, with what made it so small."""
    narrow = msgspec.structs.replace(INSTRUMENT, filters=msgspec.structs.replace(INSTRUMENT.filters, **rules))
    assert limits.filters(question(instrument=narrow, **changes)) == refusal


def test_a_contract_must_trade() -> None:
    """P31: a contract that is settling or halted takes no entry."""
    settling = msgspec.structs.replace(INSTRUMENT, status="SETTLING")
    refusal = limits.filters(question(instrument=settling))
    assert refusal == Refusal("P31", "STATUS", "BTCUSDT is SETTLING, not TRADING")


def test_a_refusal_writes_its_own_sentence() -> None:
    """Control, code and numbers in one line, as records and screens show it."""
    assert Refusal("P09", "SPREAD", "4.10 bps > 3.0 bps").reason == "P09 SPREAD: 4.10 bps > 3.0 bps"


BREACHES: dict[str, Changes] = {
    "p10_book": {"valid": False},
    "p10_age": {"event_lag_ns": 10**10},
    "p10_agreement": {"quote_gap": 50},
    "filters": {"instrument": msgspec.structs.replace(INSTRUMENT, status="HALT")},
    "p09_spread": {"ask_depth": 0},
    "p08_collar": {"worst": 780_000},
    "p04_ceiling": {"exposure_e8": 10_000 * E8},
    "p05_margin": {"reserved_e8": 70 * E8},
    "p07_stop_distance": {"stop_pct": 30.0},
    "p17_open_orders": {"alive": 9},
}


def test_what_makes_the_others_meaningless_comes_first() -> None:
    """Without a book its age says nothing, without agreement its depth, without a size its value; counts come last."""
    assert [limit.__name__ for limit in LIMITS] == [
        "p10_book", "p10_age", "p10_agreement", "filters", "p09_spread", "p08_collar", "p04_ceiling",
        "p02_order_value", "p03_position_value", "p05_margin", "p06_trade_risk", "p07_stop_distance",
        "p17_open_orders", "p15_duplicate", "p14_repeats", "p12_messages",
    ]  # fmt: skip


@given(st.sets(st.sampled_from(sorted(BREACHES)), min_size=1))
def test_only_the_first_broken_limit_is_named(broken: set[str]) -> None:
    """However many limits are broken, the answer is the one that comes first in the order of the limits."""
    changes: Changes = {}
    for name in broken:
        changes |= BREACHES[name]
    order = [limit.__name__ for limit in LIMITS]
    expected = min(broken, key=order.index)
    named = next(limit for limit in LIMITS if limit(question(**changes)) is not None)
    assert named.__name__ == expected
