"""What really happened, worked out from the exchange's own audit log and from nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from models.instrument import to_e8

WAITING = ("NEW",)
PURPOSE_AT = 10
"""Place of the letter in an own client id that says what the order is for."""


class Resting(msgspec.Struct):
    """An order or a stop that is open at the venue. Quantities at 1e-8."""

    client_id: str
    sign: int
    quantity_e8: int
    reduce_only: bool
    since_s: float


class Truth:
    """The account from its audit records. ``own`` is what own client ids begin with."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.position_e8 = 0
        self.wallet_e8 = self.booked_e8 = 0  # as told; as the sum of what was booked
        self.orders: dict[int, Resting] = {}
        self.stops: dict[int, Resting] = {}
        self.accepted: dict[str, int] = {}  # own client id → how many orders the venue took under it
        self.known: set[str] = set()  # own client ids that the venue ever took, stops included
        self.changed_s = 0.0
        self.foreign_s = -1.0  # when somebody else last traded
        self.records = 0

    def purpose(self, client_id: str) -> str:
        """e, x or s for an own order; empty for others."""
        return client_id[PURPOSE_AT : PURPOSE_AT + 1] if client_id.startswith(self.own) else ""

    @property
    def covered(self) -> bool:
        """Whether a resting stop covers the whole position."""
        size, sign = abs(self.position_e8), -1 if self.position_e8 > 0 else 1
        return any(stop.sign == sign and stop.quantity_e8 >= size for stop in self.stops.values())

    @property
    def leaving(self) -> bool:
        """Whether an order that closes the position is open at the venue."""
        sign = -1 if self.position_e8 > 0 else 1
        return any(order.sign == sign and order.reduce_only for order in self.orders.values())

    def take(self, record: dict[str, Any], now_s: float) -> None:
        self.records += 1
        self.changed_s = now_s
        taker = getattr(self, f"_{record['kind']}", None)
        if taker is not None:
            taker(record, now_s)

    def _order(self, record: dict[str, Any], now_s: float) -> None:
        client_id = record["client_id"]
        sign = 1 if record["side"] == "BUY" else -1
        self.orders[record["order_id"]] = Resting(
            client_id, sign, to_e8(record["quantity"]), record["reduce_only"], now_s
        )
        if client_id.startswith(self.own):
            self.known.add(client_id)
            if not record["algo_id"]:
                self.accepted[client_id] = self.accepted.get(client_id, 0) + 1

    def _end(self, record: dict[str, Any], now_s: float) -> None:
        self.orders.pop(record["order_id"], None)

    def _fill(self, record: dict[str, Any], now_s: float) -> None:
        quantity = to_e8(record["quantity"])
        self.position_e8 += quantity if record["side"] == "BUY" else -quantity
        order = self.orders.get(record["order_id"])
        if order is not None:
            order.quantity_e8 -= quantity
            if order.quantity_e8 <= 0:
                del self.orders[record["order_id"]]
        if not record["client_id"].startswith(self.own):
            self.foreign_s = now_s
        self.booked_e8 += to_e8(record["realised"]) - to_e8(record["fee"])
        self.wallet_e8 = to_e8(record["wallet"]) if "wallet" in record else self.booked_e8

    def _algo(self, record: dict[str, Any], now_s: float) -> None:
        number = record["algo_id"]
        if record["client_id"].startswith(self.own) and number not in self.stops and record["status"] in WAITING:
            self.known.add(record["client_id"])
            self.accepted[record["client_id"]] = self.accepted.get(record["client_id"], 0) + 1
        if record["status"] in WAITING:
            sign = 1 if record["side"] == "BUY" else -1
            quantity = 1 << 62 if record["close_position"] else to_e8(record["quantity"])
            self.stops[number] = Resting(record["client_id"], sign, quantity, True, now_s)
        else:
            self.stops.pop(number, None)

    def _money(self, record: dict[str, Any], now_s: float) -> None:
        self.booked_e8 += to_e8(record["amount"])
        self.wallet_e8 = to_e8(record["wallet"])

    _opening = _transfer = _insurance = _funding = _money
