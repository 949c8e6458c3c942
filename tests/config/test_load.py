"""Layers, origins, and every mistake at once."""

import pytest

from config.load import LEAVES, allowed, load, variable_name
from config.settings import Settings
from models.error import ConfigurationError


def loaded(tmp_path, toml=None, **more):
    """Settings from one user file in an otherwise empty folder."""
    if toml is not None:
        (tmp_path / "scalper.toml").write_text(toml, encoding="utf-8")
    return load(folder=tmp_path, **{"environment": {}, **more})


def mistakes(tmp_path, *arguments, **more):
    """The sentences of the error that these layers cause."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, *arguments, **more)
    assert (caught.value.code, caught.value.exit_code) == ("CONFIG", 3)
    lines = caught.value.message.replace(f"{tmp_path}/", "").splitlines()
    return [line.strip() for line in (lines[1:] if len(lines) > 1 else lines)]


def test_nothing_given_is_the_defaults(tmp_path):
    """Without user layers the settings are the built-in ones, and each origin says so."""
    merged = loaded(tmp_path)
    assert (merged.settings, set(merged.origins.values())) == (Settings(), {"default"})


def test_later_layers_win(tmp_path):
    """File, environment, option and --set override one another in this order."""
    toml = "[risk]\nleverage = 2\nequity_usdt = 80\n[app]\nlang = 'en'\n"
    merged = loaded(
        tmp_path,
        toml,
        environment={"SCALPER_RISK__LEVERAGE": "3", "SCALPER_RISK__EQUITY_USDT": "90", "SCALPER_LANG": "ko"},
        options={"risk.leverage": "4"},
        overrides=["risk.leverage=5"],
    )
    settings = merged.settings
    assert (settings.risk.leverage, settings.risk.equity_usdt, settings.app.lang) == (5, 90.0, "ko")


def test_origins_name_file_and_line(tmp_path):
    """The origin of a value is the file and line, the variable, or the option that gave it."""
    merged = loaded(
        tmp_path,
        "\n[risk]\n\nleverage = 2\n",
        environment={"SCALPER_FEED__SYMBOLS": "ETHUSDT"},
        overrides=["app.lang=en"],
    )
    picked = [merged.origins[key] for key in ("risk.leverage", "feed.symbols", "app.lang", "app.mode")]
    assert picked == [f"{tmp_path}/scalper.toml:4", "environment SCALPER_FEED__SYMBOLS", "--set app.lang", "default"]


def test_named_files_replace_the_local_one(tmp_path):
    """With --config the local file is not read, and of several files the later wins."""
    for name, leverage in (("a.toml", 2), ("b.toml", 3)):
        (tmp_path / name).write_text(f"risk.leverage = {leverage}\n", encoding="utf-8")
    merged = loaded(tmp_path, "[app]\nlang = 'en'\n", configs=[tmp_path / "a.toml", tmp_path / "b.toml"])
    assert (merged.settings.risk.leverage, merged.settings.app.lang) == (3, "ko")


def test_environment_may_name_files(tmp_path):
    """SCALPER_CONFIG names settings files and is told among the variables used."""
    (tmp_path / "a.toml").write_text("risk.leverage = 2\n", encoding="utf-8")
    merged = loaded(tmp_path, environment={"SCALPER_CONFIG": str(tmp_path / "a.toml"), "HOME": "x"})
    assert (merged.settings.risk.leverage, merged.environment) == (2, ("SCALPER_CONFIG",))


def test_every_mistake_is_told_at_once(tmp_path):
    """Unknown keys, wrong types, ranges and contradictions of all layers stand in one error."""
    toml = "[risk]\nleverge = 5\nleverage = 200\n[app]\nlang = 'de'\n[feed]\nrecord = 'yes'\nsymbols = []\n"
    told = mistakes(tmp_path, toml, environment={"SCALPER_LEVERAGE": "3"}, overrides=["a", "risk=4"])
    assert told == [
        "environment SCALPER_LEVERAGE: is not a setting; did you mean SCALPER_RISK__LEVERAGE?",
        "--set a: has no value; write it like --set risk.leverage=5",
        "scalper.toml:2: risk.leverge is not a setting; did you mean risk.leverage?",
        "scalper.toml:3: risk.leverage is 200; it must be a whole number at least 1 and at most 125",
        "scalper.toml:5: app.lang is 'de'; it must be one of en, ko",
        "scalper.toml:7: feed.record is 'yes'; it must be true or false",
        "scalper.toml:8: feed.symbols is []; it must be a list of 1 to 50 symbols such as BTCUSDT; "
        "at least one is needed",
        "--set risk: risk is a section, not a value; write a key of it like risk.KEY",
    ]


def test_a_misspelt_section_is_named(tmp_path):
    """A key of no section gets the nearest section, an override without a name is told so."""
    told = mistakes(tmp_path, "[feeed]\nx = 1\n", overrides=["=x"])
    assert told == [
        "--set =x: names no setting; write it like --set risk.leverage=5",
        "scalper.toml:2: feeed.x is not a setting; did you mean the section feed?",
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0", "-1", "", "much"])
def test_money_must_be_a_positive_number(tmp_path, text):
    """Texts that are no positive finite number are refused as equity."""
    assert "risk.equity_usdt" in mistakes(tmp_path, overrides=[f"risk.equity_usdt={text}"])[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[risk\n", "is not TOML"),
        (b"\xff\xfe\x00", "is not TOML"),
        (b"a = " + b"[" * 5_000, "is not TOML"),
        (b"#" * (2 << 20), "larger than 1 MB"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, content, words):
    """A file that is no settings file is named with what is wrong about it."""
    (tmp_path / "x.toml").write_bytes(content)
    assert words in mistakes(tmp_path, configs=[tmp_path / "x.toml"])[0]


def test_missing_file_is_one_sentence(tmp_path):
    """A named file that is absent is an error, not a silence."""
    told = mistakes(tmp_path, configs=[tmp_path / "no.toml"])
    assert told == ["no.toml: cannot be read (No such file or directory); name an existing TOML file"]


def test_folder_in_place_of_a_file(tmp_path):
    """A folder given as settings file is refused in one sentence."""
    assert "cannot be read" in mistakes(tmp_path, configs=[tmp_path])[0]


def test_contradictions_name_both_places(tmp_path):
    """A rule between two keys tells where each of them comes from."""
    told = mistakes(tmp_path, "[risk]\nstreak_halt = 3\n")
    assert told == ["default, scalper.toml:2: risk.streak_pause is 5; it must be below risk.streak_halt, which is 3"]


def test_profile_lies_between_defaults_and_user(tmp_path):
    """The cautious profile changes the defaults, and the user's own lines change the profile."""
    merged = loaded(tmp_path, "[risk]\nprofile = 'cautious'\nfee_budget_pct = 2.0\n")
    risk = merged.settings.risk
    assert (risk.order_value_max_equity, risk.fee_budget_pct, merged.settings.strategy.params.stop_pct) == (
        3.5,
        2.0,
        0.5,
    )
    assert merged.origins["risk.drawdown_max_pct"].startswith("profile cautious")


def test_hypothesis_profile_is_its_own_choice(tmp_path):
    """The cautious conditions come without the cautious risk limits, and the other way round."""
    conditions = loaded(tmp_path, overrides=["hypothesis.profile=cautious"]).settings
    limits = loaded(tmp_path, overrides=["risk.profile=cautious"]).settings
    assert (conditions.hypothesis.imbalance_max, conditions.risk.drawdown_max_pct) == (0.85, 55.0)
    assert (limits.hypothesis.imbalance_max, limits.risk.drawdown_max_pct) == (0.0, 20.0)


def test_tables_take_single_entries(tmp_path):
    """An entry of a table is set alone, from the command line and from the environment."""
    merged = loaded(
        tmp_path,
        environment={"SCALPER_RISK__ORDER_QUANTITY_MAX__ETHUSDT": "0.1"},
        overrides=["risk.profile=cautious", "telegram.notify.trade=silent"],
    )
    assert merged.settings.risk.order_quantity_max == {"BTCUSDT": 0.003, "ETHUSDT": 0.1}
    assert merged.settings.telegram.notify == {"trade": "silent"}


@pytest.mark.parametrize("text", ["BTCUSDT,ETHUSDT", '["BTCUSDT", "ETHUSDT"]', "BTCUSDT, ETHUSDT"])
def test_lists_are_read_from_text(tmp_path, text):
    """A list on the command line is TOML or comma-separated."""
    assert loaded(tmp_path, overrides=[f"feed.symbols={text}"]).settings.feed.symbols == ("BTCUSDT", "ETHUSDT")


def test_texts_stay_texts(tmp_path):
    """A text that looks like a number is still a text where a text is wanted."""
    assert loaded(tmp_path, overrides=["app.data_dir=2026"]).settings.app.data_dir == "2026"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_that_a_shell_has_left_are_toml(tmp_path, quote):
    """A quoted text on --set or in the environment is its inside, a profile's name and each symbol of a list too."""
    merged = loaded(
        tmp_path,
        environment={"SCALPER_APP__LANG": f"{quote}en{quote}", "SCALPER_DATA_DIR": f"{quote}my data{quote}"},
        overrides=[
            f"risk.profile={quote}cautious{quote}",
            f"feed.symbols={quote}BTCUSDT{quote}, {quote}ETHUSDT{quote}",
            f"telegram.notify.trade={quote}silent{quote}",
        ],
    )
    settings = merged.settings
    assert (settings.app.lang, settings.app.data_dir, settings.risk.profile) == ("en", "my data", "cautious")
    assert (settings.feed.symbols, settings.telegram.notify) == (("BTCUSDT", "ETHUSDT"), {"trade": "silent"})
    assert settings.risk.drawdown_max_pct == 20.0


@pytest.mark.parametrize("text", ['"half', '"a" b', "a'b", '"'])
def test_a_text_with_quotes_of_its_own_stays(tmp_path, text):
    """Quotes that are no whole TOML text belong to the value."""
    assert loaded(tmp_path, overrides=[f"app.data_dir={text}"]).settings.app.data_dir == text


@pytest.mark.parametrize("text", ["[]", "", "[[]]", "BTC USDT", "BTC=USDT"])
def test_symbols_need_at_least_one(tmp_path, text):
    """No list, an empty one, and texts that are no symbol are told what is needed."""
    (told,) = mistakes(tmp_path, overrides=[f"feed.symbols={text}"])
    assert told.endswith("it must be a list of 1 to 50 symbols such as BTCUSDT; at least one is needed")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Asia/Soul", "; did you mean Asia/Seoul?"), ("Mars/Olympus", " such as Asia/Seoul"), ("../etc/passwd", ""),
        ("/etc", ""), ("Europe", ""),
    ],
)  # fmt: skip
def test_a_time_zone_must_be_one(tmp_path, name, hint):
    """What is no IANA name is refused, paths and folders included, with the nearest name."""
    (told,) = mistakes(tmp_path, overrides=[f"app.timezone={name}"])
    start = f"--set app.timezone: app.timezone is {name!r}; it must be an IANA time zone"
    assert told.startswith(start) and (not hint or told == start + hint)


def test_without_time_zone_data_every_name_passes(tmp_path, no_time_zones):
    """Where the system knows no zones, the default must not end the program: `doctor` warns."""
    assert loaded(tmp_path, overrides=["app.timezone=Mars/Olympus"]).settings.app.timezone == "Mars/Olympus"


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("storage.url=mysql://x", "of the form sqlite:///FILE or postgresql://HOST/DATABASE"),
        ("storage.url=sqlite://trades.db", "of the form sqlite:///FILE or postgresql://HOST/DATABASE"),
        ("storage.models_url=models", "of the form file:FOLDER or s3://BUCKET/FOLDER"),
        ("hypothesis.depth_bps=2.5", "a whole number of bps from 1 to 500"),
        ("risk.messages_per_s=31", "a whole number at least 1 and at most 30"),
    ],
)
def test_a_form_is_told_in_words(tmp_path, given, right):
    """Addresses and bounded numbers say what would be right."""
    (told,) = mistakes(tmp_path, overrides=[given])
    assert told.endswith(f"; it must be {right}")


@pytest.mark.parametrize("url", ["sqlite:////var/trades.db", "postgresql://host:5433/scalper"])
def test_both_kinds_of_database_pass(tmp_path, url):
    """A file and a server are what the conventions name."""
    assert loaded(tmp_path, overrides=[f"storage.url={url}"]).settings.storage.url == url


def test_secrets_are_no_settings(tmp_path):
    """A secret's variable is accepted, told by name, and leaves no trace in the settings."""
    merged = loaded(tmp_path, environment={"SCALPER_TELEGRAM_TOKEN": "123:abc"})
    assert merged.environment == ("SCALPER_TELEGRAM_TOKEN",)
    assert "123:abc" not in repr(merged)


def test_every_key_says_what_it_accepts():
    """Each key has words for its values and a variable of its own."""
    assert all(allowed(key) for key in LEAVES)
    assert len({variable_name(key) for key in LEAVES}) == len(LEAVES)


def test_an_editors_mark_at_the_beginning_is_no_mistake(tmp_path):
    """Editors of another system put a byte order mark in front; the file reads all the same."""
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbf[risk]\nleverage = 3\n")
    assert loaded(tmp_path, configs=[tmp_path / "x.toml"]).settings.risk.leverage == 3


def test_a_value_that_is_no_text_is_refused(tmp_path):
    """Bytes of the environment that are no UTF-8 could stand in no record."""
    told = mistakes(tmp_path, environment={"SCALPER_DATA_DIR": "bad\udcff"})
    assert told == ["environment SCALPER_DATA_DIR: app.data_dir is 'bad\\udcff'; it must be text in UTF-8"]
