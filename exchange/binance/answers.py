"""The bodies of signed answers, typed: strict in what we need, blind to what we do not (venue reference §4.4 to §4.6).

Field names are the venue's. Decimals stay text here and become integers through ``models.instrument`` where they are
used; a field the venue documents but may leave out has a default.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from exchange.binance.refusals import VenueAnswerError
from models.instrument import to_e8
from models.order import OrderState, Side

T = TypeVar("T")

STATES: dict[str, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
    "NEW_INSURANCE": OrderState.ACCEPTED,  # liquidation orders taken over by the venue
    "NEW_ADL": OrderState.ACCEPTED,
}
"""An order's status → its state. A status that is not here is told as an error, never guessed."""

ALGO_ALIVE = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
ALGO_STATUSES = ALGO_ALIVE | {"FINISHED", "CANCELED", "REJECTED", "EXPIRED"}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


def algo_state(status: str, filled: int, quantity: int) -> OrderState:
    """The state of a conditional order of ``quantity`` lots (0: all of the position) of which ``filled`` were done.

    One that the venue refuses when it triggers was accepted before, so it has EXPIRED: it protects no longer. What is
    FINISHED was filled or ended in the matching engine.
    """
    if status in ALGO_ALIVE:
        return OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED
    if status == "FINISHED":
        return OrderState.FILLED if filled and filled >= quantity else OrderState.EXPIRED
    if status in ("REJECTED", "EXPIRED"):
        return OrderState.EXPIRED
    if status == "CANCELED":
        return OrderState.CANCELED
    raise VenueAnswerError(f"a conditional order with the unknown status {status[:40]!r}", blame="venue")


def order_state(status: str) -> OrderState:
    """Raises VenueAnswerError for a status that is not in ``STATES``."""
    state = STATES.get(status)
    if state is None:
        raise VenueAnswerError(f"an order with the unknown status {status[:40]!r}", blame="venue")
    return state


def e8_cut(text: str) -> int:
    """A venue average (entry price) at 1e-8: the venue writes some with more places, which say nothing; cut off."""
    dot = text.find(".")
    return to_e8(text[: dot + 9] if dot >= 0 and text[dot + 1 :].isdigit() else text or "0")


def order_id(text: str | int) -> int:
    """The matching engine's order id of a conditional order; 0 while there is none."""
    return int(text) if text else 0


def read(what: str, body: bytes, kind: type[T]) -> T:
    """``body`` as ``kind``. Raises VenueAnswerError blaming the venue; the text names the field, not the body."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise VenueAnswerError(
            f"{what} answered with a body that cannot be used: {error}", blame="venue", status=200
        ) from None


class OrderAnswer(msgspec.Struct, frozen=True):
    """An order as placed, changed, cancelled or asked for."""

    orderId: int
    symbol: str
    status: str
    clientOrderId: str
    side: str
    type: str
    origQty: str
    executedQty: str
    updateTime: int
    price: str = "0"
    stopPrice: str = "0"
    reduceOnly: bool = False
    timeInForce: str = ""
    avgPrice: str = ""
    cumQuote: str = ""
    origType: str = ""
    time: int = 0
    modifyId: int = 0


class AlgoAnswer(msgspec.Struct, frozen=True):
    """A conditional order. ``actualOrderId`` is empty until it has triggered."""

    algoId: int
    clientAlgoId: str
    orderType: str
    symbol: str
    side: str
    quantity: str
    algoStatus: str
    triggerPrice: str
    updateTime: int
    reduceOnly: bool = False
    closePosition: bool = False
    price: str = "0"
    actualOrderId: str | int = ""
    actualQty: str = ""
    actualPrice: str = ""
    createTime: int = 0


class AlgoCancelled(msgspec.Struct, frozen=True):
    algoId: int
    clientAlgoId: str
    code: str | int
    msg: str = ""


class Done(msgspec.Struct, frozen=True):
    """What a change is answered with."""

    code: str | int
    msg: str = ""


class Refused(msgspec.Struct, frozen=True):
    """One failed element of a batch."""

    code: int
    msg: str = ""


class AssetRow(msgspec.Struct, frozen=True):
    asset: str
    walletBalance: str
    availableBalance: str
    crossWalletBalance: str = "0"
    marginBalance: str = "0"


class AccountAnswer(msgspec.Struct, frozen=True):
    totalWalletBalance: str
    availableBalance: str
    assets: list[AssetRow]
    totalMarginBalance: str = "0"
    totalMaintMargin: str = "0"


class BalanceRow(msgspec.Struct, frozen=True):
    asset: str
    balance: str
    availableBalance: str
    crossWalletBalance: str = "0"
    updateTime: int = 0


class PositionRow(msgspec.Struct, frozen=True):
    """``positionAmt`` is signed."""

    symbol: str
    positionSide: str
    positionAmt: str
    entryPrice: str
    markPrice: str = "0"
    unRealizedProfit: str = "0"
    liquidationPrice: str = "0"
    isolatedMargin: str = "0"
    isolatedWallet: str = "0"
    notional: str = "0"
    adl: int = 0
    updateTime: int = 0


class AccountConfig(msgspec.Struct, frozen=True):
    """``canWithdraw`` is a right of the account, not of the key."""

    canTrade: bool
    dualSidePosition: bool
    multiAssetsMargin: bool
    canWithdraw: bool = False
    feeTier: int = 0


class SymbolConfig(msgspec.Struct, frozen=True):
    symbol: str
    marginType: str
    leverage: int
    maxNotionalValue: str = "0"

    @property
    def isolated(self) -> bool:
        return self.marginType.upper() == "ISOLATED"


class LeverageAnswer(msgspec.Struct, frozen=True):
    symbol: str
    leverage: int
    maxNotionalValue: str = "0"


class DualSide(msgspec.Struct, frozen=True):
    dualSidePosition: bool


class MultiAssets(msgspec.Struct, frozen=True):
    multiAssetsMargin: bool


class FeeBurn(msgspec.Struct, frozen=True):
    feeBurn: bool


class PositionMargin(msgspec.Struct, frozen=True):
    amount: float
    code: str | int
    type: int
    msg: str = ""


class Trade(msgspec.Struct, frozen=True):
    """One execution of ours. It names the order by number only."""

    symbol: str
    id: int
    orderId: int
    side: str
    price: str
    qty: str
    realizedPnl: str
    commission: str
    commissionAsset: str
    time: int
    maker: bool
    positionSide: str = "BOTH"


class Income(msgspec.Struct, frozen=True):
    symbol: str
    incomeType: str
    income: str
    asset: str
    time: int
    tranId: int
    tradeId: str = ""
    info: str = ""


class AdlRow(msgspec.Struct, frozen=True):
    symbol: str
    adlQuantile: dict[str, int]


class Indicator(msgspec.Struct, frozen=True):
    indicator: str
    isLocked: bool
    plannedRecoverTime: int
    value: float
    triggerValue: float


class TradingStatus(msgspec.Struct, frozen=True):
    """Ratios the venue judges orders by; locked means reduce-only until ``plannedRecoverTime``."""

    indicators: dict[str, list[Indicator]]
    updateTime: int = 0

    @property
    def locked(self) -> bool:
        return any(one.isLocked for rows in self.indicators.values() for one in rows)


class ListenKey(msgspec.Struct, frozen=True):
    listenKey: str

    def __repr__(self) -> str:
        return "ListenKey(***)"


class Countdown(msgspec.Struct, frozen=True):
    symbol: str
    countdownTime: str | int


class OrderLimit(msgspec.Struct, frozen=True):
    rateLimitType: str
    interval: str
    intervalNum: int
    limit: int
    count: int = 0


class ServerTime(msgspec.Struct, frozen=True):
    serverTime: int
