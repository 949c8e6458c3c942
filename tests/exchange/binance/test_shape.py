"""The account's shape, set on the embedded exchange over its signed REST doors."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.binance.account_rest import AccountRest
from exchange.binance.shape import shaped
from models.error import PreflightError
from models.instrument import Instrument
from tests.exchange.binance.on_account import on_an_account


def test_a_fresh_account_gets_isolated_margin_and_the_leverage_of_the_settings() -> None:
    """A contract on cross margin at another leverage is set, and the instrument carries the account's terms."""

    async def doing(account: AccountRest, instruments: tuple[Instrument, ...]) -> Any:
        await account.set_margin_type("BTCUSDT", isolated=False)
        await account.set_leverage("BTCUSDT", 33)
        (wired,) = await shaped(account, instruments, 10)
        (found,) = [one for one in await account.symbol_config("BTCUSDT") if one.symbol == "BTCUSDT"]
        return wired, found

    wired, found = on_an_account(doing)
    assert (found.isolated, found.leverage) == (True, 10)
    assert wired.brackets[0].leverage_max >= 100 and wired.fees.taker_e8 == 50_000


def test_hedge_mode_and_several_margin_assets_are_not_ours_to_change() -> None:
    """An account in hedge mode, or with several margin assets, is refused with what to do."""

    async def hedged(account: AccountRest, instruments: tuple[Instrument, ...]) -> None:
        await account.set_dual_side(True)
        await shaped(account, instruments, 10)

    async def mixed(account: AccountRest, instruments: tuple[Instrument, ...]) -> None:
        await account.set_multi_assets(True)
        await shaped(account, instruments, 10)

    for doing, words in ((hedged, "hedge mode"), (mixed, "multi-assets mode")):
        with pytest.raises(PreflightError, match=words) as caught:
            on_an_account(doing)
        assert caught.value.code == "ACCOUNT_SHAPE"


def test_a_leverage_the_venue_does_not_allow_is_refused() -> None:
    """The first bracket's maximum is named beside the setting."""

    async def doing(account: AccountRest, instruments: tuple[Instrument, ...]) -> None:
        await shaped(account, instruments, 200)

    with pytest.raises(PreflightError, match=r"lower risk\.leverage") as caught:
        on_an_account(doing)
    assert caught.value.code == "LEVERAGE"
