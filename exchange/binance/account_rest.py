"""Everything a bot asks of its account, beside the order path (venue reference §4.4 to §4.6).

Calls go over lines of their own, so that a long list never stands before an order. Each has a deadline and a bounded
number of tries; what is repeated is a read, or a change that may be made twice. The ledger of request weight is the one
the public reader uses: the venue counts by address. Raises VenueAnswerError or VenueUnreachableError, nothing else; no
text of an error holds a request.
"""

from __future__ import annotations

import asyncio
import random as dice
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec

from exchange.binance import answers as kinds
from exchange.binance.answers import read
from exchange.binance.order_line import Answer, Done, Sent, asked
from exchange.binance.outcomes import CODES
from exchange.binance.quota import Quota
from exchange.binance.refusals import VenueAnswerError, refusal
from exchange.binance.requests import READ_WINDOW_MS, RestRequests, order_params
from exchange.binance.server_time import MS, VenueClock, bounds_of, offset_within
from exchange.binance.weights import ESSENTIAL_SHARE, NORMAL_SHARE, WINDOW_S
from models.error import VenueUnreachableError
from models.event import ClockOffset
from models.instrument import Instrument
from models.order import ApprovedOrder

T = TypeVar("T")
Given = dict[str, str | int | None]
PAGE = 1_000
NO_SUCH_ORDER, UNKNOWN_ORDER, BAD_TIMESTAMP = -2013, -2011, -1021
NOTHING_TO_CHANGE = frozenset({-4046, -4059, -4171})


class Lines(Protocol):
    """Where requests go: ``OrderLines``."""

    def send(self, request: bytes, done: Done, deadline_s: float, *, exit: bool = False) -> None: ...

    async def ready(self, timeout_s: float, count: int | None = None) -> bool: ...


class CallLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one call, seconds unless named otherwise."""

    deadline_s: float = 5.0
    """One try. A healthy answer takes below 0.1 s; the engine asks again after 5 s of its own."""
    tries: int = 4
    backoff_base_s: float = 0.2
    """First wait at most 0.2 s, then 0.4 and 0.8 (reference §7), uniform from zero (full jitter)."""


class AccountRest:
    """See the module. ``access(answered, reason)`` hears after every signed call whether the venue takes our key."""

    def __init__(
        self,
        lines: Lines,
        requests: RestRequests,
        clock: VenueClock,
        *,
        quota: Quota,
        limits: CallLimits | None = None,
        random: Callable[[], float] = dice.random,
        access: Callable[[bool, str], None] = lambda answered, reason: None,
    ) -> None:
        self.clock = clock
        self.resync: Callable[[], Awaitable[None]] | None = None  # measures the clock anew
        self.requests: dict[tuple[str, str], int] = {}  # by call and 2xx, 4xx … unknown
        self._lines, self._build, self._quota = lines, requests, quota
        self._limits = limits or CallLimits()
        self._random = random
        self._access = access

    # -- account ----------------------------------------------------------------------------------------------

    async def account(self) -> kinds.AccountAnswer:
        return await self._get("/fapi/v3/account", {}, 5, kinds.AccountAnswer)

    async def balance(self) -> list[kinds.BalanceRow]:
        return await self._get("/fapi/v3/balance", {}, 5, list[kinds.BalanceRow])

    async def positions(self, symbol: str | None = None) -> list[kinds.PositionRow]:
        """Contracts with a position or an open order; a flat account is an empty list."""
        return await self._get("/fapi/v3/positionRisk", {"symbol": symbol}, 5, list[kinds.PositionRow])

    async def account_config(self) -> kinds.AccountConfig:
        return await self._get("/fapi/v1/accountConfig", {}, 5, kinds.AccountConfig)

    async def symbol_config(self, symbol: str | None = None) -> list[kinds.SymbolConfig]:
        return await self._get("/fapi/v1/symbolConfig", {"symbol": symbol}, 5, list[kinds.SymbolConfig])

    async def set_leverage(self, symbol: str, leverage: int) -> kinds.LeverageAnswer:
        """The leverage as the venue has it now: read it, it is not always what was asked for."""
        given: Given = {"symbol": symbol, "leverage": leverage}
        return await self._call("POST", "/fapi/v1/leverage", given, 1, kinds.LeverageAnswer)

    async def set_margin_type(self, symbol: str, *, isolated: bool) -> bool:
        """Whether something changed. Refused with a position or an open order."""
        return await self._change(
            "/fapi/v1/marginType", {"symbol": symbol, "marginType": "ISOLATED" if isolated else "CROSSED"}
        )

    async def dual_side(self) -> bool:
        """Whether the account is in hedge mode."""
        answer = await self._get("/fapi/v1/positionSide/dual", {}, 30, kinds.DualSide)
        return answer.dualSidePosition

    async def set_dual_side(self, hedge: bool) -> bool:
        return await self._change("/fapi/v1/positionSide/dual", {"dualSidePosition": _flag(hedge)})

    async def multi_assets(self) -> bool:
        answer = await self._get("/fapi/v1/multiAssetsMargin", {}, 30, kinds.MultiAssets)
        return answer.multiAssetsMargin

    async def set_multi_assets(self, on: bool) -> bool:
        return await self._change("/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": _flag(on)})

    async def move_margin(self, symbol: str, amount: str, *, add: bool) -> kinds.PositionMargin:
        """Add margin to an isolated position or take some away. Never repeated: twice is twice."""
        given: Given = {"symbol": symbol, "amount": amount, "type": 1 if add else 2}
        return await self._call("POST", "/fapi/v1/positionMargin", given, 1, kinds.PositionMargin, repeat=False)

    async def leverage_brackets(self, symbol: str | None = None) -> bytes:
        """For ``instruments.brackets_of``."""
        return bytes(await self._get("/fapi/v1/leverageBracket", {"symbol": symbol}, 1, msgspec.Raw))

    async def commission_rate(self, symbol: str) -> bytes:
        """For ``instruments.fees_of``."""
        return bytes(await self._get("/fapi/v1/commissionRate", {"symbol": symbol}, 20, msgspec.Raw))

    async def fee_burn(self) -> bool:
        """Whether fees are paid in another asset when there is some."""
        return (await self._get("/fapi/v1/feeBurn", {}, 30, kinds.FeeBurn)).feeBurn

    async def set_fee_burn(self, on: bool) -> bool:
        return await self._change("/fapi/v1/feeBurn", {"feeBurn": _flag(on)})

    async def trading_status(self, symbol: str | None = None) -> kinds.TradingStatus:
        weight = 1 if symbol else 10
        return await self._get("/fapi/v1/apiTradingStatus", {"symbol": symbol}, weight, kinds.TradingStatus)

    async def adl_quantiles(self, symbol: str | None = None) -> list[kinds.AdlRow]:
        body = bytes(await self._get("/fapi/v1/adlQuantile", {"symbol": symbol}, 5, msgspec.Raw))
        if body.lstrip()[:1] == b"{":  # one symbol may come alone
            return [read("adlQuantile", body, kinds.AdlRow)]
        return read("adlQuantile", body, list[kinds.AdlRow])

    # -- history ----------------------------------------------------------------------------------------------

    async def trades(
        self,
        symbol: str,
        *,
        order_id: int | None = None,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = PAGE,
    ) -> list[kinds.Trade]:
        """Own executions, ascending; by order, from a number on, or by time (at most seven days)."""
        given: Given = {
            "symbol": symbol, "orderId": order_id, "fromId": from_id, "startTime": start_ms, "endTime": end_ms,
            "limit": limit,
        }  # fmt: skip
        return await self._get("/fapi/v1/userTrades", given, 5, list[kinds.Trade])

    async def income(
        self,
        *,
        symbol: str | None = None,
        kind: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = PAGE,
    ) -> list[kinds.Income]:
        """Everything that moved the wallet, ascending; three months back, page by time."""
        given: Given = {
            "symbol": symbol, "incomeType": kind, "startTime": start_ms, "endTime": end_ms, "limit": limit,
        }  # fmt: skip
        return await self._get("/fapi/v1/income", given, 30, list[kinds.Income], share=NORMAL_SHARE)

    async def force_orders(self, symbol: str | None = None, kind: str | None = None) -> list[kinds.OrderAnswer]:
        """Liquidations and deleveragings of ours (``kind`` LIQUIDATION or ADL); 90 days back."""
        given: Given = {"symbol": symbol, "autoCloseType": kind}
        return await self._get("/fapi/v1/forceOrders", given, 20 if symbol else 50, list[kinds.OrderAnswer])

    async def all_orders(
        self, symbol: str, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[kinds.OrderAnswer]:
        given: Given = {"symbol": symbol, "startTime": start_ms, "endTime": end_ms, "limit": PAGE}
        return await self._get("/fapi/v1/allOrders", given, 5, list[kinds.OrderAnswer])

    async def all_algo_orders(
        self, symbol: str, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[kinds.AlgoAnswer]:
        given: Given = {"symbol": symbol, "startTime": start_ms, "endTime": end_ms, "limit": PAGE}
        return await self._get("/fapi/v1/allAlgoOrders", given, 5, list[kinds.AlgoAnswer])

    # -- orders -----------------------------------------------------------------------------------------------

    async def order(
        self, symbol: str, *, client_id: str | None = None, order_id: int | None = None
    ) -> kinds.OrderAnswer:
        """An order by its client id or number. VenueAnswerError with code ``NO_SUCH_ORDER`` when it is not known."""
        given: Given = {"symbol": symbol, "origClientOrderId": client_id, "orderId": order_id}
        return await self._get("/fapi/v1/order", given, 1, kinds.OrderAnswer)

    async def open_orders(self, symbol: str | None = None) -> list[kinds.OrderAnswer]:
        """Conditional orders are not among them."""
        weight = 1 if symbol else 40
        return await self._get("/fapi/v1/openOrders", {"symbol": symbol}, weight, list[kinds.OrderAnswer])

    async def algo_order(self, client_id: str) -> kinds.AlgoAnswer:
        return await self._get("/fapi/v1/algoOrder", {"clientAlgoId": client_id}, 1, kinds.AlgoAnswer)

    async def open_algo_orders(self, symbol: str | None = None) -> list[kinds.AlgoAnswer]:
        weight = 1 if symbol else 40
        return await self._get("/fapi/v1/openAlgoOrders", {"symbol": symbol}, weight, list[kinds.AlgoAnswer])

    async def cancel_all(self, symbol: str) -> None:
        """All open orders of a contract, conditional ones too: the venue needs both calls."""
        await self._call("DELETE", "/fapi/v1/allOpenOrders", {"symbol": symbol}, 1, kinds.Done, share=1.0)
        await self._call("DELETE", "/fapi/v1/algoOpenOrders", {"symbol": symbol}, 1, kinds.Done, share=1.0)

    async def countdown(self, symbol: str, after_ms: int) -> kinds.Countdown:
        """The dead-man timer: the venue cancels the contract's orders unless told again in time; 0 stops it."""
        given: Given = {"symbol": symbol, "countdownTime": after_ms}
        return await self._call("POST", "/fapi/v1/countdownCancelAll", given, 10, kinds.Countdown)

    async def test_order(self, order: ApprovedOrder, instrument: Instrument) -> None:
        """Let the venue check an order that is not placed: signature, permissions and filters, not the balance."""
        given: Given = dict(order_params(order, instrument, self._build.terms))
        await self._call("POST", "/fapi/v1/order/test", given, 1, msgspec.Raw)

    async def order_limits(self) -> list[kinds.OrderLimit]:
        return await self._get("/fapi/v1/rateLimit/order", {}, 1, list[kinds.OrderLimit])

    async def prove_signing(self, symbol: str) -> None:
        """Two signed calls about an order that never was, one of each kind; raises unless both are understood (F24)."""
        given: Given = {"symbol": symbol, "origClientOrderId": "signed-self-test"}
        for method, expected in (("GET", NO_SUCH_ORDER), ("DELETE", UNKNOWN_ORDER)):
            try:
                await self._call(method, "/fapi/v1/order", given, 1, msgspec.Raw)
            except VenueAnswerError as error:
                if error.venue_code == expected:
                    continue
                raise
            raise VenueAnswerError(f"{method} /fapi/v1/order knows an order that was never placed", blame="venue")

    # -- the private stream's key -----------------------------------------------------------------------------

    async def start_listen_key(self) -> str:
        """The account's key for the private stream: a new one, or the running one for another hour."""
        return (await self._call("POST", "/fapi/v1/listenKey", None, 1, kinds.ListenKey)).listenKey

    async def renew_listen_key(self) -> None:
        """Another hour. VenueAnswerError with code −1125 when the key is gone."""
        await self._call("PUT", "/fapi/v1/listenKey", None, 1, msgspec.Raw)

    # -- time -------------------------------------------------------------------------------------------------

    async def clock_offset(self, probes: int = 5) -> ClockOffset:
        """The venue's clock against ours; see ``server_time``. A probe is tried once and not repeated."""
        bounds = []
        for number in range(probes):
            request = self._build.public("/fapi/v1/time")
            await self._allowed("time", 1, ESSENTIAL_SHARE)
            sent_ns = self.clock.now_ns()
            answer = await asked(self._lines.send, request, self._limits.deadline_s)
            received_ns = self.clock.now_ns()
            if answer.outcome is Sent.ANSWERED and answer.status == 200:
                told = read("time", answer.body, kinds.ServerTime)
                bounds.append(bounds_of(sent_ns, told.serverTime, received_ns))
            elif answer.outcome is Sent.ANSWERED:
                raise self._refusal("time", answer)
            elif not bounds and number == probes - 1:
                raise VenueUnreachableError(f"the venue did not tell its time: {answer.why}")
            else:
                await self._pause(1)
        return ClockOffset(self.clock.now_ns(), *offset_within(bounds))

    # -- one call ---------------------------------------------------------------------------------------------

    async def _get(self, path: str, given: Given, weight: int, kind: type[T], share: float = ESSENTIAL_SHARE) -> T:
        return await self._call("GET", path, given, weight, kind, share=share)

    async def _change(self, path: str, given: Given) -> bool:
        """A change that may be made twice; False when there was nothing to change."""
        try:
            await self._call("POST", path, given, 1, kinds.Done)
        except VenueAnswerError as error:
            if error.venue_code in NOTHING_TO_CHANGE:
                return False
            raise
        return True

    async def _call(
        self,
        method: str,
        path: str,
        given: Given | None,
        weight: int,
        kind: Any,
        *,
        share: float = ESSENTIAL_SHARE,
        repeat: bool = True,
    ) -> Any:
        """Ask until there is an answer that counts. ``given`` None: the key is named, nothing is signed."""
        what = f"{method} {path.removeprefix('/fapi/')}"
        attempt = resyncs = 0
        while True:
            attempt += 1
            await self._allowed(what, weight, share)
            answer = await asked(self._lines.send, self._request(method, path, given), self._limits.deadline_s)
            error: VenueAnswerError | VenueUnreachableError
            try:
                return self._take(what, answer, kind)
            except VenueAnswerError as refused:
                error = refused
                if refused.venue_code == BAD_TIMESTAMP and not resyncs and self.resync is not None:
                    resyncs = 1
                    await self.resync()
                    continue
                if refused.blame != "venue":
                    raise
            except VenueUnreachableError as unreachable:
                error = unreachable
            unsent = answer.outcome is Sent.NOT_SENT
            if attempt >= self._limits.tries or not (repeat or unsent):
                raise error
            if unsent:  # no line was open: the next try waits for one, not for luck
                await self._lines.ready(self._limits.deadline_s, 1)
            await self._pause(attempt)

    def _request(self, method: str, path: str, given: Given | None) -> bytes:
        if given is None:
            return self._build.keyed(method, path)
        params = [(name, str(value)) for name, value in given.items() if value is not None]
        if "recvWindow" not in given:
            params.append(("recvWindow", str(READ_WINDOW_MS)))
        return self._build.signed(method, path, params, self.clock.ms())

    def _take(self, what: str, answer: Answer, kind: Any) -> Any:
        """The body of a good answer. Raises what the answer means otherwise."""
        label = f"{answer.status // 100}xx" if answer.outcome is Sent.ANSWERED else answer.outcome.name.lower()
        self.requests[what, label] = self.requests.get((what, label), 0) + 1
        if answer.outcome is not Sent.ANSWERED:
            raise VenueUnreachableError(f"{what} got no answer: {answer.why}")
        if answer.status != 200:
            error = self._refusal(what, answer)
            code = CODES.get(error.venue_code)
            if error.blame == "access" or answer.status == 418 or (code is not None and code.blind):
                self._access(False, error.message)
            elif error.venue_code:
                self._access(True, "")
            raise error
        body = read(what, answer.body, kind)
        self._access(True, "")
        return body

    def _refusal(self, what: str, answer: Answer) -> VenueAnswerError:
        now_ms = self.clock.now_ns() // MS
        error = refusal(what, answer.status, answer.headers.get("retry-after", ""), answer.body, now_ms)
        if error.blame == "limit":
            self._quota.block(error.retry_after_s, banned=answer.status == 418)
        return error

    async def _allowed(self, what: str, weight: int, share: float) -> None:
        """Wait for the weight budget; a block by the venue is refused at once, nothing is sent."""
        ledger = self._quota.weights
        while True:
            now_s = self._quota.monotonic_s()
            blocked_s = ledger.blocked_s(now_s)
            if blocked_s > 0:
                raise VenueAnswerError(
                    f"{what} is not asked: the venue wants silence for another {blocked_s:.0f} s",
                    blame="limit", status=418 if ledger.banned else 429, retry_after_s=blocked_s,
                )  # fmt: skip
            wait_s = ledger.wait_s(weight, now_s, share)
            if wait_s <= 0:
                ledger.spend(weight, now_s)
                return
            await asyncio.sleep(min(wait_s, WINDOW_S))

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(self._random() * self._limits.backoff_base_s * 2 ** (attempt - 1))


def _flag(on: bool) -> str:
    return "true" if on else "false"
