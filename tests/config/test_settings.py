"""Every number that the settings let through can be worked with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import wiring
from config.load import LEAVES, load
from config.settings import Settings
from config.venue import shipped_instruments
from core.engine import Engine
from exchange.simulated.exchange import SimulatedExchange
from models.account import AccountShape
from models.error import ConfigurationError
from models.instrument import E8

RULES = ("must not be above", "must be below", "must fit", "ceiling")
BEYOND = 1e300  # no number has a larger bound


def ends(key: str) -> list[Any]:
    """The smallest and the largest value that a number's own bounds let through."""
    schema = msgspec.json.schema(LEAVES[key])
    if schema.get("type") not in ("integer", "number"):
        return []
    whole = schema["type"] == "integer"
    low = schema.get("minimum", 1 if whole else 1e-300)
    high = schema.get("maximum", schema.get("exclusiveMaximum", BEYOND))
    return [low, high if "maximum" in schema or high == BEYOND else high - 1e-9]


NUMBERS = [(key, value) for key in LEAVES if key.partition(".")[0] != "telegram" for value in ends(key)]


@pytest.mark.parametrize(("key", "value"), NUMBERS)
def test_a_number_at_its_bound_is_taken_or_contradicts(key: str, value: Any, tmp_path: Any) -> None:
    """Engine and exchange are made with it, or the settings name the other key it contradicts; nothing overflows."""
    try:
        settings = load(environment={}, overrides=[f"{key}={value}"], folder=tmp_path).settings
    except ConfigurationError as error:
        assert any(words in error.message for words in RULES)
        return
    assert made(settings)


def made(settings: Settings) -> Engine:
    """What a run makes of its settings first."""
    instruments = wiring.with_terms(shipped_instruments(["BTCUSDT"]), settings)
    shape = AccountShape(round(settings.risk.equity_usdt * E8), settings.risk.leverage)
    SimulatedExchange(instruments, shape, wiring.paper_terms(settings))
    wiring.feed_limits(settings)
    return Engine(instruments, settings, wiring.client_prefix("bounds"))
