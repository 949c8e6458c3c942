"""Rules between settings."""

import pytest

from config.load import load
from config.rules import broken_rules, require_mode
from config.settings import Settings
from models.error import ConfigurationError, UsageError


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


@pytest.mark.parametrize("mode", ["shadow", "testnet", "live"])
def test_modes_of_later_versions_are_refused(mode):
    """A mode that does not exist yet is refused as wrong usage, by name."""
    with pytest.raises(UsageError, match=f"mode {mode} is not available") as caught:
        require_mode(mode)
    assert (caught.value.code, caught.value.exit_code) == ("MODE_UNAVAILABLE", 2)


def test_paper_and_rehearsal_are_available():
    """The default mode and the rehearsal pass."""
    require_mode("rehearsal")
    assert require_mode("paper") is None
