"""An independent recomputation of every account from the desk's audit records alone.

It shares no line with the desk: exact fractions instead of integers, its own position rule, its own fee and funding
formulas. ``take`` raises AssertionError at the first record that does not fit what went before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor
from typing import Any

UNIT = Fraction(1, 10**8)
SIGN = {"BUY": 1, "SELL": -1}
WATCHING = ("NEW", "TRIGGERING")
STOPS = ("STOP_MARKET", "STOP", "TRAILING_STOP_MARKET")

Key = tuple[str, str, str]
"""Account, symbol, position side"""


class Held:
    """A position: quantity and the value it was traded at."""

    def __init__(self) -> None:
        self.quantity = Fraction(0)
        self.cost = Fraction(0)

    def trade(self, signed: Fraction, price: Fraction, realised: Fraction) -> None:
        """Take a trade with the profit that was told for it, which must be the true one to a unit."""
        if self.quantity * signed >= 0:
            assert realised == 0, "profit without a close"
            self.quantity += signed
            self.cost += abs(signed) * price
            return
        closed = min(abs(signed), abs(self.quantity))
        way = 1 if self.quantity > 0 else -1
        exact = way * closed * (price - self.cost / abs(self.quantity))
        assert abs(realised - exact) < UNIT, f"profit {float(realised)} where {float(exact)} was made"
        share = closed * price - way * realised
        flipped = abs(signed) > abs(self.quantity)
        self.quantity += signed
        self.cost = (abs(signed) - closed) * price if flipped else self.cost - share
        assert self.quantity or not self.cost, "a flat position has a cost left"


class Auditor:
    """``wallets`` and ``positions`` as they follow from the records; ``exposed`` says who was covered when."""

    def __init__(self, maker: str = "0.0002", taker: str = "0.0005", bnb: str = "600") -> None:
        self.rates = {True: Fraction(maker), False: Fraction(taker)}
        self.bnb = Fraction(bnb)
        self.wallets: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        self.positions: dict[Key, Held] = defaultdict(Held)
        self.fees: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        self.orders: dict[int, dict[str, Any]] = {}
        self.done: set[int] = set()
        self.stops: dict[int, dict[str, Any]] = {}
        self.windows: dict[Key, list[list[int | None]]] = defaultdict(list)
        self.number = self.time_us = 0
        self.counts: dict[str, int] = defaultdict(int)

    def take_all(self, records: Iterable[dict[str, Any]]) -> Auditor:
        for record in records:
            self.take(record)
        return self

    def take(self, record: dict[str, Any]) -> None:
        """One record."""
        assert record["number"] == self.number + 1, "a record is missing"
        assert record["time_us"] >= self.time_us, "time runs back"
        self.number, self.time_us = record["number"], record["time_us"]
        self.counts[record["kind"]] += 1
        getattr(self, f"_{record['kind']}")(record)

    # -- money -------------------------------------------------------------------------------------------------------

    def _opening(self, record: dict[str, Any]) -> None:
        self._move(record, Fraction(record["amount"]))

    def _transfer(self, record: dict[str, Any]) -> None:
        self._move(record, Fraction(record["amount"]))

    _insurance = _transfer

    def _move(self, record: dict[str, Any], amount: Fraction) -> None:
        key = (record["account"], record.get("asset", "USDT"))
        self.wallets[key] += amount
        assert self.wallets[key] == Fraction(record["wallet"]), f"the wallet is not what its changes make: {record}"

    def _funding(self, record: dict[str, Any]) -> None:
        position = self.positions[self._key(record)]
        assert position.quantity == Fraction(record["quantity"])
        exact = -Fraction(record["mark"]) * position.quantity * Fraction(record["rate"])
        assert Fraction(record["amount"]) == floor(exact / UNIT) * UNIT
        self._move(record, Fraction(record["amount"]))

    @staticmethod
    def _key(record: dict[str, Any]) -> Key:
        return record["account"], record["symbol"], record["position_side"]

    # -- orders ------------------------------------------------------------------------------------------------------

    def _order(self, record: dict[str, Any]) -> None:
        number = record["order_id"]
        assert number not in self.orders and number > max(self.orders, default=0), "order ids must grow"
        self.orders[number] = record | {"filled": Fraction(0)}

    def _amend(self, record: dict[str, Any]) -> None:
        assert record["order_id"] not in self.done, "a finished order is changed"
        self.orders[record["order_id"]] |= {"price": record["price"], "quantity": record["quantity"]}

    def _end(self, record: dict[str, Any]) -> None:
        number = record["order_id"]
        assert number not in self.done, "an order ends twice"
        order = self.orders[number]
        assert order["filled"] == Fraction(record["filled"])
        assert order["filled"] < Fraction(order["quantity"]), "a full order ends otherwise"
        self.done.add(number)

    def _fill(self, record: dict[str, Any]) -> None:
        order = self.orders[record["order_id"]]
        assert record["order_id"] not in self.done, "a finished order trades"
        price, quantity = Fraction(record["price"]), Fraction(record["quantity"])
        sign = SIGN[record["side"]]
        assert quantity > 0 and record["side"] == order["side"] and self._key(record) == self._key(order)
        order["filled"] += quantity
        assert order["filled"] <= Fraction(order["quantity"]), "more is filled than was asked"
        if order["filled"] == Fraction(order["quantity"]):
            self.done.add(record["order_id"])
        if Fraction(order["price"]):
            assert (Fraction(order["price"]) - price) * sign >= 0, "filled worse than its limit"
        held = self.positions[self._key(record)]
        if order["reduce_only"]:
            assert held.quantity * sign < 0 and quantity <= abs(held.quantity), "a closing order opens"
        realised = Fraction(record["realised"])
        held.trade(sign * quantity, price, realised)
        self._fee(record, price * quantity, realised)

    def _fee(self, record: dict[str, Any], value: Fraction, realised: Fraction) -> None:
        fee = ceil(value * self.rates[record["maker"]] / UNIT) * UNIT
        if record["fee_asset"] == "BNB":
            fee = ceil(fee * Fraction(9, 10) / self.bnb / UNIT) * UNIT
            self.wallets[record["account"], "BNB"] -= fee
        assert fee == Fraction(record["fee"])
        self.fees[record["account"], record["fee_asset"]] += fee
        self._move({"account": record["account"], "wallet": record["wallet"]},
                   realised - (fee if record["fee_asset"] == "USDT" else 0))  # fmt: skip

    # -- positions and cover -----------------------------------------------------------------------------------------

    def _position(self, record: dict[str, Any]) -> None:
        held = self.positions[self._key(record)]
        assert held.quantity == Fraction(record["quantity"])
        assert held.cost == Fraction(record["cost"])
        self._look(self._key(record))

    def _algo(self, record: dict[str, Any]) -> None:
        if record["status"] in WATCHING:
            self.stops[record["algo_id"]] = record
        else:
            self.stops.pop(record["algo_id"], None)
        self._look(self._key(record))

    def covered(self, key: Key) -> bool:
        """Whether stops that are alive close at least what is held."""
        quantity, total = self.positions[key].quantity, Fraction(0)
        for stop in self.stops.values():
            if self._key(stop) == key and stop["type"] in STOPS and SIGN[stop["side"]] * quantity < 0:
                if stop["close_position"]:
                    return True
                total += Fraction(stop["quantity"])
        return total >= abs(quantity)

    def _look(self, key: Key) -> None:
        windows, bare = self.windows[key], not self.covered(key)
        open_window = bool(windows) and windows[-1][1] is None
        if bare and not open_window:
            windows.append([self.time_us, None])
        elif not bare and open_window:
            windows[-1][1] = self.time_us

    def exposed(self, account: str, symbol: str, position_side: str = "BOTH") -> list[tuple[int, int | None]]:
        """Times (µs) from which to which something was held that no stop covered; None: until now."""
        return [(one[0] or 0, one[1]) for one in self.windows[account, symbol, position_side]]

    # -- records without a sum ---------------------------------------------------------------------------------------

    def _setting(self, record: dict[str, Any]) -> None: ...

    def _liquidation(self, record: dict[str, Any]) -> None:
        assert self.wallets[record["account"], "USDT"] == Fraction(record["wallet"])
