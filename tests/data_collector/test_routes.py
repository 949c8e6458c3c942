"""The route table of market streams."""

from __future__ import annotations

import pytest

from data_collector.routes import DEFAULT_STREAMS, KNOWN_SUFFIXES, PREFIXES, ROUTES, by_category, kind_of, streams_for
from models.error import ConfigurationError


@pytest.mark.parametrize(
    ("suffix", "category"),
    [
        ("depth@100ms", "public"), ("depth@0ms", "public"), ("depth", "public"), ("bookTicker", "public"),
        ("trade", "public"), ("aggTrade", "market"), ("markPrice@1s", "market"), ("kline_1m", "market"),
        ("forceOrder", "market"),
    ],
)  # fmt: skip
def test_each_stream_has_the_venues_prefix(suffix: str, category: str) -> None:
    """The category of each stream is the one of reference §1.2."""
    assert kind_of(suffix).category == category


@pytest.mark.parametrize("suffix", ["aggtrade", "depth@250ms", "kline_1s", "depth5", "", "markPrice@3s", "bookTicker2"])
def test_an_unknown_stream_refuses_the_start(suffix: str) -> None:
    """A stream without a route raises before any socket opens."""
    with pytest.raises(ConfigurationError) as caught:
        streams_for([(0, "BTCUSDT")], [suffix])
    assert caught.value.code == "UNKNOWN_STREAM"


def test_a_mistyped_stream_gets_its_neighbour() -> None:
    """The sentence names the nearest known stream."""
    with pytest.raises(ConfigurationError, match="did you mean aggTrade"):
        kind_of("agTrade")


def test_every_known_suffix_has_a_route() -> None:
    """The names offered in messages are all accepted."""
    assert all(kind_of(suffix).category in PREFIXES for suffix in (*KNOWN_SUFFIXES, *DEFAULT_STREAMS))


def test_only_liquidations_may_be_silent() -> None:
    """Every other stream has both deadlines."""
    assert [kind.label for kind in ROUTES if kind.fresh_s is None or kind.first_s is None] == ["forceOrder"]


def test_names_are_lower_case_and_split_by_prefix() -> None:
    """Streams carry the venue's lower-case names and fall into the two connections."""
    split = by_category(streams_for([(0, "BTCUSDT"), (1, "ETHUSDT")], ["depth@100ms", "aggTrade"]))
    assert {name: [one.name for one in part] for name, part in split.items()} == {
        "public": ["btcusdt@depth@100ms", "ethusdt@depth@100ms"],
        "market": ["btcusdt@aggTrade", "ethusdt@aggTrade"],
    }


def test_deadlines_can_be_replaced_by_label() -> None:
    """A quiet symbol's deadlines are the caller's to set, other kinds keep theirs."""
    streams = streams_for([(0, "X")], ["aggTrade", "depth"], {"aggTrade": (60.0, 300.0)})
    assert [(one.kind.first_s, one.kind.fresh_s) for one in streams] == [(60.0, 300.0), (5.0, 5.0)]


@pytest.mark.parametrize(("symbols", "suffixes"), [([], DEFAULT_STREAMS), ([(0, "X")], [])])
def test_wanting_nothing_is_refused(symbols: list[tuple[int, str]], suffixes: list[str]) -> None:
    """A feed without streams would wait for ever; it does not start."""
    with pytest.raises(ConfigurationError, match="at least one"):
        streams_for(symbols, suffixes)


def test_wanting_a_stream_twice_is_refused() -> None:
    """The same symbol twice is a mistake in the settings."""
    with pytest.raises(ConfigurationError, match="twice: x@depth"):
        streams_for([(0, "X"), (1, "x")], ["depth"])
