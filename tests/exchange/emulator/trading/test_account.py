"""An account: settings by contract, and a memory with bounds."""

from __future__ import annotations

import pytest

from exchange.emulator.trading import account as module
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.orders import Order
from models.instrument import E8


def _order(account: Account, number: int) -> Order:
    order = Order(account, "BTCUSDT", f"c{number}", 1, "LIMIT", E8, id=number)
    account.keep(order)
    return order


def test_settings_are_by_contract() -> None:
    """What is not set for a contract is the account's usual."""
    account = Account("main", E8, leverage=5, isolated=True)
    account.set_leverage("BTCUSDT", 50)
    account.set_isolated("BTCUSDT", False)
    assert [account.leverage(one) for one in ("BTCUSDT", "ETHUSDT")] == [50, 5]
    assert [account.isolated(one) for one in ("BTCUSDT", "ETHUSDT")] == [False, True]


def test_the_memory_of_orders_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished orders beyond the bound are forgotten, oldest first; live ones never."""
    monkeypatch.setattr(module, "DONE_KEPT", 3)
    account = Account("main", E8)
    live = _order(account, 1)
    for number in range(2, 8):
        account.retire(_order(account, number))
    assert list(account.orders) == [1, 5, 6, 7] and set(account.by_client) == {"c1", "c5", "c6", "c7"}
    assert live in account.live_orders("BTCUSDT") and not account.live_orders("ETHUSDT")


def test_a_forgotten_order_does_not_take_its_name_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client id that a later order carries keeps naming that one."""
    monkeypatch.setattr(module, "DONE_KEPT", 1)
    account = Account("main", E8)
    for number in (1, 2, 3):
        order = Order(account, "BTCUSDT", "same", 1, "LIMIT", E8, id=number)
        account.keep(order)
        account.retire(order)
    assert account.by_client["same"].id == 3


def test_the_memory_of_conditional_orders_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for orders."""
    monkeypatch.setattr(module, "DONE_KEPT", 2)
    account = Account("main", E8)
    for number in range(1, 6):
        algo = Algo(account, "BTCUSDT", f"a{number}", -1, "STOP_MARKET", id=number)
        account.keep_algo(algo)
        account.retire_algo(algo)
    assert list(account.algos) == [4, 5] and not account.watched


def test_the_cross_wallet_leaves_out_isolated_money() -> None:
    """What isolated positions hold is in the wallet, not in the cross wallet."""
    account = Account("main", 100 * E8)
    account.position("BTCUSDT").isolated_e8 = 30 * E8
    assert (account.wallet_e8, account.cross_wallet_e8) == (100 * E8, 70 * E8)


def test_an_account_does_not_show_its_money_in_messages() -> None:
    """Its repr is its name alone."""
    assert repr(Account("main", 123 * E8)) == "Account('main')"
