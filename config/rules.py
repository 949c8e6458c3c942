"""Rules between settings: each value is fine alone, together they contradict, or ask for what this version has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from config.settings import CEILING_EQUITY, Settings
from models.error import ConfigurationError

Broken = tuple[tuple[str, ...], str]
"""The keys involved, and the sentence that says what is wrong and what would be right."""

LIVE_HOSTS = ("fapi.binance.com", "fstream.binance.com", "ws-fapi.binance.com")
TESTNET_HOSTS = ("binancefuture.com", "demo-fapi.binance.com", "demo-fstream.binance.com")


def require_hosts(mode: str, urls: Sequence[str]) -> None:
    """No mode reaches the other's venue (P32): raises ConfigurationError (HOSTS) for a testnet address in live or
    shadow, and for a live one in testnet.
    """
    wrong = LIVE_HOSTS if mode == "testnet" else TESTNET_HOSTS
    for url in urls:
        host = urlsplit(url).hostname or ""
        if any(host == name or host.endswith(f".{name}") for name in wrong):
            other = "live" if mode == "testnet" else "testnet"
            raise ConfigurationError(
                f"mode {mode} must not reach {host}, which is {other}; see feed.rest_url, "
                "feed.stream_url and execution.ws_api_url",
                code="HOSTS",
            )


def broken_rules(settings: Settings) -> list[Broken]:
    """Every broken rule, in the order of the sections."""
    return [*_orders(settings), *_shares(settings), *_unavailable(settings)]


def _orders(settings: Settings) -> Iterator[Broken]:
    risk, params = settings.risk, settings.strategy.params
    ceiling = CEILING_EQUITY[risk.profile]
    for key, value in (
        ("risk.order_value_max_equity", risk.order_value_max_equity),
        ("risk.position_value_max_equity", risk.position_value_max_equity),
    ):
        if value > ceiling:
            yield (key,), f"{key} is {value:g}; the {risk.profile} profile's ceiling is {ceiling:g} times equity"
    for low, high in (
        ("strategy.params.stop_pct", "risk.stop_loss_pct"),
        ("strategy.params.momentum_ready_min", "strategy.params.momentum_history_min"),
        ("risk.order_value_max_equity", "risk.position_value_max_equity"),
        ("risk.daily_loss_soft_pct", "risk.daily_loss_hard_pct"),
        ("risk.entry_orders_max", "risk.open_orders_max"),
        ("risk.messages_per_s", "risk.messages_per_10s"),
        ("risk.messages_per_10s", "risk.messages_per_min"),
        ("risk.entries_per_hour", "risk.entries_per_day"),
        ("trust.fresh_ms", "trust.stale_ms"),
    ):
        low_value, high_value = _at(settings, low), _at(settings, high)
        if low_value > high_value:
            yield (low, high), f"{low} is {low_value:g}; it must not be above {high}, which is {high_value:g}"
    if risk.streak_pause >= risk.streak_halt:
        yield (
            ("risk.streak_pause", "risk.streak_halt"),
            f"risk.streak_pause is {risk.streak_pause}; it must be below risk.streak_halt, which is {risk.streak_halt}",
        )
    if params.momentum_s > params.momentum_ready_min * 60:
        yield (
            ("strategy.params.momentum_s", "strategy.params.momentum_ready_min"),
            f"strategy.params.momentum_s is {params.momentum_s}; at least one such return must fit into "
            f"strategy.params.momentum_ready_min, which is {params.momentum_ready_min}",
        )


def _shares(settings: Settings) -> Iterator[Broken]:
    symbols = settings.feed.symbols
    doubled = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if doubled:
        yield ("feed.symbols",), f"feed.symbols names {', '.join(doubled)} twice; name each contract once"
    lower = [symbol for symbol in symbols if symbol != symbol.upper()]
    if lower:
        yield ("feed.symbols",), f"feed.symbols has {lower[0]}; contracts are written in capitals: {lower[0].upper()}"
    for name in settings.risk.order_quantity_max:
        if name != name.upper():  # it would bound nothing, in silence
            key = "risk.order_quantity_max"
            yield (key,), f"{key} names {name}; contracts are written in capitals: {name.upper()}"


def _unavailable(settings: Settings) -> Iterator[Broken]:
    """What conventions name and a later version brings: asking for it now must not pass in silence."""
    for key, value, only in (
        ("metrics.enabled", settings.metrics.enabled, False),
        ("api.enabled", settings.api.enabled, False),
        ("telegram.enabled", settings.telegram.enabled, False),
        ("interface.process", settings.interface.process, "same"),
        ("strategy.model", settings.strategy.model, "none"),
        ("paper.reports", settings.paper.reports, "horizon"),  # no driver reads ahead yet
    ):
        if value != only:
            shown, right = (str(part).lower() for part in (value, only))
            yield (key,), f"{key} is {shown}; this version has only {right}"


def _at(settings: Settings, key: str) -> float:
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return float(value)  # type: ignore[arg-type]
