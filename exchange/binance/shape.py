"""The account's shape before trading: one-way, one asset, isolated, the leverage of the settings (control P31)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import msgspec

from exchange.binance.account_rest import AccountRest
from exchange.binance.instruments import brackets_of, fees_of
from exchange.binance.refusals import VenueAnswerError
from models.error import DataError, PreflightError
from models.instrument import Instrument


async def shaped(
    account: AccountRest, instruments: Sequence[Instrument], leverage: int, *, change: bool = True
) -> tuple[Instrument, ...]:
    """Give the account its shape where it may be changed; the instruments with the account's brackets and fees.

    Without ``change`` nothing is set: only what would be refused is.

    Margin type and leverage belong to a contract and are set. What belongs to the whole account is not ours to change:
    hedge mode, several margin assets, or no right to trade raise PreflightError (ACCOUNT_SHAPE) with what to do. A
    contract that refuses (a position or an order stands there) is left as it is: the core judges it when it reads the
    account, blocks entries and goes on protecting.
    """
    config = await account.account_config()
    if not config.canTrade:
        raise PreflightError("this account may not trade; look at its state on the venue", code="ACCOUNT_SHAPE")
    if config.dualSidePosition:
        raise PreflightError(
            "the account is in hedge mode; switch it to one-way on the venue (no position may be open)",
            code="ACCOUNT_SHAPE",
        )
    if config.multiAssetsMargin:
        raise PreflightError(
            "the account is in multi-assets mode; switch it to single-asset on the venue", code="ACCOUNT_SHAPE"
        )
    return tuple([await _contract(account, one, leverage, change) for one in instruments])


async def _contract(account: AccountRest, instrument: Instrument, leverage: int, change: bool) -> Instrument:
    symbol = instrument.symbol
    brackets = brackets_of(await account.leverage_brackets(symbol)).get(symbol)
    if not brackets:
        raise DataError(f"{symbol}: the venue told no leverage brackets", code="BRACKETS")
    if leverage > brackets[0].leverage_max:
        raise PreflightError(
            f"{symbol}: the venue allows this account {brackets[0].leverage_max}x; lower risk.leverage ({leverage})",
            code="LEVERAGE",
        )
    found = next((one for one in await account.symbol_config(symbol) if one.symbol == symbol), None)
    if change and (found is None or not found.isolated):
        await _tried(account.set_margin_type(symbol, isolated=True))
    if change and (found is None or found.leverage != leverage):
        await _tried(account.set_leverage(symbol, leverage))
    fees = fees_of(await account.commission_rate(symbol), instrument.fees)
    return msgspec.structs.replace(instrument, brackets=brackets, fees=fees)


async def _tried(change: Awaitable[object]) -> None:
    """A change of a contract's terms; refused while a position or an order stands there."""
    try:
        await change
    except VenueAnswerError as error:
        if error.blame != "us":
            raise
