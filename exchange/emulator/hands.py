"""Account levers: what a fault does to an account, its keys, its limits or the venue's clock.

What a person at the venue's own pages could do goes through the desk's ordinary handlers, as theirs would; what only
the venue can do (fills, liquidations, filters) goes through methods of the desk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from exchange.emulator.errors import VenueError
from exchange.emulator.keys import KeyRing
from exchange.emulator.limits import Weights
from exchange.emulator.listen_keys import ListenKeys
from exchange.emulator.user_streams import UserStreams
from models.instrument import to_e8


class Stage(Protocol):
    """The venue as the levers need it."""

    desk: Any
    keys: KeyRing
    listen_keys: ListenKeys
    streams: UserStreams
    weights: Weights
    clock: Any

    def revoked(self, account: str) -> None: ...


class Hands:
    """Pulls account levers on a venue."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.refused: list[tuple[str, str]] = []  # levers the desk did not let itself be pulled by, with its words
        self._pulls: dict[str, Callable[[Any], None]] = {
            "fill": lambda a: self._desk.fill(self._account(a), a["client_id"], int(a["lots"])),
            "hand_trade": lambda a: self._desk.hand_trade(self._account(a), a["symbol"], a["side"], int(a["lots"])),
            "hand_cancel": lambda a: self._call(
                "DELETE /fapi/v1/order", a, symbol=a["symbol"], origClientOrderId=a["client_id"]
            ),
            "liquidate": lambda a: self._desk.liquidate(self._account(a), a["symbol"], int(a["lots"])),
            "adl": lambda a: self._desk.adl(self._account(a), a["symbol"], int(a["lots"])),
            "settle": lambda a: self._desk.settle(self._account(a), a["symbol"]),
            "deposit": lambda a: self._desk.deposit(self._account(a), to_e8(str(a["amount"]))),
            "leverage": lambda a: self._call(
                "POST /fapi/v1/leverage", a, symbol=a["symbol"], leverage=str(int(a["leverage"]))
            ),
            "margin_type": lambda a: self._call(
                "POST /fapi/v1/marginType", a, symbol=a["symbol"], marginType=a["margin_type"]
            ),
            "position_mode": lambda a: self._call(
                "POST /fapi/v1/positionSide/dual", a, dualSidePosition="true" if a["hedge"] else "false"
            ),
            "filters": lambda a: self._desk.change_filters(a["symbol"], **a["set"]),
            "status": lambda a: self._desk.change_status(a["symbol"], a["status"]),
            "cancel_stop": lambda a: self._desk.cancel_stop(self._account(a), a["client_id"], silent=a["silent"]),
            "funding": lambda a: self._desk.fund(a["symbol"], to_e8(str(a["rate"])) if a["rate"] != "" else None),
            "expire_listen_key": lambda a: stage.listen_keys.expire(a["account"]),
            "delete_listen_key": self._delete_listen_key,
            "repeat_events": self._repeat,
            "emit": lambda a: stage.streams.send(a["account"], a["event"]),
            "permissions": self._permissions,
            "use_weight": self._use_weight,
            "ban": self._ban,
            "clock_skew": lambda a: stage.clock.skew(int(a["ms"]), float(a["ppm"])),
        }

    def pull(self, lever: str, args: dict[str, Any]) -> None:
        """Do it; what the desk refuses is noted and otherwise nothing."""
        try:
            self._pulls[lever](args)
        except VenueError as error:
            self.refused.append((lever, str(error)))
            del self.refused[:-100]
        self._stage.streams.release()

    @property
    def levers(self) -> frozenset[str]:
        return frozenset(self._pulls)

    @property
    def _desk(self) -> Any:
        if self._stage.desk is None:
            raise VenueError(400, -1109, "Invalid account.")
        return self._stage.desk

    def _account(self, args: dict[str, Any]) -> Any:
        account = self._desk.accounts.get(args["account"])
        if account is None:
            raise VenueError(400, -1109, "Invalid account.")
        return account

    def _call(self, call: str, args: dict[str, Any], **params: str) -> None:
        self._desk.handlers[call](self._account(args), params)

    def _delete_listen_key(self, args: dict[str, Any]) -> None:
        self._stage.listen_keys.close(args["account"])

    def _repeat(self, args: dict[str, Any]) -> None:
        streams = self._stage.streams
        for event in list(streams.recent.get(args["account"], ()))[-int(args["n"]) :]:
            streams.send(args["account"], event)

    def _permissions(self, args: dict[str, Any]) -> None:
        self._stage.keys.allow(args["account"], args["allowed"])
        if not args["allowed"]:
            self._stage.revoked(args["account"])

    def _use_weight(self, args: dict[str, Any]) -> None:
        self._stage.weights.spend(args["address"], int(args["weight"]))

    def _ban(self, args: dict[str, Any]) -> None:
        self._stage.weights.ban(args["address"], int(args["s"]))
