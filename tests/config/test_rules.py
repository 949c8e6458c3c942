"""Rules between settings."""

import pytest

from config.load import load
from config.rules import broken_rules, require_hosts
from config.settings import Settings
from models.error import ConfigurationError


def test_defaults_break_no_rule():
    """The defaults agree with one another."""
    assert broken_rules(Settings()) == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("risk.order_value_max_equity=11", "the owner profile's ceiling is 10 times equity"),
        ("strategy.params.stop_pct=6", "must not be above risk.stop_loss_pct, which is 5"),
        ("risk.daily_loss_soft_pct=60", "must not be above risk.daily_loss_hard_pct"),
        ("trust.fresh_ms=3000", "must not be above trust.stale_ms"),
        ("risk.messages_per_s=21", "must not be above risk.messages_per_10s"),
        ("risk.entries_per_hour=151", "must not be above risk.entries_per_day, which is 150"),
        ("risk.order_quantity_max.btcusdt=1", "names btcusdt; contracts are written in capitals: BTCUSDT"),
        ("feed.symbols=BTCUSDT,BTCUSDT", "names BTCUSDT twice"),
        ("feed.symbols=btcusdt", "written in capitals: BTCUSDT"),
        ("strategy.params.momentum_s=200", "at least one such return must fit"),
        ("telegram.enabled=true", "this version has only false"),
        ("interface.process=child", "this version has only same"),
    ],
)
def test_each_rule_says_what_would_be_right(override, words, tmp_path):
    """A broken rule is told with the number or name that would keep it."""
    with pytest.raises(ConfigurationError) as caught:
        load(environment={}, overrides=[override], folder=tmp_path)
    assert words in caught.value.message


def test_ceiling_follows_the_profile(tmp_path):
    """The cautious profile's ceiling of 7 times equity holds against the user's own line."""
    overrides = ["risk.profile=cautious", "risk.position_value_max_equity=8"]
    with pytest.raises(ConfigurationError, match="cautious profile's ceiling is 7 times equity"):
        load(environment={}, overrides=overrides, folder=tmp_path)


@pytest.mark.parametrize(
    ("mode", "url", "other"),
    [
        ("live", "wss://fstream.binancefuture.com", "testnet"),
        ("shadow", "https://demo-fapi.binance.com", "testnet"),
        ("testnet", "https://fapi.binance.com", "live"),
        ("testnet", "wss://ws-fapi.binance.com/ws-fapi/v1", "live"),
    ],
)
def test_no_mode_reaches_the_other_venue(mode, url, other):
    """P32: a testnet address in live, or a live one on testnet, is refused by name."""
    with pytest.raises(ConfigurationError, match=f"mode {mode} must not reach .* which is {other}") as caught:
        require_hosts(mode, (url,))
    assert (caught.value.code, caught.value.exit_code) == ("HOSTS", 3)


def test_the_places_of_a_mode_pass(tmp_path):
    """Testnet has addresses of its own, which a user's own come before; the defaults are those of live."""
    for mode, overrides, rest in (
        ("testnet", [], "https://demo-fapi.binance.com"),
        ("testnet", ["feed.rest_url=http://127.0.0.1:9"], "http://127.0.0.1:9"),
        ("live", [], "https://fapi.binance.com"),
    ):
        settings = load(environment={}, overrides=[f"app.mode={mode}", *overrides], folder=tmp_path).settings
        assert settings.feed.rest_url == rest
        require_hosts(mode, (settings.feed.rest_url, settings.feed.stream_url, settings.execution.ws_api_url))
